"""A change to AWS in words: what, from, to, what came of it, and the way back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from runbook_lib.base.window import when
from runbook_lib.record.record import Change

_MANY, _LONG = 4, 160
"""From this many equal facts on they are counted; a way back with more characters is folded away."""
_BOOLEANS = ("yes", "no")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_HASH = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{28,}\b")


def change_row(change: Change) -> dict[str, str]:
    """One change as text: what, from, to, its outcome, the way back."""
    intent, outcome = change.intent, change.outcome or {}
    came = "not known: begun, and not read back" if change.open else _facts(outcome.get("read_back"))
    if not change.open and outcome.get("ok") is False:
        came = f"not as meant: {came}"
    undo, by_hand = str(intent.get("undo") or ""), str(intent.get("by_hand") or "")
    if "by_hand" not in intent:
        undo, by_hand = _undo_0_1(undo)
    if outcome.get("error"):
        # What was read back decides: "switching async off failed" stood beside a switch that is off.
        came += " (its call ended with an error)" if outcome.get("ok") else f" ({outcome['error']})"
    return {
        "what": str(intent.get("what", "?")).replace("->", "→"),
        "before": _facts(intent.get("before")),
        "after": _facts(intent.get("after")),
        "came": came,
        "undo": undo or "–",
        "by_hand": by_hand,
        "state": "open" if change.open else "done" if outcome.get("ok", True) else "bad",
    }


def _undo_0_1(text: str) -> tuple[str, str]:
    """The way back in words, and its commands: version 0.1 kept both in one text."""
    said, mark, commands = text.partition("; by hand: ")
    if mark or len(text) <= _LONG:
        return said, commands
    said, mark, commands = text.partition(": ")
    return (said, commands) if mark and len(said) <= _LONG else ("by the commands", text)


def _facts(value: Any) -> str:
    if isinstance(value, Mapping):
        named = {str(key).replace("_", " "): _fact(item) for key, item in value.items() if not _internal(key, item)}
        many = {text for text, count in Counter(named.values()).items() if text and count >= _MANY}
        alike = [f"{list(named.values()).count(text)} {text}" for text in sorted(many)]
        rest = [(key, text) for key, text in named.items() if text and text not in many]
        each = [f"{key}: {text}" if text in _BOOLEANS else f"{key} {text}" for key, text in rest]
        return ", ".join([*alike, *each]) or "–"
    return "–" if value is None else _fact(value)


def each_fact(value: Any) -> list[tuple[str, str]]:
    """The structured facts of an entry, as name and text."""
    named = value.items() if isinstance(value, Mapping) else ()
    told = [(str(key).replace("_", " "), _fact(item)) for key, item in named if not _internal(key, item)]
    return [(name, text) for name, text in told if text]


def _internal(name: str, value: Any) -> bool:
    """Whether a read-back fact is for the runbook only: the record keeps it, the report does not show it."""
    return name == "busy" or (name == "description" and str(value).startswith("runbook "))


def _fact(value: Any) -> str:
    """One value as text: yes and no, numbers without needless digits, the beginning of a hash."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return _facts(value)
    if isinstance(value, (list, tuple)):
        more = f" and {len(value) - _MANY} more" if len(value) > _MANY else ""
        return ", ".join(_fact(item) for item in value[:_MANY]) + more or "none"
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        return when(value, seconds=True)
    return f"{value:g}" if isinstance(value, float) else _HASH.sub(r"\1…", str("" if value is None else value))
