"""Turns what tools and callers give into plain JSON values."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any


def encode(value: Any) -> Any:
    """`value` as JSON: dicts with text keys, lists, strings, numbers, booleans and `None`.

    Raises:
        TypeError: for a value that JSON cannot hold; say how by giving a dict, a dataclass or a model instead.
    """
    if value is None or value is True or value is False:
        return value
    kind = type(value)
    if kind is str or kind is int:
        return value
    if kind is float:
        if not math.isfinite(value):
            raise TypeError(f"expected a number that JSON can hold, found {value!r}")
        return value
    if kind is dict:
        return {_key(key): encode(item) for key, item in value.items()}
    if kind is list or kind is tuple:
        return [encode(item) for item in value]
    return _encode_other(value)


def _key(key: Any) -> str:
    if isinstance(key, str) and type(key) is str:
        return key
    if isinstance(key, bool):
        return "true" if key else "false"
    plain = key if isinstance(key, (int, float)) else _encode_other(key)
    if isinstance(plain, str):
        return str(plain)
    if isinstance(plain, (int, float)):
        return str(plain)
    raise TypeError(f"expected a text as key, found {type(key).__name__}")


def _encode_other(value: Any) -> Any:
    kind = type(value)
    dump = getattr(value, "model_dump", None)
    if dump is not None and hasattr(kind, "__pydantic_serializer__"):
        return dump(mode="json", by_alias=True)
    fields = getattr(kind, "__dataclass_fields__", None)
    if fields is not None:
        return {name: encode(getattr(value, name)) for name in fields if _is_field(fields[name])}
    if hasattr(kind, "_member_map_") and hasattr(value, "value"):
        return encode(value.value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return encode(float(value))
    named = getattr(value, "_asdict", None)
    if named is not None and isinstance(value, tuple):
        return {name: encode(item) for name, item in named().items()}
    if isinstance(value, Mapping):
        return {_key(key): encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    if isinstance(value, (set, frozenset)):
        items = [encode(item) for item in value]
        try:
            return sorted(items)
        except TypeError:
            return items
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    for parent in kind.__mro__:
        made = _STANDARD.get((parent.__module__, parent.__qualname__))
        if made is not None:
            return made(value)
    attrs = getattr(kind, "__attrs_attrs__", None)
    if attrs is not None:
        return {field.name: encode(getattr(value, field.name)) for field in attrs}
    raise TypeError(
        f"expected a value that JSON can hold, found {kind.__module__}.{kind.__qualname__}; "
        "give a dict, a list, a dataclass, a TypedDict or a pydantic model"
    )


def _is_field(field: Any) -> bool:
    return bool(field._field_type.name == "_FIELD")


def _iso(value: Any) -> str:
    text: str = value.isoformat()
    return text


def _seconds(value: Any) -> float:
    seconds: float = value.total_seconds()
    return seconds


_STANDARD: dict[tuple[str, str], Any] = {
    ("datetime", "datetime"): _iso,
    ("datetime", "date"): _iso,
    ("datetime", "time"): _iso,
    ("datetime", "timedelta"): _seconds,
    ("uuid", "UUID"): str,
    ("decimal", "Decimal"): str,
}
