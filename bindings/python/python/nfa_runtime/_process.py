"""What there is once in a process, and again in each that forks from it."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._native import Engine

_engine: Engine | None = None
_lock = threading.Lock()


def engine() -> Engine:
    """The engine's threads and connections, made when they are first needed."""
    global _engine
    made = _engine
    if made is None:
        with _lock:
            made = _engine
            if made is None:
                from ._native import Engine

                threads = os.environ.get("NFA_THREADS")
                made = _engine = Engine(int(threads) if threads else None)
    return made


def _forked() -> None:
    """The child has none of the engine's threads, and locks may be held by threads that it does not have."""
    import sys

    global _engine, _lock
    _engine, _lock = None, threading.Lock()
    from . import _host

    _host.forget()
    for name in ("_loops.asyncio", "_threads", "_portal"):
        module = sys.modules.get(f"{__package__}.{name}")
        if module is not None:
            module.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
