"""Agents: a model, instructions, tools and limits, under a name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from .errors import invalid
from .schema.compile import UnsupportedHint, shape_of
from .tools import Tool, tool

if TYPE_CHECKING:
    from ._generated.types import AgentSpec, LimitsInput, ModelSettings, ModelSpec
    from ._native import Agent as NativeAgent
    from .models import Model

DepsT = TypeVar("DepsT")
OutT = TypeVar("OutT")
OutT2 = TypeVar("OutT2")
DepsT2 = TypeVar("DepsT2")


class AgentTool:
    """Another agent as a tool, made by `Agent.as_tool`."""

    __slots__ = ("agent", "own_run")

    def __init__(self, agent: Agent[Any, Any] | str, *, own_run: bool = False) -> None:
        self.agent = agent
        self.own_run = own_run


class Agent(Generic[DepsT, OutT]):
    """An agent, as data and the Python code that the data names.

    Example::

        agent = Agent("helper", model="openai/gpt-5-mini", tools=[weather], output=Answer)

    Type checkers infer `Agent[Deps, Answer]` from `deps_type=` and `output=`; an agent without `output` gives text.
    """

    @overload
    def __init__(
        self: Agent[Any, str],
        name: str,
        model: str | ModelSpec | Model,
        *,
        instructions: str = ...,
        description: str = ...,
        tools: Iterable[Any] = ...,
        handoffs: Iterable[Agent[Any, Any] | str] = ...,
        output: None = ...,
        deps_type: None = ...,
        limits: LimitsInput | None = ...,
        settings: ModelSettings | None = ...,
        base_url: str | None = ...,
        api_key_env: str | None = ...,
        fallback: Iterable[str | ModelSpec | Model] = ...,
        history_runs: int | None = ...,
        agents: Iterable[Agent[Any, Any]] = ...,
    ) -> None: ...

    @overload
    def __init__(
        self: Agent[Any, OutT2],
        name: str,
        model: str | ModelSpec | Model,
        *,
        instructions: str = ...,
        description: str = ...,
        tools: Iterable[Any] = ...,
        handoffs: Iterable[Agent[Any, Any] | str] = ...,
        output: type[OutT2],
        deps_type: None = ...,
        limits: LimitsInput | None = ...,
        settings: ModelSettings | None = ...,
        base_url: str | None = ...,
        api_key_env: str | None = ...,
        fallback: Iterable[str | ModelSpec | Model] = ...,
        history_runs: int | None = ...,
        agents: Iterable[Agent[Any, Any]] = ...,
    ) -> None: ...

    @overload
    def __init__(
        self: Agent[DepsT2, str],
        name: str,
        model: str | ModelSpec | Model,
        *,
        instructions: str = ...,
        description: str = ...,
        tools: Iterable[Any] = ...,
        handoffs: Iterable[Agent[Any, Any] | str] = ...,
        output: None = ...,
        deps_type: type[DepsT2],
        limits: LimitsInput | None = ...,
        settings: ModelSettings | None = ...,
        base_url: str | None = ...,
        api_key_env: str | None = ...,
        fallback: Iterable[str | ModelSpec | Model] = ...,
        history_runs: int | None = ...,
        agents: Iterable[Agent[Any, Any]] = ...,
    ) -> None: ...

    @overload
    def __init__(
        self: Agent[DepsT2, OutT2],
        name: str,
        model: str | ModelSpec | Model,
        *,
        instructions: str = ...,
        description: str = ...,
        tools: Iterable[Any] = ...,
        handoffs: Iterable[Agent[Any, Any] | str] = ...,
        output: type[OutT2],
        deps_type: type[DepsT2],
        limits: LimitsInput | None = ...,
        settings: ModelSettings | None = ...,
        base_url: str | None = ...,
        api_key_env: str | None = ...,
        fallback: Iterable[str | ModelSpec | Model] = ...,
        history_runs: int | None = ...,
        agents: Iterable[Agent[Any, Any]] = ...,
    ) -> None: ...

    @overload
    def __init__(
        self: Agent[Any, Any],
        name: str,
        model: str | ModelSpec | Model,
        *,
        instructions: str = ...,
        description: str = ...,
        tools: Iterable[Any] = ...,
        handoffs: Iterable[Agent[Any, Any] | str] = ...,
        output: Mapping[str, Any] | object,
        deps_type: Any = ...,
        limits: LimitsInput | None = ...,
        settings: ModelSettings | None = ...,
        base_url: str | None = ...,
        api_key_env: str | None = ...,
        fallback: Iterable[str | ModelSpec | Model] = ...,
        history_runs: int | None = ...,
        agents: Iterable[Agent[Any, Any]] = ...,
    ) -> None: ...

    def __init__(
        self,
        name: str,
        model: str | ModelSpec | Model,
        *,
        instructions: str = "",
        description: str = "",
        tools: Iterable[Any] = (),
        handoffs: Iterable[Agent[Any, Any] | str] = (),
        output: Any = None,
        deps_type: Any = None,
        limits: LimitsInput | None = None,
        settings: ModelSettings | None = None,
        base_url: str | None = None,
        api_key_env: str | None = None,
        fallback: Iterable[str | ModelSpec | Model] = (),
        history_runs: int | None = None,
        agents: Iterable[Agent[Any, Any]] = (),
    ) -> None:
        """An agent of this name.

        Args:
            name: 1 to 64 of `A-Z a-z 0-9 _ -`.
            model: `provider/model`, a mapping with the members of a model's spec, or a model of your own.
            instructions: the system prompt.
            description: what other agents read to know when to call this one or hand over to it.
            tools: functions, what `@tool` made of them, other agents, names of tools, or specs of programs.
            handoffs: agents that it may hand the conversation over to, or their names.
            output: the type of the final answer, or a JSON Schema; text when left out.
            deps_type: the type of what runs are given as `deps`, for type checkers.
            limits: where a run stops, such as `{"turns": 5}`.
            settings: sampling and size, such as `{"temperature": 0}`.
            base_url: where the provider is, when it is not its usual place.
            api_key_env: the environment variable that holds the key; never the key itself.
            fallback: models that are asked in turn when this one cannot answer.
            history_runs: how many of a session's latest runs the model sees; all when left out.
            agents: more agents that `tools` and `handoffs` name.

        Raises:
            NfaError: what is wrong with it. An agent that names others which only its user defines is looked at when
                it is first run.
        """
        self.name = name
        self.deps_type = deps_type
        self._objects: dict[str, Any] = {}
        self._tools: list[Tool[..., Any]] = []
        self._inner: list[Agent[Any, Any]] = list(agents)
        self._native: NativeAgent | None = None
        named: set[str] = set()
        spec: dict[str, Any] = {"name": name}
        spec["model"] = self._model_spec(model, settings, base_url, api_key_env, fallback)
        if description:
            spec["description"] = description
        if instructions:
            spec["instructions"] = instructions
        references = [self._tool_ref(given, named) for given in tools]
        if references:
            spec["tools"] = references
        hands = [self._agent_name(other, named) for other in handoffs]
        if hands:
            spec["handoffs"] = hands
        if limits:
            spec["limits"] = dict(limits)
        if history_runs is not None:
            spec["memory"] = {"history": {"runs": history_runs}}
        self._decode: Callable[[Any], Any] | None = None
        if output is not None:
            spec["output"], self._decode = _output(name, output)
        self._spec = spec
        if named <= {agent.name for agent in self._all()}:
            self.native()

    @classmethod
    def from_spec(
        cls,
        spec: AgentSpec | Mapping[str, Any] | str,
        *,
        tools: Iterable[Any] = (),
        models: Iterable[Model] = (),
        output: Any = None,
    ) -> Agent[Any, Any]:
        """An agent of a spec, as data or as JSON text, with the Python code that the spec names.

        Args:
            spec: what `AGENT.yaml` holds, as a mapping or as JSON.
            tools: the tools that the spec names.
            models: models of your own that the spec names.
            output: the type of the final answer; the spec's own schema stays as it is.
        """
        import json

        data: dict[str, Any] = json.loads(spec) if isinstance(spec, str) else dict(spec)
        agent = cls.__new__(cls)
        agent.name = str(data.get("name", ""))
        agent.deps_type = None
        agent._objects = {model.name: model for model in models}
        agent._tools = [given if isinstance(given, Tool) else tool(given) for given in tools]
        agent._inner = []
        agent._native = None
        agent._decode = None
        if output is not None:
            schema, agent._decode = _output(agent.name, output)
            data.setdefault("output", schema)
        agent._spec = data
        agent.native()
        return agent

    def as_tool(self, *, own_run: bool = False) -> AgentTool:
        """This agent as a tool of another one: it answers, and the other goes on.

        Args:
            own_run: in a run of its own, with its own journal, instead of a place in the caller's.
        """
        return AgentTool(self, own_run=own_run)

    @property
    def spec(self) -> AgentSpec:
        """The agent as data."""
        return cast("AgentSpec", self._spec)

    @property
    def program_hash(self) -> str:
        """The hash of everything that a run of this agent does: what runs are pinned to."""
        return self.native().program_hash

    @property
    def program(self) -> Mapping[str, Any]:
        """Everything that the hash is of: all agents and tools that a run can reach, normalised."""
        import json

        program: Mapping[str, Any] = json.loads(self.native().canonical)
        return program

    @property
    def tools(self) -> list[Tool[..., Any]]:
        """Its own tools that are written in Python."""
        return list(self._tools)

    def native(self) -> NativeAgent:
        """The validated agent."""
        native = self._native
        if native is None:
            from ._native import Agent as NativeAgent

            agents = self._all()
            tools: dict[int, Tool[..., Any]] = {}
            models: dict[str, Any] = {}
            for agent in agents:
                tools.update((id(one), one) for one in agent._tools)
                models.update(agent._objects)
            native = self._native = NativeAgent(
                self._spec,
                [agent._spec for agent in agents if agent is not self],
                [(one.spec, one, one.reconciles) for one in tools.values()],
                [(name, *_served(model)) for name, model in models.items()],
            )
        return native

    def decode(self, value: Any) -> OutT:
        """The instance of the output type that a JSON value stands for."""
        return cast("OutT", value if self._decode is None else self._decode(value))

    def _all(self) -> list[Agent[Any, Any]]:
        """This agent, and every one that it was given, each once."""
        found: list[Agent[Any, Any]] = [self]
        for agent in found:
            for inner in agent._inner:
                if all(inner is not known for known in found):
                    found.append(inner)
        return found

    def _agent_name(self, given: Agent[Any, Any] | str, named: set[str]) -> str:
        if isinstance(given, str):
            named.add(given)
            return given
        self._inner.append(given)
        return given.name

    def _tool_ref(self, given: Any, named: set[str]) -> Any:
        if isinstance(given, Tool):
            self._tools.append(given)
            return given.name
        if isinstance(given, Agent):
            return {"agent": self._agent_name(given, named)}
        if isinstance(given, AgentTool):
            reference: dict[str, Any] = {"agent": self._agent_name(given.agent, named)}
            if given.own_run:
                reference["own_run"] = True
            return reference
        if isinstance(given, str):
            return given
        if isinstance(given, Mapping):
            if isinstance(given.get("agent"), str):
                named.add(given["agent"])
            return dict(given)
        if callable(given):
            made: Tool[..., Any] = tool(given)
            self._tools.append(made)
            return made.name
        raise invalid(
            "agent_invalid",
            f"agent `{self.name}`: expected a function, a tool, an agent, a name or a spec among its tools, "
            f"found {type(given).__name__}",
        )

    def _model_spec(
        self,
        model: Any,
        settings: Mapping[str, Any] | None,
        base_url: str | None,
        api_key_env: str | None,
        fallback: Iterable[Any],
    ) -> Any:
        spec = self._named_model(model)
        more: dict[str, Any] = {}
        if settings:
            more["settings"] = dict(settings)
        if base_url is not None:
            more["base_url"] = base_url
        if api_key_env is not None:
            more["api_key_env"] = api_key_env
        others = [self._named_model(other) for other in fallback]
        if others:
            more["fallback"] = others
        if not more:
            return spec
        return {**({"name": spec} if isinstance(spec, str) else spec), **more}

    def _named_model(self, model: Any) -> Any:
        if isinstance(model, str):
            return model
        if isinstance(model, Mapping):
            return dict(model)
        if hasattr(model, "generate") and isinstance(getattr(model, "name", None), str):
            self._objects[model.name] = model
            return model.name
        raise invalid(
            "model_spec_invalid",
            f"agent `{self.name}`: expected `provider/model`, a mapping with `name`, or an object with `name` and "
            f"`generate` as its model, found {type(model).__name__}",
        )

    def __repr__(self) -> str:
        return f"Agent({self.name!r})"


def _served(model: Any) -> tuple[dict[str, Any], Any]:
    from .models import served

    return served(model)


def _output(agent: str, output: Any) -> tuple[Any, Callable[[Any], Any] | None]:
    """The schema of an output type, and what makes an instance of the answer."""
    if isinstance(output, Mapping):
        return dict(output), None
    try:
        shape = shape_of(output)
    except UnsupportedHint as error:
        raise invalid("agent_invalid", f"agent `{agent}`: its output: {error}") from error
    if shape.schema.get("type") == "object":
        return shape.schema, shape.read
    # Providers hold a model to objects only.
    schema = dict(shape.schema)
    definitions = schema.pop("$defs", None)
    wrapped: dict[str, Any] = {
        "type": "object",
        "properties": {"value": schema},
        "required": ["value"],
        "additionalProperties": False,
    }
    if definitions:
        wrapped["$defs"] = definitions
    return wrapped, lambda answer: shape.read(answer["value"])


__all__ = ["Agent", "AgentTool"]
