"""What a run costs: processor time of the whole process, and the time that somebody waits."""

import contextlib

from .processes import say, whisper
from .statistics import median, ratio
from .tables import number, table

# Each workload, what the fake server plays for it, and the goals in ms of processor time a run, one at a time.
WORKLOADS = {
    "one_turn": ("one model turn", "one", {"python": 0.3, "node": 0.4}),
    "three_tool_rounds": ("three tool rounds", "tools:3", {"python": 1, "node": 1.2}),
    "stream_256": ("256 streamed chunks", "stream:256", {"python": 4, "node": 2.2}),
}


def measure(bench, plan, workload, goals, record):
    title, script, promised = WORKLOADS[workload]
    with bench.server(script) as url, contextlib.ExitStack() as stack:
        workers = [stack.enter_context(bench.worker(who, url, "work", workload)) for who in bench.contenders]
        for worker in workers:
            warm_up(worker, plan)
        for concurrency in plan.concurrency:
            whisper(f"{title}, {concurrency} at a time")
            samples = turns(workers, plan, concurrency)
            for language in bench.languages():
                of_it = {who: samples[who] for who in bench.of(language)}
                say(f"{language}: {title}, {concurrency} at a time")
                say(rows(of_it))
                if concurrency == 1:
                    judge(language, title, of_it, promised[language], goals)
                for who, found in of_it.items():
                    record(language, who.title, f"{workload} at {concurrency}", summary(found))


def warm_up(worker, plan):
    """Connections, caches and compiled code that only the first runs pay for."""
    spent = 0
    while spent <= plan.warm_up:
        spent += worker.ask(runs=16 if plan.warm_up else 2, concurrency=2)["cpu"]


def turns(workers, plan, concurrency):
    samples = {worker.contender: [] for worker in workers}
    runs = {}
    for worker in workers:
        # Also opens the connections that this many runs need.
        probe = worker.ask(runs=max(concurrency, 2), concurrency=concurrency)
        # By processor time: on a machine with other work, wall time would leave too few runs to mean anything.
        fitting = int(probe["runs"] * plan.turn / probe["cpu"])
        runs[worker.contender] = min(max(fitting, probe["runs"]), 20_000)
    for _ in range(plan.rounds):
        for worker in workers:
            found = worker.ask(runs=runs[worker.contender], concurrency=concurrency)
            samples[worker.contender].append(found)
    return samples


def cost(found):
    return [sample["cpu"] / sample["runs"] * 1000 for sample in found]


def of(samples, is_wanted):
    return next((found for who, found in samples.items() if is_wanted(who)), None)


def rows(samples):
    floor, ours = of(samples, lambda who: who.is_floor), of(samples, lambda who: who.is_ours)
    lines = []
    for who, found in samples.items():
        lines.append(
            [
                who.title,
                number(median(cost(found))),
                number(ratio(cost(found), cost(floor))) if floor else "-",
                number(ratio(cost(found), cost(ours))) if ours else "-",
                number(median(sample["p50"] * 1000 for sample in found)),
                number(median(sample["p99"] * 1000 for sample in found)),
                number(median(sample["runs"] / sample["wall"] for sample in found)),
            ]
        )
    return table(["", "CPU ms/run", "× floor", "× nfa", "p50 ms", "p99 ms", "runs/s"], lines)


def judge(language, title, samples, promised, goals):
    floor, ours = of(samples, lambda who: who.is_floor), of(samples, lambda who: who.is_ours)
    if ours:
        goals.at_most(f"{language}, CPU a run: {title}", promised, median(cost(ours)), " ms")
        if floor:
            goals.at_most(f"{language}, CPU a run: {title}", 1, ratio(cost(ours), cost(floor)), " × floor")


def summary(found):
    return {
        "cpu_ms": median(cost(found)),
        "p50_ms": median(sample["p50"] * 1000 for sample in found),
        "p99_ms": median(sample["p99"] * 1000 for sample in found),
        "runs_per_second": median(sample["runs"] / sample["wall"] for sample in found),
    }
