"""One contender in a process of its own. What it does is told by its arguments and by lines of JSON.

    harness.py work CONTENDER WORKLOAD    measures a batch for each line
    harness.py sessions CONTENDER         fills sessions for each line, and says how much memory it holds
    harness.py cancel CONTENDER           cancels runs for each line, and says what is left of them
    harness.py first CONTENDER            one answer, and when it was there

Everything that a contender does not need itself is imported late: `first` measures a fresh process.
"""

import asyncio
import importlib
import sys
import time


def main():
    mode, name, *rest = sys.argv[1:]
    started = mark()
    contender = importlib.import_module(f"contenders.{name}").Contender()
    if mode == "first":
        asyncio.run(first(contender, started))
        return
    import json

    loop = asyncio.new_event_loop()
    run = loop.run_until_complete
    workload = rest[0] if mode == "work" else mode
    run(contender.open(workload))
    measure = {"work": batch, "sessions": fill, "cancel": cancel}[mode]
    # Between two lines the loop stands still: nobody pays for another's turn.
    for line in sys.stdin:
        answer = run(measure(contender, workload, **json.loads(line)))
        print(json.dumps(answer), flush=True)
    run(contender.close())
    run(loop.shutdown_asyncgens())
    loop.close()


def mark():
    """Now, on the clock of the machine, and the processor time of this process; both in ns."""
    return [time.monotonic_ns(), time.process_time_ns()]


async def first(contender, started):
    imported = mark()
    await contender.open("one_turn")
    ready = mark()
    check("one_turn", await contender.answer(QUESTION), 0)
    print([started, imported, ready, mark()], flush=True)
    await contender.close()


QUESTION = "What is 2 + 40?"
ANSWER = "The answer is 42."
STREAMED = "word " * 256
# Bytes of a message in a session: 20 of them are 2.1 KB.
LENGTH = 105


def check(workload, text, pieces):
    """Whoever did not get the whole answer did not do the work."""
    right = STREAMED if workload == "stream_256" else ANSWER
    if text != right:
        raise SystemExit(f"{workload}: the answer is wrong: {text!r}")
    if workload == "stream_256" and pieces != 256:
        raise SystemExit(f"{workload}: expected 256 pieces of text, found {pieces}")


async def one(contender, workload):
    if workload == "stream_256":
        text, pieces = await contender.stream(QUESTION)
    else:
        text, pieces = await contender.answer(QUESTION), 0
    check(workload, text, pieces)


async def batch(contender, workload, runs, concurrency, collect=False):
    """Makes `runs` runs, `concurrency` at a time."""
    left = iter(range(runs))
    latencies = []

    async def caller():
        for _ in left:
            began = time.perf_counter()
            await one(contender, workload)
            latencies.append(time.perf_counter() - began)

    wall, processor = time.perf_counter(), time.process_time()
    if concurrency == 1:
        await caller()
    else:
        await asyncio.gather(*(caller() for _ in range(min(concurrency, runs))))
    processor, wall = time.process_time() - processor, time.perf_counter() - wall
    latencies.sort()
    return {
        "runs": runs,
        "cpu": processor,
        "wall": wall,
        "p50": latencies[len(latencies) // 2],
        "p99": latencies[len(latencies) * 99 // 100],
        "resident": resident(collect),
    }


async def fill(contender, _, first, sessions, seconds):
    """Holds ten exchanges in each session, as many sessions as fit into the time."""
    deadline = time.monotonic() + seconds
    filled = 0
    while filled < sessions and (filled < 1 or time.monotonic() < deadline):
        for turn in range(10):
            question = f"question {first + filled} {turn} ".ljust(LENGTH, "?")
            answer = await contender.remember(f"session-{first + filled}", question)
            if answer != f"answer to {question}"[:LENGTH]:
                raise SystemExit(f"sessions: the answer is wrong: {answer!r}")
        filled += 1
    return {"filled": filled, "resident": resident(collect=True)}


async def cancel(contender, _, runs):
    return await contender.cancel(runs)


def resident(collect):
    if collect:
        import gc

        gc.collect()
    import os

    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
