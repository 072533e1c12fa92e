"""Ports of a runtime that are written in Python: stores, keys, witnesses, anchors, caches."""

from __future__ import annotations

import inspect
import threading
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from ._host import Given, Host, words_of
from .errors import NfaError, stated

if TYPE_CHECKING:
    from ._native import CallInfo


class ServedPort:
    """An object behind one of the engine's ports: its methods are called by their names, with named arguments.

    Async methods are tasks of the loop where the runtime was opened. Sync ones run on a thread, one after the other,
    in the order in which the engine asks.
    """

    __slots__ = ("_given", "_line", "_served")

    def __init__(self, served: Any) -> None:
        self._served = served
        self._given = Given(None, copy_context())
        self._line = _Line()

    def _begin(self, host: Host, call: int, method: str, info: CallInfo | None, arguments: Any) -> None:
        native = host.native
        function = getattr(self._served, method)

        def fail(error: BaseException) -> None:
            if isinstance(error, NfaError):
                native.stated(call, stated(error))
            else:
                native.raised(call, words_of(error))

        if inspect.iscoroutinefunction(function):

            async def work() -> None:
                try:
                    native.answer(call, await function(**arguments))
                except Exception as error:
                    fail(error)

            host.start(call, work, self._given)
            return

        def work_in_thread() -> None:
            try:
                native.answer(call, function(**arguments))
            except BaseException as error:
                fail(error)

        self._line.add(lambda: self._given.context.copy().run(work_in_thread))


class _Line:
    """Work that is done one piece after the other, on a thread that is there while there is work."""

    __slots__ = ("_busy", "_lock", "_work")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._work: deque[Callable[[], None]] = deque()
        self._busy = False

    def add(self, work: Callable[[], None]) -> None:
        with self._lock:
            self._work.append(work)
            if self._busy:
                return
            self._busy = True
        from . import _threads

        _threads.start(self._go)

    def _go(self) -> None:
        while True:
            with self._lock:
                if not self._work:
                    self._busy = False
                    return
                work = self._work.popleft()
            work()
