"""What serves one event loop: it takes the engine's letters, wakes who waits, and starts tools and models."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import TYPE_CHECKING, Any

from . import _bridges, _process
from .errors import invalid

if TYPE_CHECKING:
    from ._native import CallInfo, Loop

_local = threading.local()


class Pending:
    """The end of a future of the engine. May be waited for again after a wait was cancelled."""

    __slots__ = ()

    def settle(self, good: bool, value: Any) -> None:
        """It ended, with a value or an exception."""
        raise NotImplementedError

    async def wait(self) -> Any:
        """Waits for it."""
        raise NotImplementedError


class Host:
    """Serves one event loop. Subclasses know how to wait and how to start tasks there."""

    __slots__ = ("__weakref__", "calls", "letters", "native", "waiting")

    def __init__(self, *, watches: bool) -> None:
        from ._native import Loop

        self.native: Loop = Loop(_process.engine(), watches=watches)
        self.waiting: dict[int, Callable[[bool, Any], None]] = {}
        self.calls: dict[int, Callable[[], object]] = {}
        self.letters: deque[tuple[Any, ...]] = deque()

    def pending(self, ticket: int) -> Pending:
        """Waits for the letter of this ticket."""
        raise NotImplementedError

    def wait(self, ticket: int) -> Coroutine[Any, Any, Any]:
        """Waits for what this ticket gives."""
        return self.pending(ticket).wait()

    def start(self, call: int, work: Callable[[], Coroutine[Any, Any, None]], given: Given) -> None:
        """Starts a task for a call, in a copy of the context that the run's caller had."""
        raise NotImplementedError

    def ended(self, call: int, given: Given) -> None:
        """The task of a call has ended."""
        self.calls.pop(call, None)
        given.calls.discard(call)
        if not given.calls and given.gate is not None:
            given.gate.open()

    async def quiet(self, given: Given) -> None:
        """Ends the tasks of a run that is over, and waits for them."""
        for call in tuple(given.calls):
            give_up = self.calls.pop(call, None)
            if give_up is not None:
                give_up()
        while given.calls:
            given.gate = self.gate()
            await given.gate.wait()

    def gate(self) -> Gate:
        """Something to wait at."""
        raise NotImplementedError

    def shielded(self) -> contextlib.AbstractContextManager[object]:
        """Where a task that was cancelled can still wait."""
        return contextlib.nullcontext()

    def start_thread(self, work: Callable[[], None], given: Given) -> None:
        """Starts `work` on a thread, in a copy of the context that the run's caller had. Nothing can end it."""
        from . import _threads

        copy = given.context.copy()
        _threads.start(lambda: copy.run(work))

    def drain(self) -> None:
        """Takes the engine's letters. On the event loop's own thread."""
        letters = self.letters
        letters.extend(self.native.take())
        # One that raises, such as by an interrupt, leaves the others to the next time.
        while letters:
            letter = letters.popleft()
            kind = letter[0]
            if kind == 2:
                self._begin(letter)
            elif kind == 3:
                give_up = self.calls.pop(letter[1], None)
                if give_up is not None:
                    give_up()
            elif kind < 2:
                settle = self.waiting.pop(letter[1], None)
                if settle is not None:
                    settle(kind == 0, letter[2])

    def _begin(self, letter: Any) -> None:
        _, call, served, method, info, arguments = letter
        try:
            served._begin(self, call, method, info, arguments)
        except Exception as error:
            self.native.raised(call, words_of(error))

    def close(self) -> None:
        """Nobody takes letters any more."""
        self.native.close()


class Gate:
    """Where tasks of one event loop wait until they are let through, once."""

    __slots__ = ()

    def open(self) -> None:
        """Lets through who waits."""
        raise NotImplementedError

    async def wait(self) -> None:
        """Waits until it opens."""
        raise NotImplementedError


class Given:
    """What the caller of a run gave: dependencies, and where its tools run."""

    __slots__ = ("agent", "calls", "context", "deps", "gate", "session", "trace")

    def __init__(self, deps: Any, context: Context, agent: str = "", session: str | None = None) -> None:
        self.deps = deps
        self.context = context
        self.agent = agent
        self.session = session
        self.calls: set[int] = set()
        self.gate: Gate | None = None
        self.trace: Any = None

    def _begin(self, host: Host, call: int, method: str, info: CallInfo, told: dict[str, Any]) -> None:
        """The engine tells of a model's call; it waits for no answer."""
        for bridge in tuple(_bridges.active):
            bridge.model_called(self, info, told)


def given_of(info: CallInfo | None) -> Given:
    """What the caller of the run that asks gave."""
    given = None if info is None else info.given
    if given is None:
        return Given(None, Context())
    held: Given = given
    return held


def words_of(error: BaseException) -> str:
    """What a model is told of an exception."""
    message = str(error)
    name = type(error).__name__
    return f"{name}: {message}" if message else name


def current() -> Host:
    """Who serves the event loop that runs here."""
    asyncio = sys.modules.get("asyncio")
    loop = None if asyncio is None else asyncio._get_running_loop()
    if loop is not None:
        held = getattr(_local, "held", None)
        if held is not None and held[0] is loop:
            host: Host = held[1]
            return host
        from ._loops.asyncio import host_of

        host = host_of(loop)
        _local.held = (loop, host)
        return host
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        from ._loops.trio import host_here

        return host_here()
    raise invalid(
        "no_event_loop",
        "expected a running event loop (asyncio or trio): await this in an async function, or use the sync twin "
        "(`Runtime.run_sync`, `SyncRuntime`)",
        component="runtime",
    )


def forget() -> None:
    """Forgets the loop of this thread, such as after a fork."""
    _local.__dict__.clear()
