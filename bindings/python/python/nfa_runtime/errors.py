"""What can go wrong: one class for each category of error, and finer ones for what callers catch by themselves.

`docs/errors.md` lists every code. Match on classes and on `code`, never on the message.
"""

from __future__ import annotations

from typing import Any

from ._generated.errors import (
    AgentPausedError,
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    ContentErasedError,
    ContextLengthError,
    ForkedError,
    HostClosedError,
    InputError,
    InternalError,
    LeaseHeldError,
    ModelTimeoutError,
    NfaError,
    NotRegisteredError,
    OutputInvalidError,
    OutputMismatchError,
    ProgramMismatchError,
    ProofInvalidError,
    RateLimitError,
    RunCancelledError,
    RunUnknownError,
    SessionBusyError,
    ToolFailedError,
    TransientError,
    error_class,
    error_from,
)

__all__ = [
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
    "error_class",
    "error_from",
]


class ToolError(Exception):
    """Raised in a tool: the model is told exactly these words, and may try something else.

    Any other exception is told as well, as `TypeName: message`.
    """


class FatalToolError(Exception):
    """Raised in a tool: the run stops with the error `tool_failed` and these words."""


def make(
    code: str,
    category: str,
    component: str,
    message: str,
    retryable: bool,
    retry_after: float | None,
    details: Any,
) -> NfaError:
    """The exception for an error of the engine."""
    kind: Any = error_class(code, category)
    error: NfaError = kind(
        message,
        code=code,
        category=category,
        component=component,
        retryable=retryable,
        retry_after=retry_after,
        details=details,
    )
    return error


def stated(error: NfaError) -> tuple[str, str, str, str, bool, float | None, Any]:
    """An error as the engine takes it."""
    return (
        error.code,
        error.category,
        error.component,
        error.message,
        error.retryable,
        error.retry_after,
        error.details,
    )


def invalid(code: str, message: str, *, component: str = "spec") -> NfaError:
    """An error of the caller's input."""
    return make(code, "input", component, message, False, None, None)
