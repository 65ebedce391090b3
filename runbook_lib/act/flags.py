"""The two flag documents, in AppConfig's own format (`AWS.AppConfig.FeatureFlags`), built and read in one place.

Dial: `percent` (0..100), a constrained attribute of an always enabled flag. Switch: the flag's own `enabled`.
"""

from __future__ import annotations

import json
from typing import Any

CONTENT_TYPE = "application/json"


def dial_document(flag: str, percent: float) -> dict[str, Any]:
    """The dial at `percent`.

    Raises:
        ValueError: outside 0..100.
    """
    if not 0 <= percent <= 100:
        raise ValueError(f"percent is {percent:g}, wants 0 to 100")
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


def same_value(content: bytes, document: dict[str, Any]) -> bool:
    """Whether `content` says what `document` says; AppConfig adds time stamps of its own to both halves."""
    try:
        found = json.loads(content)["values"]
        return all(
            key in found.get(flag, {}) and found[flag][key] == value
            for flag, values in document["values"].items()
            for key, value in values.items()
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
