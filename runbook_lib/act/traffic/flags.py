"""The two flag documents, in AppConfig's own format (`AWS.AppConfig.FeatureFlags`), built and read in one place.

Dial: `percent` (0..100), a constrained attribute of an always enabled flag. Switch: the flag's own `enabled`.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

CONTENT_TYPE = "application/json"
MAX_DESCRIPTION = 1024
"""Characters that AppConfig takes for the description of a deployment."""


def dial_document(flag: str, percent: float) -> dict[str, Any]:
    """The dial at `percent`.

    Raises:
        ValueError: outside 0..100.
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
    """The switch, on or off."""
    return {"version": "1", "flags": {flag: {"name": flag}}, "values": {flag: {"enabled": enabled}}}


def encode(document: dict[str, Any]) -> bytes:
    """The same bytes for the same document."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def value_of(content: bytes, flag: str) -> dict[str, Any]:
    """The values of `flag` in a document; empty for what is no such document."""
    try:
        values = json.loads(content)["values"][flag]
    except (ValueError, KeyError, TypeError):
        return {}
    return values if isinstance(values, dict) else {}


def same_value(content: bytes, document: dict[str, Any]) -> bool:
    """Whether `content` says what `document` says; AppConfig adds time stamps of its own to what it hands out."""
    return all(
        key in value_of(content, flag) and value_of(content, flag)[key] == value
        for flag, values in document["values"].items()
        for key, value in values.items()
    )


def describe(*, release: str, notebook: str, attempt: int, run: str, until: dt.datetime | None = None) -> str:
    """The description of a deployment: which run of which rollout made it, and until when it soaks (UTC)."""
    parts = [f"runbook release={release} notebook={notebook} attempt={attempt} run={run}"]
    if until is not None:
        parts.append(f"until={until.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}")
    return " ".join(parts)
