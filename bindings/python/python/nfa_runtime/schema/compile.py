"""From a type hint to its shape."""

from __future__ import annotations

import collections.abc
import functools
import inspect
import operator
import types
import typing
from typing import Any, ForwardRef, Literal, TypeVar, Union, get_args, get_origin

from .encode import encode
from .metadata import needs_pydantic, notes_of
from .objects import dataclass_shape, is_pydantic, named_tuple_shape, pydantic_shape, typed_dict_shape
from .scalars import PLAIN, scalar
from .shape import Decoder, Json, Mismatch, Shape, annotate, field_of

_UNION_TYPES: tuple[Any, ...] = (Union, types.UnionType)


class UnsupportedHint(TypeError):
    """A hint that has no JSON Schema."""


class Compiler:
    """Compiles the hints of one schema, so that types which hold themselves are defined once."""

    def __init__(self) -> None:
        self.definitions: dict[str, Json] = {}
        self._open: dict[Any, _Open] = {}
        self._names: dict[str, Any] = {}

    def root(self, shape: Shape) -> Shape:
        """`shape` with the definitions that it refers to."""
        if not self.definitions:
            return shape
        schema = shape.schema
        reference = schema.get("$ref")
        if len(schema) == 1 and isinstance(reference, str):
            # Some providers take no reference at the root.
            schema = {**self.definitions[reference.rsplit("/", 1)[-1]]}
        return Shape({**schema, "$defs": dict(self.definitions)}, shape.decode)

    def compile(self, hint: Any) -> Shape:
        """The shape of `hint`."""
        plain = scalar(hint)
        if plain is not None:
            return plain
        origin = get_origin(hint)
        if origin is typing.Annotated:
            return self._annotated(hint)
        if origin in _UNION_TYPES:
            return self._union(get_args(hint))
        if origin is Literal:
            return _literal(get_args(hint))
        qualified = _unqualified(hint)
        if qualified is not hint:
            return self.compile(qualified)
        if isinstance(hint, (TypeVar, typing.NewType)):
            return self.compile(_behind(hint))
        if type(hint).__name__ == "TypeAliasType":
            return self.compile(hint.__value__)
        if isinstance(hint, (str, ForwardRef)):
            raise UnsupportedHint(f"the name {hint!r} cannot be found: define the type at the top of its module")
        if hint is object or hint is Any or hint is inspect.Parameter.empty:
            return Shape({})
        if inspect.isclass(origin or hint):
            return self._class(hint, origin)
        raise UnsupportedHint(f"{hint!r} has no JSON Schema")

    def _annotated(self, hint: Any) -> Shape:
        base, *metadata = get_args(hint)
        if needs_pydantic(metadata):
            return pydantic_shape(self, hint)
        inner = self.compile(base)
        return Shape(annotate(inner.schema, notes_of(metadata, inner.schema.get("type"))), inner.decode)

    def _union(self, members: tuple[Any, ...]) -> Shape:
        shapes = [self.compile(member) for member in members]
        schema = _any_of([shape.schema for shape in shapes])
        if all(shape.decode is None for shape in shapes):
            return Shape(schema)
        return Shape(schema, _first_of(shapes))

    def _class(self, hint: Any, origin: Any) -> Shape:
        kind = origin or hint
        arguments = get_args(hint)
        if is_pydantic(kind):
            return pydantic_shape(self, hint)
        if hasattr(kind, "_member_map_") and hasattr(kind, "__members__"):
            return _enum(kind)
        if typing.is_typeddict(kind):
            return self.named(hint, kind, typed_dict_shape)
        if issubclass(kind, tuple):
            if hasattr(kind, "_fields"):
                return self.named(hint, kind, named_tuple_shape)
            return self._tuple(arguments)
        if hasattr(kind, "__dataclass_fields__"):
            return self.named(hint, kind, dataclass_shape)
        if kind in (collections.abc.Set, collections.abc.MutableSet) or issubclass(kind, (set, frozenset)):
            return self._list(arguments, frozenset if issubclass(kind, frozenset) else set, unique=True)
        if kind in (collections.abc.Mapping, collections.abc.MutableMapping) or issubclass(kind, dict):
            return self._dict(arguments)
        if kind in _LISTS or issubclass(kind, list):
            return self._list(arguments, None)
        if issubclass(kind, collections.deque):
            return self._list(arguments, collections.deque)
        if hasattr(kind, "__fspath__") and hasattr(kind, "parts"):
            return Shape({"type": "string"}, kind)
        for base in (str, int, float):
            if issubclass(kind, base):
                return Shape(PLAIN[base].schema, kind)
        raise UnsupportedHint(
            f"{getattr(kind, '__qualname__', kind)} has no JSON Schema: "
            "use a dataclass, a TypedDict, a NamedTuple or a pydantic model"
        )

    def _list(self, arguments: tuple[Any, ...], made: Any, *, unique: bool = False) -> Shape:
        item = self.compile(arguments[0] if arguments else Any)
        schema: Json = {"type": "array"}
        if item.schema:
            schema["items"] = item.schema
        if unique:
            schema["uniqueItems"] = True
        decode = item.decode
        if decode is None:
            return Shape(schema, made)

        def read(values: Any, decode: Decoder = decode) -> Any:
            if not isinstance(values, list):
                raise Mismatch("", f"expected a list, found {type(values).__name__}")
            items = [field_of(f"[{at}]", decode, value) for at, value in enumerate(values)]
            return items if made is None else made(items)

        return Shape(schema, read)

    def _tuple(self, arguments: tuple[Any, ...]) -> Shape:
        if not arguments:
            return Shape({"type": "array"}, tuple)
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return self._list(arguments[:1], tuple)
        items = [self.compile(argument) for argument in arguments if argument != ()]
        schema = {
            "type": "array",
            "prefixItems": [item.schema for item in items],
            "minItems": len(items),
            "maxItems": len(items),
        }

        def read(values: Any) -> Any:
            if not isinstance(values, (list, tuple)) or len(values) != len(items):
                raise Mismatch("", f"expected {len(items)} items")
            pairs = zip(items, values, strict=True)
            return tuple(field_of(f"[{at}]", item.read, value) for at, (item, value) in enumerate(pairs))

        return Shape(schema, read)

    def _dict(self, arguments: tuple[Any, ...]) -> Shape:
        if not arguments:
            return Shape({"type": "object"})
        key, value = self.compile(arguments[0]), self.compile(arguments[1])
        schema: Json = {"type": "object", "additionalProperties": value.schema or True}
        names = {word: key.schema[word] for word in ("enum", "pattern", "format", "const") if word in key.schema}
        if names:
            schema["propertyNames"] = names
        read_key = _key_reader(arguments[0], key)
        if value.decode is None and read_key is None:
            return Shape(schema)

        def read(values: Any) -> Any:
            if not isinstance(values, dict):
                raise Mismatch("", f"expected an object, found {type(values).__name__}")
            return {
                name if read_key is None else field_of(name, read_key, name): field_of(name, value.read, item)
                for name, item in values.items()
            }

        return Shape(schema, read)

    def named(self, hint: Any, kind: Any, build: Any) -> Shape:
        """The shape of a type that has a name, and so may hold itself."""
        held = self._open.get(hint)
        if held is not None:
            held.recursive = True
            name = held.name = held.name or self.name_for(kind.__name__, hint)
            return Shape({"$ref": f"#/$defs/{name}"}, lambda value: held.shape.read(value))
        entry = self._open[hint] = _Open()
        try:
            shape: Shape = build(self, hint, kind)
        finally:
            del self._open[hint]
        entry.shape = shape
        if not entry.recursive:
            return shape
        assert entry.name is not None
        self.definitions[entry.name] = shape.schema
        return Shape({"$ref": f"#/$defs/{entry.name}"}, shape.decode)

    def name_for(self, wanted: str, owner: Any) -> str:
        """A name among the definitions that is `owner`'s alone."""
        name, number = wanted, 1
        while name in self._names and self._names[name] != owner:
            number += 1
            name = f"{wanted}{number}"
        self._names[name] = owner
        return name


class _Open:
    """A named type that is being compiled."""

    __slots__ = ("name", "recursive", "shape")

    def __init__(self) -> None:
        self.name: str | None = None
        self.recursive = False
        self.shape: Shape = Shape({})


_LISTS = (
    collections.abc.Sequence,
    collections.abc.MutableSequence,
    collections.abc.Iterable,
    collections.abc.Collection,
)


def _unqualified(hint: Any) -> Any:
    """`hint` without `Required`, `Final`, `ClassVar` and their like."""
    origin = get_origin(hint)
    name = getattr(origin, "_name", None) or getattr(origin, "__name__", None)
    if name in ("Required", "NotRequired", "ReadOnly", "Final", "ClassVar") and getattr(origin, "__module__", "") in (
        "typing",
        "typing_extensions",
    ):
        return get_args(hint)[0]
    return hint


def _behind(hint: Any) -> Any:
    if isinstance(hint, TypeVar):
        if hint.__constraints__:
            return functools.reduce(operator.or_, hint.__constraints__)
        return hint.__bound__ or Any
    return hint.__supertype__


def _literal(values: tuple[Any, ...]) -> Shape:
    encoded = [encode(value) for value in values]
    kinds = {_json_type(value) for value in encoded}
    schema: Json = {"enum": encoded}
    if len(kinds) == 1:
        schema = {"type": kinds.pop(), **schema}
    if all(plain is value for plain, value in zip(encoded, values, strict=True)):
        return Shape(schema)
    by_value = [(plain, value) for plain, value in zip(encoded, values, strict=True)]

    def read(value: Any) -> Any:
        for plain, instance in by_value:
            if plain == value and type(plain) is type(value):
                return instance
        raise Mismatch("", f"expected one of {encoded}, found {value!r}")

    return Shape(schema, read)


def _enum(kind: Any) -> Shape:
    members = list(kind)
    schema = _literal(tuple(member.value for member in members)).schema
    by_value = [(encode(member.value), member) for member in members]

    def read(value: Any) -> Any:
        for plain, member in by_value:
            if plain == value:
                return member
        raise Mismatch("", f"expected one of {[plain for plain, _ in by_value]}, found {value!r}")

    return Shape(schema, read)


def _json_type(value: Any) -> str:
    if value is None:
        return "null"
    return {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}.get(type(value), "object")


def _any_of(schemas: list[Json]) -> Json:
    if any(not schema for schema in schemas):
        return {}
    plain = [schema["type"] for schema in schemas if set(schema) == {"type"} and isinstance(schema["type"], str)]
    if len(plain) == len(schemas):
        return {"type": list(dict.fromkeys(plain))} if len(set(plain)) > 1 else {"type": plain[0]}
    return {"anyOf": schemas}


_ACCEPTS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def _may_be(schema: Json, value: Any) -> bool:
    kind = schema.get("type")
    if isinstance(kind, str):
        if isinstance(value, bool) and kind in ("integer", "number"):
            return False
        if isinstance(value, float) and kind == "integer":
            return value.is_integer()
        return isinstance(value, _ACCEPTS.get(kind, (object,)))
    if isinstance(kind, list):
        return any(_may_be({"type": one}, value) for one in kind)
    return True


def _first_of(shapes: list[Shape]) -> Decoder:
    """The first member that takes the value; exact JSON types before conversions."""

    def read(value: Any) -> Any:
        found: list[str] = []
        for shape in shapes:
            if not _may_be(shape.schema, value):
                continue
            try:
                return shape.read(value)
            except (ValueError, TypeError) as error:
                found.append(str(error))
        raise Mismatch("", "; ".join(found) or f"found {value!r}, which is none of the types")

    return read


def _key_reader(hint: Any, key: Shape) -> Decoder | None:
    base = get_args(hint)[0] if get_origin(hint) is typing.Annotated else hint
    if base is int:
        return int
    if base is float:
        return float
    if base in (str, Any):
        return None
    return key.decode


def hints_of(target: Any, localns: dict[str, Any] | None = None) -> dict[str, Any]:
    """The resolved hints of a function or class, `Annotated` kept."""
    try:
        return typing.get_type_hints(target, localns=localns, include_extras=True)
    except NameError as error:
        raise UnsupportedHint(
            f"a hint of {getattr(target, '__qualname__', target)} names {error.name!r}, which cannot be found "
            "there: define it at the top of the module, not under TYPE_CHECKING"
        ) from error


def shape_of(hint: Any) -> Shape:
    """The shape of one type, complete with what it refers to."""
    compiler = Compiler()
    return compiler.root(compiler.compile(hint))


__all__ = ["Compiler", "UnsupportedHint", "hints_of", "shape_of"]
