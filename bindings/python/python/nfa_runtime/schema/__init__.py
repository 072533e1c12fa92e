"""JSON Schemas from Python types, and Python instances from JSON.

Understood are the plain types, `Literal`, `Annotated`, `Optional` and unions, lists, sets, tuples and dicts,
dataclasses, `TypedDict`, `NamedTuple`, `Enum`, `datetime`, `UUID`, `Decimal`, and everything that pydantic knows
where a type is one of its own.
"""

from __future__ import annotations

from .compile import UnsupportedHint, shape_of
from .encode import encode
from .shape import Mismatch, Shape

__all__ = ["Mismatch", "Shape", "UnsupportedHint", "encode", "shape_of"]
