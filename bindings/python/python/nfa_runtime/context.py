"""What a tool or model is told of the call that it serves."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from ._native import CallInfo

DepsT = TypeVar("DepsT")


class ToolContext(Generic[DepsT]):
    """The call that a tool serves: who asks, until when, and what the caller of the run gave.

    A tool gets it by its first parameter::

        @tool
        async def refund(context: ToolContext[Shop], order: str) -> str:
            return await context.deps.refund(order, key=context.idempotency_key)
    """

    __slots__ = ("_deadline", "_gave_up", "_info", "deps")

    deps: DepsT
    """What was given to the run as `deps`."""

    def __init__(self, info: CallInfo, deps: DepsT) -> None:
        self._info = info
        self._gave_up = False
        remaining = info.remaining
        self._deadline = None if remaining is None else time.monotonic() + remaining
        self.deps = deps

    @property
    def run(self) -> str:
        """The run that asks."""
        return self._info.run

    @property
    def step(self) -> str:
        """The step that asks."""
        return self._info.step

    @property
    def attempt(self) -> int:
        """Which try of that step this is, from 1."""
        return self._info.attempt

    @property
    def agent(self) -> str:
        """The agent that asks."""
        return self._info.agent

    @property
    def session(self) -> str | None:
        """The session, when there is one."""
        return self._info.session

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt of this step: what a `keyed` tool passes on."""
        return self._info.idempotency_key

    @property
    def deadline(self) -> float | None:
        """When the call should be over, in the seconds of `time.monotonic()`."""
        return self._deadline

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the result any more. An async tool is cancelled as a task; a sync one, whose
        thread nothing can stop, looks here now and then."""
        return self._gave_up or self._info.cancelled

    def _give_up(self) -> None:
        self._gave_up = True

    def __repr__(self) -> str:
        return f"ToolContext(run={self.run!r}, step={self.step!r}, attempt={self.attempt}, agent={self.agent!r})"
