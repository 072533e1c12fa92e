"""langgraph: the agent that its documentation makes, with its checkpoints in memory where sessions are kept."""

from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver

from . import INSTRUCTIONS, MODEL


async def add(a: int, b: int) -> int:
    """Adds two integers."""
    return a + b


class Contender:
    async def open(self, workload):
        self.agent = create_agent(
            ChatOpenAI(model=MODEL),
            tools=[add] if workload == "three_tool_rounds" else [],
            system_prompt=INSTRUCTIONS,
            checkpointer=InMemorySaver() if workload == "sessions" else None,
        )

    async def answer(self, question):
        state = await self.agent.ainvoke(asked(question))
        return state["messages"][-1].text

    async def stream(self, question):
        text, pieces = [], 0
        async for message, _ in self.agent.astream(asked(question), stream_mode="messages"):
            if piece := message.text:
                text.append(piece)
                pieces += 1
        return "".join(text), pieces

    async def remember(self, session, question):
        config = {"configurable": {"thread_id": session}}
        state = await self.agent.ainvoke(asked(question), config)
        return state["messages"][-1].text

    async def close(self):
        pass


def asked(question):
    return {"messages": [{"role": "user", "content": question}]}
