"""A fresh process: what its imports take, when it is ready, and when it has its first answer."""

import json
import subprocess

from . import Failure
from .processes import now, say, whisper
from .statistics import median
from .tables import number, table

# In ms from the start of the process: ready, and first answer. An import of nfa in Python.
PROMISED = {"python": (80, 100), "node": (60, 90)}
PROMISED_IMPORT = 50


def imports(bench, plan, goals, record):
    for language in bench.languages():
        found = {who: [] for who in bench.of(language)}
        whisper(f"{language}: imports")
        for round in range(plan.starts + 1):
            for who, times in found.items():
                wall, processor = json.loads(output(bench, import_of(bench, who)))
                # The first round reads the package from disk, and compiles it.
                if round:
                    times.append((wall, processor))
        lines = []
        for who, times in found.items():
            wall, processor = (median(time[at] for time in times) for at in (0, 1))
            lines.append([who.title, number(wall), number(processor)])
            record(language, who.title, "import", {"wall_ms": wall, "cpu_ms": processor})
            if who.is_ours and language == "python":
                goals.at_most(f"{language}, import", PROMISED_IMPORT, wall, " ms")
        say(f"{language}: an import in a fresh process")
        say(table(["", "ms", "CPU ms"], lines))


def import_of(bench, who):
    if who.language == "python":
        script = f"""
import time
wall, processor = time.perf_counter(), time.process_time()
{who.imports}
print([(time.perf_counter() - wall) * 1000, (time.process_time() - processor) * 1000])
"""
        return [*bench.interpreter("python"), "-c", script]
    script = f"""
const used = () => {{ const {{ user, system }} = process.cpuUsage(); return (user + system) / 1000 }};
const wall = performance.now(), processor = used();
{who.imports}
console.log(JSON.stringify([performance.now() - wall, used() - processor]));
"""
    return [*bench.interpreter("node"), "--input-type=module", "-e", script]


def output(bench, command, url=""):
    outcome = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        cwd=bench.folder,
        env=bench.environment(url),
    )
    if outcome.returncode != 0:
        raise Failure(f"a process of the bench ended with {outcome.returncode}; its words are above")
    return outcome.stdout


def first(bench, plan, goals, record):
    with bench.server("one") as url:
        for language in bench.languages():
            whisper(f"{language}: first answers")
            found = {who: [] for who in bench.of(language)}
            bare = {what: [] for what in nothing(language)}
            for round in range(plan.starts + 1):
                for what, script in nothing(language).items():
                    began = now()
                    output(bench, [*bench.interpreter(language), *script])
                    ended = now()
                    if round:
                        bare[what].append((ended - began) / 1e6)
                for who, times in found.items():
                    began = now()
                    marks = json.loads(output(bench, [*bench.harness(who), "first", who.name], url))
                    if round:
                        times.append([(wall - began) / 1e6 for wall, _ in marks] + [marks[-1][1] / 1e6])
            say(f"{language}: from the start of a process to its first answer")
            say(first_rows(language, found, bare, goals, record))


def nothing(language):
    """What every process of a language takes, whoever runs in it."""
    if language == "python":
        return {"Python, doing nothing": ["-c", "pass"], "Python, importing asyncio": ["-c", "import asyncio"]}
    return {"Node, doing nothing": ["-e", "0"]}


def first_rows(language, found, bare, goals, record):
    lines = [[what, number(median(times)), "", "", ""] for what, times in bare.items()]
    for who, times in found.items():
        _, imported, ready, answered, processor = (median(column) for column in zip(*times))
        lines.append([who.title, *map(number, (imported, ready, answered, processor))])
        record(
            language,
            who.title,
            "first answer",
            {"imported_ms": imported, "ready_ms": ready, "answered_ms": answered, "cpu_ms": processor},
        )
        if who.is_ours:
            goal_ready, goal_answered = PROMISED[language]
            goals.at_most(f"{language}, a fresh process is ready", goal_ready, ready, " ms")
            goals.at_most(f"{language}, its first answer", goal_answered, answered, " ms")
    return table(["", "imported ms", "ready ms", "answered ms", "CPU ms"], lines)
