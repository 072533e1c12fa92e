"""What a run does, as its caller sees it live.

Match on classes (`case TextDelta(text)`) or on `event.type`. `event.to_dict()` is the event's JSON, the same in every
language.
"""

from __future__ import annotations

from ._native import (
    Asked,
    Entry,
    Event,
    Finished,
    ReasoningDelta,
    Retracted,
    TextDelta,
    ToolCallDelta,
    ToolFinished,
    ToolStarted,
)

__all__ = [
    "Asked",
    "Entry",
    "Event",
    "Finished",
    "ReasoningDelta",
    "Retracted",
    "TextDelta",
    "ToolCallDelta",
    "ToolFinished",
    "ToolStarted",
]
