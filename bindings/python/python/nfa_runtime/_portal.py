"""An event loop in the background, for sync callers."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

_portals: list[Portal] = []
_lock = threading.Lock()
_here = threading.local()


class Portal:
    """A thread with an event loop, which ends with the process."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.loop: asyncio.AbstractEventLoop = asyncio.new_event_loop()
        threading.Thread(target=self._live, name="nfa-portal", daemon=True).start()

    def _live(self) -> None:
        _here.depth = self.depth
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Runs `work` there, in a copy of the caller's context, and waits for it."""
        context = contextvars.copy_context()
        result: Future[T] = Future()
        started: list[asyncio.Task[T]] = []

        def start() -> None:
            task = context.run(self.loop.create_task, work())
            started.append(task)
            task.add_done_callback(lambda done: _pass_on(done, result))

        self.loop.call_soon_threadsafe(start)
        try:
            return result.result()
        except BaseException:
            if not result.done():
                self.loop.call_soon_threadsafe(lambda: started[0].cancel())
                # The run is cancelled before the interrupt goes on; a second one does not wait.
                try:
                    result.exception()
                except BaseException:  # noqa: S110
                    pass
            raise


def _pass_on(task: asyncio.Task[T], result: Future[T]) -> None:
    if task.cancelled():
        result.cancel()
        return
    error = task.exception()
    if error is not None:
        result.set_exception(error)
    else:
        result.set_result(task.result())


def portal() -> Portal:
    """The portal for a caller here: a loop of the background that the caller does not block."""
    depth = getattr(_here, "depth", -1) + 1
    with _lock:
        while len(_portals) <= depth:
            _portals.append(Portal(len(_portals)))
        return _portals[depth]


def call(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Runs `work` on a loop in the background, and waits for it."""
    return portal().call(work)


def forked() -> None:
    """The child has none of these threads."""
    global _lock
    _lock = threading.Lock()
    _portals.clear()
