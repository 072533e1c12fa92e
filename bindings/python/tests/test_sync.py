"""The sync twins: in scripts, threads, notebooks and inside running loops."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from conftest import MODEL, Servers, calls
from nfa_runtime import Agent, Finished, NfaError, Runtime, SyncRuntime, TextDelta, tool

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="none")


@tool(effect="pure")
async def add(a: int, b: int) -> int:
    """Adds two integers."""
    return a + b


@tool(effect="pure", name="add")
def add_sync(a: int, b: int) -> int:
    """Adds two integers."""
    return a + b


def test_run_sync_on_the_class_has_a_runtime_of_its_own(llm: Servers) -> None:
    agent = Agent("helper", MODEL, base_url=llm("tools:2"), tools=[add])
    assert Runtime.run_sync(agent, "What is 2 + 40?").text == "The answer is 42."
    # It ends with the run: a session begins anew.
    first = Runtime.run_sync(agent, "Hello", session="alice")
    assert Runtime.run_sync(agent, "Hello", session="alice").run != first.run


def test_run_sync_on_an_instance_uses_its_store(llm: Servers, store: str) -> None:
    agent = Agent("helper", MODEL, base_url=llm("tools:1"), tools=[add_sync])
    runtime = Runtime(store)
    outcome = runtime.run_sync(agent, "Hello", session="alice")
    with SyncRuntime(store) as same:
        assert [record["run"] for record in same.runs(session="alice")] == [outcome.run]
    asyncio.run(runtime.close())


async def test_run_sync_works_inside_a_running_loop(llm: Servers) -> None:
    agent = Agent("helper", MODEL, base_url=llm("tools:2"), tools=[add])
    assert asyncio.get_running_loop().is_running()
    assert Runtime.run_sync(agent, "Hello").text == "The answer is 42."


async def test_run_sync_works_like_in_a_notebook_cell(llm: Servers) -> None:
    # A notebook runs cells in a loop that never ends, and cells call sync functions which call `run_sync`.
    agent = Agent("helper", MODEL, base_url=llm("tools:1"), tools=[add])
    cell: dict[str, Any] = {"Runtime": Runtime, "agent": agent}
    exec("answer = Runtime.run_sync(agent, 'Hello').text", cell)
    assert cell["answer"] == "The answer is 42."
    # A cell may await, too, on the same loop.
    async with Runtime() as runtime:
        assert (await runtime.run(agent, "Hello")).text == "The answer is 42."


def test_run_sync_from_many_threads(llm: Servers) -> None:
    agent = Agent(
        "helper",
        MODEL,
        base_url=llm("tools:2"),
        tools=[
            add,
        ],
    )
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda at: Runtime.run_sync(agent, f"Run {at}").text, range(32)))
    assert texts == ["The answer is 42."] * 32


def test_one_runtime_serves_loops_of_several_threads(llm: Servers, store: str) -> None:
    agent = Agent("helper", MODEL, base_url=llm("tools:2"), tools=[add])
    runtime = Runtime(store)
    asyncio.run(_opened(runtime))
    where: set[str] = set()

    @tool(effect="pure", name="add")
    async def add_here(a: int, b: int) -> int:
        where.add(threading.current_thread().name)
        return a + b

    agent = Agent("helper", MODEL, base_url=llm("tools:2"), tools=[add_here])

    async def work() -> str:
        return (await runtime.run(agent, "Hello")).text

    with ThreadPoolExecutor(4, thread_name_prefix="own-loop") as pool:
        assert set(pool.map(lambda _: asyncio.run(work()), range(12))) == {"The answer is 42."}
    assert where and all(name.startswith("own-loop") for name in where)
    asyncio.run(runtime.close())


async def _opened(runtime: Runtime) -> None:
    await runtime.open()


def test_run_sync_keeps_the_callers_contextvars(llm: Servers) -> None:
    @tool
    async def who() -> str:
        return request_id.get()

    @tool
    def who_sync() -> str:
        return request_id.get()

    turn = {"calls": [{"tool": "who"}, {"tool": "who_sync"}]}
    url = llm([turn, {"sees": ["abc-123"], "results": 2, "text": "Told."}])
    token = request_id.set("abc-123")
    try:
        outcome = Runtime.run_sync(Agent("helper", MODEL, base_url=url, tools=[who, who_sync]), "Who?")
    finally:
        request_id.reset(token)
    assert outcome.text == "Told."


def test_a_tool_may_call_run_sync(llm: Servers) -> None:
    inner = Agent("inner", MODEL, base_url=llm("one"))

    @tool
    async def ask() -> str:
        return Runtime.run_sync(inner, "Hello").text

    @tool
    def ask_sync() -> str:
        return Runtime.run_sync(inner, "Hello").text

    turn = {"calls": [{"tool": "ask"}, {"tool": "ask_sync"}]}
    url = llm([turn, {"sees": ["The answer is 42."], "results": 2, "text": "Asked."}])
    assert Runtime.run_sync(Agent("outer", MODEL, base_url=url, tools=[ask, ask_sync]), "Go").text == "Asked."


def test_a_sync_run_is_listened_to(llm: Servers) -> None:
    agent = Agent("helper", MODEL, base_url=llm("stream:300"))
    with SyncRuntime() as runtime:
        with runtime.run(agent, "Go on") as run:
            events = list(run)
        assert run.text == "".join(event.text for event in events if isinstance(event, TextDelta)) == "word " * 300
        assert isinstance(events[-1], Finished) and run.status == "completed"
        assert runtime.run(agent, "Again").outcome().is_completed
        assert runtime.journal(run.id)[0]["type"] == "run_started"


def test_leaving_a_sync_block_by_an_exception_cancels_the_run(llm: Servers) -> None:
    began = threading.Event()
    ended = []

    @tool(effect="idempotent")
    async def slow() -> None:
        began.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    agent = Agent("helper", MODEL, base_url=llm([calls("slow")]), tools=[slow])
    with SyncRuntime() as runtime:
        with pytest.raises(ZeroDivisionError), runtime.run(agent, "Wait") as run:
            assert began.wait(20)
            raise ZeroDivisionError
        assert run.status == "cancelled" and ended == ["cancelled"]


def test_errors_come_through(llm: Servers) -> None:
    with SyncRuntime() as runtime, pytest.raises(NfaError) as caught:
        runtime.run_record("0" * 32)
    assert caught.value.code == "run_unknown"


def test_a_keyboard_interrupt_cancels_the_run(llm: Servers, store: str, python: Any) -> None:
    url = llm([calls("slow")])
    program = """
import asyncio, os, signal, sys
from nfa_runtime import Agent, Runtime, SyncRuntime, tool

# Whoever runs the tests in the background may have it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
ended = []

@tool(effect="idempotent")
async def slow() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        ended.append("cancelled")
        raise

agent = Agent("helper", "openai-compatible/scripted", base_url=sys.argv[1], tools=[slow])
runtime = SyncRuntime(sys.argv[2]).open()
try:
    runtime.run(agent, "Wait").outcome()
except KeyboardInterrupt:
    print(ended, [record["status"] for record in runtime.runs()])
runtime.close()
"""
    assert python(program, url, store).stdout.strip() == "['cancelled'] ['cancelled']"


def test_every_async_method_has_a_sync_twin() -> None:
    import inspect

    wanted = {name for name, member in vars(Runtime).items() if not name.startswith("_") and inspect.isfunction(member)}
    assert "proof" in wanted and wanted <= set(dir(SyncRuntime))
