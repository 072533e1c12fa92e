"""The engine's records in the standard `logging`.

`install()` switches it on. Loggers are named `nfa_runtime.…`: `nfa_runtime.run`, `nfa_runtime.model` and
`nfa_runtime.tool` tell of runs, model calls and tool calls, and `nfa_runtime.engine.…` passes on what the engine and
its libraries say. Records hold names, numbers and codes, never what users, models or tools said.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from . import _bridges

if TYPE_CHECKING:
    from ._host import Given
    from ._native import CallInfo, Logs
    from .outcome import Outcome

_RUN = logging.getLogger("nfa_runtime.run")
_MODEL = logging.getLogger("nfa_runtime.model")
_TOOL = logging.getLogger("nfa_runtime.tool")
_ENGINE = "nfa_runtime.engine"

_installed: _LoggingBridge | None = None
_thread: threading.Thread | None = None


def install(*, engine: bool = True) -> None:
    """Passes records on from here on, for runtimes that are opened afterwards.

    Args:
        engine: whether what the engine and its libraries say is passed on, too, at the level that the logger
            `nfa_runtime.engine` has now.

    Raises:
        RuntimeError: when something else of the process takes the engine's records already.
    """
    global _installed, _thread
    if _installed is None:
        _installed = _LoggingBridge()
        _bridges.add(_installed)
    if engine:
        from ._native import Logs

        logs = Logs()
        logs.set_level(max(5, logging.getLogger(_ENGINE).getEffectiveLevel()))
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_pass_on, args=(logs,), name="nfa-logs", daemon=True)
            _thread.start()


def uninstall() -> None:
    """Passes on no more records of runs, model calls and tool calls."""
    global _installed
    if _installed is not None:
        _bridges.remove(_installed)
        _installed = None


def _pass_on(logs: Logs) -> None:
    while True:
        for level, target, message, fields, file, line in logs.wait(1.0):
            logger = logging.getLogger(f"{_ENGINE}.{target.replace('::', '.')}")
            if not logger.isEnabledFor(level):
                continue
            told = " ".join([message, *(f"{name}={value}" for name, value in fields)]).strip()
            record = logger.makeRecord(
                logger.name, level, file or "", line or 0, told, (), None, extra={"nfa": dict(fields)}
            )
            logger.handle(record)


class _LoggingBridge(_bridges.Bridge):
    def run_started(self, given: Given) -> None:
        _RUN.debug("run of %s starts", given.agent, extra={"nfa": {"agent": given.agent}})

    def run_ended(self, given: Given, outcome: Outcome[Any] | None, error: BaseException | None) -> None:
        if outcome is None:
            code = getattr(error, "code", type(error).__name__)
            _RUN.warning("run of %s was not started: %s", given.agent, code, extra={"nfa": {"code": code}})
            return
        failure = outcome.error
        told = {"agent": given.agent, "run": outcome.run, "status": outcome.status}
        if failure is None:
            _RUN.info("run %s of %s: %s", outcome.run, given.agent, outcome.status, extra={"nfa": told})
        else:
            told["code"] = failure.code
            _RUN.warning(
                "run %s of %s: %s, %s", outcome.run, given.agent, outcome.status, failure.code, extra={"nfa": told}
            )

    def model_called(self, given: Given, info: CallInfo, told: dict[str, Any]) -> None:
        took = (told["end"] - told["start"]) / 1e6
        values = {"run": info.run, "step": info.step, "model": told["model"], "ms": took}
        if "error" in told:
            values["code"] = told["error"]
            _MODEL.warning("%s failed after %.0f ms: %s", told["model"], took, told["error"], extra={"nfa": values})
        else:
            values.update(told["usage"])
            _MODEL.debug("%s answered in %.0f ms", told["model"], took, extra={"nfa": values})

    @contextlib.contextmanager
    def tool_called(self, given: Given, info: CallInfo, tool: str, arguments: Any) -> Iterator[None]:
        values: dict[str, Any] = {"run": info.run, "step": info.step, "tool": tool}
        started = time.perf_counter()
        try:
            yield
        except Exception as error:
            values["error"] = type(error).__name__
            _TOOL.warning("tool %s raised %s", tool, values["error"], extra={"nfa": values})
            raise
        values["ms"] = (time.perf_counter() - started) * 1000
        _TOOL.debug("tool %s took %.0f ms", tool, values["ms"], extra={"nfa": values})
