"""Plays a scenario in Python, and tells what came of it: SCENARIO STORE. See `scenarios/README.md`."""

import asyncio
import json
import sys
from typing import Any

from nfa_runtime import Agent, FatalToolError, NfaError, Runtime, Tool, ToolContext, ToolError, tool

JOINED = {"text_delta": "text", "reasoning_delta": "text", "tool_call_delta": "arguments"}


class Told:
    """Events in the form in which they are expected: deltas joined, a list for each step."""

    def __init__(self) -> None:
        self.steps: dict[str, list[dict[str, Any]]] = {}

    def take(self, event: dict[str, Any]) -> dict[str, Any]:
        """Takes an event; gives the one that it now stands in."""
        step, event = brought_down(event)
        told = self.steps.setdefault(step, [])
        joined = JOINED.get(event["type"])
        if joined and told and all(told[-1].get(name) == event.get(name) for name in ("type", "attempt", "index")):
            told[-1][joined] = told[-1].get(joined, "") + event.get(joined, "")
        else:
            told.append(event)
        return told[-1]


def brought_down(event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The step of an event, and the event without what differs between two runs."""
    kind, step = event["type"], event.get("step", "")
    if kind == "entry":
        entry = event["entry"]
        step = entry.get("step", entry.get("frame", ""))
        return step, {"type": "entry", "entry": entry["type"], **({"step": step} if step else {})}
    if kind == "retracted":
        return step, {name: value for name, value in event.items() if name != "reason"}
    if kind == "finished":
        outcome = {name: value for name, value in event["outcome"].items() if name != "run"}
        if "error" in outcome:
            outcome["error"] = outcome["error"]["code"]
        return step, {**event, "outcome": outcome}
    return step, dict(event)


def matches(event: dict[str, Any], pattern: dict[str, Any]) -> bool:
    return all(name in event and event[name] == value for name, value in pattern.items())


class Player:
    def __init__(self, scenario: dict[str, Any], store: str) -> None:
        self.scenario, self.store = scenario, store
        self.patterns = scenario.get("gates", {})
        self.gates = {name: asyncio.Event() for name in self.patterns}
        self.deps = scenario.get("deps")
        self.runs: dict[str, str] = {}
        self.told: list[dict[str, Any]] = []
        self.journal = ""
        tools = [self.tool(name, told) for name, told in scenario.get("tools", {}).items()]
        self.agent = Agent.from_spec(scenario["agent"], tools=tools)

    def tool(self, name: str, told: dict[str, Any]) -> Tool[..., Any]:
        calls = 0

        async def perform(context: ToolContext[Any], **arguments: Any) -> Any:
            nonlocal calls
            calls += 1
            for deed in told["does"]:
                match deed:
                    case {"return": value}:
                        return value
                    case "echo":
                        return arguments
                    case {"sum": names}:
                        return sum(arguments[name] for name in names)
                    case {"dep": member}:
                        return context.deps[member]
                    case {"context": names}:
                        return {name: getattr(context, name) for name in names}
                    case {"error": text}:
                        raise ToolError(text)
                    case {"fatal": text}:
                        raise FatalToolError(text)
                    case {"fail": {"times": times, "error": text}}:
                        if calls <= times:
                            raise ToolError(text)
                    case "wrong_type":
                        return {object()}
                    case {"wait": gate}:
                        await self.gates[gate].wait()
                    case "until_cancelled":
                        await asyncio.Event().wait()
                    case _:
                        raise FatalToolError(f"no tool does {deed}")
            return None

        return tool(
            name=name,
            description=told.get("description", ""),
            parameters=told["parameters"],
            effect=told.get("effect", "at_most_once"),
            approval=told.get("approval", "never"),
        )(perform)

    async def play(self) -> dict[str, Any]:
        self.runtime = await Runtime(self.store).open()
        for place, act in enumerate(self.scenario["acts"]):
            await self.act(place, act)
        for run in self.runs.values():
            self.journal += await self.runtime.canonical_journal(run)
        await self.runtime.close()
        return {"told": self.told, "journal": self.journal}

    async def act(self, place: int, act: dict[str, Any]) -> None:
        runtime, run = self.runtime, self.runs.get(act.get("run", "run"), "")
        match act["do"]:
            case "run":
                who = {name: act[name] for name in ("session", "user") if name in act}
                await self.follow(place, act, runtime.run(self.agent, act["input"], deps=self.deps, **who))
            case "resume":
                await self.follow(place, act, runtime.resume(run, deps=self.deps, limits=act.get("limits")))
            case "approve":
                await runtime.approve(run, act["step"], by=act.get("by"))
            case "deny":
                await runtime.deny(run, act["step"], act.get("reason"), by=act.get("by"))
            case "answer":
                await runtime.answer(run, act["step"], act["text"], by=act.get("by"))
            case "cancel":
                await runtime.cancel(run)
            case "reopen" if self.store != "memory:":
                await runtime.close()
                self.runtime = await Runtime(self.store).open()
                self.runtime.register(self.agent)
            case "reopen":
                pass
            case "erase" if "session" in act:
                await runtime.erase_session(act["session"])
            case "erase" if "user" in act:
                await runtime.erase_user(act["user"])
            case "erase":
                await runtime.erase_run(run)
            case "journal":
                self.journal += await runtime.canonical_journal(run)
            case other:
                raise ValueError(f"nobody does {other}")

    async def follow(self, place: int, act: dict[str, Any], run: Any) -> None:
        try:
            await run.start()
        except NfaError as error:
            if error.code != act.get("refused"):
                raise
            self.told.append({"act": place, "refused": error.code})
            return
        assert "refused" not in act, f"act {place} was not refused"
        if act["do"] == "run":
            self.runs[act.get("as", "run")] = run.id
        told, reactions = Told(), list(act.get("on", []))
        async for event in run:
            seen = told.take(event.to_dict())
            for gate, pattern in self.patterns.items():
                if matches(seen, pattern):
                    self.gates[gate].set()
            for reaction in [one for one in reactions if matches(seen, one["event"])]:
                reactions.remove(reaction)
                if reaction["then"]["do"] == "cancel":
                    run.cancel()
                else:
                    await self.act(place, reaction["then"])
        assert not reactions, f"act {place}: never saw {reactions}"
        self.told.append({"act": place, "events": told.steps})


def main(file: str, store: str) -> None:
    with open(file, encoding="utf-8") as text:
        scenario = json.load(text)

    async def play() -> dict[str, Any]:
        return await asyncio.wait_for(Player(scenario, store).play(), 60)

    print(json.dumps(asyncio.run(play())))


if __name__ == "__main__":
    main(*sys.argv[1:])
