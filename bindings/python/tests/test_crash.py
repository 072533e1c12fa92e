"""A child process with tools of Python's is killed at random; an outside ledger counts the effects."""

from __future__ import annotations

import asyncio
import collections
import os
import pathlib
import random
import signal
import subprocess
import sys
from typing import Any

from conftest import MODEL, Servers
from nfa_runtime import Agent, Runtime, tool

ROUNDS = int(os.environ.get("NFA_CRASH_ROUNDS", "6"))

CHILD = """
import asyncio, os, sys
from nfa_runtime import Agent, Runtime, ToolContext, tool

url, store, ledger = sys.argv[1:4]

def note(kind, context):
    # One write of one line: whole or not at all.
    file = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{kind} {context.run} {context.step} {context.idempotency_key}\\n".encode())
    os.close(file)

@tool
async def once(context: ToolContext) -> str:
    note("once", context)
    await asyncio.sleep(0.003)
    return "once"

@tool(effect="keyed")
def keyed(context: ToolContext) -> str:
    note("keyed", context)
    return "keyed"

agent = Agent("worker", "openai-compatible/scripted", base_url=url, tools=[once, keyed], limits={"turns": 20})

async def main():
    async with Runtime(store, lease=1, poll=0.02) as runtime:
        print("up", flush=True)
        async def one(at):
            while True:
                await runtime.run(agent, "Work")
        await asyncio.gather(*(one(at) for at in range(4)))

asyncio.run(main())
"""


def test_l4_no_effect_is_repeated_however_often_the_process_is_killed(
    llm: Servers, store: str, tmp_path: pathlib.Path
) -> None:
    ledger = tmp_path / "ledger"
    turns: list[dict[str, Any]] = [
        {"results": at, "calls": [{"tool": "once"}, {"tool": "keyed"}], "again": True} for at in (0, 2, 4)
    ]
    url = llm([*turns, {"results": 6, "text": "Done.", "again": True}])
    chance = random.Random(7)
    for _ in range(ROUNDS):
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD, url, store, str(ledger)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert process.stdout is not None and process.stdout.readline().strip() == "up"
        try:
            process.wait(chance.uniform(0.05, 0.4))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()

    lines = [line.split() for line in ledger.read_text().splitlines()]
    effects = collections.Counter((kind, run, step) for kind, run, step, _ in lines)
    assert len(effects) > ROUNDS
    assert {count for (kind, _, _), count in effects.items() if kind == "once"} == {1}

    async def rest() -> None:
        """Everything that was interrupted goes on to its end; what nobody knows is asked."""

        @tool
        async def once() -> str:
            return "once"

        @tool(effect="keyed")
        def keyed() -> str:
            return "keyed"

        agent = Agent("worker", MODEL, base_url=url, tools=[once, keyed], limits={"turns": 20})
        async with Runtime(store, lease=1, poll=0.02) as runtime:
            runtime.register(agent)
            asked = 0
            while True:
                records = await runtime.runs(limit=10_000, statuses=["running", "waiting"])
                if not records:
                    break
                for record in records:
                    try:
                        outcome = await runtime.resume(record["run"], agent)
                    except Exception as error:
                        assert getattr(error, "code", "") == "lease_held", error
                        await asyncio.sleep(0.1)
                        continue
                    for ask in outcome.asks:
                        # Only a call that must not run twice is asked about, and it did begin.
                        assert (ask.tool, ask.question) == ("once", "interrupted")
                        asked += 1
                        await runtime.deny(outcome.run, ask.step, "left")
            ended = await runtime.runs(limit=10_000)
            assert {record["status"] for record in ended} == {"completed"}
            for record in ended:
                assert (await runtime.receipt(record["run"])).leaves

    asyncio.run(asyncio.wait_for(rest(), 120))
    keys = collections.defaultdict(set)
    for kind, run, step, key in lines:
        keys[(kind, run, step)].add(key)
    assert all(len(found) == 1 for found in keys.values())
