"""The forms in which a known secret reappears: as JSON, HTML, XML, a URL or Python writes it, also nested in another,
in base64 together with other text, in hexadecimal, in capitals.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote, quote_plus

from runbook_lib.base.masking.places import harmless

_DEEP = 2
"""Encodings inside each other that are searched: JSON text in a JSON answer is two."""


class Form(NamedTuple):
    """One form of a secret in a text."""

    low: str
    """Its casefolded text: a text without this is not searched."""
    pattern: re.Pattern[str]


def _json(text: str) -> str:
    return json.dumps(text)[1:-1]


_WRITTEN: tuple[Callable[[str], str], ...] = (
    _json,
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: _json(text).replace("/", "\\/"),
    lambda text: re.sub(r"[<>&'+=]", lambda one: f"\\u{ord(one[0]):04x}", _json(text)),
    lambda text: re.sub(r"[<>&]", lambda one: f"\\u{ord(one[0]):04x}", _json(text)),
    lambda text: repr(text)[1:-1],
    html.escape,
    lambda text: html.escape(text, quote=False),
    lambda text: html.escape(text, quote=False).replace('"', "&#34;").replace("'", "&#39;"),
    quote,
    lambda text: quote(text, safe=""),
    quote_plus,
)


def _packed(secret: str) -> set[str]:
    """The secret in base64, with any text before and behind it (`user:secret`), and in hexadecimal."""
    raw, found = secret.encode("utf-8", "replace"), {secret.encode("utf-8", "replace").hex()}
    for before in range(3):
        text = base64.b64encode(b"\0" * before + raw).decode()
        whole = text[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        found |= {whole, whole.translate(str.maketrans("+/", "-_"))}
    return found


def forms(secret: str, least: int) -> dict[str, Form]:
    """Every form of `secret` with `least` characters or more, by its spelling."""
    found = {secret}
    for _ in range(_DEEP):
        found |= {write(text) for write in _WRITTEN for text in found}
    found |= _packed(secret)
    return {one: Form(one.casefold(), re.compile(re.escape(one), re.IGNORECASE)) for one in found if len(one) >= least}


def drawn(value: str) -> bool:
    """Whether a value looks drawn at random: no word, no path, no address."""
    plain = (
        16 <= len(value) <= 4096
        and "://" not in value
        and not value.startswith(("/", ".", "~"))
        and not harmless(value)
    )
    return plain and any(map(str.isdigit, value)) and any(map(str.isalpha, value)) and not re.search(r"\s", value)
