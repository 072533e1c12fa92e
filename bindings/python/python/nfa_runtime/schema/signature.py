"""From a function's signature to the schema of its parameters, and from JSON arguments to a call of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_origin

from .compile import Compiler, UnsupportedHint, hints_of
from .docstrings import read_docstring
from .objects import object_schema, property_schema
from .shape import Decoder, Json, Mismatch, Shape, field_of

_EMPTY = inspect.Parameter.empty


class Signature:
    """What a function takes from a model."""

    __slots__ = ("_decoders", "_rest", "_shapes", "description", "parameters", "takes_context")

    def __init__(self, function: Callable[..., Any], context: type, localns: dict[str, Any] | None = None) -> None:
        target = function if inspect.isroutine(function) else type(function).__call__
        hints = hints_of(inspect.unwrap(target), localns)
        description, notes = read_docstring(inspect.getdoc(function) or inspect.getdoc(target))
        self.description = description
        self.takes_context = False
        compiler = Compiler()
        properties: Json = {}
        required: list[str] = []
        self._shapes: dict[str, Shape] = {}
        self._rest: Decoder | None = None
        more: bool | Json = False
        for at, (name, parameter) in enumerate(inspect.signature(function).parameters.items()):
            hint = hints.get(name, _EMPTY)
            if (get_origin(hint) or hint) is context:
                if at:
                    raise UnsupportedHint(f"expected the context as the first parameter, found {name!r} after others")
                self.takes_context = True
                continue
            if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                raise UnsupportedHint(f"a model gives arguments by name: write a list instead of *{name}")
            if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
                raise UnsupportedHint(f"a model gives arguments by name: {name!r} is positional only")
            try:
                shape = compiler.compile(hint)
            except UnsupportedHint as error:
                raise UnsupportedHint(f"parameter {name!r}: {error}") from None
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                more, self._rest = shape.schema or True, shape.decode
                continue
            self._shapes[name] = shape
            default = parameter.default
            if default is _EMPTY:
                required.append(name)
                properties[name] = property_schema(shape, notes.get(name))
            else:
                properties[name] = property_schema(shape, notes.get(name), default)
        schema = Shape(object_schema(properties, required, more=more))
        self.parameters: Json = compiler.root(schema).schema
        # Most parameters need no conversion: those that do are looked at alone.
        self._decoders = [(name, shape.decode) for name, shape in self._shapes.items() if shape.decode is not None]

    def bind(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The keyword arguments of a call, as instances of the hinted types.

        Raises:
            Mismatch: for an argument that matches the schema and is still no instance of its type.
        """
        for name, decode in self._decoders:
            if name in arguments:
                try:
                    arguments[name] = decode(arguments[name])
                except Mismatch as mismatch:
                    raise mismatch.under(name) from None
                except (ValueError, TypeError) as error:
                    raise Mismatch(name, str(error)) from error
        if self._rest is not None:
            for name in arguments.keys() - self._shapes.keys():
                arguments[name] = field_of(name, self._rest, arguments[name])
        return arguments
