"""Events and outcomes as classes: the same JSON as in every other language."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

import nfa_runtime
from conftest import ROOT
from nfa_runtime import Entry, Event, Receipt, TextDelta, ToolCallDelta

VECTORS = ROOT / "scenarios" / "vectors"


def vectors(name: str) -> list[Any]:
    return list(json.loads((VECTORS / f"{name}.json").read_text("utf-8")))


@pytest.mark.parametrize("data", vectors("events"), ids=lambda data: data["type"])
def test_an_event_keeps_its_json(data: dict[str, Any]) -> None:
    event = Event.from_dict(data)
    assert event.to_dict() == data and event.type == data["type"]
    name = {"entry": "Entry"}.get(data["type"], data["type"].title().replace("_", ""))
    assert type(event) is getattr(nfa_runtime, name)
    for member, value in data.items():
        assert getattr(event, member) == value
    assert event == Event.from_dict(data) and event != Event.from_dict({**vectors("events")[0], "text": "other"})
    assert pickle.loads(pickle.dumps(event)) == event
    assert repr(event).startswith(f"{name}(")


def test_the_vectors_have_every_class() -> None:
    seen = {type(Event.from_dict(data)) for data in vectors("events")}
    assert seen == set(Event.__subclasses__())


def test_events_match_by_place_and_by_name() -> None:
    match Event.from_dict({"type": "text_delta", "step": "1", "attempt": 2, "text": "Hello"}):
        case TextDelta(text, step=step, attempt=attempt):
            assert (text, step, attempt) == ("Hello", "1", 2)
        case _:
            raise AssertionError
    match Event.from_dict({"type": "tool_call_delta", "step": "1", "attempt": 1, "index": 3}):
        case ToolCallDelta(index, name, arguments):
            assert (index, name, arguments) == (3, None, "")
        case _:
            raise AssertionError


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(ValueError, match="an event"):
        Event.from_dict({"type": "nonsense"})


def test_an_entry_is_read_when_it_is_looked_at() -> None:
    data = next(data for data in vectors("events") if data["type"] == "entry")
    event = Event.from_dict(data)
    assert isinstance(event, Entry) and event.entry == data["entry"]


@pytest.mark.parametrize("data", vectors("receipts"))
def test_a_receipt_keeps_its_json_and_says_where_it_stands(data: Any) -> None:
    receipt = Receipt(data)
    assert (receipt.run, receipt.state, receipt.leaves) == (data["run"], data["state"], data["leaves"])
    assert str(receipt).startswith("receipt: ")
    assert receipt == Receipt(data)
