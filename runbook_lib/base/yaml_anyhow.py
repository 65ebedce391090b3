"""A YAML file as far as it can be read: a mistake costs the value in which it is, not the file. Light: a rollback reads
its parameters so, since a mistake in what it does not need is no reason to leave users on a failing endpoint.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from runbook_lib.base.errors import UsageError
from runbook_lib.base.yaml_file import SAFE, AsWritten, not_deep, not_multiplied, text_of

_ENTRY = re.compile(r"^(?=[\w'\"])", re.MULTILINE)
"""Where an entry of the file's own mapping begins."""
_MERGE = "tag:yaml.org,2002:merge"
_WRONG = (yaml.YAMLError, ValueError, OverflowError, LookupError, TypeError, AttributeError, RecursionError)
"""What PyYAML and Python raise for a value that is none."""


class Odd(str):
    """What is wrong with a value, in words, in the value's place."""

    last: Any = None
    """The last value of a key that has several."""


def read_anyhow(path: Path) -> dict[str, Any]:
    """A mapping of which each value is readable, or `Odd`.

    A key may appear twice with one value; mappings of one key are taken together.

    Raises:
        UsageError: there is no file, or nothing in it is a mapping.
    """
    text = text_of(path)
    not_deep(path, text)
    try:
        found = [yaml.compose(text, Loader=SAFE)]
    except yaml.YAMLError:
        found = [_node(part) for part in _ENTRY.split(text)]
    pairs = [pair for one in found if isinstance(one, yaml.MappingNode) for pair in one.value]
    if not pairs:
        raise UsageError(f"{path}: no mapping of names to values can be read in it")
    return _mapping(pairs, set())


def _node(text: str) -> Any:
    try:
        return yaml.compose(text, Loader=SAFE)
    except yaml.YAMLError:
        return None


def _value(node: Any, within: set[int]) -> Any:
    if id(node) in within:
        return Odd("an alias refers to a value that contains it")
    try:
        if isinstance(node, yaml.ScalarNode):
            return AsWritten("").construct_object(node)
        if not within:
            not_multiplied(node)
        inside = within | {id(node)}
        if isinstance(node, yaml.SequenceNode):
            return [_value(one, inside) for one in node.value]
        return _mapping(node.value, inside)
    except _WRONG as error:
        return Odd(f"line {node.start_mark.line + 1}: {getattr(error, 'problem', None) or error}")


def _mapping(pairs: list[tuple[Any, Any]], within: set[int]) -> dict[Any, Any]:
    merged: dict[Any, Any] = {}
    own: dict[Any, Any] = {}
    for key, node in pairs:
        value = _value(node, within)
        if key.tag == _MERGE:
            for one in reversed(value if isinstance(value, list) else [value]):
                merged |= one if isinstance(one, dict) else {}
        elif isinstance(key, yaml.ScalarNode):
            name, line = _value(key, within), key.start_mark.line + 1
            own[name] = _both(name, own[name], value, line) if name in own else value
    return {**merged, **own}


def _both(name: Any, one: Any, other: Any, line: int) -> Any:
    """The one value of a key that appears twice; two mappings have the keys of both."""
    if isinstance(one, dict) and isinstance(other, dict):
        same = {key: _both(key, one[key], other[key], line) for key in one if key in other}
        return {**one, **other, **same}
    if type(one) is type(other) and one == other:
        return one
    where = f"{_said(one)} above line {line}, {_said(other)} in it or below"
    odd = Odd(f"'{name}' appears twice: {where}; keep one of them")
    odd.last = other
    return odd


def _said(value: Any) -> str:
    return repr(value) if isinstance(value, (str, int, float, bool)) else "another kind of value"
