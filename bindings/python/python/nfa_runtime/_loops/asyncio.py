"""asyncio, and loops that do as it does, such as uvloop."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

from .._host import Gate, Given, Host, Pending, words_of

_hosts: dict[int, AsyncioHost] = {}
_lock = threading.Lock()


class AsyncioPending(Pending):
    """A future that is made again when a wait for it was cancelled."""

    __slots__ = ("future",)

    def __init__(self, future: asyncio.Future[Any]) -> None:
        self.future = future

    def settle(self, good: bool, value: Any) -> None:
        future = self.future
        if future.cancelled():
            self.future = future = future.get_loop().create_future()
            if not good:
                # Nobody may ever look at it.
                future.add_done_callback(asyncio.Future.exception)
        if good:
            future.set_result(value)
        else:
            future.set_exception(value)

    async def wait(self) -> Any:
        if self.future.cancelled():
            self.future = self.future.get_loop().create_future()
        return await self.future


class AsyncioGate(Gate):
    """A future for each who waits."""

    __slots__ = ("loop", "waiters")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.waiters: list[asyncio.Future[None]] = []

    def open(self) -> None:
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self) -> None:
        waiter = self.loop.create_future()
        self.waiters.append(waiter)
        await waiter


class AsyncioHost(Host):
    """Serves a loop of asyncio's."""

    __slots__ = ("_guard", "_helper", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        watches = _watches(loop)
        super().__init__(watches=watches)
        self.loop = loop
        self._helper: threading.Thread | None = None
        if watches:
            loop.add_reader(self.native.fileno(), self.drain)
        else:
            native, reference = self.native, weakref.ref(self)
            self._helper = threading.Thread(
                target=_wake_from_beside, args=(native, loop, reference), name="nfa-wake", daemon=True
            )
            self._helper.start()
        self._guard = _until_shutdown(self)
        _step(self._guard.__anext__())

    def pending(self, ticket: int) -> Pending:
        pending = AsyncioPending(self.loop.create_future())
        self.waiting[ticket] = pending.settle
        return pending

    def start(self, call: int, work: Callable[[], Coroutine[Any, Any, None]], given: Given) -> None:
        given.calls.add(call)
        task = given.context.run(self.loop.create_task, work())
        self.calls[call] = task.cancel
        # Not inside the task: one that is cancelled before it began runs nothing of its coroutine.
        task.add_done_callback(lambda done: self._done(call, given, done))

    def _done(self, call: int, given: Given, task: asyncio.Task[None]) -> None:
        self.ended(call, given)
        if task.cancelled():
            # Dropped if the engine gave the call up, and told if the tool's own code cancelled the task.
            self.native.raised(call, "CancelledError")
            return
        error = task.exception()
        if error is not None:
            self.native.raised(call, words_of(error))

    def gate(self) -> Gate:
        return AsyncioGate(self.loop)

    def close(self) -> None:
        super().close()
        if not self.loop.is_closed() and self._helper is None:
            self.loop.remove_reader(self.native.fileno())
        with _lock:
            if _hosts.get(id(self.loop)) is self:
                del _hosts[id(self.loop)]


def _watches(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the loop can watch a socket. The one that Windows has by default cannot."""
    import sys

    if sys.platform == "win32":
        return False
    kind = type(loop)
    return getattr(kind, "add_reader", None) is not asyncio.AbstractEventLoop.add_reader


def _wake_from_beside(native: Any, loop: asyncio.AbstractEventLoop, host: weakref.ref[AsyncioHost]) -> None:
    while True:
        woken = native.wait(1.0)
        held = host()
        if held is None or loop.is_closed():
            native.close()
            return
        if woken:
            try:
                loop.call_soon_threadsafe(held.drain)
            except RuntimeError:
                native.close()
                return
        del held


async def _until_shutdown(host: AsyncioHost) -> AsyncGenerator[None, None]:
    """Closes the host when the loop shuts its generators down, as `asyncio.run` does at its end."""
    reference = weakref.ref(host)
    del host
    try:
        yield
    finally:
        held = reference()
        if held is not None:
            held.close()


def _step(awaitable: Any) -> None:
    try:
        awaitable.send(None)
    except StopIteration:
        return


def host_of(loop: asyncio.AbstractEventLoop) -> AsyncioHost:
    """Who serves this loop; made when it is first needed. On the loop's own thread."""
    with _lock:
        held = _hosts.get(id(loop))
        if held is not None and held.loop is loop:
            return held
        gone = [host for host in _hosts.values() if host.loop.is_closed()]
    for host in gone:
        host.close()
    made = AsyncioHost(loop)
    with _lock:
        _hosts[id(loop)] = made
    return made


def forked() -> None:
    """The child serves loops of its own."""
    global _lock
    _lock = threading.Lock()
    _hosts.clear()
