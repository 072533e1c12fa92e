"""pydantic-ai, on Chat Completions as everybody else."""

from pydantic_ai import Agent

from . import INSTRUCTIONS, MODEL


async def add(a: int, b: int) -> int:
    """Adds two integers."""
    return a + b


class Contender:
    async def open(self, workload):
        tools = [add] if workload == "three_tool_rounds" else []
        self.agent = Agent(f"openai-chat:{MODEL}", instructions=INSTRUCTIONS, tools=tools)
        self.sessions = {}

    async def answer(self, question):
        return (await self.agent.run(question)).output

    async def stream(self, question):
        text, pieces = [], 0
        async with self.agent.run_stream(question) as result:
            async for piece in result.stream_text(delta=True, debounce_by=None):
                text.append(piece)
                pieces += 1
        return "".join(text), pieces

    async def remember(self, session, question):
        # It keeps no sessions: its documentation hands the messages of the last run to the next.
        result = await self.agent.run(question, message_history=self.sessions.get(session))
        self.sessions[session] = result.all_messages()
        return result.output

    async def close(self):
        pass
