"""The types of what AWS answers, as botocore's models declare them.

botocore takes most values as they come: a number where a text is due raises an error far from the answer, and a text
where a list is due becomes a list of its letters.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Collection
from typing import Any

_NUMBER = (int, float)
_SCALARS: dict[str, tuple[str, tuple[type, ...]]] = {
    "string": ("a text", (str,)),
    "character": ("a text", (str,)),
    "blob": ("bytes", (str, bytes)),
    "boolean": ("yes or no", (bool,)),
    "integer": ("a whole number", _NUMBER),
    "long": ("a whole number", _NUMBER),
    "float": ("a number", _NUMBER),
    "double": ("a number", _NUMBER),
    "timestamp": ("a time", (*_NUMBER, str, dt.datetime)),
}
_PARTS: dict[str, tuple[str, Any]] = {"structure": ("a map", dict), "map": ("a map", dict), "list": ("a list", list)}
_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "yes or no"),
    (int, "a number"),
    (float, "a number"),
    (str, "a text"),
    (bytes, "bytes"),
    (list, "a list"),
    (dict, "a map"),
    (type(None), "nothing"),
)


class WrongType(ValueError):
    """A value of an answer is not of the type that its place has."""


def checking(factory: Any) -> None:
    """From now on the parsers of botocore's `factory` check the types of a body in JSON or CBOR before they read it."""
    create = factory.create_parser

    def made(protocol: str) -> Any:
        parser = create(protocol)
        if "json" in protocol or "cbor" in protocol:
            _check_first(parser)
        return parser

    factory.create_parser = made


def _check_first(parser: Any) -> None:
    read = parser._parse_shape

    def checked(shape: Any, value: Any) -> Any:
        if shape.type_name in _PARTS:  # else it is a header, which is a text
            check(shape, value)
            parser._parse_shape = read  # whole, with all that is in it
        return read(shape, value)

    parser._parse_shape = checked


def check(shape: Any, value: Any, where: str = "") -> None:
    """Checks `value`, as it came, and all that is in it.

    Raises:
        WrongType: a value is of another type than its shape.
    """
    kind = shape.type_name
    if kind not in _PARTS:
        _check_scalars(kind, [value], where)
        return
    name, type_ = _PARTS[kind]
    if kind == "structure" and shape.is_document_type:
        return
    if not isinstance(value, type_):
        raise _wrong(value, name, where)
    if kind == "structure":
        parts = _parts(shape)
        for sent, there in value.items():
            if there is not None and sent in parts:  # a part that is null is one that is missing
                part, inner = parts[sent]
                check(inner, there, part)
        return
    inner = shape.member if kind == "list" else shape.value
    values: Collection[Any] = value.values() if isinstance(value, dict) else value
    if inner.type_name in _PARTS:
        for one in values:
            check(inner, one, where)
    else:
        _check_scalars(inner.type_name, values, where)


@functools.cache
def _parts(shape: Any) -> dict[str, tuple[str, Any]]:
    """The parts of a structure by what they are called in an answer: an item of DynamoDB has one of eleven."""
    return {inner.serialization.get("name", part): (part, inner) for part, inner in shape.members.items()}


def _check_scalars(kind: str, values: Collection[Any], where: str) -> None:
    name, types = _SCALARS[kind]
    for found in set(map(type, values)):
        if found not in types:
            raise _wrong(next(one for one in values if type(one) is found), name, where)
        if found is float and name == "a whole number":
            broken = [one for one in values if type(one) is float and not one.is_integer()]
            if broken:
                raise _wrong(broken[0], name, where)


def _wrong(value: Any, due: str, where: str) -> WrongType:
    came = next((name for kind, name in _KINDS if isinstance(value, kind)), "something else")
    came = "a fraction" if isinstance(value, float) and due == "a whole number" else came
    named = f"'{where}'" if where else "it"
    return WrongType(f"{named} is {came}, and must be {due}")
