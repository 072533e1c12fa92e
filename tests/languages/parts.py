"""The parts under test, and a model server for them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def _named(variable, otherwise):
    return os.environ.get(variable) or str(otherwise)


TARGET = Path(_named("NFA_TARGET", ROOT / "target" / "debug"))
PYTHON = _named("NFA_PYTHON", sys.executable)
NODE = _named("NFA_NODE", "node")
NODE_PACKAGE = Path(_named("NFA_NODE_PACKAGE", ROOT / "bindings" / "node")).resolve()


class Missing(Exception):
    """A part under test is not there."""


def check(*languages):
    """Says what is missing before anything is tested."""
    for binary in ("nfa", "fake-llm"):
        if not (TARGET / binary).exists():
            raise Missing(f"no {binary} in {TARGET}: cargo build -p nfa-cli -p nfa-testkit --bins, or set NFA_TARGET")
    if "python" in languages:
        found = subprocess.run([PYTHON, "-c", "import nfa_runtime"], check=False, capture_output=True, text=True)
        if found.returncode != 0:
            raise Missing(f"{PYTHON} has no nfa_runtime: set NFA_PYTHON\n{found.stderr}")
    if "node" in languages:
        if shutil.which(NODE) is None:
            raise Missing(f"no {NODE}: set NFA_NODE")
        if not (NODE_PACKAGE / "dist" / "index.mjs").exists():
            raise Missing(f"no built package in {NODE_PACKAGE}: npm run build there, or set NFA_NODE_PACKAGE")


class Server:
    """A process of `fake-llm` that plays the turns in a file, judging what it is asked."""

    def __init__(self, script):
        self.process = subprocess.Popen(
            [TARGET / "fake-llm", "--script", script, "--judge", "--until-eof"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("http://"), "the model server did not start"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()

    def environment(self, **more):
        """The environment of a process whose models are here."""
        own = {
            "OPENAI_BASE_URL": self.url,
            "OPENAI_API_KEY": "languages",
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_API_KEY": "languages",
            "NFA_NODE_PACKAGE": str(NODE_PACKAGE),
        }
        return {**os.environ, **own, **more}


def ask(program, *arguments, environment):
    """Runs a program of a language to its end; gives the JSON that it prints."""
    runner = PYTHON if str(program).endswith(".py") else NODE
    done = run([runner, HERE / program, *arguments], environment)
    last = "\n".join(done.stderr.strip().splitlines()[-12:])
    assert done.returncode == 0, f"{program} ended with {done.returncode}:\n{last}"
    return json.loads(done.stdout)


def nfa(*arguments, environment, expect=0):
    """Runs `nfa --json`; gives the objects that it prints, or the error."""
    done = run([TARGET / "nfa", "--json", *arguments], environment)
    assert done.returncode == expect, (
        f"nfa {' '.join(map(str, arguments))} ended with {done.returncode} instead of {expect}:\n"
        f"{done.stdout}\n{done.stderr}"
    )
    if expect >= 10:
        return json.loads(done.stderr.splitlines()[-1])
    return [json.loads(line) for line in done.stdout.splitlines()]


def run(command, environment):
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=120)


def main(work):
    """Runs a test; a failure says why, and ends the process with 1, a missing part with 2."""
    try:
        work()
    except Missing as missing:
        print(f"cannot run: {missing}", file=sys.stderr)
        sys.exit(2)
