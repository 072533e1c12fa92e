"""Every scenario in Python and in Node, on every store: what came of it is what came of it in Rust (law L11)."""

import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import parts
from parts import Server, ask

SCENARIOS = parts.ROOT / "scenarios"
PLAYERS = {"python": "scenarios/play.py", "node": "scenarios/play.mjs"}


def scenarios():
    """LANGUAGE… NAME…: only these, where some are named."""
    languages = [word for word in sys.argv[1:] if word in PLAYERS] or list(PLAYERS)
    names = [word for word in sys.argv[1:] if word not in PLAYERS]
    parts.check(*languages)
    names = names or sorted(file.stem for file in SCENARIOS.glob("*.json") if file.stem != "schema")
    failures = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(4) as pool:
        for language in languages:
            plays = [(language, name, store) for name in names for store in ("memory:", "sqlite")]
            found = [difference for difference in pool.map(lambda play: played(*play, folder), plays) if difference]
            print(f"{language}: {len(plays) - len(found)} of {len(plays)} as expected")
            failures += found
    assert not failures, "\n".join([*failures[:5], f"{len(failures)} differ from what is expected"])
    check_the_check(languages[0], names[0])


def played(language, name, store, folder):
    """Plays one; gives what differs, in words."""
    url = store if store == "memory:" else f"sqlite:{Path(folder) / f'{language}-{name}.db'}"
    file = SCENARIOS / f"{name}.json"
    with Server(file) as server:
        try:
            found = ask(PLAYERS[language], file, url, environment=server.environment())
        except AssertionError as failure:
            return f"{language}, {store}, {name}: {failure}"
    difference = compared(name, found)
    return difference and f"{language}, {store}, {name}: {difference}"


def expected(name):
    told = json.loads((SCENARIOS / "expected" / f"{name}.events.json").read_text(encoding="utf-8"))
    return {"told": told, "journal": (SCENARIOS / "expected" / f"{name}.journal").read_text(encoding="utf-8")}


def compared(name, found):
    wanted = expected(name)
    for at, (one, other) in enumerate(zip(wanted["told"] + [None], found["told"] + [None])):
        if one != other:
            return f"place {at} of what the caller was told: expected\n{one}\nfound\n{other}"
    lines, others = wanted["journal"].splitlines(), found["journal"].splitlines()
    for at, (one, other) in enumerate(zip(lines + ["nothing"], others + ["nothing"])):
        if one != other:
            return f"line {at + 1} of the journal: expected\n{one}\nfound\n{other}"
    return None if wanted["journal"] == found["journal"] else "the journals differ in their line ends"


def check_the_check(language, name):
    """What was changed is found."""
    with Server(SCENARIOS / f"{name}.json") as server:
        found = ask(PLAYERS[language], SCENARIOS / f"{name}.json", "memory:", environment=server.environment())
    assert compared(name, found) is None
    assert compared(name, {**found, "told": []}) is not None
    assert compared(name, {**found, "journal": found["journal"] + "\n"}) is not None
    assert compared(name, {**found, "journal": found["journal"].replace("completed", "failed", 1)}) is not None


if __name__ == "__main__":
    parts.main(scenarios)
