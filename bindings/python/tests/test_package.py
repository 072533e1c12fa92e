"""The package itself: what importing costs, what it exports, and what type checkers say."""

from __future__ import annotations

import importlib.util
import inspect
import subprocess
import sys
import time
from typing import Any

import pytest

import nfa_runtime
from conftest import PACKAGE


def test_importing_takes_under_50_ms(python: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # As an installer leaves it: compiled.
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path))
    program = """
import time
start = time.process_time()
import nfa_runtime
from nfa_runtime import Agent, Runtime, tool
print((time.process_time() - start) * 1000)
"""
    # CPU time, the least of some tries: other programs on the machine are not ours to count.
    assert min(float(python(program).stdout) for _ in range(5)) < 50


def test_importing_imports_no_event_loop_and_no_pydantic(python: Any) -> None:
    program = """
import sys
from nfa_runtime import Agent, Runtime, ToolContext, tool
@tool
async def add(a: int, b: int) -> int: ...
Agent("helper", "openai/x", tools=[add]).program_hash
heavy = ("asyncio", "pydantic", "trio", "ssl", "dataclasses", "logging", "opentelemetry")
print([name for name in heavy if name in sys.modules])
"""
    assert python(program).stdout.strip() == "[]"


def test_every_public_name_is_there_and_documented() -> None:
    for name in nfa_runtime.__all__:
        member = getattr(nfa_runtime, name)
        assert inspect.getdoc(member), name
        if inspect.isclass(member):
            for part, held in vars(member).items():
                if not part.startswith("_") and (inspect.isfunction(held) or isinstance(held, property)):
                    assert inspect.getdoc(getattr(member, part)), f"{name}.{part}"
    assert set(nfa_runtime.__all__) <= set(dir(nfa_runtime))
    assert nfa_runtime.__version__.count(".") == 2
    with pytest.raises(AttributeError):
        _ = nfa_runtime.nonsense


def test_the_package_is_marked_as_typed() -> None:
    assert (PACKAGE / "python" / "nfa_runtime" / "py.typed").exists()


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("mypy", []),
        ("mypy.stubtest", ["nfa_runtime._native", "--mypy-config-file", "pyproject.toml"]),
        ("pyright", []),
    ],
)
def test_types_are_clean(module: str, arguments: list[str]) -> None:
    if importlib.util.find_spec(module.split(".")[0]) is None:
        pytest.skip(f"{module} is not installed")
    import os

    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=PACKAGE,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "MYPYPATH": str(PACKAGE / "python")},
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_fresh_process_answers_soon(llm: Any, python: Any) -> None:
    program = """
import sys, time
from nfa_runtime import Agent, Runtime
Runtime.run_sync(Agent("helper", "openai-compatible/scripted", base_url=sys.argv[1]), "Hello")
"""
    url = llm("one")
    started = time.monotonic()
    python(program, url)
    # The figure itself is the bench's: this only sees that nothing waits for a timer.
    assert time.monotonic() - started < 5
