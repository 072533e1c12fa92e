"""What type checkers infer. Checked by mypy and pyright, and never run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from typing_extensions import assert_type

from nfa_runtime import (
    Agent,
    Event,
    Finished,
    Outcome,
    Run,
    Runtime,
    SyncRun,
    SyncRuntime,
    TextDelta,
    Tool,
    ToolContext,
    tool,
)


@dataclass
class Answer:
    city: str


@dataclass
class Shop:
    name: str


@tool
async def weather(city: str, unit: str = "c") -> int:
    return len(city)


@tool(effect="pure", timeout=3)
def add(a: int, b: int) -> int:
    return a + b


@tool
def shop_name(context: ToolContext[Shop]) -> str:
    assert_type(context.deps, Shop)
    return context.deps.name


assert_type(add(1, 2), int)
add("1", 2)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

plain = Agent("plain", "openai/gpt-5-mini", tools=[weather, add])
assert_type(plain, "Agent[Any, str]")
typed = Agent("typed", "openai/gpt-5-mini", output=Answer)
assert_type(typed, "Agent[Any, Answer]")
both = Agent("both", "openai/gpt-5-mini", output=Answer, deps_type=Shop, tools=[shop_name])
assert_type(both, "Agent[Shop, Answer]")
lists = Agent("lists", "openai/gpt-5-mini", output=list[int])
assert_type(lists, "Agent[Any, list[int]]")
raw = Agent("raw", "openai/gpt-5-mini", output={"type": "object"})
with_deps = Agent("with_deps", "openai/gpt-5-mini", deps_type=Shop, limits={"turns": 3})
assert_type(with_deps, "Agent[Shop, str]")


async def runs() -> None:
    async with Runtime("memory:") as runtime:
        assert_type(runtime, Runtime)
        outcome = await runtime.run(both, "hi", deps=Shop("corner"))
        assert_type(outcome, Outcome[Answer])
        assert_type(outcome.output, Answer)
        run = runtime.run(both, "hi", deps=Shop("corner"))
        assert_type(run, Run[Answer])
        async with runtime.run(typed, "hi", session="alice") as listened:
            assert_type(listened, Run[Answer])
            async for event in listened:
                assert_type(event, Event)
                match event:
                    case TextDelta(text):
                        assert_type(text, str)
                    case Finished(outcome=summary):
                        print(summary["status"])
                    case _:
                        pass
        assert_type(listened.output, Answer)
        assert_type(await runtime.run(plain, "hi", deps=3), Outcome[str])
        resumed = runtime.resume("0" * 32, both, deps=Shop("corner"))
        assert_type(resumed, Run[Answer])
        assert_type(runtime.run_sync(both, "hi", deps=Shop("corner")), Outcome[Answer])
        # A shop is wanted, not a number.
        runtime.run(both, "hi", deps=3)  # type: ignore[misc]  # pyright: ignore[reportArgumentType]


def sync_runs() -> None:
    assert_type(Runtime.run_sync(typed, "hi"), Outcome[Answer])
    with SyncRuntime("memory:") as runtime:
        run = runtime.run(typed, "hi")
        assert_type(run, SyncRun[Answer])
        assert_type(run.outcome().output, Answer)
        assert_type(runtime.approve("run", "2", by="bob"), str)
        with runtime.run(typed, "hi") as listened:
            for event in listened:
                assert_type(event, Event)


def takes_tools(tools: list[Tool[..., Any]]) -> None:
    print(tools)
