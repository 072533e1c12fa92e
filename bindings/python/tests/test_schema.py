"""Schemas from hints and docstrings, and instances from JSON."""

# Both spellings of unions are looked at.
# ruff: noqa: UP007, UP045

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import pathlib
import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, Optional, TypedDict, TypeVar, Union

import pytest
from pydantic import BaseModel, Field, field_validator
from typing_extensions import NotRequired, Required

from nfa_runtime import tool
from nfa_runtime.schema import Mismatch, UnsupportedHint, encode, shape_of
from nfa_runtime.schema.docstrings import read_docstring

T = TypeVar("T")
UserId = NewType("UserId", int)


class Unit(enum.Enum):
    C = "c"
    F = "f"


class Point(NamedTuple):
    x: int
    y: int = 0


class Movie(TypedDict, total=False):
    title: Required[str]
    year: int


class Strict(TypedDict):
    name: str
    note: NotRequired[datetime.date]


@dataclasses.dataclass
class Node:
    """A node of a tree.

    Attributes:
        name: what it is called
    """

    name: str
    children: list[Node] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Box(Generic[T]):
    content: T


class Address(BaseModel):
    """Where somebody lives."""

    street: str = Field(min_length=2, description="with the number")
    zip_code: Annotated[str, Field(pattern=r"^\d{4}$", alias="zip")]

    @field_validator("street")
    @classmethod
    def _known(cls, value: str) -> str:
        if value.startswith("Nowhere"):
            raise ValueError("no such street")
        return value


class Tree(BaseModel):
    label: str
    branches: list[Tree] = []


def obj(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (str, {"type": "string"}),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (bool, {"type": "boolean"}),
        (None, {"type": "null"}),
        (Any, {}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Literal["a", 1], {"enum": ["a", 1]}),
        (Unit, {"type": "string", "enum": ["c", "f"]}),
        (Optional[int], {"type": ["integer", "null"]}),
        (Union[int, str], {"type": ["integer", "string"]}),
        (int | None, {"type": ["integer", "null"]}),
        (Union[Literal["a"], int], {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "integer"}]}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (list, {"type": "array"}),
        (Sequence[str], {"type": "array", "items": {"type": "string"}}),
        (set[str], {"type": "array", "items": {"type": "string"}, "uniqueItems": True}),
        (
            tuple[int, str],
            {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2, "maxItems": 2},
        ),
        (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (Mapping[str, Any], {"type": "object", "additionalProperties": True}),
        (dict, {"type": "object"}),
        (datetime.datetime, {"type": "string", "format": "date-time"}),
        (datetime.date, {"type": "string", "format": "date"}),
        (uuid.UUID, {"type": "string", "format": "uuid"}),
        (decimal.Decimal, {"type": ["string", "number"]}),
        (pathlib.Path, {"type": "string"}),
        (UserId, {"type": "integer"}),
        (Annotated[int, "how many"], {"type": "integer", "description": "how many"}),
        (Annotated[int, Field(ge=1, lt=9)], {"type": "integer", "minimum": 1, "exclusiveMaximum": 9}),
        (Annotated[list[str], Field(max_length=3)], {"type": "array", "items": {"type": "string"}, "maxItems": 3}),
        (Box[int], obj(content={"type": "integer"})),
    ],
)
def test_the_schema_of_a_hint(hint: Any, schema: Any) -> None:
    assert shape_of(hint).schema == schema


NOON = datetime.datetime(2026, 11, 28, 12, tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize(
    ("hint", "given", "instance"),
    [
        (int, 3.0, 3),
        (float, 3, 3.0),
        (Unit, "f", Unit.F),
        (Optional[Unit], None, None),
        (Union[int, Unit], "c", Unit.C),
        (Union[datetime.date, str], "not a date", "not a date"),
        (Union[datetime.date, str], "2026-11-28", datetime.date(2026, 11, 28)),
        (list[Unit], ["c"], [Unit.C]),
        (set[int], [1, 2], {1, 2}),
        (tuple[int, Unit], [1, "c"], (1, Unit.C)),
        (tuple[int, ...], [1, 2], (1, 2)),
        (dict[int, Unit], {"1": "c"}, {1: Unit.C}),
        (datetime.datetime, "2026-11-28T12:00:00Z", NOON),
        (datetime.date, "2026-11-28", datetime.date(2026, 11, 28)),
        (datetime.time, "09:30:00", datetime.time(9, 30)),
        (datetime.timedelta, 90, datetime.timedelta(seconds=90)),
        (uuid.UUID, "12345678123456781234567812345678", uuid.UUID(int=0x12345678123456781234567812345678)),
        (decimal.Decimal, "1.10", decimal.Decimal("1.10")),
        (decimal.Decimal, 1.1, decimal.Decimal("1.1")),
        (pathlib.Path, "/tmp", pathlib.Path("/tmp")),
        (Point, {"x": 1}, Point(1, 0)),
        (Movie, {"title": "Up"}, {"title": "Up"}),
        (Strict, {"name": "a", "note": "2026-11-28"}, {"name": "a", "note": datetime.date(2026, 11, 28)}),
        (Node, {"name": "a", "children": [{"name": "b"}]}, Node("a", [Node("b")])),
        (Box[Unit], {"content": "c"}, Box(Unit.C)),
        (Literal[Unit.C], "c", Unit.C),
    ],
)
def test_the_instance_of_a_value(hint: Any, given: Any, instance: Any) -> None:
    made = shape_of(hint).read(given)
    assert made == instance and type(made) is type(instance)


@pytest.mark.parametrize(
    ("hint", "given", "where"),
    [
        (int, "1", ""),
        (Unit, "k", ""),
        (list[Unit], ["c", "k"], "[1]"),
        (Node, {"name": "a", "children": [{"name": "b", "children": [{}]}]}, "children[0].children[0]"),
        (dict[str, Unit], {"a": "k"}, "a"),
        (Point, {"x": 1, "z": 2}, ""),
        (datetime.date, "yesterday", ""),
        (tuple[int, int], [1], ""),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_its_path(hint: Any, given: Any, where: str) -> None:
    with pytest.raises(Mismatch) as caught:
        shape_of(hint).read(given)
    assert caught.value.path == where and str(caught.value)


def test_a_type_that_holds_itself_is_defined_once() -> None:
    schema = shape_of(Node).schema
    assert schema["$defs"]["Node"]["properties"]["children"] == {"type": "array", "items": {"$ref": "#/$defs/Node"}}
    assert schema["type"] == "object" and schema["description"] == "A node of a tree."
    assert schema["properties"]["name"] == {"type": "string", "description": "what it is called"}


def test_typed_dicts_say_what_must_be_there() -> None:
    assert shape_of(Movie).schema["required"] == ["title"]
    assert shape_of(Strict).schema["required"] == ["name"]


def test_pydantic_models_are_validated_by_pydantic() -> None:
    shape = shape_of(Address)
    assert shape.schema["properties"]["street"] == {
        "type": "string",
        "minLength": 2,
        "description": "with the number",
    }
    assert shape.schema["description"] == "Where somebody lives." and "title" not in shape.schema
    made = shape.read({"street": "Main 1", "zip": "0150"})
    assert isinstance(made, Address) and made.zip_code == "0150"
    with pytest.raises(Mismatch, match="no such street"):
        shape.read({"street": "Nowhere 1", "zip": "0150"})


def test_pydantic_models_inside_other_types() -> None:
    shape = shape_of(dict[str, list[Tree]])
    assert set(shape.schema["$defs"]) == {"Tree"}
    made = shape.read({"a": [{"label": "x", "branches": [{"label": "y"}]}]})
    assert made["a"][0].branches[0].label == "y"


def test_what_has_no_schema_is_refused_with_advice() -> None:
    class Odd: ...

    with pytest.raises(UnsupportedHint, match="dataclass"):
        shape_of(Odd)
    with pytest.raises(UnsupportedHint, match="TYPE_CHECKING"):

        def lost(x: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821

        from nfa_runtime.schema.compile import hints_of

        hints_of(lost)


def test_types_inside_a_function_are_found() -> None:
    class Local(TypedDict):
        a: int

    @tool
    def takes(x: Local, y: list[Local]) -> None: ...

    assert takes.parameters["properties"]["x"]["properties"] == {"a": {"type": "integer"}}


GOOGLE = """Books a room.

The best one.

Args:
    city: where
        it is
    nights (int): how long
    *rest: more

Returns:
    what was booked: a text
"""
NUMPY = """Books a room.

The best one.

Parameters
----------
city : str
    where
    it is
nights, beds : int
    how long

Returns
-------
str
    what was booked
"""
SPHINX = """Books a room.

The best one.

:param city: where
    it is
:param int nights: how long
:type city: str
:returns: what was booked
"""


@pytest.mark.parametrize(
    ("doc", "more"),
    [(GOOGLE, {"rest": "more"}), (NUMPY, {"beds": "how long"}), (SPHINX, {})],
    ids=["google", "numpy", "sphinx"],
)
def test_docstrings_describe_a_function_and_its_parameters(doc: str, more: dict[str, str]) -> None:
    description, parameters = read_docstring(doc)
    assert description == "Books a room.\n\nThe best one."
    assert parameters == {"city": "where it is", "nights": "how long", **more}


def test_docstrings_without_sections() -> None:
    assert read_docstring("Adds two\nintegers: a and b.") == ("Adds two integers: a and b.", {})
    assert read_docstring("Lists.\n\n- one\n- two") == ("Lists.\n\n- one\n- two", {})
    assert read_docstring(None) == ("", {})


def test_a_function_becomes_the_schema_of_its_parameters() -> None:
    @tool
    def book(city: str, nights: int = 2, unit: Unit = Unit.C, place: Point = Point(1), **extra: int) -> None:
        """Books.

        Args:
            city: where
        """

    assert book.parameters == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "where"},
            "nights": {"type": "integer", "default": 2},
            "unit": {"type": "string", "enum": ["c", "f"], "default": "c"},
            "place": {
                "type": "object",
                "properties": {"x": {"type": "integer"}, "y": {"type": "integer", "default": 0}},
                "required": ["x"],
                "additionalProperties": False,
                "default": {"x": 1, "y": 0},
            },
        },
        "required": ["city"],
        "additionalProperties": {"type": "integer"},
    }
    assert book.description == "Books."


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Unit.C, "c"),
        (Point(1, 2), {"x": 1, "y": 2}),
        (Node("a", [Node("b")]), {"name": "a", "children": [{"name": "b", "children": []}]}),
        (NOON, "2026-11-28T12:00:00+00:00"),
        (datetime.timedelta(minutes=1), 60.0),
        (decimal.Decimal("1.10"), "1.10"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (pathlib.PurePosixPath("/a/b"), "/a/b"),
        ({1: {Unit.F: (1, 2)}}, {"1": {"f": [1, 2]}}),
        ({3, 1, 2}, [1, 2, 3]),
        (Tree(label="x"), {"label": "x", "branches": []}),
    ],
)
def test_values_are_written_as_json(value: Any, plain: Any) -> None:
    assert encode(value) == plain


@pytest.mark.parametrize("value", [object(), float("inf"), b"bytes", {object(): 1}, [lambda: None]])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        encode(value)
