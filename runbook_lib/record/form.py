"""The form of a record: the fields of its published schema, all of them and no other, each of its JSON type.

Whoever writes the log of an archive anew can seal anything there; what no version of the runbook writes is damage,
whatever the hashes say. The standalone verifier has the same rule.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from runbook_lib.record.record import READABLE, SCHEMA

DEEPEST = 100
"""Levels of nesting that a record may have; ours have some twenty."""
_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_TYPES: dict[str, type[Any]] = {"string": str, "integer": int, "object": dict, "array": list, "null": type(None)}
_TEXT: dict[str, Any] = {"type": "string"}
_OBJECT: dict[str, Any] = {"type": "object"}
_ENTRY: dict[str, Any] = dict.fromkeys(("kind", "item", "by", "role", "at", "link", "text"), _TEXT) | {"facts": _OBJECT}
_BURIED = {"records": _OBJECT}
_BOUND = {"record": _TEXT, "attachment": _TEXT}


@cache
def _schema() -> dict[str, Any]:
    file = Path(__file__).parent / "schemas" / f"record-{SCHEMA}.json"
    return dict(json.loads(file.read_text(encoding="utf-8")))


def misformed(record: Mapping[str, Any]) -> str:
    """What is not of the format in a record, in half a sentence; empty: nothing is."""
    schema = record.get("schema")
    if type(schema) is not int or schema not in READABLE:
        return f"schema {schema!r}; this version reads {' and '.join(map(str, READABLE))}"
    return next(_wrong(record), "")


def _wrong(record: Mapping[str, Any]) -> Iterator[str]:
    yield from _fields("", record, _schema()["properties"])
    entry = record["entry"]
    if entry is None:
        return
    yield from _fields("entry.", entry, _ENTRY)
    facts = entry["facts"]
    if entry["kind"] == "attachment":
        yield from _fields("entry.facts.", {name: facts[name] for name in _BOUND if name in facts}, _BOUND)
    if entry["kind"] == "tombstone":
        yield from _fields("entry.facts.", {name: facts[name] for name in _BURIED if name in facts}, _BURIED)
        for path, one in facts["records"].items():
            if not isinstance(one, dict) or not {"previous", "leaf"} <= one.keys():
                yield f"record.json lacks previous and leaf in entry.facts.records.{path}"


def _fields(where: str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    for name in (*(name for name in wanted if name not in found), *(name for name in found if name not in wanted)):
        yield f"record.json {'has the field' if name in found else 'lacks the field'} {where}{name}"
    for name, value in found.items():
        yield from _one(f"{where}{name}", value, wanted[name])


def _one(name: str, value: Any, wanted: dict[str, Any]) -> Iterator[str]:
    """Checks one value: by the few words of JSON Schema that ours is made of."""
    if "$ref" in wanted:
        wanted = _schema()["$defs"][wanted["$ref"].rpartition("/")[2]]
    allowed: list[dict[str, Any]] = list(wanted.get("anyOf", [wanted]))
    if value is None and {"type": "null"} in allowed:
        return
    wanted = allowed[0]
    if "$ref" in wanted:
        wanted = _schema()["$defs"][wanted["$ref"].rpartition("/")[2]]
    if type(value) is not _TYPES[wanted.get("type", "object")] or ("enum" in wanted and value not in wanted["enum"]):
        yield f"record.json, '{name}': the format does not allow this value"
    elif "properties" in wanted:
        yield from _fields(f"{name}.", value, wanted["properties"])
    elif isinstance(value, list):
        for one in value:
            yield from _one(name, one, wanted["items"])
    elif isinstance(wanted.get("additionalProperties"), dict):
        for each in value.values():
            yield from _one(name, each, wanted["additionalProperties"])


def kind_of(record: Mapping[str, Any]) -> str:
    """The kind of a record in its leaf."""
    entry = record.get("entry")
    kind = entry.get("kind") if isinstance(entry, dict) else None
    return str(kind or ("entry" if entry else "run"))


def depth(raw: bytes) -> int:
    """Greatest depth of brackets, counting those inside texts too."""
    level = deepest = 0
    for sign in raw.translate(None, _BRACKETS):
        level += 1 if sign in b"[{" else -1
        deepest = max(deepest, level)
    return deepest


def nested(value: Any) -> int:
    """Depth of nested values, counted level by level."""
    level, found = [value], 0
    while level:
        inner = [list(one.values()) if isinstance(one, dict) else one for one in level if isinstance(one, (dict, list))]
        level, found = [item for one in inner for item in one], found + 1
    return found
