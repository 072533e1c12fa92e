"""The shapes of types with named parts: dataclasses, `TypedDict`, `NamedTuple` and pydantic models."""

from __future__ import annotations

import inspect
import typing
from typing import TYPE_CHECKING, Any

from .docstrings import read_docstring
from .encode import encode
from .shape import Json, Mismatch, Shape, field_of

if TYPE_CHECKING:
    from .compile import Compiler

_MISSING: Any = object()


def object_schema(properties: Json, required: list[str], description: str = "", *, more: bool | Json = False) -> Json:
    """The schema of an object with these properties."""
    schema: Json = {"type": "object"}
    if description:
        schema["description"] = description
    schema["properties"] = properties
    if required:
        schema["required"] = required
    schema["additionalProperties"] = more
    return schema


def property_schema(shape: Shape, description: str | None, default: Any = _MISSING) -> Json:
    """The schema of one property, with its description and default where they are known."""
    schema = shape.schema
    if description and "description" not in schema:
        schema = {**schema, "description": description}
    if default is not _MISSING and "$ref" not in schema:
        try:
            schema = {**schema, "default": encode(default)}
        except TypeError:
            pass
    return schema


def dataclass_shape(compiler: Compiler, hint: Any, kind: Any) -> Shape:
    """A dataclass: its fields, as its `__init__` takes them."""
    import dataclasses

    hints = _substituted(hint, kind)
    description, notes = _documented(kind)
    properties, required, shapes = {}, [], {}
    for field in dataclasses.fields(kind):
        if not field.init:
            continue
        shape = shapes[field.name] = compiler.compile(hints[field.name])
        note = field.metadata.get("description") or notes.get(field.name)
        default = _MISSING if field.default is dataclasses.MISSING else field.default
        properties[field.name] = property_schema(shape, note, default)
        if default is _MISSING and field.default_factory is dataclasses.MISSING:
            required.append(field.name)
    return Shape(object_schema(properties, required, description), _reader(kind, shapes, required, kind.__name__))


def named_tuple_shape(compiler: Compiler, hint: Any, kind: Any) -> Shape:
    """A `NamedTuple`: an object, since a model understands names better than places."""
    hints = _substituted(hint, kind)
    description, notes = _documented(kind)
    defaults = kind._field_defaults
    shapes = {name: compiler.compile(hints.get(name, Any)) for name in kind._fields}
    properties = {
        name: property_schema(shape, notes.get(name), defaults.get(name, _MISSING)) for name, shape in shapes.items()
    }
    required = [name for name in kind._fields if name not in defaults]
    return Shape(object_schema(properties, required, description), _reader(kind, shapes, required, kind.__name__))


def typed_dict_shape(compiler: Compiler, hint: Any, kind: Any) -> Shape:
    """A `TypedDict`; `Required`, `NotRequired` and `total` say what must be there."""
    hints = _substituted(hint, kind)
    description, notes = _documented(kind)
    shapes = {name: compiler.compile(held) for name, held in hints.items()}
    properties = {name: property_schema(shape, notes.get(name)) for name, shape in shapes.items()}
    required = [name for name in hints if _is_required(kind, name, hints[name])]
    schema = object_schema(properties, required, description)
    if all(shape.decode is None for shape in shapes.values()):
        return Shape(schema)
    return Shape(schema, _reader(dict, shapes, required, kind.__name__))


def _is_required(kind: Any, name: str, hint: Any) -> bool:
    origin = typing.get_origin(hint)
    word = getattr(origin, "_name", None)
    if word in ("Required", "NotRequired"):
        return bool(word == "Required")
    return bool(name in kind.__required_keys__)


def _reader(make: Any, shapes: dict[str, Shape], required: list[str], name: str) -> Any:
    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            raise Mismatch("", f"expected an object for {name}, found {type(value).__name__}")
        for wanted in required:
            if wanted not in value:
                raise Mismatch("", f"{wanted!r} is missing in {name}")
        parts = {}
        for key, part in value.items():
            shape = shapes.get(key)
            if shape is None:
                raise Mismatch("", f"{name} has no {key!r}")
            parts[key] = part if shape.decode is None else field_of(key, shape.decode, part)
        try:
            return make(**parts)
        except (ValueError, TypeError) as error:
            raise Mismatch("", str(error)) from error

    return read


def _documented(kind: Any) -> tuple[str, dict[str, str]]:
    doc = kind.__dict__.get("__doc__")
    # The docstrings that dataclasses and NamedTuples are given repeat their signature.
    if not doc or doc.startswith(f"{kind.__name__}("):
        return "", {}
    description, notes = read_docstring(doc)
    return description, notes | _attributes(doc)


def _attributes(doc: str) -> dict[str, str]:
    """Classes write `Attributes:` where functions write `Args:`."""
    text = inspect.cleandoc(doc)
    for title in ("Attributes", "attributes"):
        text = text.replace(f"{title}:\n", "Args:\n").replace(f"{title}\n---", "Parameters\n---")
    return read_docstring(text)[1]


def _substituted(hint: Any, kind: Any) -> dict[str, Any]:
    """The hints of a class, with the parameters of a generic one in place."""
    from .compile import hints_of

    hints = hints_of(kind)
    parameters = getattr(kind, "__parameters__", ())
    arguments = typing.get_args(hint)
    if not parameters or not arguments:
        return hints
    known = dict(zip(parameters, arguments, strict=False))

    def put(held: Any) -> Any:
        if isinstance(held, typing.TypeVar):
            return known.get(held, held)
        inner = getattr(held, "__parameters__", ())
        return held[tuple(known.get(one, one) for one in inner)] if inner else held

    return {name: put(held) for name, held in hints.items()}


def is_pydantic(kind: Any) -> bool:
    """Whether pydantic made the class; asked without importing pydantic."""
    return hasattr(kind, "__pydantic_core_schema__") or hasattr(kind, "__pydantic_validator__")


def pydantic_shape(compiler: Compiler, hint: Any) -> Shape:
    """A type of pydantic's: its own schema, its own validation."""
    from pydantic import TypeAdapter, ValidationError

    adapter: Any = TypeAdapter(hint)
    schema = untitled(adapter.json_schema(by_alias=True, mode="validation"))
    names: dict[str, str] = {}
    definitions = schema.pop("$defs", {})
    for name, definition in definitions.items():
        names[name] = compiler.name_for(name, (name, repr(definition)))
    for name, definition in definitions.items():
        compiler.definitions[names[name]] = _renamed(definition, names)

    def read(value: Any) -> Any:
        try:
            return adapter.validate_python(value)
        except ValidationError as error:
            raise Mismatch("", _summary(error)) from error

    return Shape(_renamed(schema, names), read)


def _summary(error: Any) -> str:
    found = []
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        where = ".".join(str(step) for step in one["loc"])
        found.append(f"{where}: {one['msg']}" if where else one["msg"])
    return "; ".join(found)


def _renamed(schema: Any, names: dict[str, str]) -> Any:
    if isinstance(schema, list):
        return [_renamed(item, names) for item in schema]
    if not isinstance(schema, dict):
        return schema
    renamed = {key: _renamed(item, names) for key, item in schema.items()}
    reference = renamed.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/$defs/"):
        renamed["$ref"] = f"#/$defs/{names.get(reference[8:], reference[8:])}"
    return renamed


def untitled(schema: Any) -> Any:
    """`schema` without the titles that only repeat names: they cost tokens."""
    if isinstance(schema, list):
        return [untitled(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: untitled(item) for name, item in held.items()}
        if key in ("properties", "$defs") and isinstance(held, dict)
        else held
        if key in ("default", "const", "enum", "examples")
        else untitled(held)
        for key, held in schema.items()
        if not (key == "title" and isinstance(held, str))
    }
