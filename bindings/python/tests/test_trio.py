"""Runs under trio, and under anyio on both of its backends."""

from __future__ import annotations

import contextvars
from typing import Any

import anyio
import pytest
import trio

from conftest import MODEL, Servers, calls
from nfa_runtime import Agent, Finished, Runtime, TextDelta, tool

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="none")


@tool(effect="pure")
async def add(a: int, b: int) -> int:
    """Adds two integers."""
    await anyio.sleep(0)
    return a + b


@tool(effect="pure", name="add")
def add_sync(a: int, b: int) -> int:
    """Adds two integers."""
    return a + b


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("made", [add, add_sync])
def test_a_run_under_anyio(llm: Servers, backend: str, made: Any) -> None:
    agent = Agent("helper", MODEL, base_url=llm("tools:2"), tools=[made])

    async def main() -> None:
        async with Runtime() as runtime:
            assert (await runtime.run(agent, "Hello")).text == "The answer is 42."
            async with runtime.run(agent, "Hello") as run:
                events = [event async for event in run]
            assert isinstance(events[-1], Finished) and run.text == "The answer is 42."

            async def one() -> None:
                assert (await runtime.run(agent, "Hello")).is_completed

            async with anyio.create_task_group() as group:
                for _ in range(16):
                    group.start_soon(one)

    anyio.run(main, backend=backend)


def test_trio_timeouts_around_the_next_event_lose_none(llm: Servers) -> None:
    agent = Agent("helper", MODEL, base_url=llm("stream:200"))

    async def main() -> None:
        got: list[Any] = []
        cancelled = 0
        async with Runtime() as runtime:
            async with runtime.run(agent, "Go on") as run:
                while True:
                    with trio.move_on_after(0.0005) as scope:
                        try:
                            got.append(await run.__anext__())
                        except StopAsyncIteration:
                            break
                    cancelled += scope.cancelled_caught
        assert cancelled > 0
        assert "".join(event.text for event in got if isinstance(event, TextDelta)) == "word " * 200

    trio.run(main)


@pytest.mark.parametrize("listens", [True, False])
def test_trio_cancellation_cancels_the_run_and_the_tool(llm: Servers, listens: bool) -> None:
    ended: list[str] = []

    async def main() -> None:
        began = trio.Event()

        @tool(effect="idempotent")
        async def slow() -> None:
            began.set()
            try:
                await trio.sleep(3600)
            except trio.Cancelled:
                ended.append("cancelled")
                raise

        agent = Agent("helper", MODEL, base_url=llm([calls("slow")]), tools=[slow])
        async with Runtime() as runtime:

            async def work() -> None:
                if listens:
                    async with runtime.run(agent, "Wait") as run:
                        async for _ in run:
                            pass
                else:
                    await runtime.run(agent, "Wait")

            async with trio.open_nursery() as nursery:
                nursery.start_soon(work)
                with trio.fail_after(20):
                    await began.wait()
                nursery.cancel_scope.cancel()
            assert ended == ["cancelled"]
            [record] = await runtime.runs()
            assert record["status"] == "cancelled"

    trio.run(main)


def test_trio_tools_see_contextvars_and_failures_are_told(llm: Servers) -> None:
    @tool
    async def who() -> str:
        await trio.sleep(0)
        return request_id.get()

    @tool
    async def fails() -> None:
        raise LookupError("no such city")

    turn = {"calls": [{"tool": "who"}, {"tool": "fails"}]}
    url = llm([turn, {"sees": ["abc-123", "LookupError: no such city"], "text": "Told."}])
    agent = Agent("helper", MODEL, base_url=url, tools=[who, fails])

    async def main() -> None:
        request_id.set("abc-123")
        async with Runtime() as runtime:
            assert (await runtime.run(agent, "Who?")).text == "Told."

    trio.run(main)


def test_trio_runs_may_follow_each_other(llm: Servers) -> None:
    agent = Agent("helper", MODEL, base_url=llm("tools:1"), tools=[add])

    async def main() -> str:
        async with Runtime() as runtime:
            return (await runtime.run(agent, "Hello")).text

    assert [trio.run(main) for _ in range(3)] == ["The answer is 42."] * 3
