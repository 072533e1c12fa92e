"""Who is told of runs, model calls and tool calls: logging and OpenTelemetry, when they are switched on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._host import Given
    from ._native import CallInfo
    from .outcome import Outcome


class Bridge:
    """Something that is told. Every method may be left as it is."""

    def run_started(self, given: Given) -> None:
        """A run is about to start."""

    def run_ended(self, given: Given, outcome: Outcome[Any] | None, error: BaseException | None) -> None:
        """A run ended, or was not admitted."""

    def model_called(self, given: Given, info: CallInfo, told: dict[str, Any]) -> None:
        """A call of a provider's model ended."""

    def tool_called(
        self, given: Given, info: CallInfo, tool: str, arguments: Any
    ) -> contextlib.AbstractContextManager[object]:
        """What a tool's code runs inside of."""
        return contextlib.nullcontext()


active: list[Bridge] = []


def add(bridge: Bridge) -> None:
    """Tells `bridge` from here on."""
    from . import runtime, tools

    active.append(bridge)
    runtime.tells_of_models = True
    tools.around = _around


def remove(bridge: Bridge) -> None:
    """Tells `bridge` no more."""
    from . import runtime, tools

    if bridge in active:
        active.remove(bridge)
    if not active:
        runtime.tells_of_models = False
        tools.around = None


@contextlib.contextmanager
def _around(tool: Any, info: CallInfo, given: Given, arguments: Any) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for bridge in tuple(active):
            stack.enter_context(bridge.tool_called(given, info, tool.name, arguments))
        yield
