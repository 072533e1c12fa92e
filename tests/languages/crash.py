"""Processes with tools in Python and in Node are killed at random instants and just after an effect, and go on.

`NFA_CRASH_ROUNDS` says how often each is killed (10 without it), `NFA_CRASH_SEED` repeats the same choices.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path

import parts
from parts import HERE, NODE, PYTHON, Server, nfa

ROUNDS = int(os.environ.get("NFA_CRASH_ROUNDS", "10"))
SEED = int(os.environ.get("NFA_CRASH_SEED", random.randrange(2**32)))
WORKERS = {"python": [PYTHON, HERE / "crash" / "worker.py"], "node": [NODE, HERE / "crash" / "worker.mjs"]}
TAGS = {"2": 1, "3": 2, "4": 3, "5": 4, "6": 5, "8": 6, "9": 7, "11": 8}


def crash():
    languages = sys.argv[1:] or list(WORKERS)
    parts.check(*languages)
    print(f"NFA_CRASH_SEED={SEED}")
    for language in languages:
        with tempfile.TemporaryDirectory() as folder, Server(HERE / "crash" / "turns.json") as server:
            killed(language, Path(folder), server.environment(), random.Random(SEED))


class Ledger:
    def __init__(self, path):
        self.path = path
        path.touch()

    def lines(self):
        return self.path.read_bytes().count(b"\n")

    def effects(self):
        """The effects of each step of each run, in their order."""
        found = defaultdict(list)
        for line in self.path.read_text().splitlines():
            effect = json.loads(line)
            found[effect["run"], effect["step"]].append(effect)
        return found


def killed(language, folder, environment, dice):
    store, ledger = f"sqlite:{folder / 'runs.db'}", Ledger(folder / "ledger")
    runs = 4 * ROUNDS

    @contextmanager
    def working(until):
        command = [*WORKERS[language], store, ledger.path, str(runs), until]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as worker:
            try:
                if worker.stdout.readline() != "open\n":
                    raise AssertionError(f"{language}: the worker ended with {worker.wait(10)} before it had opened")
                yield worker
            finally:
                worker.kill()

    for round in range(ROUNDS):
        with working("killed") as worker:
            if round % 2 == 0:
                time.sleep(dice.uniform(0.02, 0.4))
            else:
                # Its tools take a while after an effect: nobody can have heard of the last one.
                after_effects(ledger, dice.randrange(1, 8), worker)
            assert worker.poll() is None, f"{language}: the worker ended by itself with {worker.returncode}"
    with working("done") as worker:
        assert worker.wait(240) == 0, f"{language}: the last worker ended with {worker.returncode}"

    found = Found(ledger.effects(), store, environment)
    assert len(found.records) >= runs, f"{len(found.records)} runs"
    found.check()
    found.check_proof(folder)
    found.check_the_checks()
    assert found.again > 0 and found.asked > 0, f"no kill interrupted anything: {found.summary()}"
    print(f"{language}: {ROUNDS} kills, {found.summary()}")


def after_effects(ledger, count, worker):
    """Waits for so many effects more, as long as there are any."""
    wanted, patience = ledger.lines() + count, time.monotonic() + 10
    while ledger.lines() < wanted and worker.poll() is None and time.monotonic() < patience:
        time.sleep(0.0005)


class Found:
    """The journals beside the ledger."""

    def __init__(self, effects, store, environment):
        self.effects, self.store, self.environment = effects, store, environment
        self.records = self.nfa("runs", "--limit", "10000")
        self.again = self.asked = self.twice = 0
        self.keys = {}

    def nfa(self, *words, **more):
        return nfa(*words, "--store", self.store, environment=self.environment, **more)

    def summary(self):
        effects = sum(map(len, self.effects.values()))
        return (
            f"{len(self.records)} runs, {effects} effects, {self.again} steps begun again, "
            f"{self.asked} asked about, {self.twice} effects repeated as their class allows"
        )

    def check(self):
        known = {record["run"] for record in self.records}
        assert {run for run, _ in self.effects} <= known, "an effect of a run that was never admitted"
        for record in self.records:
            assert record["status"] == "completed", record
            self.check_run(record["run"])

    def check_run(self, run):
        steps = defaultdict(lambda: {"attempts": set(), "approved": 0, "said": False, "asked": False, "ended": []})
        tools = {}
        for entry in self.nfa("show", run):
            step = steps[entry.get("step")]
            if entry["type"] == "step_started" and entry["kind"] != "model":
                step["attempts"].add(entry["attempt"])
                self.again += entry["attempt"] > 1
            elif entry["type"] == "asked":
                step["asked"] = True
                self.asked += 1
            elif entry["type"] == "answered":
                step["approved"] += entry["answer"] == "approved"
                step["said"] |= entry["answer"] != "approved"
            elif entry["type"] == "call_finished":
                step["ended"].append(entry["status"])
            elif entry["type"] == "model_finished":
                first = int(entry["step"]) + 1
                tools.update({str(first + at): call["tool"] for at, call in enumerate(entry.get("calls", []))})
        assert tools.keys() == TAGS.keys(), tools
        for path, tool in tools.items():
            self.check_step((run, path), tool, steps[path])

    def check_step(self, place, tool, step):
        effects = self.effects.get(place, [])
        count, keys = len(effects), {effect["key"] for effect in effects}
        told = (place, tool, dict(step), effects)
        self.twice += max(0, count - 1)
        assert len(step["ended"]) == 1, told
        assert all(effect["tool"] == tool and effect["tag"] == TAGS[place[1]] for effect in effects), told
        # No effect without its intent: a pure tool alone needs none.
        assert tool == "look" or {effect["attempt"] for effect in effects} <= step["attempts"], told
        assert len(keys) <= 1, f"one step has one key: {told}"
        if tool in ("look", "note", "charge"):
            assert count >= 1 and step["ended"] == ["ok"] and not step["asked"], told
        elif tool == "post":
            assert count == 1 and step["ended"] == ["ok"] and not step["asked"], told
        elif not step["asked"]:
            assert count == 1 and step["ended"] == ["ok"], told
        else:
            assert count <= 1 + step["approved"], told
            assert step["said"] or count >= 1, told
        if count:
            owner = self.keys.setdefault(effects[0]["key"], place)
            assert owner == place, f"two steps have one key: {owner}, {told}"

    def check_proof(self, folder):
        """The run that was begun again most often is proved like any other."""
        effects = lambda record: sum(len(found) for place, found in self.effects.items() if place[0] == record["run"])
        record, file = max(self.records, key=effects), folder / "proof.json"
        [exported] = self.nfa("proof", "export", record["run"], "-o", file)
        nfa("proof", "verify", file, "--key", exported["verifier_key"], environment=self.environment)

    def check_the_checks(self):
        """What must not happen is found where it did: an effect too many, too few, or under another key."""
        run = self.records[0]["run"]
        again = lambda effects: [*effects, *effects]
        lost = lambda effects: []
        rekeyed = lambda effects: [*effects, {**effects[0], "key": "0" * 32}]
        unknown = lambda effects: [{**effects[0], "attempt": 99}]
        for step, change in [("6", again), ("6", lost), ("4", lost), ("4", rekeyed), ("3", lost), ("8", unknown)]:
            kept = self.effects[run, step]
            self.effects[run, step] = change(kept)
            self.keys.clear()
            try:
                self.check_run(run)
            except AssertionError:
                self.effects[run, step] = kept
            else:
                raise SystemExit(f"the checks did not find what was changed at step {step}")
        self.keys.clear()
        self.check_run(run)


if __name__ == "__main__":
    parts.main(crash)
