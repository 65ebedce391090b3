"""The values of a Kubernetes Secret, whatever their names: `data` and `stringData` beside `kind: Secret`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from runbook_lib.base.masking.kinds import MASK, Match
from runbook_lib.base.masking.places import harmless

HELD = ("data", "stringdata", "binarydata")
"""Keys of a Secret below which each value is secret, in small letters."""
_DOCUMENT = re.compile(r"(?m)^(?=---)")
_KIND = re.compile(r"(?m)(?:^|(?<=[ ]))kind:[ ]*[\"']?Secret[\"']?[ ]*$")
_BLOCK = re.compile(
    r"(?m)^(?P<head>(?P<indent>[ ]{0,40})(?:-[ ])?(?:data|stringData):[ ]*\n)"
    r"(?P<body>(?:(?P=indent)[ ]+[^\n]*(?:\n|\Z)|[ ]*\n)+)"
)
_ENTRY = re.compile(
    r"(?m)^(?P<head>(?P<indent>[ ]+)[\"']?[\w./-]{1,253}[\"']?:[ ]+)(?P<value>[^\n]+(?:\n(?P=indent)[ ]+[^\n]*)*)"
)
_OBJECT = re.compile(r"(?P<head>\\{0,7}\"(?:data|stringData)\\{0,7}\"\s{0,8}:\s{0,8}\{)(?P<body>[^{}]{1,200000})(?=\})")
_PAIR = re.compile(
    r"(?P<head>(?P<q>\\{0,7}\")[\w./-]{1,253}(?P=q)\s{0,8}:\s{0,8}(?P=q))(?P<value>(?:(?!(?P=q))[^\n])+)"
)
_JSON = re.compile(r"\"kind\\{0,7}\"\s{0,8}:\s{0,8}\\{0,7}\"secret\\{0,7}\"")


def is_secret(value: Mapping[Any, Any]) -> bool:
    """Whether a mapping is a Kubernetes Secret."""
    return value.get("kind") == "Secret" and ("data" in value or "stringData" in value)


def mask_manifests(text: str, small: str) -> str:
    """`text` with the values of Secrets masked; `small`: the same text in small letters."""
    if "secret" not in small or "kind" not in small or "data" not in small:
        return text
    if "\n" in text and "kind:" in small:
        text = "".join(map(_document, _DOCUMENT.split(text)))
    if _JSON.search(small):
        text = _OBJECT.sub(lambda match: match["head"] + _PAIR.sub(_value, match["body"]), text)
    return text


def _document(text: str) -> str:
    if not _KIND.search(text):
        return text
    return _BLOCK.sub(lambda match: match["head"] + _ENTRY.sub(_value, match["body"]), text)


def _value(match: Match) -> str:
    return match[0] if harmless(match["value"].strip("\"'")) else match["head"] + MASK
