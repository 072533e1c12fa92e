"""One run, handed on: started in Python, resumed in Node, finished with `nfa`, and proved to all three (law L11)."""

import json
import tempfile
from pathlib import Path

import parts
from parts import Server, ask, nfa

SCENARIO = parts.ROOT / "scenarios" / "handed_on.json"
JOURNAL = parts.ROOT / "scenarios" / "expected" / "handed_on.journal"


def relay():
    parts.check("python", "node")
    with tempfile.TemporaryDirectory() as folder, Server(SCENARIO) as server:
        folder = Path(folder)
        store, stamped = f"sqlite:{folder / 'office.db'}", folder / "stamped"
        environment = server.environment(NFA_STAMPED=str(stamped))
        run = hand_on(store, stamped, environment)
        journals(store, run, environment)
        proofs(folder, store, run, environment)


def hand_on(store, stamped, environment):
    started = ask("relay/start.py", SCENARIO, store, environment=environment)
    run = started["run"]
    assert started["status"] == "waiting", started
    asked = {"step": "2", "question": "approval", "tool": "stamp", "arguments": '{"paper":"A"}'}
    assert started["asks"] == [asked], started
    assert not stamped.exists(), "nobody has said yes"
    print("started in Python, waits")

    # It has its program from the store: this process was told of no agent.
    resumed = ask("relay/resume.mjs", store, run, "2", "bob", environment=environment)
    assert resumed["sent"] == "waiting" and resumed["status"] == "waiting", resumed
    assert [ask["step"] for ask in resumed["asks"]] == ["4"], resumed
    assert papers(stamped) == ["A"]
    print("resumed in Node, waits")

    nfa("signal", run, "approve", "4", "--by", "eve", "--store", store, environment=environment)
    *_, last = nfa("resume", run, "--store", store, environment=environment)
    assert last["type"] == "finished" and last["outcome"]["status"] == "completed", last
    assert last["outcome"]["text"] == "Both are stamped.", last
    assert papers(stamped) == ["A", "B"], "each paper is stamped once"
    print("finished with nfa")
    return run


def papers(stamped):
    text, found = stamped.read_text().strip(), []
    while text:
        value, end = json.JSONDecoder().raw_decode(text)
        found.append(value["paper"])
        text = text[end:].lstrip()
    return found


def journals(store, run, environment):
    expected = JOURNAL.read_text(encoding="utf-8")
    for program in ("relay/look.py", "relay/look.mjs"):
        found = ask(program, "journal", store, run, environment=environment)
        assert found["journal"] == expected, f"{program}:\n{found['journal']}\ninstead of\n{expected}"
    print("the journal is that of the scenario, in Python and in Node")


def proofs(folder, store, run, environment):
    file = folder / "proof.json"
    [exported] = nfa("proof", "export", run, "-o", file, "--store", store, environment=environment)
    key, good = exported["verifier_key"], file.read_text()
    # `bob` in base64, and another who never said so.
    forged = folder / "forged.json"
    forged.write_text(good.replace('"Ym9i"', '"YW5u"', 1))
    assert forged.read_text() != good, "the proof shows who said yes"

    [report] = nfa("proof", "verify", file, "--key", key, environment=environment)
    assert report["log"]["key"] == key and len(report["leaves"]) == 7, report
    refused = nfa("proof", "verify", forged, "--key", key, environment=environment, expect=10)
    assert refused["details"]["verdict"] == "invalid", refused
    for program in ("relay/look.py", "relay/look.mjs"):
        found = ask(program, "verify", file, key, environment=environment)
        assert found == {"report": report}, f"{program}: {found}\ninstead of {report}"
        found = ask(program, "verify", forged, key, environment=environment)
        assert found == {"code": refused["code"], "verdict": "invalid"}, f"{program}: {found}"
    print("the proof verifies in Python, in Node and with nfa; a forged one in none")


if __name__ == "__main__":
    parts.main(relay)
