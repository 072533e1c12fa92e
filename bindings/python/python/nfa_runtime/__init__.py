"""Durable, provable agents.

An `Agent` is a model, instructions, tools and limits. A `Runtime` runs it: every run survives `kill -9`, no finished
step is paid for twice, and every turn is a leaf of a signed Merkle log::

    from nfa_runtime import Agent, Runtime, tool

    @tool
    async def weather(city: str) -> str:
        \"\"\"Current weather in a city.\"\"\"
        return "rain"

    agent = Agent("helper", model="openai/gpt-5-mini", tools=[weather])

    async def main() -> None:
        async with Runtime("sqlite:agents.db") as runtime:
            outcome = await runtime.run(agent, "Is it raining in Oslo?", session="alice")
            print(outcome.text, outcome.receipt)
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._native import __version__ as __version__
    from .agent import Agent as Agent
    from .agent import AgentTool as AgentTool
    from .context import ToolContext as ToolContext
    from .embedders import Embedder as Embedder
    from .errors import AgentPausedError as AgentPausedError
    from .errors import AuthenticationError as AuthenticationError
    from .errors import ConfigurationError as ConfigurationError
    from .errors import ConflictError as ConflictError
    from .errors import ContentErasedError as ContentErasedError
    from .errors import ContextLengthError as ContextLengthError
    from .errors import FatalToolError as FatalToolError
    from .errors import ForkedError as ForkedError
    from .errors import HostClosedError as HostClosedError
    from .errors import InputError as InputError
    from .errors import InternalError as InternalError
    from .errors import LeaseHeldError as LeaseHeldError
    from .errors import ModelTimeoutError as ModelTimeoutError
    from .errors import NfaError as NfaError
    from .errors import NotRegisteredError as NotRegisteredError
    from .errors import OutputInvalidError as OutputInvalidError
    from .errors import OutputMismatchError as OutputMismatchError
    from .errors import ProgramMismatchError as ProgramMismatchError
    from .errors import ProofInvalidError as ProofInvalidError
    from .errors import RateLimitError as RateLimitError
    from .errors import RunCancelledError as RunCancelledError
    from .errors import RunUnknownError as RunUnknownError
    from .errors import SessionBusyError as SessionBusyError
    from .errors import ToolError as ToolError
    from .errors import ToolFailedError as ToolFailedError
    from .errors import TransientError as TransientError
    from .events import Asked as Asked
    from .events import Entry as Entry
    from .events import Event as Event
    from .events import Finished as Finished
    from .events import ReasoningDelta as ReasoningDelta
    from .events import Retracted as Retracted
    from .events import TextDelta as TextDelta
    from .events import ToolCallDelta as ToolCallDelta
    from .events import ToolFinished as ToolFinished
    from .events import ToolStarted as ToolStarted
    from .models import FunctionModel as FunctionModel
    from .models import Model as Model
    from .models import ModelAnswer as ModelAnswer
    from .models import ModelRequest as ModelRequest
    from .models import ScriptedModel as ScriptedModel
    from .outcome import Ask as Ask
    from .outcome import Outcome as Outcome
    from .outcome import Receipt as Receipt
    from .proof import Bundle as Bundle
    from .proof import verify as verify
    from .run import Run as Run
    from .runtime import Runtime as Runtime
    from .sync import SyncRun as SyncRun
    from .sync import SyncRuntime as SyncRuntime
    from .tools import Done as Done
    from .tools import NotDone as NotDone
    from .tools import Tool as Tool
    from .tools import tool as tool

_WHERE = {
    "_native": ("__version__",),
    "agent": ("Agent", "AgentTool"),
    "context": ("ToolContext",),
    "embedders": ("Embedder",),
    "errors": (
        "AgentPausedError",
        "AuthenticationError",
        "ConfigurationError",
        "ConflictError",
        "ContentErasedError",
        "ContextLengthError",
        "FatalToolError",
        "ForkedError",
        "HostClosedError",
        "InputError",
        "InternalError",
        "LeaseHeldError",
        "ModelTimeoutError",
        "NfaError",
        "NotRegisteredError",
        "OutputInvalidError",
        "OutputMismatchError",
        "ProgramMismatchError",
        "ProofInvalidError",
        "RateLimitError",
        "RunCancelledError",
        "RunUnknownError",
        "SessionBusyError",
        "ToolError",
        "ToolFailedError",
        "TransientError",
    ),
    "events": (
        "Asked",
        "Entry",
        "Event",
        "Finished",
        "ReasoningDelta",
        "Retracted",
        "TextDelta",
        "ToolCallDelta",
        "ToolFinished",
        "ToolStarted",
    ),
    "models": ("FunctionModel", "Model", "ModelAnswer", "ModelRequest", "ScriptedModel"),
    "outcome": ("Ask", "Outcome", "Receipt"),
    "proof": ("Bundle", "verify"),
    "run": ("Run",),
    "runtime": ("Runtime",),
    "sync": ("SyncRun", "SyncRuntime"),
    "tools": ("Done", "NotDone", "Tool", "tool"),
}
_MODULES = {name: module for module, names in _WHERE.items() for name in names}

__all__ = [  # noqa: F822, RUF100
    "Agent",
    "AgentPausedError",
    "AgentTool",
    "Ask",
    "Asked",
    "AuthenticationError",
    "Bundle",
    "ConfigurationError",
    "ConflictError",
    "ContentErasedError",
    "ContextLengthError",
    "Done",
    "Embedder",
    "Entry",
    "Event",
    "FatalToolError",
    "Finished",
    "ForkedError",
    "FunctionModel",
    "HostClosedError",
    "InputError",
    "InternalError",
    "LeaseHeldError",
    "Model",
    "ModelAnswer",
    "ModelRequest",
    "ModelTimeoutError",
    "NfaError",
    "NotDone",
    "NotRegisteredError",
    "Outcome",
    "OutputInvalidError",
    "OutputMismatchError",
    "ProgramMismatchError",
    "ProofInvalidError",
    "RateLimitError",
    "ReasoningDelta",
    "Receipt",
    "Retracted",
    "Run",
    "RunCancelledError",
    "RunUnknownError",
    "Runtime",
    "ScriptedModel",
    "SessionBusyError",
    "SyncRun",
    "SyncRuntime",
    "TextDelta",
    "Tool",
    "ToolCallDelta",
    "ToolContext",
    "ToolError",
    "ToolFailedError",
    "ToolFinished",
    "ToolStarted",
    "TransientError",
    "tool",
    "verify",
]


def __getattr__(name: str) -> Any:
    # Modules are imported when something of them is first asked for, so that importing the package costs little.
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
