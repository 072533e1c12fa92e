"""Starts the run of a scenario, and tells where it stands: SCENARIO STORE."""

import asyncio
import json
import sys

from nfa_runtime import Agent, Runtime


async def main(played: dict, store: str) -> None:
    agent = Agent.from_spec(played["agent"])
    first = played["acts"][0]
    async with Runtime(store) as runtime:
        async with runtime.run(agent, first["input"], session=first["session"], user=first["user"]) as run:
            last = [event async for event in run][-1]
        assert last.type == "finished", last
        asks = [
            {"step": ask.step, "question": ask.question, "tool": ask.tool, "arguments": ask.arguments}
            for ask in run.asks
        ]
        print(json.dumps({"run": run.id, "status": run.status, "asks": asks}))


with open(sys.argv[1], encoding="utf-8") as scenario:
    asyncio.run(main(json.load(scenario), sys.argv[2]))
