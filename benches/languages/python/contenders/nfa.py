"""nfa: the runtime with its store in memory, and with its proof, as it is when nothing is said."""

import os

from nfa_runtime import Agent, Runtime, TextDelta, tool

from . import INSTRUCTIONS, MODEL


@tool
async def add(a: int, b: int) -> int:
    """Adds two integers."""
    return a + b


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

    async def close(self):
        await self.runtime.__aexit__(None, None, None)
