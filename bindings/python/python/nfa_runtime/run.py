"""Runs: started, listened to, awaited, cancelled."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from . import _bridges, _host
from ._host import Gate, Given, Host, Pending
from .errors import NfaError, invalid, make
from .outcome import Outcome

if TYPE_CHECKING:
    from types import TracebackType

    from ._generated.types import Limit, OutcomeStatus, Usage
    from ._native import Event, RawRun, Stop
    from .outcome import Ask, Receipt

OutT = TypeVar("OutT")


class Start(Protocol):
    """Begins a run on an event loop, with listeners or without; gives a ticket, and what stops the run."""

    def __call__(self, host: Host, given: Given, *, listens: bool) -> tuple[int, Stop]: ...


class Run(Generic[OutT]):
    """A run of an agent: about to start, under way or over.

    Awaited, it gives its `Outcome`, without anybody listening to its events::

        outcome = await runtime.run(agent, "Hello")

    In `async with` it is listened to, and awaited at the end of the block, so that `run.output`, `run.text` and
    `run.receipt` are there::

        async with runtime.run(agent, "Hello") as run:
            async for event in run:
                ...
        print(run.output)

    Whoever awaits it owns it: cancelling that task, or leaving the block by an exception, cancels the run and its
    tools. Cancelling a wait for the next event does neither, and loses no event.
    """

    __slots__ = (
        "_buffer",
        "_decode",
        "_gates",
        "_given",
        "_host",
        "_last",
        "_outcome",
        "_over",
        "_pulling",
        "_raw",
        "_start",
        "_stop",
    )

    def __init__(
        self,
        start: Start | None,
        decode: Callable[[Any], Any] | None,
        given: Given,
        raw: RawRun | None = None,
    ) -> None:
        self._start = start
        self._given = given
        self._decode = decode
        self._raw = raw
        self._stop: Stop | None = None
        self._buffer: deque[Event] = deque()
        self._gates: Gate | None = None
        self._host: Host | None = None
        self._pulling = False
        self._over = False
        self._last: BaseException | None = None
        self._outcome: Outcome[OutT] | None = None

    # Starting and ending

    def __await__(self) -> Generator[Any, None, Outcome[OutT]]:
        return self._completed().__await__()

    async def _completed(self) -> Outcome[OutT]:
        if self._raw is not None or self._outcome is not None:
            return await self.outcome()
        raw = await self._begin(listens=False)
        outcome: Outcome[OutT] = Outcome(raw, self._decode)
        self._outcome = outcome
        self._tell(outcome, None)
        if self._given.calls:
            await _host.current().quiet(self._given)
        return outcome

    async def _begin(self, *, listens: bool) -> Any:
        start, self._start = self._start, None
        if start is None:
            raise invalid("run_started", "a run starts once: ask the runtime for another one", component="runtime")
        host = _host.current()
        given = self._given
        given.context = copy_context()
        for bridge in _bridges.active:
            bridge.run_started(given)
        ticket, stop = start(host, given, listens=listens)
        self._stop = stop
        pending = host.pending(ticket)
        try:
            return await pending.wait()
        except NfaError as error:
            self._tell(None, error)
            raise
        except BaseException as error:
            stop.cancel()
            if stop.begun:
                await _ended(host, pending, given, listens)
            self._tell(None, error)
            raise

    def _tell(self, outcome: Outcome[Any] | None, error: BaseException | None) -> None:
        for bridge in _bridges.active:
            bridge.run_ended(self._given, outcome, error)

    async def start(self) -> Run[OutT]:
        """Starts it, with somebody listening to its events. It goes on by itself when nobody awaits it.

        Raises:
            NfaError: why it was not admitted.
        """
        self._raw = await self._begin(listens=True)
        return self

    async def __aenter__(self) -> Run[OutT]:
        if self._raw is None:
            await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            try:
                await self.outcome()
            except NfaError:
                raise
            except BaseException:
                await self._give_up()
                raise
        else:
            await self._give_up()

    async def _give_up(self) -> None:
        """Cancels it, and waits until it and its tools have stopped."""
        self.cancel()
        if self._outcome is None and self._raw is not None:
            host = _host.current()
            with host.shielded():
                try:
                    await self.outcome()
                except NfaError:
                    # It is over either way, and another exception is on its way.
                    pass
                await host.quiet(self._given)

    def cancel(self) -> None:
        """Asks it to stop; its outcome tells when it has. From any thread."""
        if self._raw is not None:
            self._raw.cancel()
        elif self._stop is not None:
            self._stop.cancel()

    # Events

    def __aiter__(self) -> Run[OutT]:
        if self._raw is None:
            raise invalid(
                "run_not_heard", "listen to a run inside `async with runtime.run(…) as run:`", component="runtime"
            )
        return self

    async def __anext__(self) -> Event:
        buffer = self._buffer
        while not buffer:
            if self._over:
                if self._last is not None:
                    error, self._last = self._last, None
                    raise error
                if self._outcome is None:
                    await self.outcome()
                raise StopAsyncIteration
            await self._more()
        return buffer.popleft()

    async def _more(self) -> None:
        """Waits until there are more events in the buffer. Cancelling the wait leaves what it waits for going."""
        raw = self._raw
        if raw is None:
            raise invalid("run_not_heard", "listen to a run inside `async with`", component="runtime")
        host = _host.current()
        if not self._pulling:
            ready = raw.ready()
            if ready:
                self._take(ready)
                return
            self._pulling = True
            host.waiting[raw.pull(host.native)] = self._pulled
        gate = self._gates
        if gate is None or self._host is not host:
            gate = self._gates = host.gate()
            self._host = host
        await gate.wait()

    def _pulled(self, good: bool, value: Any) -> None:
        self._pulling = False
        if not good:
            self._last, self._over = value, True
        elif value:
            self._take(value)
        else:
            self._over = True
        if self._gates is not None:
            self._gates.open()

    def _take(self, events: list[Event]) -> None:
        self._buffer.extend(events)
        if events[-1].type == "finished":
            self._over = True

    # The end

    async def outcome(self) -> Outcome[OutT]:
        """Waits for its end, and says how it ended. Events that were not read are dropped.

        Cancelling this wait leaves the run going, unless it was never started in another way.

        Raises:
            NfaError: what kept the run from being driven on. A run that failed, was cancelled or hit a limit raises
                nothing here: its outcome says so.
        """
        held = self._outcome
        if held is None:
            if self._raw is None:
                return await self._completed()
            host = _host.current()
            raw = await host.wait(self._raw.outcome(host.native))
            held = self._outcome
            if held is None:
                held = self._outcome = Outcome(raw, self._decode)
                self._over = True
                self._tell(held, None)
            if self._given.calls:
                await host.quiet(self._given)
        return held

    def _ended(self) -> Outcome[OutT]:
        if self._outcome is None:
            raise make(
                "run_not_finished",
                "input",
                "runtime",
                "the run is not over yet: read this after `async with`, after its last event, or after "
                "`await run.outcome()`",
                False,
                None,
                None,
            )
        return self._outcome

    @property
    def id(self) -> str:
        """Its id, once it was started."""
        if self._raw is not None:
            return self._raw.id
        return self._ended().run

    @property
    def status(self) -> OutcomeStatus:
        """How it ended."""
        return self._ended().status

    @property
    def text(self) -> str:
        """The final text; of a run that did not complete, the latest that the agent said."""
        return self._ended().text

    @property
    def output(self) -> OutT:
        """The final answer as an instance of the agent's output type."""
        return self._ended().output

    @property
    def receipt(self) -> Receipt:
        """Where its leaves stood in the proof log when it ended."""
        return self._ended().receipt

    @property
    def usage(self) -> Usage:
        """What it cost."""
        return self._ended().usage

    @property
    def error(self) -> NfaError | None:
        """Why it failed, when it did."""
        return self._ended().error

    @property
    def limit(self) -> Limit | None:
        """The limit that stopped it."""
        return self._ended().limit

    @property
    def asks(self) -> list[Ask]:
        """What it waits for, when it waits."""
        return self._ended().asks

    def __repr__(self) -> str:
        if self._outcome is not None:
            return f"<Run {self._outcome.run} {self._outcome.status}>"
        if self._raw is not None:
            return f"<Run {self._raw.id}>"
        return "<Run not started>"


async def _ended(host: Host, pending: Pending, given: Given, listens: bool) -> None:
    """Waits until a run that was cancelled while it was awaited has stopped, and its tools with it."""
    with host.shielded():
        try:
            raw = await pending.wait()
            if listens:
                raw.cancel()
                await host.wait(raw.outcome(host.native))
        except NfaError:
            pass
        await host.quiet(given)
