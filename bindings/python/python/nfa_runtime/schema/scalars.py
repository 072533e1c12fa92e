"""The shapes of types without parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .shape import Mismatch, Shape

if TYPE_CHECKING:
    import datetime


def _integer(value: Any) -> Any:
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is not int:
        raise Mismatch("", f"expected an integer, found {value!r}")
    return value


def _number(value: Any) -> Any:
    if type(value) is int:
        return float(value)
    if type(value) is not float:
        raise Mismatch("", f"expected a number, found {value!r}")
    return value


def _moment(value: Any) -> datetime.datetime:
    import datetime

    text = value[:-1] + "+00:00" if isinstance(value, str) and value[-1:] in "zZ" else value
    moment: datetime.datetime = _parsed(
        datetime.datetime.fromisoformat, text, "a date and time such as 2026-11-28T09:30:00Z"
    )
    return moment


def _date(value: Any) -> Any:
    import datetime

    return _parsed(datetime.date.fromisoformat, value, "a date such as 2026-11-28")


def _time(value: Any) -> Any:
    import datetime

    text = value[:-1] + "+00:00" if isinstance(value, str) and value[-1:] in "zZ" else value
    return _parsed(datetime.time.fromisoformat, text, "a time such as 09:30:00")


def _span(value: Any) -> Any:
    import datetime

    return _parsed(lambda seconds: datetime.timedelta(seconds=seconds), value, "a number of seconds")


def _uuid(value: Any) -> Any:
    import uuid

    return _parsed(uuid.UUID, value, "a UUID")


def _decimal(value: Any) -> Any:
    import decimal

    text = repr(value) if isinstance(value, float) else value
    return _parsed(decimal.Decimal, text, "a decimal number")


def _parsed(make: Any, value: Any, expected: str) -> Any:
    try:
        return make(value)
    except (ValueError, TypeError, ArithmeticError, AttributeError):
        raise Mismatch("", f"expected {expected}, found {value!r}") from None


PLAIN: dict[Any, Shape] = {
    str: Shape({"type": "string"}),
    bool: Shape({"type": "boolean"}),
    int: Shape({"type": "integer"}, _integer),
    float: Shape({"type": "number"}, _number),
    None: Shape({"type": "null"}),
    type(None): Shape({"type": "null"}),
    Any: Shape({}),
}

# By name, so that no module is imported for types which nobody hints.
_STANDARD: dict[tuple[str, str], Shape] = {
    ("datetime", "datetime"): Shape({"type": "string", "format": "date-time"}, _moment),
    ("datetime", "date"): Shape({"type": "string", "format": "date"}, _date),
    ("datetime", "time"): Shape({"type": "string", "format": "time"}, _time),
    ("datetime", "timedelta"): Shape({"type": "number", "description": "seconds"}, _span),
    ("uuid", "UUID"): Shape({"type": "string", "format": "uuid"}, _uuid),
    ("decimal", "Decimal"): Shape({"type": ["string", "number"]}, _decimal),
}


def scalar(hint: Any) -> Shape | None:
    """The shape of a type without parts; `None` for any other."""
    try:
        shape = PLAIN.get(hint)
    except TypeError:
        return None
    if shape is None and isinstance(hint, type):
        return _STANDARD.get((hint.__module__, hint.__qualname__))
    return shape
