"""nfa: the runtime with its store in memory, and with its proof, as it is when nothing is said."""

import asyncio
import os

from nfa_runtime import Agent, Runtime, TextDelta, tool

from . import INSTRUCTIONS, MODEL


@tool
async def add(a: int, b: int) -> int:
    """Adds two integers."""
    return a + b


class Endless:
    """A tool that only a cancel ends, and who runs in it."""

    def __init__(self, runs):
        self.running = 0
        self.all_running, self.none_running = asyncio.Event(), asyncio.Event()

        @tool(name="add")
        async def wait(a: int, b: int) -> int:
            """Adds two integers, never."""
            self.running += 1
            if self.running == runs:
                self.all_running.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.running -= 1
                if self.running == 0:
                    self.none_running.set()

        self.tool = wait


class Contender:
    async def open(self, workload):
        proof = {"proof": False} if os.environ.get("NFA_BENCH_PROOF") == "off" else {}
        self.runtime = await Runtime(os.environ.get("NFA_BENCH_STORE", "memory:"), **proof).open()
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
        endless = Endless(runs)
        agent = Agent("helper", model=f"openai/{MODEL}", instructions=INSTRUCTIONS, tools=[endless.tool])

        async def one():
            await self.runtime.run(agent, "Wait.")

        tasks = [asyncio.create_task(one()) for _ in range(runs)]
        await endless.all_running.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            # A second is long before the engine would stop waiting for them.
            await asyncio.wait_for(endless.none_running.wait(), 1)
        except asyncio.TimeoutError:
            pass
        stopped = await self.runtime.runs(statuses=["cancelled"], limit=runs)
        return {"tools": endless.running, "runs": runs - len(stopped)}

    async def close(self):
        await self.runtime.close()
