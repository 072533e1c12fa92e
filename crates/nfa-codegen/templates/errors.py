"""Errors of nfa: a class for each category, and finer ones for codes that callers catch by themselves.

Generated from docs/errors.md by `cargo xtask generate`: do not edit.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .types import Category, Component


class NfaError(Exception):
    """An error of nfa: what went wrong, where, and what the caller can do about it.

    Match on classes and on `code`, never on the message. `docs/errors.md` lists every code.
    """

    message: str
    """The text for people: what was expected, what was found, what to do."""
    code: str
    """The stable code, in `snake_case`."""
    category: Category = "internal"
    """What to do about it."""
    component: Component
    """The part that reports it."""
    retryable: bool
    """Whether the same call may succeed later."""
    retry_after: float | None
    """How many seconds to wait before the next try, where that is known."""
    details: Any
    """What a program may want to know besides; `None` when there is nothing."""

    def __init__(
        self,
        message: str,
        *,
        code: str,
        component: Component = "runtime",
        category: Category | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
        details: Any = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.component = component
        if category is not None:
            self.category = category
        self.retryable = self.category == "transient" if retryable is None else retryable
        self.retry_after = retry_after
        self.details = details

    def __str__(self) -> str:
        return f"{self.message} [{self.code}]"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restored, (type(self), self.message, dict(self.__dict__)))


def _restored(kind: type[NfaError], message: str, state: dict[str, Any]) -> NfaError:
    error = kind.__new__(kind, message)
    error.__dict__.update(state)
    return error


#CLASSES#

BY_CATEGORY: dict[str, type[NfaError]] = {
#BY_CATEGORY#}
"""The class of each category."""

BY_CODE: dict[str, type[NfaError]] = {
#BY_CODE#}
"""The codes that have a class of their own, which counts where the error is of its category."""

CODES: dict[str, tuple[type[NfaError], tuple[Category, ...], Component]] = {
#CODES#}
"""Every code: its class (`NfaError` where the category of the error at hand decides), the categories that it
comes with, and the part that it is listed under."""


def error_class(code: str, category: str) -> type[NfaError]:
    """The class of an error with this code and category; a code that is not known has its category's."""
    own = BY_CODE.get(code)
    if own is not None and own.category == category:
        return own
    return BY_CATEGORY.get(category, NfaError)


def error_from(report: Mapping[str, Any]) -> NfaError:
    """An error as an exception: from what crosses the boundary, or from an outcome's report."""
    code, category = report["code"], report["category"]
    after = report.get("retry_after_ms")
    return error_class(code, category)(
        report["message"],
        code=code,
        category=category,
        component=report["component"],
        retryable=report["retryable"],
        retry_after=None if after is None else after / 1000,
        details=report.get("details"),
    )
