"""Every program of the README and of the guide runs as it stands."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
from typing import Any

import pytest

from conftest import PACKAGE, Servers

BLOCK = re.compile(r"(?:<!-- script: (?P<script>.*?) -->\n)?```python\n(?P<code>.*?)```", re.DOTALL)


def programs() -> list[Any]:
    found = []
    for page in ("README.md", "docs/guide.md"):
        text = (PACKAGE / page).read_text("utf-8")
        for block in BLOCK.finditer(text):
            heading = re.findall(r"^#+ (.*)$", text[: block.start()], re.MULTILINE)[-1]
            at = text[: block.start()].count("\n") + 1
            script = json.loads(block["script"]) if block["script"] else None
            found.append(pytest.param(block["code"], script, id=f"{page}:{at} {heading}"))
    return found


@pytest.mark.parametrize(("code", "script"), programs())
def test_a_program_of_the_docs_runs(code: str, script: Any, llm: Servers, tmp_path: pathlib.Path) -> None:
    if "import trio" in code:
        pytest.importorskip("trio")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    if script is not None:
        url = llm(script)
        environment |= {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "a-key"}
        code = code.replace("http://127.0.0.1:8080/v1", url)
    file = tmp_path / "program.py"
    file.write_text(code, "utf-8")
    done = subprocess.run(
        [sys.executable, str(file)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() or done.stderr.strip()


def test_the_docs_have_programs() -> None:
    assert len(programs()) > 15
