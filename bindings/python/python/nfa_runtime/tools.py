"""Tools: Python functions that an agent can call."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from ._host import Given, Host, given_of, words_of
from .context import ToolContext
from .errors import FatalToolError, NfaError, ToolError, invalid, make, stated
from .schema.compile import UnsupportedHint
from .schema.signature import Signature

if TYPE_CHECKING:
    from ._generated.types import Approval, Effect, ToolSpec
    from ._native import CallInfo, Loop

P = ParamSpec("P")
R = TypeVar("R")

around: Callable[[Tool[..., Any], CallInfo, Given, Any], AbstractContextManager[object]] | None = None
"""What a tool's code runs inside of, such as a span; set by bridges."""


class Tool(Generic[P, R]):
    """A Python function as an agent's tool, made by `tool`. Called by Python code, it is the function."""

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str | None = None,
        description: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        effect: Effect = "at_most_once",
        approval: Approval = "never",
        timeout: float | timedelta | None = None,
        reconcile: Callable[..., Any] | None = None,
        labels: Mapping[str, str] | None = None,
        _locals: dict[str, Any] | None = None,
    ) -> None:
        self.function = function
        self.name: str = name or str(getattr(function, "__name__", type(function).__name__))
        self.is_async = _is_async(function)
        self._signature: Signature | None = None
        self._reconcile = reconcile
        self._reconcile_signature: Signature | None = None
        try:
            if parameters is None:
                self._signature = Signature(function, ToolContext, _locals)
                self._takes_context = self._signature.takes_context
            else:
                self._takes_context = _takes_context(function, _locals)
            if reconcile is not None:
                self._reconcile_signature = Signature(reconcile, ToolContext, _locals)
        except UnsupportedHint as error:
            raise invalid("tool_invalid", f"tool `{self.name}`: {error}") from error
        self.parameters: Mapping[str, Any] = (
            self._signature.parameters if self._signature is not None else dict(parameters or {})
        )
        self.description: str = _first_known(description, self._signature, function)
        self.effect: Effect = effect
        self.approval: Approval = approval
        self.timeout = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        self.labels: Mapping[str, str] = dict(labels or {})
        self.__doc__ = getattr(function, "__doc__", None)
        self.__wrapped__ = function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The function itself, as if it were no tool."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"Tool({self.name!r})"

    @property
    def spec(self) -> ToolSpec:
        """What is known of the tool without running it."""
        spec: dict[str, Any] = {"name": self.name, "parameters": self.parameters}
        if self.description:
            spec["description"] = self.description
        if self.effect != "at_most_once":
            spec["effect"] = self.effect
        if self.approval != "never":
            spec["approval"] = self.approval
        if self.timeout is not None:
            spec["timeout_ms"] = max(1, round(self.timeout * 1000))
        if self.labels:
            spec["labels"] = dict(self.labels)
        return spec  # type: ignore[return-value]

    @property
    def reconciles(self) -> bool:
        """Whether it can tell what became of an interrupted call."""
        return self._reconcile is not None

    def _begin(self, host: Host, call: int, method: str, info: CallInfo, arguments: Any) -> None:
        given = given_of(info)
        if method == "reconcile" and self._reconcile is not None:
            function: Callable[..., Any] = self._reconcile
            signature, is_async = self._reconcile_signature, _is_async(self._reconcile)
            takes_context = signature is not None and signature.takes_context
        else:
            function, signature, is_async = self.function, self._signature, self.is_async
            takes_context = self._takes_context
        context = ToolContext(info, given.deps) if takes_context else None
        native = host.native
        if is_async:

            async def work() -> None:
                try:
                    if around is None:
                        bound = arguments if signature is None else signature.bind(arguments)
                        result = await (function(**bound) if context is None else function(context, **bound))
                    else:
                        with around(self, info, given, arguments):
                            bound = arguments if signature is None else signature.bind(arguments)
                            result = await (function(**bound) if context is None else function(context, **bound))
                except Exception as error:
                    _failed(native, call, error)
                else:
                    _answer(native, call, method, self.name, result)

            host.start(call, work, given)
            return

        def work_in_thread() -> None:
            try:
                if around is None:
                    bound = arguments if signature is None else signature.bind(arguments)
                    result = function(**bound) if context is None else function(context, **bound)
                else:
                    with around(self, info, given, arguments):
                        bound = arguments if signature is None else signature.bind(arguments)
                        result = function(**bound) if context is None else function(context, **bound)
                if inspect.isawaitable(result):
                    if inspect.iscoroutine(result):
                        result.close()
                    raise FatalToolError(f"tool `{self.name}` gave an awaitable: declare it with `async def`")
            except BaseException as error:
                _failed(native, call, error)
            else:
                _answer(native, call, method, self.name, result)
            finally:
                host.calls.pop(call, None)

        if context is not None:
            host.calls[call] = context._give_up
        host.start_thread(work_in_thread, given)


def _answer(native: Loop, call: int, method: str, name: str, result: Any) -> None:
    try:
        native.answer(call, _reconciled(result) if method == "reconcile" else result)
    except (TypeError, ValueError, UnicodeError, RecursionError) as error:
        message = f"the output of tool `{name}` cannot be written as JSON: {error}"
        native.stated(call, ("tool_output_not_json", "internal", "tool", message, False, None, None))


def _failed(native: Loop, call: int, error: BaseException) -> None:
    if isinstance(error, ToolError):
        native.raised(call, str(error))
    elif isinstance(error, FatalToolError):
        native.stated(call, stated(_tool_failed(error)))
    else:
        native.raised(call, words_of(error))


def _tool_failed(error: FatalToolError) -> NfaError:
    return make("tool_failed", "internal", "tool", str(error), False, None, None)


class Done:
    """From `reconcile`: the interrupted call took effect, with this result."""

    __slots__ = ("output",)

    def __init__(self, output: Any = None) -> None:
        self.output = output


class NotDone:
    """From `reconcile`: the interrupted call took no effect, and may run now."""

    __slots__ = ()


def _reconciled(found: Any) -> Any:
    if isinstance(found, Done):
        return {"status": "done", "output": found.output}
    if isinstance(found, NotDone) or found is NotDone:
        return {"status": "not_done"}
    if found is None:
        return {"status": "unknown"}
    return found


def _is_async(function: Callable[..., Any]) -> bool:
    if inspect.iscoroutinefunction(function):
        return True
    return not inspect.isroutine(function) and inspect.iscoroutinefunction(type(function).__call__)


def _takes_context(function: Callable[..., Any], localns: dict[str, Any] | None) -> bool:
    """Whether the first parameter of a function with a schema of its own is the context."""
    from typing import get_origin

    from .schema.compile import hints_of

    first = next(iter(inspect.signature(function).parameters), None)
    hint = hints_of(function, localns).get(first or "")
    return (get_origin(hint) or hint) is ToolContext


def _first_known(description: str | None, signature: Signature | None, function: Callable[..., Any]) -> str:
    if description is not None:
        return description
    if signature is not None:
        return signature.description
    from .schema.docstrings import read_docstring

    return read_docstring(inspect.getdoc(function))[0]


@overload
def tool(function: Callable[P, R], /) -> Tool[P, R]: ...


@overload
def tool(
    *,
    name: str | None = ...,
    description: str | None = ...,
    parameters: Mapping[str, Any] | None = ...,
    effect: Effect = ...,
    approval: Approval = ...,
    timeout: float | timedelta | None = ...,
    reconcile: Callable[..., Any] | None = ...,
    labels: Mapping[str, str] | None = ...,
) -> Callable[[Callable[P, R]], Tool[P, R]]: ...


def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    effect: Effect = "at_most_once",
    approval: Approval = "never",
    timeout: float | timedelta | None = None,
    reconcile: Callable[..., Any] | None = None,
    labels: Mapping[str, str] | None = None,
) -> Any:
    """Makes a tool of a function, sync or async: `@tool`, or `@tool(effect="pure", …)`.

    The name is the function's, the description its docstring, and the JSON Schema of the arguments comes from its
    hints and from what the docstring says of the parameters. A first parameter that is hinted `ToolContext` gets the
    call's context. An async tool is a task of the caller's event loop; a sync one runs on a thread of its own.

    Args:
        name: another name than the function's, 1 to 64 of `A-Z a-z 0-9 _ -`.
        description: what the model reads to know when to use it, instead of the docstring.
        parameters: a JSON Schema of the arguments; they then come as plain JSON values.
        effect: what repeating a call means. `at_most_once`, the default, is never silently run again after a crash;
            `pure` and `idempotent` are, and `keyed` is with the same `context.idempotency_key`.
        approval: `always` asks a person before each call.
        timeout: seconds that one call may take.
        reconcile: a function with the tool's parameters that finds out what became of a call which a crash
            interrupted: it gives `Done(output)`, `NotDone()` or `None` when nobody can tell.
        labels: labels of your own, which are part of the program's hash.
    """
    caller = sys._getframe(1).f_locals if hasattr(sys, "_getframe") else None

    def make_tool(function: Callable[..., Any]) -> Tool[..., Any]:
        return Tool(
            function,
            name=name,
            description=description,
            parameters=parameters,
            effect=effect,
            approval=approval,
            timeout=timeout,
            reconcile=reconcile,
            labels=labels,
            _locals=caller,
        )

    return make_tool if function is None else make_tool(function)


__all__ = ["Done", "NotDone", "Tool", "tool"]
