"""Processes: forks, exits, crashes, and runs that go on in another one."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from conftest import MODEL, Servers, calls
from nfa_runtime import Agent, Runtime, tool

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

TOOL = """
import asyncio, os, sys, time
from nfa_runtime import Agent, Runtime, SyncRuntime, NfaError, tool

@tool(effect="idempotent")
async def add(a: int, b: int) -> int:
    return a + b

def agent(url):
    return Agent("helper", "openai-compatible/scripted", base_url=url, tools=[add])
"""


@needs_fork
def test_a_child_that_forks_opens_a_runtime_of_its_own(llm: Servers, python: Any) -> None:
    program = (
        TOOL
        + """
import warnings
warnings.simplefilter("ignore")
url = sys.argv[1]
made = agent(url)
runtime = SyncRuntime().open()
assert runtime.run(made, "Hello").outcome().text == "The answer is 42."
child = os.fork()
if child == 0:
    # What the parent made says so at once, and never hangs.
    for attempt in (lambda: runtime.runs(), lambda: runtime.run(made, "x").outcome(), lambda: made.program_hash):
        try:
            attempt()
        except NfaError as error:
            assert error.code == "forked", error
        else:
            raise SystemExit("not refused")
    fresh = agent(url)
    assert Runtime.run_sync(fresh, "Hello").text == "The answer is 42."
    async def main():
        async with Runtime() as own:
            return (await own.run(fresh, "Hello")).text
    assert asyncio.run(main()) == "The answer is 42."
    del runtime, made
    print("child", flush=True)
    raise SystemExit(0)
_, status = os.waitpid(child, 0)
assert status == 0, status
assert runtime.run(made, "Hello").outcome().text == "The answer is 42."
runtime.close()
print("parent")
"""
    )
    assert python(program, llm("tools:2")).stdout.split() == ["child", "parent"]


@needs_fork
def test_a_fork_while_runs_go_on_never_hangs(llm: Servers, python: Any) -> None:
    program = (
        TOOL
        + """
import warnings
warnings.simplefilter("ignore")
url = sys.argv[1]
made = agent(url)

async def main():
    async with Runtime() as runtime:
        async def busy():
            while not done:
                assert (await runtime.run(made, "Hello")).is_completed
        done = []
        tasks = [asyncio.create_task(busy()) for _ in range(16)]
        for _ in range(10):
            await asyncio.sleep(0.02)
            child = os.fork()
            if child == 0:
                # The child's own exit drops what it has of the parent's engine.
                try:
                    runtime.run(made, "x")
                    code = 1
                except NfaError as error:
                    code = 0 if error.code == "forked" else 2
                os._exit(code if SyncRun() else 3)
            assert await asyncio.to_thread(os.waitpid, child, 0) == (child, 0)
        done.append(True)
        await asyncio.gather(*tasks)

def SyncRun():
    return Runtime.run_sync(agent(url), "Hello").text == "The answer is 42."

asyncio.run(main())
print("over")
"""
    )
    assert python(program, llm("tools:1"), timeout=120).stdout.split() == ["over"]


def test_the_interpreter_exits_with_a_run_under_way(llm: Servers, store: str, python: Any) -> None:
    program = (
        TOOL
        + """
import threading
began = threading.Event()

@tool(effect="idempotent")
async def slow() -> None:
    began.set()
    await asyncio.sleep(3600)

@tool(effect="idempotent")
def slow_sync() -> None:
    began.set()
    time.sleep(3600)

which = {"async": slow, "sync": slow_sync}[sys.argv[3]]
runtime = SyncRuntime(sys.argv[2]).open()
run = runtime.run(Agent("helper", "openai-compatible/scripted", base_url=sys.argv[1], tools=[which]), "Wait").start()
assert began.wait(20)
print(run.id)
"""
    )
    for which, name in (("async", "slow"), ("sync", "slow_sync")):
        started = time.monotonic()
        run = python(program, llm([calls(name)]), f"{store}-{which}", which, timeout=30).stdout.strip()
        assert time.monotonic() - started < 20
        assert len(run) == 32


def test_a_detached_run_on_a_loop_that_ended_is_told_so(llm: Servers, store: str, python: Any) -> None:
    program = (
        TOOL
        + """
runtime = Runtime(sys.argv[2])
async def main():
    await runtime.open()
    return (await runtime.run(agent(sys.argv[1]), "Go").start()).id
run = asyncio.run(main())
# Nobody serves the loop that ended: a tool's call there is an error, and no hang.
async def rest():
    for _ in range(1000):
        record = await runtime.run_record(run)
        if record["status"] != "running":
            return record["status"]
        await asyncio.sleep(0.02)
print(asyncio.run(rest()))
"""
    )
    url = llm([{"calls": [{"tool": "add", "arguments": {"a": 1, "b": 2}}]}, {"text": "Told.", "again": True}])
    assert python(program, url, store).stdout.strip() in ("failed", "completed")


async def test_a_run_goes_on_in_another_process(llm: Servers, store: str, python: Any) -> None:
    @tool(approval="always")
    async def pay(amount: int) -> str:
        return f"paid {amount}"

    url = llm([calls("pay", amount=7), {"sees": ["paid 7"], "text": "Paid."}])
    agent = Agent("cashier", MODEL, base_url=url, tools=[pay])
    async with Runtime(store) as runtime:
        outcome = await runtime.run(agent, "Pay 7", session="alice")
    assert outcome.status == "waiting" and [ask.tool for ask in outcome.asks] == ["pay"]
    program = """
import asyncio, sys
from nfa_runtime import Agent, Runtime, tool

@tool(approval="always")
async def pay(amount: int) -> str:
    return f"paid {amount}"

async def main():
    agent = Agent("cashier", "openai-compatible/scripted", base_url=sys.argv[1], tools=[pay])
    async with Runtime(sys.argv[2]) as runtime:
        runtime.register(agent)
        assert await runtime.approve(sys.argv[3], sys.argv[4], by="bob") == "waiting"
        outcome = await runtime.resume(sys.argv[3], agent)
        print(outcome.text)

asyncio.run(main())
"""
    done = await asyncio.to_thread(python, program, url, store, outcome.run, outcome.asks[0].step)
    assert done.stdout.strip() == "Paid."
    async with Runtime(store) as runtime:
        assert (await runtime.run_record(outcome.run))["status"] == "completed"
        bundle = await runtime.proof(outcome.run)
        info = await runtime.log_info("cashier")
    from nfa_runtime import verify

    assert verify(bundle, log_keys=[info["verifier_key"]])


def test_a_killed_process_repeats_no_effect(llm: Servers, store: str, tmp_path: Any) -> None:
    ledger = tmp_path / "ledger"
    url = llm([calls("write", line="once"), {"text": "Done.", "again": True}])
    program = (
        TOOL
        + """
ledger = sys.argv[3]

@tool
def write(line: str) -> str:
    with open(ledger, "a") as file:
        file.write(line + chr(10))
    print("written", flush=True)
    time.sleep(3600)
    return "written"

runtime = SyncRuntime(sys.argv[2], lease=1).open()
runtime.run(Agent("helper", "openai-compatible/scripted", base_url=sys.argv[1], tools=[write]), "Go").outcome()
"""
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, url, store, str(ledger)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None and process.stdout.readline().strip() == "written"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()

    @tool
    def write(line: str) -> str:
        with open(ledger, "a") as file:
            file.write(line + "\n")
        return "written"

    async def go_on() -> Any:
        agent = Agent("helper", MODEL, base_url=url, tools=[write])
        async with Runtime(store, lease=1) as runtime:
            [record] = await runtime.runs()
            while True:
                try:
                    outcome = await runtime.resume(record["run"], agent)
                    break
                except Exception as error:
                    assert getattr(error, "code", "") == "lease_held", error
                    await asyncio.sleep(0.1)
            # Nobody knows whether it had an effect: a person is asked.
            assert outcome.status == "waiting"
            assert [ask.question for ask in outcome.asks] == ["interrupted"]
            await runtime.answer(outcome.run, outcome.asks[0].step, "written", by="bob")
            return await runtime.resume(outcome.run, agent)

    assert asyncio.run(go_on()).text == "Done."
    assert ledger.read_text().splitlines() == ["once"]
