from typing import Any, ClassVar, Literal, final

from typing_extensions import disjoint_base

from ._generated.types import CallStatus, OutcomeSummary, Question
from .errors import NfaError

__version__: str
__all__ = [
    "Agent",
    "Asked",
    "CallInfo",
    "Embedder",
    "Engine",
    "EngineStore",
    "Entry",
    "Event",
    "Finished",
    "Logs",
    "Loop",
    "RawOutcome",
    "RawRun",
    "RawRuntime",
    "ReasoningDelta",
    "Retracted",
    "Stop",
    "TextDelta",
    "ToolCallDelta",
    "ToolFinished",
    "ToolStarted",
    "__version__",
    "describe_receipt",
    "verify",
]

@final
class Engine:
    def __new__(cls, threads: int | None = None) -> Engine: ...

@final
class Loop:
    def __new__(cls, engine: Engine, *, watches: bool) -> Loop: ...
    def fileno(self) -> int: ...
    def wait(self, seconds: float) -> bool: ...
    def take(self) -> list[tuple[Any, ...]]: ...
    def answer(self, call: int, value: Any) -> None: ...
    def add(self, call: int, value: Any) -> bool: ...
    def raised(self, call: int, message: str) -> None: ...
    def stated(self, call: int, error: tuple[str, str, str, str, bool, float | None, Any]) -> None: ...
    def open(self, url: str, options: Any, ports: Any) -> int: ...
    def close(self) -> None: ...

@final
class Agent:
    def __new__(
        cls,
        spec: Any,
        others: list[Any],
        tools: list[tuple[Any, Any, bool]],
        models: list[tuple[str, Any, Any]],
    ) -> Agent: ...
    @property
    def program_hash(self) -> str: ...
    @property
    def canonical(self) -> bytes: ...
    @property
    def spec(self) -> Any: ...

@final
class RawRuntime:
    def start(
        self,
        host: Loop,
        agent: Agent,
        input: Any,
        options: Any,
        given: Any,
        *,
        listens: bool,
    ) -> tuple[int, Stop]: ...
    def resume(self, host: Loop, run: str, limits: Any, given: Any, *, listens: bool) -> tuple[int, Stop]: ...
    def resume_all(self, host: Loop, given: Any) -> int: ...
    def register(self, agent: Agent) -> None: ...
    def perform(self, host: Loop, operation: Any) -> int: ...
    def close(self, host: Loop) -> int: ...

@final
class RawRun:
    @property
    def id(self) -> str: ...
    def cancel(self) -> None: ...
    def ready(self) -> list[Event]: ...
    def pull(self, host: Loop) -> int: ...
    def outcome(self, host: Loop) -> int: ...

@final
class Stop:
    def cancel(self) -> None: ...
    @property
    def begun(self) -> bool: ...

@final
class RawOutcome:
    @property
    def run(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def has_output(self) -> bool: ...
    @property
    def output(self) -> Any: ...
    @property
    def usage(self) -> Any: ...
    @property
    def error(self) -> NfaError | None: ...
    @property
    def limit(self) -> str | None: ...
    @property
    def asks(self) -> Any: ...
    @property
    def receipt(self) -> Any: ...
    def to_dict(self) -> Any: ...

@final
class CallInfo:
    @property
    def run(self) -> str: ...
    @property
    def step(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def agent(self) -> str: ...
    @property
    def session(self) -> str | None: ...
    @property
    def idempotency_key(self) -> str: ...
    @property
    def remaining(self) -> float | None: ...
    @property
    def cancelled(self) -> bool: ...
    @property
    def given(self) -> Any: ...

@final
class Embedder:
    @staticmethod
    def of_provider(engine: Engine, spec: Any) -> Embedder: ...
    @staticmethod
    def of_object(host: Loop, name: str, dimensions: int, object: Any) -> Embedder: ...
    @property
    def name(self) -> str: ...
    @property
    def dimensions(self) -> int | None: ...
    def embed(self, host: Loop, texts: list[str]) -> int: ...

@final
class EngineStore:
    def __new__(cls, url: str) -> EngineStore: ...
    def ask(self, host: Loop, method: str, arguments: Any) -> int: ...

@final
class Logs:
    def __new__(cls) -> Logs: ...
    def set_level(self, level: int) -> None: ...
    def wait(self, seconds: float) -> list[tuple[int, str, str, list[tuple[str, str]], str | None, int | None]]: ...

@disjoint_base
class Event:
    """Something that a run does, as a caller sees it live."""

    @staticmethod
    def from_dict(data: Any) -> Event:
        """The event that a dict stands for, such as one that `to_dict` gave."""
    def to_dict(self) -> dict[str, Any]:
        """The event as JSON, with its `type`."""
    @property
    def type(self) -> str:
        """Its name in JSON, such as `text_delta`."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class TextDelta(Event):
    """More text of the agent."""

    __match_args__: ClassVar[tuple[Literal["text"], Literal["step"], Literal["attempt"]]]
    @property
    def text(self) -> str:
        """The text."""
    @property
    def step(self) -> str:
        """The step."""
    @property
    def attempt(self) -> int:
        """Which try of that step."""

@final
class ReasoningDelta(Event):
    """More of what the model thinks."""

    __match_args__: ClassVar[tuple[Literal["text"], Literal["step"], Literal["attempt"]]]
    @property
    def text(self) -> str:
        """The text."""
    @property
    def step(self) -> str:
        """The step."""
    @property
    def attempt(self) -> int:
        """Which try of that step."""

@final
class ToolCallDelta(Event):
    """The model writes a call."""

    __match_args__: ClassVar[
        tuple[Literal["index"], Literal["name"], Literal["arguments"], Literal["step"], Literal["attempt"]]
    ]
    @property
    def index(self) -> int:
        """The call's place in the answer, from 0."""
    @property
    def name(self) -> str | None:
        """The tool's name, in the first delta of a call."""
    @property
    def arguments(self) -> str:
        """The next piece of the arguments' JSON text."""
    @property
    def step(self) -> str:
        """The model's step."""
    @property
    def attempt(self) -> int:
        """Which try of that step."""

@final
class Retracted(Event):
    """Every delta of this try is void; another try follows, or an error."""

    __match_args__: ClassVar[tuple[Literal["step"], Literal["attempt"], Literal["reason"]]]
    @property
    def step(self) -> str:
        """The step."""
    @property
    def attempt(self) -> int:
        """The try whose deltas are void."""
    @property
    def reason(self) -> str:
        """Why."""

@final
class ToolStarted(Event):
    """A call is about to run."""

    __match_args__: ClassVar[tuple[Literal["tool"], Literal["arguments"], Literal["step"], Literal["attempt"]]]
    @property
    def tool(self) -> str:
        """The tool."""
    @property
    def arguments(self) -> str:
        """The arguments, as JSON text."""
    @property
    def step(self) -> str:
        """The step."""
    @property
    def attempt(self) -> int:
        """Which try of that step."""

@final
class ToolFinished(Event):
    """A call has its result."""

    __match_args__: ClassVar[tuple[Literal["status"], Literal["text"], Literal["step"]]]
    @property
    def status(self) -> CallStatus:
        """How it went."""
    @property
    def text(self) -> str:
        """What the model is told."""
    @property
    def step(self) -> str:
        """The step."""

@final
class Asked(Event):
    """The run waits for a person."""

    __match_args__: ClassVar[tuple[Literal["question"], Literal["tool"], Literal["arguments"], Literal["step"]]]
    @property
    def question(self) -> Question:
        """What for."""
    @property
    def tool(self) -> str:
        """The tool."""
    @property
    def arguments(self) -> str:
        """The arguments, as JSON text."""
    @property
    def step(self) -> str:
        """The step that waits."""

@final
class Entry(Event):
    """A durable fact. Its JSON is read when it is looked at."""

    __match_args__: ClassVar[tuple[Literal["entry"]]]
    @property
    def entry(self) -> dict[str, Any]:
        """The entry, as in the run's journal."""

@final
class Finished(Event):
    """The run stopped, or waits and has left memory. Nothing follows."""

    __match_args__: ClassVar[tuple[Literal["outcome"]]]
    @property
    def outcome(self) -> OutcomeSummary:
        """How: the members of its outcome but for its receipt."""

def describe_receipt(receipt: Any) -> str: ...
def verify(bundle: Any, policy: Any) -> Any: ...
