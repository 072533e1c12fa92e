"""What the tests share: the fake model server, as a process, and agents that talk to it."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
PACKAGE = pathlib.Path(__file__).resolve().parents[1]
MODEL = "openai-compatible/scripted"


def fake_llm() -> str:
    """The fake server's binary; built when it is not there."""
    given = os.environ.get("NFA_FAKE_LLM")
    if given:
        return given
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    name = "fake-llm.exe" if sys.platform == "win32" else "fake-llm"
    binary = target / "debug" / name
    if not binary.exists():
        build = ["cargo", "build", "-q", "-p", "nfa-testkit", "--bin", "fake-llm"]
        subprocess.run(build, cwd=ROOT, check=True)
    return str(binary)


class Servers:
    """Fake servers that end with the test."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._running: list[subprocess.Popen[str]] = []

    def __call__(self, script: str | list[dict[str, Any]] = "one", *options: str) -> str:
        """Starts one that plays a mode (`one`, `tools:3`, `stream:256`) or these turns; gives its base URL."""
        arguments = [script]
        if not isinstance(script, str):
            file = self._folder / f"script-{len(self._running)}.json"
            file.write_text(json.dumps(script))
            arguments = ["--script", str(file), "--judge"]
        process = subprocess.Popen(
            [fake_llm(), *arguments, *options, "--until-eof"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._running.append(process)
        assert process.stdout is not None
        return process.stdout.readline().strip()

    def close(self) -> None:
        for process in self._running:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
            process.wait(10)


@pytest.fixture
def llm(tmp_path: pathlib.Path) -> Iterator[Servers]:
    servers = Servers(tmp_path)
    yield servers
    servers.close()


@pytest.fixture
def store(tmp_path: pathlib.Path) -> str:
    return f"sqlite:{tmp_path / 'agents.db'}"


@pytest.fixture
def python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a program in a Python of its own, and gives what it printed."""

    def run(program: str, *arguments: str, timeout: float = 60, check: bool = True) -> Any:
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        if check:
            assert done.returncode == 0, done.stderr
        return done

    return run


def calls(tool: str, **arguments: Any) -> dict[str, Any]:
    """A turn that calls one tool."""
    return {"calls": [{"tool": tool, "arguments": arguments}]}
