"""Models and embedders that are written in Python."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from conftest import Servers
from nfa_runtime import (
    Agent,
    Embedder,
    FunctionModel,
    InputError,
    ModelAnswer,
    ModelRequest,
    NfaError,
    ReasoningDelta,
    Retracted,
    Runtime,
    ScriptedModel,
    TextDelta,
    ToolContext,
    errors,
    tool,
)
from nfa_runtime.models import Reasoning, ToolCall
from nfa_runtime.models import Retracted as Again

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="none")


@tool(effect="pure")
async def add(a: int, b: int) -> int:
    """Adds two integers."""
    return a + b


class Parrot:
    name = "local/parrot"

    async def generate(self, request: ModelRequest) -> AsyncIterator[Any]:
        yield Reasoning("hm")
        for word in request.last_text.split():
            await asyncio.sleep(0)
            yield word + " "


async def test_a_model_streams_its_answer() -> None:
    async with Runtime() as runtime:
        async with runtime.run(Agent("helper", Parrot()), "one two three") as run:
            events = [event async for event in run]
        assert run.text == "one two three "
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["one ", "two ", "three "]
    assert [event.text for event in events if isinstance(event, ReasoningDelta)] == ["hm"]


async def answers_async(request: ModelRequest) -> str:
    return f"{request.last_text}!"


def answers_sync(request: ModelRequest) -> str:
    assert threading.current_thread() is not threading.main_thread()
    return f"{request.last_text}!"


def yields_sync(request: ModelRequest) -> Iterator[str]:
    yield request.last_text
    yield "!"


@pytest.mark.parametrize("function", [answers_async, answers_sync, yields_sync])
async def test_a_model_may_be_any_kind_of_function(function: Any) -> None:
    async with Runtime() as runtime:
        assert (await runtime.run(Agent("helper", FunctionModel(function)), "Hello")).text == "Hello!"


async def test_a_model_calls_tools_and_sees_their_results() -> None:
    model = ScriptedModel([ToolCall("add", {"a": 2, "b": 40}), "It is 42."])
    async with Runtime() as runtime:
        outcome = await runtime.run(Agent("helper", model, tools=[add], instructions="Be brief."), "What is 2 + 40?")
    assert outcome.text == "It is 42."
    first, second = model.requests
    assert [part["role"] for part in first.messages] == ["system", "user"]
    assert first.tools[0]["name"] == "add" and not first.deltas
    result: Any = second.messages[-1]
    assert result["role"] == "tool" and result["parts"][0]["text"] == "42"


async def test_a_model_may_say_what_its_answer_cost() -> None:
    model = FunctionModel(lambda _: ModelAnswer(text="Hi", input_tokens=7, output_tokens=3, model="parrot-1"))
    async with Runtime() as runtime:
        outcome = await runtime.run(Agent("helper", model), "Hello")
    assert outcome.usage["input_tokens"] == 7 and outcome.usage["output_tokens"] == 3


async def test_a_model_may_begin_again() -> None:
    async def generate(request: ModelRequest) -> AsyncIterator[Any]:
        yield "wrong"
        yield Again("a slip")
        yield "right"

    async with Runtime() as runtime:
        async with runtime.run(Agent("helper", FunctionModel(generate)), "Hello") as run:
            kinds = [event async for event in run if isinstance(event, (TextDelta, Retracted))]
        assert run.text == "right" and [type(event) for event in kinds] == [TextDelta, Retracted, TextDelta]


async def test_what_a_model_raises_is_the_runs_error() -> None:
    def own(_: ModelRequest) -> str:
        raise errors.make("model_quota", "configuration", "model", "no credit left", False, None, None)

    async def other(_: ModelRequest) -> str:
        raise LookupError("no weights")

    async def odd(_: ModelRequest) -> AsyncIterator[Any]:
        yield 7

    async def ends(_: ModelRequest) -> Any:
        return {"nonsense": 1}

    codes = []
    async with Runtime() as runtime:
        for function in (own, other, odd, ends):
            outcome = await runtime.run(Agent("helper", FunctionModel(function)), "Hello")
            assert outcome.error is not None
            codes.append((outcome.error.code, "weights" in outcome.error.message))
    assert codes == [
        ("model_quota", False),
        ("host_failed", True),
        ("host_failed", False),
        ("host_value_malformed", False),
    ]


async def test_a_model_sees_contextvars_and_dependencies() -> None:
    async def generate(request: ModelRequest, context: ToolContext[str]) -> str:
        return f"{request_id.get()} {context.deps} {context.agent}"

    request_id.set("abc-123")
    async with Runtime() as runtime:
        assert (await runtime.run(Agent("helper", FunctionModel(generate)), "Hello", deps="shop")).text == (
            "abc-123 shop helper"
        )


async def test_cancelling_a_run_cancels_its_model() -> None:
    began, ended = asyncio.Event(), []

    async def generate(_: ModelRequest) -> AsyncIterator[str]:
        began.set()
        try:
            yield "so far"
            await asyncio.sleep(3600)
        finally:
            ended.append("closed")

    async with Runtime() as runtime:
        async with runtime.run(Agent("helper", FunctionModel(generate)), "Hello") as run:
            await asyncio.wait_for(began.wait(), 20)
            run.cancel()
        assert run.status == "cancelled" and run.text in ("", "so far")
        assert ended == ["closed"]


async def test_a_model_says_what_it_cannot_do() -> None:
    model = FunctionModel(lambda _: "never", abilities={"images": False})
    async with Runtime() as runtime:
        parts: Any = [{"type": "media", "media_type": "image/png", "url": "data:,x"}]
        fine = await runtime.run(Agent("helper", model), "Hello")
        assert fine.is_completed
        outcome = await runtime.run(Agent("helper", model, fallback=[ScriptedModel(["Seen."])]), parts)
    assert outcome.status in ("completed", "failed")


async def test_a_script_that_is_over_says_so() -> None:
    async with Runtime() as runtime:
        outcome = await runtime.run(Agent("helper", ScriptedModel([])), "Hello")
    assert outcome.error is not None and outcome.error.code == "script_exhausted"


class Letters:
    """Counts letters: a sync embedder."""

    name = "local/letters"
    dimensions = 2

    def embed(self, texts: list[str]) -> list[list[float]]:
        return [[float(len(text)), float(text.count("a"))] for text in texts]


async def test_an_embedder_of_python_is_held_to_its_promises() -> None:
    embedded = await Embedder(Letters()).embed(["banana", "kiwi"])
    assert embedded.vectors == [[6.0, 3.0], [4.0, 0.0]] and embedded.model == "local/letters"

    class Wrong(Letters):
        async def embed(self, texts: list[str]) -> list[list[float]]:  # type: ignore[override]
            return [[1.0, 2.0, 3.0] for _ in texts]

    with pytest.raises(InputError) as caught:
        await Embedder(Wrong()).embed(["banana"])
    assert caught.value.code == "host_value_malformed"

    class Raises(Letters):
        def embed(self, texts: list[str]) -> list[list[float]]:
            raise LookupError("no weights")

    with pytest.raises(NfaError, match="no weights") as caught_too:
        await Embedder(Raises()).embed(["banana"])
    assert caught_too.value.code == "host_failed"
    with pytest.raises(InputError) as caught:
        await Embedder(Letters()).embed([" "])
    assert caught.value.code == "embedding_text_empty"


async def test_an_embedder_of_a_provider(llm: Servers) -> None:
    with pytest.raises(NfaError) as caught:
        Embedder("nonsense/model")
    assert caught.value.code == "model_unknown_provider"
    embedder = Embedder("openai-compatible/e", base_url="http://127.0.0.1:9/v1")
    with pytest.raises(NfaError) as caught:
        await embedder.embed(["banana"])
    assert caught.value.code == "model_refused_connection"


async def test_prices_say_what_runs_cost_and_limit_them(llm: Servers) -> None:
    name = "openai-compatible/scripted"
    agent = Agent("helper", name, base_url=llm("tools:3"), tools=[add], limits={"cost_micro_usd": 25})
    async with Runtime(prices={name: {"input": 1.0, "output": 1.0}}) as runtime:
        outcome = await runtime.run(agent, "Hello")
    assert outcome.usage["cost_micro_usd"] >= 25
    assert outcome.status == "limit_reached" and outcome.limit == "cost"
    async with Runtime() as free:
        assert (await free.run(agent, "Hello")).is_completed
    with pytest.raises(InputError) as caught:
        await Runtime(prices={"x": {"input": -1.0}}).open()
    assert caught.value.code == "price_table_invalid"


async def test_rate_limits_and_attempts_are_kept(llm: Servers) -> None:
    agent = Agent("helper", "openai-compatible/scripted", base_url=llm("one"))
    limits = {"openai-compatible": {"requests_per_minute": 1, "patience_ms": 1}}
    async with Runtime(rate_limits=limits, attempts=1) as runtime:
        outcomes = [await runtime.run(agent, "Hello") for _ in range(8)]
    codes = {outcome.error.code for outcome in outcomes if outcome.error is not None}
    assert outcomes[0].is_completed and codes == {"model_rate_limit_wait"}
    with pytest.raises(InputError) as caught:
        await Runtime(rate_limits={"openai": {"requests": 1}}).open()
    assert caught.value.code == "input_malformed"
