"""The processes of a bench: the fake server on one core, and one worker for each contender on another.

A worker measures a batch when it is told to, and waits for its next line otherwise, so that contenders take
turns on one core.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time

from . import Failure, contenders
from .cache import HERE


class Bench:
    """What every part of the bench shares: who is there, how each is started, and the server's program."""

    def __init__(self, folder, interpreters, server, ours, languages, only):
        self.interpreters = interpreters
        self.server_program = server
        self.ours = ours
        self.folder = stage(folder / "node", interpreters, ours)
        self.missing = {}
        self.contenders = []
        for contender in contenders.ALL:
            if contender.language not in languages or (only and contender.name not in only):
                continue
            if reason := self.lacks(contender):
                self.missing[contender] = reason
            else:
                self.contenders.append(contender)

    def of(self, language):
        return [contender for contender in self.contenders if contender.language == language]

    def languages(self):
        return list(dict.fromkeys(contender.language for contender in self.contenders))

    def lacks(self, contender):
        if contender.language == "node" and self.interpreters.node is None:
            return "no Node was found"
        if contender.is_ours and (reason := self.ours.missing.get(contender.language)):
            return reason
        if contender.package is None:
            return None
        if contender.language == "python":
            script = f"import importlib.util as util; raise SystemExit(util.find_spec({contender.package!r}) is None)"
            command = [self.interpreters.python, "-c", script]
            there = subprocess.run(command, env=self.environment()).returncode == 0
        else:
            there = (self.folder / "node_modules" / contender.package / "package.json").is_file()
        return None if there else f"`{contender.package}` is not installed"

    def environment(self, url=""):
        # Nor Python's own switches: the first round is to compile for those that follow.
        others = ("OPENAI_", "LANGSMITH_", "LANGCHAIN_", "PYTHON", "NODE_")
        quiet = {
            name: value
            for name, value in os.environ.items()
            if not name.lower().endswith("_proxy") and not name.startswith(others)
        }
        quiet.update(
            OPENAI_BASE_URL=url,
            OPENAI_API_KEY="none",
            OPENAI_AGENTS_DISABLE_TRACING="1",
            LANGSMITH_TRACING="false",
            PYTHONPATH=str(self.ours.python or ""),
        )
        return quiet

    def interpreter(self, language):
        """The program, with what it needs to give memory back when it is asked to."""
        if language == "python":
            return [str(self.interpreters.python)]
        return [str(self.interpreters.node), "--expose-gc"]

    def harness(self, contender):
        file = HERE / "python" / "harness.py" if contender.language == "python" else self.folder / "harness.mjs"
        return [*self.interpreter(contender.language), str(file)]

    @contextlib.contextmanager
    def server(self, script):
        """The fake server; the address of what it serves."""
        with process([str(self.server_program), script], pin("server"), os.environ) as server:
            yield line_of(server)

    @contextlib.contextmanager
    def worker(self, contender, url, *arguments, **settings):
        """A process of a contender; `settings` are for nfa, as its contenders read them."""
        mode, *rest = arguments
        command = [*self.harness(contender), mode, contender.name, *rest]
        environment = self.environment(url) | {f"NFA_BENCH_{name.upper()}": value for name, value in settings.items()}
        with process(command, pin("client"), environment) as child:
            yield Worker(child, contender)


class Worker:
    def __init__(self, child, contender):
        self.child = child
        self.contender = contender

    def ask(self, **what):
        self.child.stdin.write(json.dumps(what) + "\n")
        self.child.stdin.flush()
        return json.loads(line_of(self.child, self.contender.title))


def line_of(child, title="a process"):
    line = child.stdout.readline()
    if not line:
        raise Failure(f"{title} of the bench ended early, with {child.wait()}; its words are above")
    return line.strip()


@contextlib.contextmanager
def process(command, before, environment):
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=before, env=environment
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()


def pin(who):
    """Everything measured shares one core, the fake server has another, where the system knows of such things."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))
    core = cores[0] if who == "client" else cores[-1]
    return lambda: os.sched_setaffinity(0, {core})


def stage(folder, interpreters, ours):
    """A folder of files for Node, beside the packages that they import."""
    shutil.copytree(HERE / "node", folder)
    modules = folder / "node_modules"
    modules.mkdir()
    if interpreters.node_modules:
        for package in interpreters.node_modules.iterdir():
            if not package.name.startswith("."):
                (modules / package.name).symlink_to(package)
    if ours.node:
        (modules / "nfa-runtime").symlink_to(ours.node)
        # What its tools are written with, where no peer brought it.
        zod = ours.node / "node_modules" / "zod"
        if zod.is_dir() and not (modules / "zod").exists():
            (modules / "zod").symlink_to(zod)
    return folder


def say(text):
    print(text, flush=True)


def whisper(text):
    print(text, file=sys.stderr, flush=True)


def now():
    return time.monotonic_ns()
