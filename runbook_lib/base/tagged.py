"""DynamoDB's items, which have the type beside each value: `{"S": "text"}`, `{"N": "1.5"}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item without its types; numbers become floats.

    >>> plain({"id": {"S": "a"}, "used": {"M": {"input": {"N": "5"}}}})
    {'id': 'a', 'used': {'input': 5.0}}
    """
    return {name: _value(one) for name, one in item.items()}


def _value(one: Mapping[str, Any]) -> Any:
    kind, value = next(iter(one.items()))
    match kind:
        case "N":
            return float(value)
        case "M":
            return plain(value)
        case "L":
            return [_value(inner) for inner in value]
        case "NULL":
            return None
        case _:
            return value


def handed_back(item: Mapping[str, Any]) -> dict[str, Any]:
    """`plain(tagged(item))`, five times faster: a plain item as the table returns it.

    >>> handed_back({"id": "a", "used": {"input": 5}})
    {'id': 'a', 'used': {'input': 5.0}}
    """
    return {name: value if value.__class__ is str else _back(value) for name, value in item.items()}


def _back(value: object) -> Any:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int | float):
        return float(value)
    return handed_back(value) if isinstance(value, dict) else str(value)


def tagged(item: Mapping[str, Any]) -> dict[str, Any]:
    """A plain item as DynamoDB takes it: texts, numbers, booleans, and nested items.

    >>> tagged({"id": "a", "used": {"input": 5}})
    {'id': {'S': 'a'}, 'used': {'M': {'input': {'N': '5'}}}}
    """
    return {name: _tagged(value) for name, value in item.items()}


def _tagged(value: object) -> dict[str, Any]:
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | float):
        return {"N": repr(value)}
    if isinstance(value, dict):
        return {"M": tagged(value)}
    return {"NULL": True} if value is None else {"S": str(value)}
