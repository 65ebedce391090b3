"""Prepares values that a person wrote for strict reading: `true` is no number, `"100"` no whole one, `"no"` not false.

YAML has lists where the models have tuples, dates that may be in quotes, and text for a number such as `1e-3`. These
are converted to the declared type. Everything else stays, and is refused if its type is wrong. Records are read
without this: JSON has no tuples, and their contents were checked once (`judge/terms.py::Frozen`).
"""

from __future__ import annotations

import datetime as dt
import re
import types
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)
_POWER = re.compile(r"[-+]?[0-9]{1,15}[eE][-+]?[0-9]{1,3}")
"""`1e-3`, which YAML 1.1 takes for text because it has no point."""


def strictly(model: type[M], values: Mapping[str, Any]) -> M:
    """`model` from values read from YAML; whole numbers count as numbers, and nothing else is converted.

    Raises:
        ValidationError: something is wrong, or has another type than declared.
    """
    return model.model_validate(_declared(model, dict(values)), strict=True)


def _declared(kind: Any, value: Any) -> Any:  # noqa: PLR0911 (a table of types)
    """`value` with tuples and dates where the type has them."""
    origin, inside = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _declared(inside[0], value)
    if origin in (Union, types.UnionType):
        found = (_declared(one, value) for one in inside)
        return next((one for one in found if one is not value), value)
    if origin is tuple and isinstance(value, list):
        same = len(inside) == 2 and inside[1] is Ellipsis
        of = (inside[0],) * len(value) if same else inside
        return tuple(map(_declared, of, value)) if len(of) == len(value) else tuple(value)
    if origin is dict and isinstance(value, dict):
        return {_key(inside[0], key): _declared(inside[1], one) for key, one in value.items()}
    if kind is float and isinstance(value, str) and _POWER.fullmatch(value):
        return float(value)
    if kind is dt.date and isinstance(value, str):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            return value
    if isinstance(kind, type) and issubclass(kind, BaseModel) and isinstance(value, dict):
        fields = kind.model_fields
        return {key: _declared(fields[key].annotation, one) if key in fields else one for key, one in value.items()}
    return value


def _key(kind: Any, key: Any) -> Any:
    """A whole number in quotes, as every key of JSON is, counts as one."""
    return int(key) if kind is int and isinstance(key, str) and key.isascii() and key.isdigit() else key
