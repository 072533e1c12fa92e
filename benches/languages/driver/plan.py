"""How much is measured."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Plan:
    # Turns that every contender gets, one after the other.
    rounds: int
    # Seconds of processor time that a turn should take, and the runs before the first turn.
    turn: float
    warm_up: float
    concurrency: tuple[int, ...]
    # Fresh processes, for what an import and a first answer take.
    starts: int
    # Sessions that are held, and seconds that filling them may take.
    sessions: int
    filling: float
    # Runs with a tool of which nothing may stay, and how often memory is looked at.
    leak_runs: int
    looks: int


WHOLE = Plan(
    rounds=5,
    turn=0.5,
    warm_up=1.5,
    concurrency=(1, 64, 256),
    starts=11,
    sessions=10_000,
    filling=80,
    leak_runs=100_000,
    looks=100,
)
# Enough to see a large change; some minutes.
QUICK = dataclasses.replace(
    WHOLE, rounds=3, turn=0.2, warm_up=0.7, concurrency=(1, 64), starts=5, sessions=4_000, filling=15, leak_runs=10_000
)
# Enough to see that it works.
SMOKE = Plan(
    rounds=1, turn=0, warm_up=0, concurrency=(1, 2), starts=1, sessions=4, filling=1, leak_runs=2_000, looks=20
)
