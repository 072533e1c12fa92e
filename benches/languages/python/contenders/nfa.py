"""nfa: the runtime with its store in memory, and with its proof, as it is when nothing is said."""

import asyncio
import os

from nfa_runtime import Agent, Runtime, TextDelta, tool

from . import INSTRUCTIONS, MODEL


@tool
async def add(a: int, b: int) -> int:
    """Adds two integers."""
    return a + b


def endless(running, all_running, runs):
    """A tool that only a cancel ends."""

    @tool(name="add")
    async def wait(a: int, b: int) -> int:
        """Adds two integers, never."""
        running.add(asyncio.current_task())
        if len(running) == runs:
            all_running.set()
        try:
            await asyncio.Event().wait()
        finally:
            running.discard(asyncio.current_task())

    return wait


class Contender:
    async def open(self, workload):
        self.runtime = await Runtime(os.environ.get("NFA_BENCH_STORE", "memory:")).__aenter__()
        tools = [add] if workload == "three_tool_rounds" else []
        self.agent = Agent("helper", model=f"openai/{MODEL}", instructions=INSTRUCTIONS, tools=tools)

    async def answer(self, question):
        return (await self.runtime.run(self.agent, question)).text

    async def stream(self, question):
        text, pieces = [], 0
        async with self.runtime.run(self.agent, question) as run:
            async for event in run:
                if isinstance(event, TextDelta):
                    text.append(event.text)
                    pieces += 1
        return "".join(text), pieces

    async def remember(self, session, question):
        return (await self.runtime.run(self.agent, question, session=session)).text

    async def cancel(self, runs):
        """Cancels runs whose tools never end; what is left of them, in Python and in Rust."""
        running, all_running = set(), asyncio.Event()
        tools = [endless(running, all_running, runs)]
        agent = Agent("helper", model=f"openai/{MODEL}", instructions=INSTRUCTIONS, tools=tools)

        async def one():
            await self.runtime.run(agent, "Wait.")

        tasks = [asyncio.create_task(one()) for _ in range(runs)]
        await all_running.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        stopped = await self.runtime.runs(statuses=["cancelled"], limit=runs)
        return {"tools": len(running), "runs": runs - len(stopped)}

    async def close(self):
        await self.runtime.__aexit__(None, None, None)
