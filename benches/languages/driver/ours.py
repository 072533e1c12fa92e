"""nfa's own packages, built from this checkout with optimisations, as users get them."""

import dataclasses
import json
import subprocess
from pathlib import Path

from .cache import ROOT, npm_of, run


@dataclasses.dataclass
class Ours:
    # The folder to import `nfa_runtime` from, and the folder of the package `nfa-runtime`.
    python: Path | None = None
    node: Path | None = None
    # Why a language has none.
    missing: dict[str, str] = dataclasses.field(default_factory=dict)


def build(interpreters, languages, folder):
    """Builds what is there to be built, into `folder`."""
    ours = Ours()
    if "python" in languages:
        ours.python = python(interpreters, folder, ours.missing)
    if "node" in languages:
        ours.node = node(interpreters, ours.missing)
    return ours


def given(folders):
    """Only what was built already, and is named."""
    missing = {language: f"no --nfa-{language} was given" for language, folder in folders.items() if not folder}
    return Ours(**folders, missing=missing)


def fake_server():
    run(["cargo", "build", "--release", "--package", "nfa-testkit", "--bin", "fake-llm"], cwd=ROOT)
    metadata = ["cargo", "metadata", "--no-deps", "--format-version", "1"]
    metadata = subprocess.run(metadata, cwd=ROOT, check=True, capture_output=True)
    return Path(json.loads(metadata.stdout)["target_directory"]) / "release" / "fake-llm"


def python(interpreters, folder, missing):
    package = ROOT / "bindings" / "python"
    if not (package / "pyproject.toml").is_file():
        missing["python"] = "there is no bindings/python"
        return None
    wheels = folder / "wheels"
    maturin = [interpreters.python, "-m", "maturin", "build", "--release", "--quiet", "--out", wheels]
    run([*maturin, "--interpreter", interpreters.python], cwd=package)
    installed = folder / "python"
    pip = [interpreters.python, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
    run([*pip, "--no-deps", "--target", installed, *wheels.glob("*.whl")])
    return installed


def node(interpreters, missing):
    package = ROOT / "bindings" / "node"
    if not (package / "package.json").is_file():
        missing["node"] = "there is no bindings/node"
        return None
    if interpreters.node is None:
        missing["node"] = "no Node was found"
        return None
    if not (package / "node_modules").is_dir():
        npm = npm_of(interpreters.node)
        run([*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=package)
    run([interpreters.node, "scripts/build.mjs", "--release"], cwd=package)
    return package
