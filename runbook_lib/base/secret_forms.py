"""How a secret that is known comes back: as JSON, HTML, XML, an address or Python writes it, one within the other, in
base64 within whatever was packed with it, in hexadecimal, in capitals.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote, quote_plus

_DEEP = 2
"""So many ways of writing are looked for within each other: a JSON text within a JSON answer."""


class Form(NamedTuple):
    """One way in which a secret may stand in a text."""

    low: str
    """Casefolded: a text that has not even this is not searched."""
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
    """In base64 whatever stands before and behind it (`user:secret`), and in hexadecimal."""
    raw, found = secret.encode("utf-8", "replace"), {secret.encode("utf-8", "replace").hex()}
    for before in range(3):
        text = base64.b64encode(b"\0" * before + raw).decode()
        whole = text[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        found |= {whole, whole.translate(str.maketrans("+/", "-_"))}
    return found


def forms(secret: str, least: int) -> dict[str, Form]:
    """Every form of `secret` that has `least` characters or more, by how it is written."""
    found = {secret}
    for _ in range(_DEEP):
        found |= {write(text) for write in _WRITTEN for text in found}
    found |= _packed(secret)
    return {one: Form(one.casefold(), re.compile(re.escape(one), re.IGNORECASE)) for one in found if len(one) >= least}
