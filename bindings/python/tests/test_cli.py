"""The same store, from Python and from the command line."""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest

from conftest import MODEL, ROOT, Servers, calls
from nfa_runtime import Agent, Bundle, Runtime


@pytest.fixture
def nfa() -> str:
    given = os.environ.get("NFA_BINARY")
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    binary = given or str(target / "debug" / "nfa")
    if not pathlib.Path(binary).exists():
        pytest.skip("the command line is not built: `cargo build -p nfa-cli`, or set NFA_BINARY")
    return binary


async def test_a_run_of_python_is_finished_from_the_command_line(
    llm: Servers, store: str, nfa: str, tmp_path: pathlib.Path
) -> None:
    program = {"name": "greet", "argv": ["echo", '"hello there"'], "approval": "always"}
    url = llm([calls("greet"), {"sees": ["hello there"], "text": "Greeted."}])
    agent = Agent("greeter", MODEL, base_url=url, tools=[program])
    async with Runtime(store) as runtime:
        outcome = await runtime.run(agent, "Greet", session="alice")
        assert outcome.status == "waiting"
    run, step = outcome.run, outcome.asks[0].step

    def command(*arguments: str) -> str:
        # Nobody else has the store open: the process of this test has closed it.
        done = subprocess.run(
            [nfa, *arguments, "--store", store], capture_output=True, text=True, timeout=60, cwd=tmp_path
        )
        assert done.returncode in (0, 3), done.stderr
        return done.stdout

    command("signal", run, "approve", step)
    assert "Greeted." in command("resume", run)
    proof = tmp_path / "proof.json"
    command("proof", "export", run, "-o", str(proof))
    async with Runtime(store) as runtime:
        assert (await runtime.run_record(run))["status"] == "completed"
        assert (await runtime.resume(run, agent)).text == "Greeted."
        key = (await runtime.log_info("greeter"))["verifier_key"]
        ours = tmp_path / "ours.json"
        bundle = await runtime.proof(run)
        ours.write_bytes(bundle.to_bytes())
        assert Bundle.from_bytes(ours.read_bytes()) == bundle
    verified = [
        subprocess.run([nfa, "proof", "verify", str(file), "--key", key], capture_output=True, text=True)
        for file in (proof, ours)
    ]
    assert [done.returncode for done in verified] == [0, 0], verified
