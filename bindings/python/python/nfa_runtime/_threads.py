"""Threads for sync tools: kept for a while, never waited for at exit, as many as there are calls at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

_IDLE_SECONDS = 10.0

_idle: list[_Worker] = []
_lock = threading.Lock()


class _Worker:
    __slots__ = ("work",)

    def __init__(self) -> None:
        self.work: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def live(self) -> None:
        while True:
            try:
                work = self.work.get(timeout=_IDLE_SECONDS)
            except Empty:
                with _lock:
                    if self in _idle:
                        _idle.remove(self)
                        return
                # Somebody took it just now, and its work is on the way.
                work = self.work.get()
            work()
            del work
            with _lock:
                _idle.append(self)


def start(work: Callable[[], None]) -> None:
    """Runs `work`, which raises nothing, on a thread of its own."""
    with _lock:
        worker = _idle.pop() if _idle else None
    if worker is None:
        worker = _Worker()
        worker.work.put(work)
        threading.Thread(target=worker.live, name="nfa-tool", daemon=True).start()
    else:
        worker.work.put(work)


def forked() -> None:
    """The child has none of these threads."""
    global _lock
    _lock = threading.Lock()
    _idle.clear()
