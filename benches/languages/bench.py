#!/usr/bin/env python3
"""Measures agents in Python and Node beside their peers, in one run: README.md says how to read what it prints."""

import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile

from driver import Failure, cache, contenders, exchange, leaks, ours, sessions, start
from driver.plan import QUICK, SMOKE, WHOLE
from driver.processes import Bench, say, whisper
from driver.tables import Goals

PARTS = (*exchange.WORKLOADS, "import", "first", "sessions")


def main():
    arguments = parsed()
    # The peers that are pinned need it.
    if sys.version_info < (3, 11) and not arguments.installed:
        raise Failure(f"expected Python 3.11 or later, found {platform.python_version()}: PYTHON=… chooses another")
    plan = SMOKE if arguments.smoke else QUICK if arguments.quick else WHOLE
    if arguments.concurrency:
        plan = dataclasses.replace(plan, concurrency=tuple(arguments.concurrency))
    languages = arguments.language or ["python", "node"]
    if unknown := set(arguments.only or ()) - {who.name for who in contenders.ALL}:
        raise Failure(f"nobody is called {', '.join(sorted(unknown))}")
    interpreters = cache.installed() if arguments.installed else cache.provisioned()
    with tempfile.TemporaryDirectory(prefix="nfa-languages-") as folder:
        folder = pathlib.Path(folder)
        built = {"python": arguments.nfa_python, "node": arguments.nfa_node}
        is_given = arguments.installed or any(built.values())
        packages = ours.given(built) if is_given else ours.build(interpreters, languages, folder)
        server = arguments.server or ours.fake_server()
        bench = Bench(folder, interpreters, server, packages, languages, arguments.only)
        measure(bench, plan, arguments)


def parsed():
    parser = argparse.ArgumentParser(description=__doc__)
    much = parser.add_mutually_exclusive_group()
    much.add_argument("--quick", action="store_true", help="measure roughly, in some minutes")
    much.add_argument("--smoke", action="store_true", help="only show that everything works")
    parser.add_argument("--installed", action="store_true", help="fetch and build nothing: measure what is there")
    parser.add_argument("--language", action="append", choices=["python", "node"])
    parser.add_argument("--concurrency", action="append", type=int, metavar="N", help="runs at a time")
    parser.add_argument("--only", action="append", metavar="NAME", help="a contender, by the name of its file")
    path = {"type": lambda text: pathlib.Path(text).absolute(), "metavar": "PATH"}
    parser.add_argument("--nfa-python", help="a folder with the package nfa_runtime, instead of building it", **path)
    parser.add_argument("--nfa-node", help="the folder of the package nfa-runtime, instead of building it", **path)
    parser.add_argument("--server", help="the program fake-llm, instead of building it", **path)
    parser.add_argument("--json", metavar="FILE", help="also write what was found, as JSON")
    parser.add_argument("part", nargs="*", help=f"of {', '.join(PARTS)}, leaks; without one, all but leaks")
    arguments = parser.parse_args()
    if unknown := set(arguments.part) - {*PARTS, "leaks"}:
        parser.error(f"unknown part {', '.join(sorted(unknown))}")
    return arguments


def measure(bench, plan, arguments):
    parts = arguments.part or PARTS
    goals, found = Goals(), []

    def record(language, contender, what, values):
        found.append({"language": language, "contender": contender, "what": what, **values})

    say(machine(bench))
    for who, reason in bench.missing.items():
        say(f"not measured: {who.title} in {who.language}: {reason}")
    say("")
    for workload in exchange.WORKLOADS:
        if workload in parts:
            exchange.measure(bench, plan, workload, goals, record)
    if "import" in parts:
        start.imports(bench, plan, goals, record)
    if "first" in parts:
        start.first(bench, plan, goals, record)
    if "sessions" in parts:
        sessions.measure(bench, plan, goals, record)
    if "leaks" in parts:
        leaks.measure(bench, plan)
    if set(parts) != {"leaks"}:
        say("goals")
        say(str(goals))
    say(f"load of the machine at the end: {load()}")
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump({"machine": machine(bench), "load": load(), "found": found}, file, indent=1)


def machine(bench):
    """What it was measured on: figures without it mean nothing."""

    def version(program):
        return subprocess.run([program, "--version"], capture_output=True, text=True).stdout.strip()

    versions = [version(bench.interpreters.python)]
    if bench.interpreters.node:
        versions.append("Node " + version(bench.interpreters.node))
    today = datetime.date.today().isoformat()
    return f"{today}, {processor()}, {os.cpu_count()} cores, {', '.join(versions)}; load at the start: {load()}"


def processor():
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
        return names[0]
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def load():
    return " ".join(f"{value:.1f}" for value in os.getloadavg())


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        whisper(f"bench: {failure}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
