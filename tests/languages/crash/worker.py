"""The process that is killed: it goes on with every run that it finds, answers what they ask, and starts new ones.

STORE LEDGER RUNS UNTIL: `killed`, or `done`, which ends once RUNS runs are over.
"""

import asyncio
import json
import os
import random
import sys
import time

from nfa_runtime import Agent, Done, NfaError, NotDone, Runtime, ToolContext, tool

STORE, LEDGER, RUNS, UNTIL = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
WIDTH = 6
LOOK = 0.02
PASSING = {"lease_held", "lease_lapsed", "stale_writer", "runtime_closed", "store_closed"}

ledger = os.open(LEDGER, os.O_APPEND | os.O_CREAT | os.O_WRONLY)


def effect(name: str, context: ToolContext, tag: int) -> str:
    """One line, in one write: what was written survives any kill."""
    line = {
        "tool": name,
        "run": context.run,
        "step": context.step,
        "attempt": context.attempt,
        "key": context.idempotency_key,
        "tag": tag,
    }
    os.write(ledger, (json.dumps(line) + "\n").encode())
    return f"{name} {tag} is done"


@tool(effect="pure")
async def look(context: ToolContext, tag: int) -> str:
    """Looks."""
    return effect("look", context, tag)


@tool(effect="idempotent")
def note(context: ToolContext, tag: int) -> str:
    """Notes something, on a thread."""
    time.sleep(random.random() * 0.005)
    done = effect("note", context, tag)
    time.sleep(random.random() * 0.02)
    return done


@tool(effect="keyed")
async def charge(context: ToolContext, tag: int) -> str:
    """Charges somebody."""
    await asyncio.sleep(random.random() * 0.005)
    done = effect("charge", context, tag)
    await asyncio.sleep(random.random() * 0.02)
    return done


@tool
async def send(context: ToolContext, tag: int) -> str:
    """Sends something, which nobody can look up."""
    await asyncio.sleep(random.random() * 0.005)
    done = effect("send", context, tag)
    await asyncio.sleep(random.random() * 0.02)
    return done


def posted(context: ToolContext, tag: int) -> Done | NotDone:
    """Whether it is in the ledger already."""
    with open(LEDGER, encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            if (line["run"], line["step"]) == (context.run, context.step):
                return Done(f"post {tag} is done")
    return NotDone()


@tool(reconcile=posted)
def post(context: ToolContext, tag: int) -> str:
    """Posts something, on a thread."""
    time.sleep(random.random() * 0.005)
    done = effect("post", context, tag)
    time.sleep(random.random() * 0.02)
    return done


agent = Agent("main", "openai/scripted", instructions="Do it all.", tools=[look, note, charge, send, post])


class Worker:
    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.following: dict[str, asyncio.Task] = {}

    async def work(self) -> None:
        while True:
            records = await self.runtime.runs(limit=10_000)
            still_open = [record for record in records if record["status"] in ("running", "waiting")]
            if UNTIL == "done" and len(records) >= RUNS and not still_open and not self.following:
                return
            if len(records) < RUNS and len(self.following) < WIDTH:
                run = await self.runtime.run(agent, "Do it all.").start()
                self.follow(run.id, run)
            for run, resumed in await self.runtime.resume_all():
                if isinstance(resumed, NfaError):
                    assert resumed.code in PASSING, resumed
                else:
                    self.follow(run, resumed)
            for record in still_open:
                if record["status"] == "waiting" and record["run"] not in self.following:
                    self.follow(record["run"], self.runtime.resume(record["run"]))
            await asyncio.sleep(LOOK)
            for task in [task for task in self.following.values() if task.done()]:
                task.result()
            self.following = {run: task for run, task in self.following.items() if not task.done()}

    def follow(self, run, handle) -> None:
        self.following[run] = asyncio.create_task(self.to_its_end(run, handle))

    async def to_its_end(self, run, handle) -> None:
        try:
            outcome = await handle.outcome()
        except NfaError as error:
            # Another look will find it.
            assert error.code in PASSING, error
            return
        for ask in outcome.asks:
            assert ask.question == "interrupted", ask
            match random.randrange(3):
                case 0:
                    await self.runtime.approve(run, ask.step, by="worker")
                case 1:
                    await self.runtime.deny(run, ask.step, "leave it", by="worker")
                case _:
                    await self.runtime.answer(run, ask.step, "it is done: I looked", by="worker")


async def main() -> None:
    async with Runtime(STORE, lease=0.3, poll=0.025) as runtime:
        runtime.register(agent)
        print("open", flush=True)
        await Worker(runtime).work()


asyncio.run(main())
