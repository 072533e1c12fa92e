"""The floor: the loop over httpx that somebody would write by hand."""

import json
import os

import httpx

from . import INSTRUCTIONS, MODEL

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "add",
            "description": "Adds two integers.",
            "parameters": {
                "type": "object",
                "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
                "required": ["a", "b"],
                "additionalProperties": False,
            },
        },
    }
]


async def add(a: int, b: int) -> int:
    return a + b


class Contender:
    async def open(self, workload):
        self.tools = {"tools": TOOLS} if workload == "three_tool_rounds" else {}
        self.sessions = {}
        # Without limits: 256 runs at a time must not wait for one another here.
        self.client = httpx.AsyncClient(
            base_url=os.environ["OPENAI_BASE_URL"],
            headers={"authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"},
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
            timeout=600,
        )

    async def answer(self, question):
        return await self.loop([system(), user(question)])

    async def loop(self, messages):
        while True:
            body = {"model": MODEL, "messages": messages, **self.tools}
            response = await self.client.post("/chat/completions", json=body)
            response.raise_for_status()
            message = response.json()["choices"][0]["message"]
            messages.append(message)
            if not message.get("tool_calls"):
                return message["content"]
            for call in message["tool_calls"]:
                result = await add(**json.loads(call["function"]["arguments"]))
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": str(result)})

    async def stream(self, question):
        body = {"model": MODEL, "messages": [system(), user(question)], "stream": True}
        text, pieces = [], 0
        async with self.client.stream("POST", "/chat/completions", json=body) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if not line.startswith("data: ") or line == "data: [DONE]":
                    continue
                for choice in json.loads(line[6:])["choices"]:
                    if piece := choice["delta"].get("content"):
                        text.append(piece)
                        pieces += 1
        return "".join(text), pieces

    async def remember(self, session, question):
        messages = self.sessions.setdefault(session, [system()])
        messages.append(user(question))
        return await self.loop(messages)

    async def close(self):
        await self.client.aclose()


def system():
    return {"role": "system", "content": INSTRUCTIONS}


def user(question):
    return {"role": "user", "content": question}
