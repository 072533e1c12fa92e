"""openai-agents, on Chat Completions as everybody else, without its tracing."""

from agents import Agent, Runner, SQLiteSession, function_tool, set_default_openai_api, set_tracing_disabled
from openai.types.responses import ResponseTextDeltaEvent

from . import INSTRUCTIONS, MODEL


@function_tool
async def add(a: int, b: int) -> int:
    """Adds two integers."""
    return a + b


class Contender:
    async def open(self, workload):
        set_tracing_disabled(True)
        set_default_openai_api("chat_completions")
        tools = [add] if workload == "three_tool_rounds" else []
        self.agent = Agent(name="helper", instructions=INSTRUCTIONS, model=MODEL, tools=tools)
        self.sessions = {}

    async def answer(self, question):
        return (await Runner.run(self.agent, question)).final_output

    async def stream(self, question):
        result = Runner.run_streamed(self.agent, question)
        text, pieces = [], 0
        async for event in result.stream_events():
            if event.type == "raw_response_event" and isinstance(event.data, ResponseTextDeltaEvent):
                text.append(event.data.delta)
                pieces += 1
        return "".join(text), pieces

    async def remember(self, name, question):
        # Its session in memory: one in-memory SQLite database each.
        session = self.sessions.get(name)
        if session is None:
            session = self.sessions[name] = SQLiteSession(name)
        return (await Runner.run(self.agent, question, session=session)).final_output

    async def close(self):
        pass
