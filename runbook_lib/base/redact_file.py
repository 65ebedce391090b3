"""Removes secrets from the content of a file."""

from __future__ import annotations

import json

from runbook_lib.base.redact import redact_text
from runbook_lib.base.redact_data import redact


def redact_file(name: str, raw: bytes) -> bytes:
    """The content of a file without secrets; binary content, and content without secrets, comes back byte for byte.

    JSON (`.json`, `.jsonl`) stays JSON: it is written again if something in it is masked.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return raw
    if name.endswith(".json"):
        clean = _json(text)
    elif name.endswith(".jsonl"):
        clean = "\n".join(_json(line) if line.strip() else line for line in text.split("\n"))
    else:
        clean = redact_text(text)
    return raw if clean == text else clean.encode()


def _json(text: str) -> str:
    try:
        loaded = json.loads(text)
        clean = redact(loaded)
    except (ValueError, RecursionError):
        return redact_text(text)
    if json.dumps(clean) == json.dumps(loaded):
        return text
    return json.dumps(clean, indent=1 if "\n" in text.strip() else None, ensure_ascii=False)
