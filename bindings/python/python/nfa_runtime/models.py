"""Models written in Python.

A model is any object with a `name` (`provider/model`) and a method `generate(request)`, which may take the call's
context as its second argument. It gives the answer at once (a text, a `ModelAnswer`), or yields it in pieces: texts,
`Reasoning`, `ToolCall` and, if it likes, a `ModelAnswer` last. Sync or async, function or generator::

    class Parrot:
        name = "local/parrot"

        async def generate(self, request: ModelRequest) -> AsyncIterator[str]:
            for word in request.last_text.split():
                yield word + " "
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from ._host import Host, given_of, words_of
from .context import ToolContext
from .errors import NfaError, stated

if TYPE_CHECKING:
    from ._generated.types import Message, ToolDefinition
    from ._native import CallInfo, Loop


@dataclasses.dataclass(frozen=True)
class ModelRequest:
    """What a model is asked."""

    messages: list[Message]
    """The conversation, oldest first: dicts with `role` and `parts`."""
    tools: list[ToolDefinition]
    """What it may call: dicts with `name`, `description` and `parameters`."""
    output_schema: Any
    """JSON Schema that the final answer should match, or `None`."""
    settings: Mapping[str, Any]
    """Sampling and size."""
    deltas: bool
    """Whether somebody listens while it speaks."""

    @property
    def last_text(self) -> str:
        """The text of the newest message."""
        if not self.messages:
            return ""
        parts: Any = self.messages[-1]["parts"]
        return "".join(part.get("text", "") for part in parts if part["type"] in ("text", "tool_result"))


@dataclasses.dataclass(frozen=True)
class Reasoning:
    """A piece of what a model thinks."""

    text: str


@dataclasses.dataclass(frozen=True)
class ToolCall:
    """A call that a model asks for."""

    name: str
    arguments: Mapping[str, Any] | str = dataclasses.field(default_factory=dict)
    """As a mapping, or as the JSON text that the model wrote."""
    id: str | None = None

    def text(self) -> str:
        """The arguments as JSON text."""
        import json

        if isinstance(self.arguments, str):
            return self.arguments
        from .schema.encode import encode

        return json.dumps(encode(dict(self.arguments)), ensure_ascii=False, separators=(",", ":"))


@dataclasses.dataclass(frozen=True)
class Retracted:
    """Everything that was yielded so far is void: the model begins again."""

    reason: str


@dataclasses.dataclass
class ModelAnswer:
    """A whole answer."""

    text: str = ""
    tool_calls: list[ToolCall] = dataclasses.field(default_factory=list)
    reasoning: str = ""
    refusal: str = ""
    finish: str | None = None
    """Why it stopped: `stop`, `tool_calls`, `length`, `content_filter`, `refusal` or `other`."""
    input_tokens: int = 0
    output_tokens: int = 0
    model: str = ""
    response_id: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The answer as JSON."""
        parts: list[dict[str, Any]] = []
        if self.reasoning:
            parts.append({"type": "reasoning", "text": self.reasoning})
        if self.text:
            parts.append({"type": "text", "text": self.text})
        if self.refusal:
            parts.append({"type": "refusal", "text": self.refusal})
        for at, call in enumerate(self.tool_calls):
            identity = call.id or f"call_{at + 1}"
            parts.append({"type": "tool_call", "id": identity, "name": call.name, "arguments": call.text()})
        finish = self.finish or ("tool_calls" if self.tool_calls else "refusal" if self.refusal else "stop")
        answer: dict[str, Any] = {
            "message": {"role": "assistant", "parts": parts},
            "finish": finish,
            "usage": {"input_tokens": self.input_tokens, "output_tokens": self.output_tokens},
        }
        if self.model:
            answer["model"] = self.model
        if self.response_id:
            answer["response_id"] = self.response_id
        return answer


class Model(Protocol):
    """A model of your own. `abilities`, a mapping such as `{"tools": False, "images": False}`, may be there, too."""

    @property
    def name(self) -> str:
        """`provider/model`, for journals and messages."""
        ...

    @property
    def generate(self) -> Callable[..., Any]:
        """Gives an answer, or yields its pieces; see the module."""
        ...


class FunctionModel:
    """A model that is one function of the request::

    model = FunctionModel(lambda request: f"You said: {request.last_text}")
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str = "function/model",
        abilities: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.generate = function
        self.abilities = dict(abilities or {})


class ScriptedModel:
    """A model for tests: gives these answers in their order, and keeps the requests."""

    def __init__(
        self, answers: Iterable[str | ToolCall | ModelAnswer | list[Any]], *, name: str = "scripted/model"
    ) -> None:
        self.name = name
        self.requests: list[ModelRequest] = []
        self._answers = list(answers)

    async def generate(self, request: ModelRequest) -> Any:
        """The next answer."""
        self.requests.append(request)
        if not self._answers:
            from .errors import invalid

            raise invalid(
                "script_exhausted", f"the script has no answer for request {len(self.requests)}", component="model"
            )
        answer = self._answers.pop(0)
        if isinstance(answer, ToolCall):
            return ModelAnswer(tool_calls=[answer])
        if isinstance(answer, list):
            return ModelAnswer(
                text="".join(piece for piece in answer if isinstance(piece, str)),
                tool_calls=[piece for piece in answer if isinstance(piece, ToolCall)],
            )
        return answer


def served(model: Any) -> tuple[dict[str, Any], ServedModel]:
    """What the engine is told of a model, and what it calls."""
    abilities = getattr(model, "abilities", None)
    return dict(abilities or {}), ServedModel(model)


class ServedModel:
    """A model behind the engine's port."""

    __slots__ = ("_model", "_takes_context")

    def __init__(self, model: Any) -> None:
        self._model = model
        try:
            positional = [
                parameter
                for parameter in inspect.signature(model.generate).parameters.values()
                if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
            ]
        except (ValueError, TypeError):
            positional = []
        self._takes_context = len(positional) > 1

    def _begin(self, host: Host, call: int, method: str, info: CallInfo, arguments: Any) -> None:
        given = given_of(info)
        request = ModelRequest(**arguments)
        generate = self._model.generate
        values = (request, ToolContext(info, given.deps)) if self._takes_context else (request,)
        pieces = _Pieces(host.native, call)
        if inspect.isasyncgenfunction(generate) or inspect.iscoroutinefunction(generate):

            async def work() -> None:
                try:
                    made = generate(*values)
                    if inspect.isasyncgen(made):
                        try:
                            async for piece in made:
                                if not pieces.add(piece):
                                    break
                        finally:
                            await made.aclose()
                        pieces.end(None)
                    else:
                        made = await made
                        if hasattr(made, "__aiter__"):
                            async for piece in made:
                                if not pieces.add(piece):
                                    break
                            made = None
                        pieces.end(made)
                except Exception as error:
                    pieces.fail(error)

            host.start(call, work, given)
            return

        def work_in_thread() -> None:
            try:
                made = generate(*values)
                if inspect.isgenerator(made):
                    for piece in made:
                        if not pieces.add(piece):
                            break
                    made = None
                pieces.end(made)
            except BaseException as error:
                pieces.fail(error)

        host.start_thread(work_in_thread, given)


class _Pieces:
    """An answer in the making: deltas go to the engine at once, and make up the answer at the end."""

    __slots__ = ("_answer", "_call", "_native", "_whole")

    def __init__(self, native: Loop, call: int) -> None:
        self._native = native
        self._call = call
        self._answer = ModelAnswer()
        self._whole: Any = None

    def add(self, piece: Any) -> bool:
        """Takes one more piece; `False` when nobody wants more."""
        answer, send = self._answer, self._native.add
        if isinstance(piece, str):
            answer.text += piece
            return send(self._call, {"type": "text", "text": piece})
        if isinstance(piece, Reasoning):
            answer.reasoning += piece.text
            return send(self._call, {"type": "reasoning", "text": piece.text})
        if isinstance(piece, ToolCall):
            index = len(answer.tool_calls)
            answer.tool_calls.append(piece)
            send(self._call, {"type": "tool_call_started", "index": index, "name": piece.name})
            return send(self._call, {"type": "tool_call_arguments", "index": index, "json": piece.text()})
        if isinstance(piece, Retracted):
            self._answer = ModelAnswer()
            return send(self._call, {"type": "retracted", "reason": piece.reason})
        if isinstance(piece, ModelAnswer) or (isinstance(piece, Mapping) and "message" in piece):
            self._whole = piece
            return True
        if isinstance(piece, Mapping):
            return send(self._call, dict(piece))
        raise TypeError(
            "expected a text, Reasoning, ToolCall, Retracted or ModelAnswer from the model, "
            f"found {type(piece).__name__}"
        )

    def end(self, made: Any) -> None:
        """The model has said all."""
        whole = self._whole if made is None else made
        if whole is None:
            whole = self._answer
        if isinstance(whole, str):
            whole = ModelAnswer(text=whole)
        elif isinstance(whole, ToolCall):
            whole = ModelAnswer(tool_calls=[whole])
        if isinstance(whole, ModelAnswer):
            whole = whole.to_dict()
        self._native.answer(self._call, whole)

    def fail(self, error: BaseException) -> None:
        """The model raised."""
        if isinstance(error, NfaError):
            self._native.stated(self._call, stated(error))
        else:
            self._native.raised(self._call, words_of(error))
