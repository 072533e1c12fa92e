"""Runs under asyncio: awaited, listened to, cancelled in both directions."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from typing import Any

import pytest

from conftest import MODEL, Servers, calls
from nfa_runtime import (
    Agent,
    Entry,
    Finished,
    InputError,
    NfaError,
    Outcome,
    Run,
    Runtime,
    SessionBusyError,
    TextDelta,
    ToolFinished,
    ToolStarted,
    tool,
)


@tool(effect="pure")
async def add(a: int, b: int) -> int:
    """Adds two integers."""
    return a + b


async def test_a_run_is_awaited_for_its_outcome(llm: Servers) -> None:
    agent = Agent("helper", MODEL, base_url=llm("tools:2"), tools=[add])
    async with Runtime() as runtime:
        outcome = await runtime.run(agent, "What is 2 + 40?")
    assert isinstance(outcome, Outcome)
    assert outcome.status == "completed" and outcome.is_completed
    assert outcome.text == outcome.output == "The answer is 42."
    assert outcome.usage["output_tokens"] > 0
    assert outcome.error is None and outcome.limit is None and outcome.asks == []
    assert len(outcome.run) == 32
    assert outcome.receipt.state == "recorded" and len(outcome.receipt.leaves) == 5
    assert str(outcome.receipt).startswith("receipt: 5 leaves recorded")
    outcome.raise_for_status()


async def test_a_run_is_listened_to_and_awaited_at_the_end_of_its_block(llm: Servers) -> None:
    agent = Agent("helper", MODEL, base_url=llm("tools:1"), tools=[add])
    events = []
    async with Runtime() as runtime:
        async with runtime.run(agent, "What is 2 + 40?") as run:
            assert isinstance(run, Run)
            async for event in run:
                events.append(event)
        assert run.text == "The answer is 42."
        assert run.output == run.text and run.status == "completed"
        assert run.receipt.run == run.id
    kinds = [event.type for event in events]
    assert kinds[0] == "entry" and kinds[-1] == "finished"
    assert [event.entry["type"] for event in events if isinstance(event, Entry)] == [
        "run_started",
        "step_started",
        "model_finished",
        "call_finished",
        "step_started",
        "model_finished",
        "run_finished",
    ]
    started = next(event for event in events if isinstance(event, ToolStarted))
    assert (started.tool, started.arguments, started.step) == ("add", '{"a":2,"b":40}', "2")
    finished = next(event for event in events if isinstance(event, ToolFinished))
    assert (finished.status, finished.text) == ("ok", "42")
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "The answer is 42."
    last = events[-1]
    assert isinstance(last, Finished) and last.outcome["status"] == "completed"


async def test_leaving_the_block_waits_for_the_end_even_when_nobody_reads(llm: Servers) -> None:
    agent = Agent("helper", MODEL, base_url=llm("stream:500"))
    async with Runtime() as runtime:
        async with runtime.run(agent, "Go on") as run:
            pass
        assert run.text == "word " * 500


async def test_output_is_an_instance_of_the_given_type(llm: Servers) -> None:
    @dataclasses.dataclass
    class Place:
        city: str
        inhabitants: int

    url = llm([{"text": '{"city": "Oslo", "inhabitants": 717710}', "again": True}])
    async with Runtime() as runtime:
        agent = Agent("helper", MODEL, base_url=url, output=Place)
        outcome = await runtime.run(agent, "Where?")
        assert outcome.output == Place("Oslo", 717710)
        plain = Agent("plain", MODEL, base_url=url)
        assert (await runtime.run(plain, "Where?")).output == outcome.text


async def test_output_of_a_type_that_is_no_object(llm: Servers) -> None:
    url = llm([{"text": '{"value": [1, 2, 3]}'}])
    agent = Agent("helper", MODEL, base_url=url, output=list[int])
    async with Runtime() as runtime:
        assert (await runtime.run(agent, "Count")).output == [1, 2, 3]


async def test_wait_for_around_the_next_event_loses_none(llm: Servers) -> None:
    agent = Agent("helper", MODEL, base_url=llm("stream:300"))
    got: list[Any] = []
    timeouts = 0
    async with Runtime() as runtime:
        async with runtime.run(agent, "Go on") as run:
            events = run.__aiter__()
            while True:
                try:
                    # So short that most waits are cancelled, at whatever point they are.
                    got.append(await asyncio.wait_for(events.__anext__(), 0.0005))
                except asyncio.TimeoutError:
                    timeouts += 1
                except StopAsyncIteration:
                    break
    assert timeouts > 0
    assert "".join(event.text for event in got if isinstance(event, TextDelta)) == "word " * 300
    entries = [event.entry["seq"] for event in got if isinstance(event, Entry)]
    assert entries == list(range(len(entries)))
    assert isinstance(got[-1], Finished)
    assert run.status == "completed"


async def test_a_slow_reader_gets_everything_in_order(llm: Servers) -> None:
    agent = Agent("helper", MODEL, base_url=llm("stream:400"))
    async with Runtime(event_capacity=4) as runtime:
        async with runtime.run(agent, "Go on") as run:
            pieces = []
            async for event in run:
                await asyncio.sleep(0)
                if isinstance(event, TextDelta):
                    pieces.append(event.text)
    assert "".join(pieces) == run.text == "word " * 400


async def test_several_tasks_may_read_one_run(llm: Servers) -> None:
    agent = Agent("helper", MODEL, base_url=llm("stream:200"))
    async with Runtime() as runtime:
        async with runtime.run(agent, "Go on") as run:

            async def read() -> list[Any]:
                return [event async for event in run]

            first, second = await asyncio.gather(read(), read())
    together = [event for event in first + second if isinstance(event, TextDelta)]
    assert sum(len(event.text) for event in together) == len("word " * 200)


class Slow:
    """A tool that tells when it began, and how it ended."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.ended: list[str] = []
        self.tool = tool(name="slow", effect="idempotent")(self._run)

    async def _run(self) -> str:
        """Takes for ever."""
        self.began.set()
        try:
            await asyncio.sleep(3600)
            self.ended.append("done")
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        return "done"


async def test_cancelling_the_awaiting_task_cancels_the_run_and_the_tool(llm: Servers, store: str) -> None:
    slow = Slow()
    agent = Agent("helper", MODEL, base_url=llm([calls("slow")]), tools=[slow.tool])
    async with Runtime(store) as runtime:

        async def work() -> None:
            await runtime.run(agent, "Wait")

        task = asyncio.create_task(work())
        await asyncio.wait_for(slow.began.wait(), 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert slow.ended == ["cancelled"]
        [record] = await runtime.runs()
        assert record["status"] == "cancelled" and record["owner"] is None


async def test_leaving_the_block_by_an_exception_cancels_the_run_and_the_tool(llm: Servers) -> None:
    slow = Slow()
    agent = Agent("helper", MODEL, base_url=llm([calls("slow")]), tools=[slow.tool])
    async with Runtime() as runtime:
        with pytest.raises(ZeroDivisionError):
            async with runtime.run(agent, "Wait") as run:
                await asyncio.wait_for(slow.began.wait(), 20)
                raise ZeroDivisionError
        assert slow.ended == ["cancelled"]
        assert run.status == "cancelled"


async def test_cancelling_a_task_inside_the_block_cancels_the_run(llm: Servers) -> None:
    slow = Slow()
    agent = Agent("helper", MODEL, base_url=llm([calls("slow")]), tools=[slow.tool])
    async with Runtime() as runtime:
        runs: list[Run[str]] = []

        async def work() -> None:
            async with runtime.run(agent, "Wait") as run:
                runs.append(run)
                async for _ in run:
                    pass

        task = asyncio.create_task(work())
        await asyncio.wait_for(slow.began.wait(), 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert slow.ended == ["cancelled"]
        assert runs[0].status == "cancelled"


async def test_cancelling_the_run_cancels_the_tool(llm: Servers) -> None:
    slow = Slow()
    agent = Agent("helper", MODEL, base_url=llm([calls("slow")]), tools=[slow.tool])
    async with Runtime() as runtime:
        async with runtime.run(agent, "Wait") as run:
            await asyncio.wait_for(slow.began.wait(), 20)
            run.cancel()
        assert run.status == "cancelled"
        assert slow.ended == ["cancelled"]
        # The outcome of a cancelled run says so; only its output raises.
        with pytest.raises(NfaError) as caught:
            _ = run.output
        assert caught.value.category == "cancelled"


async def test_cancelling_a_run_whose_tool_is_just_beginning_never_hangs(llm: Servers) -> None:
    slow = Slow()
    agent = Agent("helper", MODEL, base_url=llm([calls("slow") | {"again": True}]), tools=[slow.tool])
    async with Runtime() as runtime:
        for waits in range(60):
            async with runtime.run(agent, "Wait") as run:
                async for event in run:
                    if isinstance(event, ToolStarted):
                        for _ in range(waits % 4):
                            await asyncio.sleep(0)
                        run.cancel()
            assert run.status == "cancelled"
    assert set(slow.ended) <= {"cancelled"}


async def test_a_runtime_cancels_a_run_by_its_id(llm: Servers) -> None:
    slow = Slow()
    agent = Agent("helper", MODEL, base_url=llm([calls("slow")]), tools=[slow.tool])
    async with Runtime() as runtime:
        async with runtime.run(agent, "Wait") as run:
            await asyncio.wait_for(slow.began.wait(), 20)
            assert await runtime.cancel(run.id) == "delivered"
        assert run.status == "cancelled" and slow.ended == ["cancelled"]


async def test_a_tool_that_cancels_itself_is_an_error_of_that_tool(llm: Servers) -> None:
    @tool
    async def quits() -> None:
        raise asyncio.CancelledError

    url = llm([calls("quits"), {"sees": ["CancelledError"], "text": "It quit."}])
    async with Runtime() as runtime:
        outcome = await runtime.run(Agent("helper", MODEL, base_url=url, tools=[quits]), "Go")
    assert outcome.text == "It quit."


async def test_a_timeout_around_an_awaited_run_stops_it(llm: Servers) -> None:
    slow = Slow()
    agent = Agent("helper", MODEL, base_url=llm([calls("slow")]), tools=[slow.tool])
    async with Runtime() as runtime:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(_awaited(runtime.run(agent, "Wait")), 1)
        assert slow.ended == ["cancelled"]
        [record] = await runtime.runs()
        assert record["status"] == "cancelled"


async def _awaited(run: Run[Any]) -> Any:
    return await run


async def test_a_wait_for_the_outcome_inside_the_block_may_be_cancelled_alone(llm: Servers) -> None:
    agent = Agent("helper", MODEL, base_url=llm("stream:200"))
    async with Runtime() as runtime:
        async with runtime.run(agent, "Go on") as run:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(run.outcome(), 0.0001)
        assert run.status == "completed"


async def test_a_run_that_was_cancelled_goes_on_when_resumed(llm: Servers, store: str) -> None:
    began = asyncio.Event()
    tries = []

    @tool(effect="idempotent")
    async def slow() -> str:
        tries.append(1)
        began.set()
        await asyncio.sleep(3600 if len(tries) == 1 else 0)
        return "done"

    url = llm([calls("slow"), {"text": "Done after all."}])
    agent = Agent("helper", MODEL, base_url=url, tools=[slow])
    async with Runtime(store) as runtime:
        async with runtime.run(agent, "Wait") as run:
            await asyncio.wait_for(began.wait(), 20)
            run.cancel()
        resumed = await runtime.resume(run.id, agent)
        assert resumed.status == "completed" and resumed.text == "Done after all."


async def test_a_run_starts_once(llm: Servers) -> None:
    agent = Agent("helper", MODEL, base_url=llm("one"))
    async with Runtime() as runtime:
        run = runtime.run(agent, "Hello")
        first = await run
        assert await run is first
        with pytest.raises(InputError) as caught:
            async with run:
                pass
        assert caught.value.code == "run_started"


async def test_a_started_run_goes_on_by_itself(llm: Servers) -> None:
    agent = Agent("helper", MODEL, base_url=llm("one"))
    async with Runtime() as runtime:
        run = await runtime.run(agent, "Hello").start()
        identity = run.id
        del run
        while (await runtime.run_record(identity))["status"] == "running":
            await asyncio.sleep(0.01)
        assert (await runtime.resume(identity, agent)).text == "The answer is 42."


async def test_events_outside_a_block_are_refused_with_advice(llm: Servers) -> None:
    agent = Agent("helper", MODEL, base_url=llm("one"))
    async with Runtime() as runtime:
        with pytest.raises(InputError, match="async with"):
            async for _ in runtime.run(agent, "Hello"):
                pass
        run = runtime.run(agent, "Hello")
        with pytest.raises(InputError, match="not over"):
            _ = run.text
        await run


async def test_sessions_remember_and_admit_one_run_at_a_time(llm: Servers) -> None:
    slow = Slow()
    url = llm(
        [
            {"blind": ["I am Ada."], **calls("slow")},
            {"sees": ["I am Ada."], "text": "You are Ada."},
            {"text": "Hello Ada."},
        ]
    )
    agent = Agent("helper", MODEL, base_url=url, tools=[slow.tool])
    async with Runtime() as runtime:
        async with runtime.run(agent, "First", session="alice") as run:
            await asyncio.wait_for(slow.began.wait(), 20)
            with pytest.raises(SessionBusyError) as caught:
                await runtime.run(agent, "I am Ada.", session="alice")
            assert caught.value.details["run"] == run.id
            queued = asyncio.create_task(_awaited(runtime.run(agent, "I am Ada.", session="alice", queue=True)))
            await asyncio.sleep(0.05)
            assert not queued.done()
            run.cancel()
        assert (await queued).text == "You are Ada."
        assert [record["session"] for record in await runtime.runs(session="alice")] == ["alice"] * 2


async def test_a_queued_run_may_be_given_up_before_it_begins(llm: Servers) -> None:
    slow = Slow()
    url = llm([calls("slow"), {"text": "Next.", "again": True}])
    agent = Agent("helper", MODEL, base_url=url, tools=[slow.tool])
    async with Runtime() as runtime:
        async with runtime.run(agent, "First", session="alice") as run:
            await asyncio.wait_for(slow.began.wait(), 20)
            queued = asyncio.create_task(_awaited(runtime.run(agent, "Second", session="alice", queue=True)))
            await asyncio.sleep(0.05)
            queued.cancel()
            with pytest.raises(asyncio.CancelledError):
                await queued
            run.cancel()
        outcome = await runtime.run(agent, "Third", session="alice", queue=True)
        assert outcome.is_completed


async def test_many_runs_at_once_share_one_loop(llm: Servers) -> None:
    agent = Agent("helper", MODEL, base_url=llm("tools:3"), tools=[add])
    async with Runtime() as runtime:
        outcomes = await asyncio.gather(*(runtime.run(agent, f"Run {at}") for at in range(64)))
    assert {outcome.text for outcome in outcomes} == {"The answer is 42."}
    assert len({outcome.run for outcome in outcomes}) == 64


async def test_what_is_said_may_be_a_message_or_parts(llm: Servers) -> None:
    url = llm([{"sees": ["Look"], "text": "Seen.", "again": True}])
    agent = Agent("helper", MODEL, base_url=url)
    async with Runtime() as runtime:
        parts: Any = [{"type": "text", "text": "Look"}, {"type": "media", "media_type": "image/png", "url": "data:,x"}]
        assert (await runtime.run(agent, parts)).text == "Seen."
        message: Any = {"role": "user", "parts": parts}
        assert (await runtime.run(agent, message)).text == "Seen."
        with pytest.raises(InputError) as caught:
            await runtime.run(agent, [{"type": "nonsense"}])  # type: ignore[list-item]
        assert caught.value.code == "input_malformed"


async def test_a_failed_run_is_an_outcome_with_the_engines_error() -> None:
    agent = Agent("helper", MODEL, base_url="http://127.0.0.1:9/v1", limits={"turns": 1})
    async with Runtime() as runtime:
        outcome = await asyncio.wait_for(_awaited(runtime.run(agent, "Hello")), 60)
    assert outcome.status == "failed"
    assert outcome.error is not None and outcome.error.code == "model_refused_connection"
    assert outcome.error.retryable and outcome.error.category == "transient"
    with pytest.raises(NfaError) as caught:
        outcome.raise_for_status()
    assert caught.value.code == "model_refused_connection"


async def test_a_limit_is_an_outcome_and_a_higher_one_goes_on(llm: Servers) -> None:
    agent = Agent("helper", MODEL, base_url=llm("tools:3"), tools=[add], limits={"turns": 2})
    async with Runtime() as runtime:
        outcome = await runtime.run(agent, "Hello")
        assert outcome.status == "limit_reached" and outcome.limit == "turns"
        resumed = await runtime.resume(outcome.run, agent, limits={"turns": 9})
        assert resumed.is_completed


async def test_a_runtime_is_opened_before_it_is_used() -> None:
    runtime = Runtime()
    with pytest.raises(InputError, match="async with"):
        runtime.run(Agent("helper", "openai/x"), "Hello")
    with pytest.raises(InputError) as caught:
        await Runtime("nonsense:x").open()
    assert caught.value.code == "store_url_invalid"


async def test_a_closed_runtime_refuses_runs(llm: Servers) -> None:
    agent = Agent("helper", MODEL, base_url=llm("one"))
    async with Runtime() as runtime:
        assert (await runtime.run(agent, "Hello")).is_completed
    with pytest.raises(InputError) as caught:
        await runtime.run(agent, "Hello")
    assert caught.value.code == "runtime_closed"
