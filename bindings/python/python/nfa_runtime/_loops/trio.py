"""trio."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

import trio
from trio.lowlevel import RunVar

from .._host import Gate, Given, Host, Pending

_here: RunVar[TrioHost] = RunVar("nfa_runtime_host")


class TrioPending(Pending):
    """An event, and what came with it."""

    __slots__ = ("error", "event", "value")

    def __init__(self) -> None:
        self.event = trio.Event()
        self.value: Any = None
        self.error: BaseException | None = None

    def settle(self, good: bool, value: Any) -> None:
        if good:
            self.value = value
        else:
            self.error = value
        self.event.set()

    async def wait(self) -> Any:
        await self.event.wait()
        if self.error is not None:
            raise self.error
        return self.value


class TrioGate(Gate):
    """An event, renewed when it opened."""

    __slots__ = ("event",)

    def __init__(self) -> None:
        self.event = trio.Event()

    def open(self) -> None:
        event, self.event = self.event, trio.Event()
        event.set()

    async def wait(self) -> None:
        await self.event.wait()


class TrioHost(Host):
    """Serves a run of trio's, by system tasks: they end with the main task, after all of its nurseries."""

    __slots__ = ("token",)

    def __init__(self) -> None:
        watches = sys.platform != "win32"
        super().__init__(watches=watches)
        self.token = trio.lowlevel.current_trio_token()
        trio.lowlevel.spawn_system_task(self._watch if watches else self._wait_beside, context=Context())

    async def _watch(self) -> None:
        descriptor = self.native.fileno()
        try:
            while True:
                await trio.lowlevel.wait_readable(descriptor)
                self.drain()
        finally:
            self.close()

    async def _wait_beside(self) -> None:
        try:
            while True:
                if await trio.to_thread.run_sync(self.native.wait, 1.0, abandon_on_cancel=True):
                    self.drain()
        finally:
            self.close()

    def pending(self, ticket: int) -> Pending:
        pending = TrioPending()
        self.waiting[ticket] = pending.settle
        return pending

    def start(self, call: int, work: Callable[[], Coroutine[Any, Any, None]], given: Given) -> None:
        scope = trio.CancelScope()
        given.calls.add(call)
        self.calls[call] = scope.cancel
        trio.lowlevel.spawn_system_task(self._serve, call, work, given, scope, context=given.context.copy())

    async def _serve(
        self, call: int, work: Callable[[], Coroutine[Any, Any, None]], given: Given, scope: trio.CancelScope
    ) -> None:
        try:
            with scope:
                await work()
            if scope.cancelled_caught:
                self.native.raised(call, "Cancelled")
        except trio.Cancelled:
            self.native.raised(call, "Cancelled")
            raise
        finally:
            self.ended(call, given)

    def gate(self) -> Gate:
        return TrioGate()

    def shielded(self) -> contextlib.AbstractContextManager[object]:
        return trio.CancelScope(shield=True)


def host_here() -> TrioHost:
    """Who serves the run of trio's that goes on here; made when it is first needed."""
    try:
        return _here.get()
    except LookupError:
        made = TrioHost()
        _here.set(made)
        return made
