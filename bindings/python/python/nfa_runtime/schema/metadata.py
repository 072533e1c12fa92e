"""What `Annotated` says of a type: a description as plain text, or bounds as `Field`-like objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

_BOUNDS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "pattern": "pattern",
}


def notes_of(metadata: Iterable[Any], kind: Any) -> dict[str, Any]:
    """JSON Schema keywords for the metadata of an `Annotated` whose schema has the type `kind`."""
    notes: dict[str, Any] = {}
    for item in _flat(metadata):
        if isinstance(item, str):
            notes["description"] = item
            continue
        if isinstance(item, dict):
            notes.update(item)
            continue
        description = getattr(item, "description", None)
        if isinstance(description, str):
            notes["description"] = description
        for attribute, keyword in _BOUNDS.items():
            bound = getattr(item, attribute, None)
            if isinstance(bound, (int, float, str)) and not isinstance(bound, bool):
                notes[keyword] = bound
        for attribute, least in (("min_length", "min"), ("max_length", "max")):
            bound = getattr(item, attribute, None)
            if isinstance(bound, int):
                notes[least + {"array": "Items", "object": "Properties"}.get(kind, "Length")] = bound
        examples = getattr(item, "examples", None)
        if isinstance(examples, (list, tuple)) and examples:
            notes["examples"] = list(examples)
        title = getattr(item, "documentation", None)
        if isinstance(title, str):
            notes["description"] = title
    return notes


def _flat(metadata: Iterable[Any]) -> Iterator[Any]:
    for item in metadata:
        yield item
        inner = getattr(item, "metadata", None)
        if isinstance(inner, (list, tuple)) and not isinstance(item, (str, dict)):
            yield from _flat(inner)


def needs_pydantic(metadata: Iterable[Any]) -> bool:
    """Whether a validator or serialiser of pydantic's is among the metadata."""
    for item in _flat(metadata):
        module = type(item).__module__
        if module.startswith("pydantic.") and module not in ("pydantic.fields", "pydantic._internal._fields"):
            return True
    return False
