"""Agents as data: specs, hashes, handoffs, agents as tools, models and their settings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conftest import MODEL, Servers
from nfa_runtime import Agent, InputError, NfaError, Runtime, tool


@tool(effect="pure")
async def add(a: int, b: int) -> int:
    """Adds two integers."""
    return a + b


def test_a_spec_holds_all_that_was_said() -> None:
    agent = Agent(
        "helper",
        "openai/gpt-5-mini",
        instructions="Be brief.",
        description="Helps.",
        tools=[add, {"name": "date", "argv": ["date"]}],
        limits={"turns": 3, "tokens": 1000},
        settings={"temperature": 0, "stop": ["END"]},
        base_url="http://127.0.0.1:8080/v1",
        api_key_env="MY_KEY",
        fallback=["anthropic/claude-sonnet-5"],
        history_runs=4,
        output={"type": "object"},
    )
    assert agent.spec == {
        "name": "helper",
        "description": "Helps.",
        "instructions": "Be brief.",
        "model": {
            "name": "openai/gpt-5-mini",
            "settings": {"temperature": 0, "stop": ["END"]},
            "base_url": "http://127.0.0.1:8080/v1",
            "api_key_env": "MY_KEY",
            "fallback": ["anthropic/claude-sonnet-5"],
        },
        "tools": ["add", {"name": "date", "argv": ["date"]}],
        "limits": {"turns": 3, "tokens": 1000},
        "memory": {"history": {"runs": 4}},
        "output": {"type": "object"},
    }
    program = agent.program
    assert set(program["tools"]) == {"add", "date"} and program["start"] == "helper"


def test_the_hash_is_of_what_is_done_and_of_nothing_else() -> None:
    same = [Agent("helper", "openai/gpt-5-mini", tools=[add]) for _ in range(2)]
    assert same[0].program_hash == same[1].program_hash and len(same[0].program_hash) == 64
    other = Agent("helper", "openai/gpt-5-mini", tools=[add], instructions="Be brief.")
    assert other.program_hash != same[0].program_hash
    assert Agent("helper", "openai/gpt-5-mini", tools=[add], limits={"turns": 10}).program_hash == same[0].program_hash


def test_an_agent_of_a_spec_is_the_same_agent() -> None:
    agent = Agent("helper", "openai/gpt-5-mini", tools=[add], instructions="Be brief.")
    again = Agent.from_spec(agent.spec, tools=[add])
    assert again.program_hash == agent.program_hash
    assert Agent.from_spec(json.dumps(agent.spec), tools=[add]).program_hash == agent.program_hash
    with pytest.raises(NfaError) as caught:
        Agent.from_spec(agent.spec)
    assert caught.value.code == "unknown_tool"


async def test_agents_hand_over_and_may_name_each_other_in_circles(llm: Servers) -> None:
    url = llm(
        [
            {"blind": ["I am B."], "calls": [{"tool": "transfer_to_b"}]},
            {"sees": ["I am B."], "results": 1, "calls": [{"tool": "transfer_to_a"}]},
            {"results": 2, "text": "Back at A."},
        ]
    )
    b = Agent("b", MODEL, base_url=url, instructions="I am B.", handoffs=["a"])
    a = Agent("a", MODEL, base_url=url, instructions="I am A.", handoffs=[b])
    async with Runtime() as runtime:
        outcome = await runtime.run(a, "Hello")
    assert outcome.text == "Back at A."
    with pytest.raises(NfaError) as caught:
        _ = b.program_hash
    assert caught.value.code == "unknown_agent"


@pytest.mark.parametrize("own_run", [False, True])
async def test_an_agent_is_a_tool_of_another(llm: Servers, own_run: bool) -> None:
    inner = Agent("inner", MODEL, base_url=llm("tools:1"), tools=[add], description="Adds.")
    url = llm([{"calls": [{"tool": "inner", "arguments": {"input": "Add"}}]}, {"results": 1, "text": "Added."}])
    outer = Agent("outer", MODEL, base_url=url, tools=[inner.as_tool(own_run=own_run) if own_run else inner])
    async with Runtime() as runtime:
        outcome = await runtime.run(outer, "Hello")
        assert outcome.text == "Added.", outcome.error
        assert len(await runtime.runs()) == (2 if own_run else 1)


async def test_a_fallback_answers_when_the_model_cannot(llm: Servers) -> None:
    broken = llm([{"error": {"status": 401, "code": "invalid_api_key", "message": "no"}, "again": True}])
    good: Any = {"name": MODEL, "base_url": llm("one")}
    agent = Agent("helper", MODEL, base_url=broken, fallback=[good])
    async with Runtime() as runtime:
        outcome = await runtime.run(agent, "Hello")
    assert outcome.text == "The answer is 42.", outcome.error


def test_what_is_wrong_with_an_agent_is_said_where_it_is_made() -> None:
    with pytest.raises(InputError) as caught:
        Agent("not a name", "openai/gpt-5-mini")
    assert caught.value.code == "agent_invalid"
    with pytest.raises(NfaError) as caught:
        Agent("helper", "openai/gpt-5-mini", tools=["nothing"])
    assert caught.value.code == "unknown_tool"
    with pytest.raises(InputError) as caught:
        Agent("helper", "openai/gpt-5-mini", limits={"turn": 3})  # type: ignore[typeddict-unknown-key]
    assert "turn" in caught.value.message
    with pytest.raises(InputError) as caught:
        Agent("helper", 7)  # type: ignore[call-overload]
    assert caught.value.code == "model_spec_invalid"
    with pytest.raises(InputError):
        Agent("helper", "openai/gpt-5-mini", tools=[7])

    def two() -> Any:
        @tool(name="add")
        def other(c: str) -> None: ...

        return other

    with pytest.raises(NfaError) as caught:
        Agent("helper", "openai/gpt-5-mini", tools=[add, two()])
    assert caught.value.code == "duplicate_name"


async def test_a_paused_agent_takes_no_runs(llm: Servers) -> None:
    agent = Agent("helper", MODEL, base_url=llm("one"))
    async with Runtime() as runtime:
        assert (await runtime.run(agent, "Hello")).is_completed
        assert await runtime.pause_agent("helper") == "paused"
        with pytest.raises(NfaError) as caught:
            await runtime.run(agent, "Hello")
        assert caught.value.code == "agent_paused"
        assert await runtime.agent_state("helper") == "paused"
        assert await runtime.resume_agent("helper") == "active"
        assert (await runtime.run(agent, "Hello")).is_completed
        assert await runtime.terminate_agent("helper") == "terminated"
