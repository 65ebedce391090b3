"""Prepares values that a person wrote for strict reading: `true` is not a number, nor is `"100"`; `"no"` is not false.

YAML has lists where the models have tuples, dates that may be in quotes, and text for a number such as `1e-3`. These
are converted to the declared type. Everything else stays, and is refused if its type is wrong. Records are read
without this: JSON has no tuples, and their contents were checked once (`judge/terms.py::Frozen`).
"""

from __future__ import annotations

import datetime as dt
import re
import types
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)
Reader = Callable[[Any], Any]
_POWER = re.compile(r"[-+]?[0-9]{1,15}[eE][-+]?[0-9]{1,3}")
"""`1e-3`, which YAML 1.1 takes for text because it has no point."""


def strictly(model: type[M], values: Mapping[str, Any]) -> M:
    """`model` from values read from YAML; whole numbers count as numbers, and nothing else is converted.

    Raises:
        ValidationError: something is wrong, or has another type than declared.
    """
    return model.model_validate(_of_model(model)(dict(values)), strict=True)


def _reader(kind: Any) -> Reader | None:  # noqa: PLR0911 (a table of types)
    """Gives a value with tuples and dates where the type has them; None: every value stays as it is."""
    origin, inside = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _reader(inside[0])
    if origin in (Union, types.UnionType):
        return _of_any([one for one in map(_reader, inside) if one])
    if origin is tuple:
        return _of_tuple(inside)
    if origin is dict:
        return _of_mapping(inside[0], _reader(inside[1]))
    if kind is float:
        return _number
    if kind is dt.date:
        return _date
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _of_model(kind)
    return None


def _of_any(readers: list[Reader]) -> Reader | None:
    def read(value: Any) -> Any:
        found = (one(value) for one in readers)
        return next((one for one in found if one is not value), value)

    return read if readers else None


def _of_tuple(inside: tuple[Any, ...]) -> Reader:
    same = len(inside) == 2 and inside[1] is Ellipsis
    readers = [_reader(one) for one in inside]

    def read(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        of = readers[:1] * len(value) if same else readers
        if len(of) != len(value):
            return tuple(value)
        return tuple(one(part) if one else part for one, part in zip(of, value, strict=True))

    return read


def _of_mapping(key: Any, reader: Reader | None) -> Reader:
    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {_key(key, name): reader(one) if reader else one for name, one in value.items()}

    return read


@cache
def _of_model(model: type[BaseModel]) -> Reader:
    readers: dict[str, Reader] = {}
    """The readers of the model's fields, found at the first value: a model may hold others of its own kind."""
    known = False

    def read(value: Any) -> Any:
        nonlocal known
        if not isinstance(value, dict):
            return value
        if not known:
            found = ((name, _reader(field.annotation)) for name, field in model.model_fields.items())
            readers.update((name, one) for name, one in found if one)
            known = True
        return {key: readers[key](one) if key in readers else one for key, one in value.items()}

    return read


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, str) and _POWER.fullmatch(value) else value


def _date(value: Any) -> Any:
    try:
        return dt.date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _key(kind: Any, key: Any) -> Any:
    """A whole number in quotes, as every key of JSON is, counts as one."""
    return int(key) if kind is int and isinstance(key, str) and key.isascii() and key.isdigit() else key
