"""The two flag documents, in AppConfig's own format (`AWS.AppConfig.FeatureFlags`), built and read in one place.

Dial: `percent` (0..100), a constrained attribute of a flag that is always enabled. Switch: the flag's own `enabled`.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any

from runbook_lib.base.window import when

CONTENT_TYPE = "application/json"
MAX_DESCRIPTION = 1024
"""Most characters of a deployment's description that AppConfig accepts."""


def dial_document(flag: str, percent: float) -> dict[str, Any]:
    """The document of the dial at `percent`.

    Raises:
        ValueError: `percent` is outside 0..100.
    """
    if not 0 <= percent <= 100:
        raise ValueError(f"percent is {percent:g}, expects 0 to 100")
    bounds = {"type": "number", "minimum": 0, "maximum": 100, "required": True}
    return {
        "version": "1",
        "flags": {flag: {"name": flag, "attributes": {"percent": {"constraints": bounds}}}},
        "values": {flag: {"enabled": True, "percent": int(percent) if float(percent).is_integer() else percent}},
    }


def switch_document(flag: str, enabled: bool) -> dict[str, Any]:
    """The document of the switch, on or off."""
    return {"version": "1", "flags": {flag: {"name": flag}}, "values": {flag: {"enabled": enabled}}}


def encode(document: dict[str, Any]) -> bytes:
    """The document as bytes; the same document always gives the same bytes."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def value_of(content: bytes, flag: str) -> dict[str, Any] | None:
    """The values of `flag` in a document, empty if it has no such flag; None: the bytes are no such document, but half
    an answer or a login page, and say nothing of the flag; or it is neither on nor off.
    """
    try:
        values = json.loads(content)["values"]
        found = values.get(flag, {})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    whole = isinstance(values, dict) and isinstance(found, dict) and isinstance(found.get("enabled", False), bool)
    return found if whole else None


def same_value(content: bytes, document: dict[str, Any]) -> bool:
    """Whether both have the same values; AppConfig adds time stamps of its own to a document."""
    return all(
        key in (kept := value_of(content, flag) or {}) and kept[key] == value
        for flag, values in document["values"].items()
        for key, value in values.items()
    )


def describe(*, release: str, notebook: str, attempt: int, run: str, until: dt.datetime | None = None) -> str:
    """The description of a deployment: which run of which rollout made it, and until when it soaks (UTC)."""
    parts = [f"runbook release={release} notebook={notebook} attempt={attempt} run={run}"]
    if until is not None:
        parts.append(f"until={until.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}")
    return " ".join(parts)


def tags(description: str) -> dict[str, str]:
    """The `key=value` words of a deployment's description."""
    return dict(re.findall(r"(\w+)=(\S+)", description))


def made_by(description: str) -> str:
    """The deployment's maker as text: `rollback_1_async_failing (run 1a2b)`; empty if the description does not say."""
    said = tags(description)
    run = f" (run {said['run']})" if said.get("run") else ""
    return f"{said['notebook']}{run}" if said.get("notebook") else ""


def told(what: str, at: str | dt.datetime | None, description: str | None, state: str = "") -> str:
    """A deployment or a step in words: since when, by whom, and its state if it is not simply in force.

    >>> told("deployment 4", "2026-11-23T03:05:59Z", "runbook notebook=rollback_1_async_failing run=1a2b", "COMPLETE")
    'deployment 4, of 2026-11-23 03:05:59 UTC, by rollback_1_async_failing (run 1a2b)'
    """
    since = when(at, seconds=True)
    how = f", {state.lower().replace('_', ' ')}" if state not in ("", "COMPLETE") else ""
    foreign = f", described as '{description}'" if description else ", without a description"
    by = f", by {made}" if (made := made_by(description or "")) else foreign
    return f"{what}, {f'of {since}' if since else 'of an unknown time'}{by}{how}"
