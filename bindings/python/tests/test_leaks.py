"""Memory stays flat over many runs with tools of Python's, and no run is left after a cancel.

`NFA_LEAK_RUNS=100000` runs as many as the project's goal says; a small number is run otherwise.
"""

from __future__ import annotations

import asyncio
import gc
import os
import pathlib
import sys
from typing import Any

import pytest

from conftest import MODEL, Servers, calls
from nfa_runtime import Agent, FunctionModel, ModelRequest, Runtime, ToolContext, _host, tool
from nfa_runtime.models import ModelAnswer, ToolCall

RUNS = int(os.environ.get("NFA_LEAK_RUNS", "3000"))


def resident() -> int:
    """Bytes of this process in memory."""
    pages = pathlib.Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@tool(effect="pure")
async def add(context: ToolContext[list[int]], a: int, b: int) -> int:
    """Adds two integers."""
    return a + b + len(context.deps)


@tool(effect="pure")
def add_sync(context: ToolContext[list[int]], a: int, b: int) -> int:
    """Adds two integers, on a thread."""
    return a + b + len(context.deps)


def think(request: ModelRequest) -> ModelAnswer:
    if request.messages[-1]["role"] == "tool":
        return ModelAnswer(text="done")
    return ModelAnswer(tool_calls=[ToolCall(name, {"a": 1, "b": 2}) for name in ("add", "add_sync")])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
async def test_memory_stays_flat_over_many_runs(store: str) -> None:
    async def model(request: ModelRequest) -> ModelAnswer:
        return think(request)

    agent = Agent("helper", FunctionModel(model), tools=[add, add_sync])
    async with Runtime(f"{store}?durability=relaxed") as runtime:

        async def work(runs: int) -> None:
            for at in range(0, runs, 50):
                outcomes = await asyncio.gather(
                    *(runtime.run(agent, f"Run {at}", deps=[at]) for _ in range(25)),
                    *(listened(runtime, agent, at) for _ in range(25)),
                )
                assert all(outcome.text == "done" for outcome in outcomes)

        await work(1000)
        gc.collect()
        objects, before = len(gc.get_objects()), resident()
        await work(RUNS)
        gc.collect()
        grown, more = resident() - before, len(gc.get_objects()) - objects
        host = _host.current()
        assert not host.calls and not host.letters and len(host.waiting) == 0
    # A leak of one small object a run would be far more than this.
    assert more < RUNS / 10
    assert grown < 8_000_000 + RUNS * 20


async def listened(runtime: Runtime, agent: Agent[Any, str], at: int) -> Any:
    async with runtime.run(agent, f"Run {at}", deps=[at]) as run:
        async for _ in run:
            pass
    return run


async def test_no_run_is_left_after_a_cancel(llm: Servers, store: str) -> None:
    running = 0

    @tool(effect="idempotent")
    async def endless() -> None:
        nonlocal running
        running += 1
        try:
            await asyncio.Event().wait()
        finally:
            running -= 1

    agent = Agent("helper", MODEL, base_url=llm([calls("endless") | {"again": True}]), tools=[endless])
    async with Runtime(f"{store}?durability=relaxed") as runtime:

        async def one() -> None:
            await runtime.run(agent, "Wait")

        tasks = [asyncio.create_task(one()) for _ in range(200)]
        while running < 200:
            await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert running == 0
        # As the engine counts them: none is driven, and none has an owner.
        records = await runtime.runs(limit=1000)
        assert {(record["status"], record["owner"]) for record in records} == {("cancelled", None)}
        assert len(records) == 200
