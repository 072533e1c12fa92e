"""Nothing stays of runs that are over.

Memory: many runs with tools in the host language, on a store in a file, resident memory looked at all the while.
After the first fifth it may grow by no more than `BYTES` a run: any object that stayed of each run would be larger.
Of fewer than `MANY` runs that says nothing: there it may grow by `NOISE` in all, as allocators and collectors make it.

Cancelling: runs whose tools never end are cancelled; then no tool's task is left in the host, and no run in Rust.
"""

import tempfile

from . import Failure
from .processes import say, whisper
from .statistics import slope
from .tables import number, table

BYTES = 20
MANY = 50_000
NOISE = 4e6
CONCURRENCY = 16
CANCELLED = 64


def measure(bench, plan):
    lines, leaks = [], []
    for who in bench.contenders:
        if not who.is_ours:
            continue
        whisper(f"{who.language}: {plan.leak_runs:,} runs with tools")
        looks = memory(bench, plan, who)
        later = [look for look in looks if look[0] > plan.leak_runs * 0.2]
        grown, runs = slope(later), plan.leak_runs * 0.8
        allowed = BYTES if runs >= MANY else NOISE / runs
        lines.append([who.language, number(grown), number(allowed), *(number(look[1] / 1e6) for look in span(later))])
        if grown > allowed:
            leaks.append(f"{who.language}: resident memory grows by {number(grown)} bytes a run")
        whisper(f"{who.language}: {CANCELLED} runs that are cancelled")
        left = cancelled(bench, who)
        lines[-1] += [str(left["tools"]), str(left["runs"])]
        leaks += [f"{who.language}: {count} {what} left after a cancel" for what, count in left.items() if count]
    say(f"{plan.leak_runs:,} runs with three tool rounds, {CONCURRENCY} at a time; {CANCELLED} runs cancelled")
    head = ["", "grows B/run", "allowed", "MB after a fifth", "MB at the end", "tools left", "runs left"]
    say(table(head, lines))
    if not lines:
        raise Failure("nfa is not there: nothing was looked at")
    if leaks:
        raise Failure("; ".join(leaks))


def span(looks):
    return looks[0], looks[-1]


def memory(bench, plan, who):
    """What was resident after how many runs."""
    looks = []
    each = plan.leak_runs // plan.looks
    # A store in memory keeps its runs, as it should: here they go to a file.
    with tempfile.TemporaryDirectory(prefix="nfa-leaks-") as folder, bench.server("tools:3") as url:
        store = f"sqlite:{folder}/runs.db?durability=relaxed"
        with bench.worker(who, url, "work", "three_tool_rounds", store=store) as worker:
            for look in range(plan.looks):
                found = worker.ask(runs=each, concurrency=CONCURRENCY, collect=True)
                looks.append(((look + 1) * each, found["resident"]))
    return looks


def cancelled(bench, who):
    with bench.server("tools:1") as url, bench.worker(who, url, "cancel") as worker:
        return worker.ask(runs=CANCELLED)
