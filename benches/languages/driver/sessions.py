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
            for who in bench.of(language):
                whisper(f"{language}: sessions of {who.title}")
                held, each = hold(bench, plan, who, url)
                lines.append([who.title, number(each), number(each * GIVEN_FOR / 1e6), f"{held:,}"])
                record(language, who.title, "session", {"bytes": each, "measured": held})
                if who.is_ours:
                    goals.at_most(f"{language}, a session of 20 messages", PROMISED, each, " B")
            say(f"{language}: an idle session of 20 messages, 2.1 KB of text")
            say(table(["", "resident bytes", f"MB for {GIVEN_FOR:,}", "sessions measured"], lines))


def hold(bench, plan, who, url):
    """Half of the sessions, a look, the other half, a look: the first half pays for what is there once."""
    half = max(plan.sessions // 2, 1)
    with bench.worker(who, url, "sessions") as worker:
        before = worker.ask(first=0, sessions=half, seconds=plan.filling)
        # Only as many as the first half had time for.
        after = worker.ask(first=before["filled"], sessions=before["filled"], seconds=1e9)
    grown = after["resident"] - before["resident"]
    return before["filled"] + after["filled"], grown / after["filled"]
