"""Every scenario file, played from Python: the events and the canonical journals are those of every language (L11)."""

from __future__ import annotations

import asyncio
import json
import pathlib
import subprocess
from typing import Any

import pytest

from conftest import ROOT, fake_llm
from nfa_runtime import Agent, FatalToolError, NfaError, Run, Runtime, ToolContext, ToolError, tool

FOLDER = ROOT / "scenarios"
FILES = sorted(file for file in FOLDER.glob("*.json") if file.name != "schema.json")


class Told:
    """The events of one run, in the form in which scenarios expect them: deltas joined, a list for each step."""

    def __init__(self) -> None:
        self.lists: dict[str, list[dict[str, Any]]] = {}

    def take(self, event: dict[str, Any]) -> dict[str, Any]:
        """Takes one event; gives the one that it now stands in."""
        event = dict(event)
        step = event.get("step", "")
        kind = event["type"]
        if kind == "entry":
            entry = event["entry"]
            step = entry.get("step") or entry.get("frame") or ""
            event["entry"] = entry["type"]
            if step:
                event["step"] = step
        elif kind == "retracted":
            del event["reason"]
        elif kind == "finished":
            outcome = event["outcome"] = dict(event["outcome"])
            del outcome["run"]
            if "error" in outcome:
                outcome["error"] = outcome["error"]["code"]
        told = self.lists.setdefault(step, [])
        joined = {"text_delta": "text", "reasoning_delta": "text", "tool_call_delta": "arguments"}.get(kind)
        if joined and told and all(told[-1].get(name) == event.get(name) for name in ("type", "attempt", "index")):
            told[-1][joined] = told[-1].get(joined, "") + event.get(joined, "")
            return told[-1]
        told.append(event)
        return event


def matches(event: dict[str, Any], pattern: dict[str, Any]) -> bool:
    return all(event.get(name) == wanted for name, wanted in pattern.items())


class Stage:
    """One scenario under way."""

    def __init__(self, scenario: dict[str, Any], url: str) -> None:
        self.scenario = scenario
        self.url = url
        self.gates = {name: asyncio.Event() for name in scenario.get("gates", {})}
        self.failures: dict[str, int] = {}
        self.runs: dict[str, str] = {}
        self.order: list[str] = []
        self.told: list[dict[str, Any]] = []
        self.journals: list[str] = []
        tools = [self.tool(name, data) for name, data in scenario.get("tools", {}).items()]
        self.agent = Agent.from_spec(scenario["agent"], tools=tools)
        self.deps = scenario.get("deps")
        self.runtime = Runtime(url)

    def tool(self, name: str, data: dict[str, Any]) -> Any:
        async def run(context: ToolContext, **arguments: Any) -> Any:
            for deed in data["does"]:
                (word, value), *_ = deed.items() if isinstance(deed, dict) else [(deed, None)]
                if word == "return":
                    return value
                if word == "echo":
                    return arguments
                if word == "sum":
                    return sum(arguments[part] for part in value)
                if word == "dep":
                    return context.deps[value]
                if word == "context":
                    return {member: getattr(context, member) for member in value}
                if word == "error":
                    raise ToolError(value)
                if word == "fatal":
                    raise FatalToolError(value)
                if word == "fail":
                    self.failures[name] = self.failures.get(name, 0) + 1
                    if self.failures[name] <= value["times"]:
                        raise ToolError(value["error"])
                elif word == "wrong_type":
                    return object()
                elif word == "wait":
                    await self.gates[value].wait()
                elif word == "until_cancelled":
                    await asyncio.Event().wait()
                else:
                    raise AssertionError(f"no such deed: {word}")
            return None

        return tool(
            name=name,
            description=data.get("description", ""),
            parameters=data["parameters"],
            effect=data.get("effect", "at_most_once"),
            approval=data.get("approval", "never"),
        )(run)

    async def play(self) -> None:
        await self.runtime.open()
        self.runtime.register(self.agent)
        for number, act in enumerate(self.scenario["acts"]):
            await self.act(number, act)
        for name in self.order:
            self.journals.append(await self.runtime.canonical_journal(self.runs[name]))
        await self.runtime.close()

    async def act(self, number: int, act: dict[str, Any]) -> None:
        what = act["do"]
        if what in ("run", "resume"):
            if what == "run":
                name = act.get("as", "run")
                run = self.runtime.run(
                    self.agent,
                    act["input"],
                    session=act.get("session"),
                    user=act.get("user"),
                    deps=self.deps,
                )
            else:
                name = act.get("run", "run")
                run = self.runtime.resume(self.runs[name], self.agent, deps=self.deps, limits=act.get("limits"))
            if "refused" in act:
                with pytest.raises(NfaError) as caught:
                    await run.start()
                assert caught.value.code == act["refused"]
                self.told.append({"act": number, "refused": caught.value.code})
                return
            await self.listen(number, name, run, list(act.get("on", [])), new=what == "run")
        elif what in ("approve", "deny", "answer"):
            await self.decide(act, self.runs[act.get("run", "run")])
        elif what == "cancel":
            await self.runtime.cancel(self.runs[act.get("run", "run")])
        elif what == "reopen":
            if not self.url.startswith("memory:"):
                await self.runtime.close()
                self.runtime = await Runtime(self.url).open()
                self.runtime.register(self.agent)
        elif what == "erase":
            if "session" in act:
                await self.runtime.erase_session(act["session"])
            elif "user" in act:
                await self.runtime.erase_user(act["user"])
            else:
                await self.runtime.erase_run(self.runs[act["run"]])
        elif what == "journal":
            self.journals.append(await self.runtime.canonical_journal(self.runs[act.get("run", "run")]))
        else:
            raise AssertionError(f"no such act: {what}")

    async def decide(self, act: dict[str, Any], run: str) -> None:
        if act["do"] == "approve":
            await self.runtime.approve(run, act["step"], by=act.get("by"))
        elif act["do"] == "deny":
            await self.runtime.deny(run, act["step"], act.get("reason"), by=act.get("by"))
        else:
            await self.runtime.answer(run, act["step"], act["text"], by=act.get("by"))

    async def listen(self, number: int, name: str, run: Run[Any], left: list[dict[str, Any]], *, new: bool) -> None:
        told = Told()
        async with run:
            if new:
                self.runs[name] = run.id
                self.order.append(name)
            async for event in run:
                seen = told.take(event.to_dict())
                for gate, pattern in self.scenario.get("gates", {}).items():
                    if matches(seen, pattern):
                        self.gates[gate].set()
                for reaction in [one for one in left if matches(seen, one["event"])]:
                    left.remove(reaction)
                    if reaction["then"]["do"] == "cancel":
                        run.cancel()
                    else:
                        await self.decide(reaction["then"], run.id)
        assert not left, f"nothing matched {left}"
        self.told.append({"act": number, "events": told.lists})


def files() -> list[Any]:
    return [pytest.param(file, id=file.stem) for file in FILES]


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("file", files())
def test_l11_a_scenario_ends_with_the_same_events_and_journal(
    file: pathlib.Path, kind: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = json.loads(file.read_text("utf-8"))
    server = subprocess.Popen(
        [fake_llm(), "--script", str(file), "--judge", "--until-eof"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdin is not None and server.stdout is not None
    address = server.stdout.readline().strip()
    for provider in ("OPENAI", "ANTHROPIC"):
        monkeypatch.setenv(f"{provider}_BASE_URL", address)
        monkeypatch.setenv(f"{provider}_API_KEY", "scenario")
    stage = None

    async def play() -> Stage:
        nonlocal stage
        stage = Stage(scenario, "memory:" if kind == "memory" else f"sqlite:{tmp_path / 'scenario.db'}")
        await asyncio.wait_for(stage.play(), 60)
        return stage

    try:
        stage = asyncio.run(play())
    finally:
        server.stdin.close()
        server.wait(10)
        server.stdout.close()
    expected = json.loads((FOLDER / "expected" / f"{file.stem}.events.json").read_text("utf-8"))
    assert stage.told == expected
    journal = (FOLDER / "expected" / f"{file.stem}.journal").read_bytes()
    assert "".join(stage.journals).encode() == journal


def test_there_are_scenarios() -> None:
    assert len(FILES) > 20
