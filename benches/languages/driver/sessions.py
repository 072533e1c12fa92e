"""Resident memory of conversations that lie idle: 20 messages each, 2.1 KB of text, no two messages equal."""

from .processes import say, whisper
from .tables import number, table

# Bytes of a session.
PROMISED = 4096
# What the memory of this many sessions is given for.
GIVEN_FOR = 10_000


def measure(bench, plan, goals, record):
    # As many characters as a contender expects of an answer.
    with bench.server("echo:105") as url:
        for language in bench.languages():
            lines = []
            for who, title, settings in rows(bench.of(language)):
                whisper(f"{language}: sessions of {title}")
                held, each = hold(bench, plan, who, url, settings)
                lines.append([title, number(each), number(each * GIVEN_FOR / 1e6), f"{held:,}"])
                record(language, title, "session", {"bytes": each, "measured": held})
                if who.is_ours:
                    goals.at_most(f"{language}, a session of 20 messages: {title}", PROMISED, each, " B")
            say(f"{language}: an idle session of 20 messages, 2.1 KB of text")
            say(table(["", "resident bytes", f"MB for {GIVEN_FOR:,}", "sessions measured"], lines))


def rows(contenders):
    """Each contender, and nfa also without what no other has."""
    for who in contenders:
        yield who, who.title, {}
        if who.is_ours:
            yield who, f"{who.title}, without its proof log", {"proof": "off"}


def hold(bench, plan, who, url, settings):
    """Half of the sessions, a look, the other half, a look: the first half pays for what is there once."""
    half = max(plan.sessions // 2, 1)
    with bench.worker(who, url, "sessions", **settings) as worker:
        before = worker.ask(first=0, sessions=half, seconds=plan.filling)
        # Only as many as the first half had time for.
        after = worker.ask(first=before["filled"], sessions=before["filled"], seconds=1e9)
    grown = after["resident"] - before["resident"]
    return before["filled"] + after["filled"], grown / after["filled"]
