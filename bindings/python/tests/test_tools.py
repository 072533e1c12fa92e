"""Tools: what they are told, where they run, and what becomes of their failures."""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import threading
import time
from datetime import datetime, timezone
from typing import Any, Literal

import pytest

from conftest import MODEL, Servers, calls
from nfa_runtime import Agent, Done, FatalToolError, InputError, NotDone, Runtime, ToolContext, ToolError, tool

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="none")


async def told(llm: Servers, made: Any, *, sees: str, deps: Any = None, **arguments: Any) -> Any:
    """Runs an agent whose model calls one tool and must be told `sees`."""
    url = llm([calls(made.name, **arguments), {"sees": [sees], "text": "Told."}])
    async with Runtime() as runtime:
        outcome = await runtime.run(Agent("helper", MODEL, base_url=url, tools=[made]), "Go", deps=deps)
    assert outcome.text == "Told.", (outcome, outcome.error)
    return outcome


async def test_an_async_tool_runs_on_the_callers_loop(llm: Servers) -> None:
    loops = []

    @tool
    async def here() -> str:
        loops.append(asyncio.get_running_loop())
        await asyncio.sleep(0)
        return threading.current_thread().name

    await told(llm, here, sees=threading.current_thread().name)
    assert loops == [asyncio.get_running_loop()]


async def test_a_sync_tool_runs_on_a_thread_and_the_loop_goes_on(llm: Servers) -> None:
    going = asyncio.Event()
    loop = asyncio.get_running_loop()

    @tool
    def blocks() -> str:
        loop.call_soon_threadsafe(going.set)
        deadline = time.monotonic() + 20
        # Only the loop can end this wait, so it must be running meanwhile.
        while not released.is_set() and time.monotonic() < deadline:
            time.sleep(0.001)
        assert threading.current_thread() is not threading.main_thread()
        return "released" if released.is_set() else "stuck"

    released = threading.Event()

    async def release() -> None:
        await going.wait()
        released.set()

    _, outcome = await asyncio.gather(release(), told(llm, blocks, sees="released"))
    assert outcome.is_completed


async def test_sync_tools_of_one_answer_run_beside_each_other(llm: Servers) -> None:
    together = threading.Barrier(8, timeout=20)

    @tool
    def meet(number: int) -> str:
        together.wait()
        return "met"

    turn = {"calls": [{"tool": "meet", "arguments": {"number": at}} for at in range(8)]}
    url = llm([turn, {"sees": ["met"], "results": 8, "text": "All met."}])
    async with Runtime() as runtime:
        outcome = await runtime.run(Agent("helper", MODEL, base_url=url, tools=[meet]), "Meet")
    assert outcome.text == "All met."


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_tools_see_the_callers_contextvars(llm: Servers, kind: str) -> None:
    if kind == "async":

        @tool
        async def who() -> str:
            return request_id.get()
    else:

        @tool
        def who() -> str:
            return request_id.get()

    token = request_id.set("abc-123")
    try:
        await told(llm, who, sees="abc-123")
    finally:
        request_id.reset(token)


async def test_runs_side_by_side_keep_their_own_contextvars(llm: Servers) -> None:
    seen: dict[str, str] = {}

    @tool(effect="pure")
    async def add(context: ToolContext[str], a: int, b: int) -> int:
        await asyncio.sleep(0)
        seen[context.deps] = request_id.get()
        return a + b

    agent = Agent("helper", MODEL, base_url=llm("tools:3"), tools=[add])
    async with Runtime() as runtime:

        async def one(name: str) -> None:
            request_id.set(name)
            await runtime.run(agent, "Go", deps=name)

        await asyncio.gather(*(one(f"r{at}") for at in range(16)))
    assert seen == {f"r{at}": f"r{at}" for at in range(16)}


async def test_typed_dependencies_reach_the_tool_as_they_are(llm: Servers) -> None:
    @dataclasses.dataclass
    class Shop:
        name: str
        lock: Any

    shop = Shop("corner", threading.Lock())
    got: list[Any] = []

    @tool
    def shop_name(context: ToolContext[Shop]) -> str:
        got.append(context.deps)
        return context.deps.name

    await told(llm, shop_name, sees="corner", deps=shop)
    assert got == [shop] and got[0] is shop
    assert shop_name.parameters["properties"] == {}


async def test_a_tool_is_told_who_asks(llm: Servers) -> None:
    got: dict[str, Any] = {}

    @tool(timeout=30)
    async def who(context: ToolContext) -> str:
        got.update(
            run=context.run,
            step=context.step,
            attempt=context.attempt,
            agent=context.agent,
            session=context.session,
            key=context.idempotency_key,
            deadline=context.deadline,
            cancelled=context.cancelled,
        )
        return "asked"

    url = llm([calls("who"), {"sees": ["asked"], "text": "Told."}])
    async with Runtime() as runtime:
        outcome = await runtime.run(Agent("helper", MODEL, base_url=url, tools=[who]), "Go", session="alice")
    assert got["run"] == outcome.run
    assert (got["step"], got["attempt"], got["agent"], got["session"]) == ("2", 1, "helper", "alice")
    assert len(got["key"]) == 32 and got["cancelled"] is False


async def test_arguments_arrive_as_instances_of_their_hints(llm: Servers) -> None:
    @dataclasses.dataclass
    class Place:
        city: str
        at: datetime

    got: list[Any] = []

    @tool
    async def note(place: Place, unit: Literal["c", "f"] = "c", ratio: float = 0.5) -> str:
        got.append((place, unit, ratio))
        return "noted"

    await told(llm, note, sees="noted", place={"city": "Oslo", "at": "2026-11-28T09:30:00Z"}, ratio=2)
    place, unit, ratio = got[0]
    assert place == Place("Oslo", datetime(2026, 11, 28, 9, 30, tzinfo=timezone.utc))
    assert unit == "c" and ratio == 2.0 and isinstance(ratio, float)


async def test_results_may_be_anything_that_json_holds(llm: Servers) -> None:
    @dataclasses.dataclass
    class Weather:
        city: str
        rain: bool

    @tool
    async def weather() -> Weather:
        return Weather("Oslo", True)

    await told(llm, weather, sees='{"city":"Oslo","rain":true}')


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_an_exception_is_told_to_the_model(llm: Servers, kind: str) -> None:
    if kind == "async":

        @tool
        async def fails() -> None:
            raise LookupError("no such city")
    else:

        @tool
        def fails() -> None:
            raise LookupError("no such city")

    await told(llm, fails, sees="LookupError: no such city")


async def test_a_tool_error_is_told_word_for_word(llm: Servers) -> None:
    @tool
    async def fails() -> None:
        raise ToolError("Ask for a city in Norway.")

    await told(llm, fails, sees="Ask for a city in Norway.")


async def test_a_fatal_tool_error_stops_the_run(llm: Servers) -> None:
    @tool
    async def fails() -> None:
        raise FatalToolError("the database is gone")

    url = llm([calls("fails")])
    async with Runtime() as runtime:
        outcome = await runtime.run(Agent("helper", MODEL, base_url=url, tools=[fails]), "Go")
    assert outcome.status == "failed"
    assert outcome.error is not None and outcome.error.code == "tool_failed"
    assert outcome.error.message == "the database is gone"


@pytest.mark.parametrize("value", [object(), float("nan"), b"bytes", 2**70, {1, object()}])
async def test_a_value_of_the_wrong_type_is_an_error_of_that_tool(llm: Servers, value: Any) -> None:
    @tool
    async def odd() -> Any:
        return value

    @tool
    async def fine() -> str:
        return "fine"

    async with Runtime() as runtime:
        url = llm([calls("odd")])
        outcome = await runtime.run(Agent("helper", MODEL, base_url=url, tools=[odd]), "Go")
        assert outcome.error is not None and outcome.error.code == "tool_output_not_json"
        assert "odd" in outcome.error.message
        # The loop and the runtime go on.
        url = llm([calls("fine"), {"sees": ["fine"], "text": "Told."}])
        assert (await runtime.run(Agent("other", MODEL, base_url=url, tools=[fine]), "Go")).text == "Told."


async def test_a_value_that_holds_itself_is_an_error_of_that_tool(llm: Servers) -> None:
    @tool
    def loops() -> Any:
        value: list[Any] = []
        value.append(value)
        return value

    async with Runtime() as runtime:
        outcome = await runtime.run(Agent("helper", MODEL, base_url=llm([calls("loops")]), tools=[loops]), "Go")
    assert outcome.error is not None and outcome.error.code == "tool_output_not_json"


async def test_an_argument_that_fits_the_schema_but_not_the_type_is_told_with_its_path(llm: Servers) -> None:
    @tool
    async def at(when: datetime) -> str:
        return "never"

    url = llm([calls("at", when="yesterday"), {"text": "Told."}])
    async with Runtime() as runtime:
        async with runtime.run(Agent("helper", MODEL, base_url=url, tools=[at]), "Go") as run:
            results = [event.text async for event in run if event.type == "tool_finished"]
    assert "when: expected a date and time" in results[0]


async def test_a_sync_tool_sees_that_it_was_given_up(llm: Servers) -> None:
    seen = threading.Event()
    began = threading.Event()

    @tool(effect="idempotent")
    def slow(context: ToolContext) -> str:
        began.set()
        deadline = time.monotonic() + 20
        while not context.cancelled and time.monotonic() < deadline:
            time.sleep(0.001)
        if context.cancelled:
            seen.set()
        return "late"

    async with Runtime() as runtime:
        async with runtime.run(Agent("helper", MODEL, base_url=llm([calls("slow")]), tools=[slow]), "Go") as run:
            await asyncio.to_thread(began.wait, 20)
            run.cancel()
        assert run.status == "cancelled"
    assert await asyncio.to_thread(seen.wait, 20)


async def test_a_timeout_ends_a_call(llm: Servers) -> None:
    ended = []

    @tool(timeout=0.05, effect="idempotent")
    async def slow() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    url = llm([calls("slow"), {"text": "Too slow."}])
    async with Runtime() as runtime:
        outcome = await runtime.run(Agent("helper", MODEL, base_url=url, tools=[slow]), "Go")
        assert outcome.text == "Too slow."
        assert ended == ["cancelled"]


async def test_a_tool_may_run_an_agent(llm: Servers) -> None:
    async with Runtime() as runtime:
        inner = Agent("inner", MODEL, base_url=llm("one"))

        @tool
        async def ask() -> str:
            return (await runtime.run(inner, "Hello")).text

        url = llm([calls("ask"), {"sees": ["The answer is 42."], "text": "Asked."}])
        outcome = await runtime.run(Agent("outer", MODEL, base_url=url, tools=[ask]), "Go")
    assert outcome.text == "Asked."


def test_a_tool_is_still_its_function() -> None:
    @tool
    def add(a: int, b: int) -> int:
        """Adds."""
        return a + b

    assert add(1, b=2) == 3
    assert add.name == "add" and add.description == "Adds." and add.__doc__ == "Adds."
    assert add.spec == {"name": "add", "description": "Adds.", "parameters": add.parameters}


def test_options_of_a_tool_are_in_its_spec() -> None:
    @tool(
        name="pay",
        description="Pays.",
        effect="keyed",
        approval="always",
        timeout=1.5,
        labels={"team": "billing"},
    )
    def anything(amount: int) -> None: ...

    spec = dict(anything.spec)
    spec.pop("parameters")
    assert spec == {
        "name": "pay",
        "description": "Pays.",
        "effect": "keyed",
        "approval": "always",
        "timeout_ms": 1500,
        "labels": {"team": "billing"},
    }


def test_the_default_effect_is_at_most_once() -> None:
    assert tool(lambda: None).effect == "at_most_once" and "effect" not in tool(lambda: None).spec


def test_a_function_that_cannot_be_a_tool_is_refused_with_its_reason() -> None:
    class Odd: ...

    def bad_hint(x: Odd) -> None: ...
    def bad_args(*x: int) -> None: ...

    with pytest.raises(InputError, match="dataclass") as caught:
        tool(bad_hint)
    assert caught.value.code == "tool_invalid" and "'x'" in caught.value.message
    with pytest.raises(InputError, match="list instead"):
        tool(bad_args)
    with pytest.raises(InputError) as caught:
        Agent("helper", MODEL, tools=[tool(name="not a name")(lambda: None)])
    assert caught.value.code == "tool_invalid"


async def test_a_tool_with_a_schema_of_its_own_gets_plain_values(llm: Servers) -> None:
    got: list[Any] = []

    @tool(parameters={"type": "object", "properties": {"when": {"type": "string"}}, "required": ["when"]})
    async def raw(**arguments: Any) -> str:
        got.append(arguments)
        return "raw"

    await told(llm, raw, sees="raw", when="2026-11-28")
    assert got == [{"when": "2026-11-28"}]


async def test_reconcile_says_what_became_of_an_interrupted_call(llm: Servers, store: str) -> None:
    began = asyncio.Event()
    asked: list[str] = []

    async def found(context: ToolContext, order: str) -> Any:
        asked.append(order)
        return Done("refunded before") if order == "a" else NotDone()

    @tool(reconcile=found)
    async def refund(order: str) -> str:
        began.set()
        await asyncio.sleep(3600)
        return "refunded"

    url = llm([calls("refund", order="a"), {"sees": ["refunded before"], "text": "All is well."}])
    agent = Agent("helper", MODEL, base_url=url, tools=[refund])
    runtime = await Runtime(store, close_grace=0).open()
    task = asyncio.create_task(_awaited(runtime.run(agent, "Refund")))
    await asyncio.wait_for(began.wait(), 20)
    await runtime.close()
    assert (await task).status == "interrupted"
    async with Runtime(store) as again:
        outcome = await again.resume((await again.runs())[0]["run"], agent)
    assert outcome.text == "All is well." and asked == ["a"]


async def _awaited(run: Any) -> Any:
    return await run
