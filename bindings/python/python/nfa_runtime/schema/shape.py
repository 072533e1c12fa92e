"""The shape of a type: its JSON Schema, and how a JSON value becomes one of its instances."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
Decoder = Callable[[Any], Any]


class Shape:
    """A compiled type. `decode` is `None` where the JSON value is the instance already."""

    __slots__ = ("decode", "schema")

    def __init__(self, schema: Json, decode: Decoder | None = None) -> None:
        self.schema = schema
        self.decode = decode

    def read(self, value: Any) -> Any:
        """The instance that `value` stands for."""
        return value if self.decode is None else self.decode(value)


class Mismatch(ValueError):
    """A JSON value that is no instance of the type; says where and why."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path or 'the value'}: {message}")
        self.path = path
        self.message = message

    def under(self, step: str) -> Mismatch:
        """The same, seen from one level further out."""
        inner = self.path
        joined = step if not inner else f"{step}{inner}" if inner.startswith("[") else f"{step}.{inner}"
        return Mismatch(joined, self.message)


def field_of(step: str, decode: Decoder, value: Any) -> Any:
    """Decodes a part, saying where it lies when it does not fit."""
    try:
        return decode(value)
    except Mismatch as mismatch:
        raise mismatch.under(step) from None


def annotate(schema: Json, notes: Json) -> Json:
    """`schema` with more keywords; beside a reference they stand in an `allOf` of their own."""
    return {**schema, **notes} if notes else schema
