"""Known secrets: the forms in which one reappears (as JSON, HTML, XML, a URL or Python writes it, also nested in
another, in base64 together with other text, in hexadecimal, in capitals), and the user and password in the address
of a proxy or an endpoint, as people write it: its scheme may be missing or misspelt, its port wrong, and its
password may have any sign. Its place tells that it is an address.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import quote, quote_plus

from runbook_lib.base.masking.kinds import MASK

_LEAST = 2
"""Letters and digits in a row that a text must have before the signs of a secret are looked for."""
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
    found |= {raw.hex(":"), raw.hex(" ")}
    for before in range(3):
        text = base64.b64encode(b"\0" * before + raw).decode()
        whole = text[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        found |= {whole, whole.translate(str.maketrans("+/", "-_"))}
    return found


_SIGN = re.compile(r"[A-Za-z0-9]+|[\\^'\"%$]+|.", re.DOTALL)
"""Parts of a secret: signs in a row that languages write twice, or with others. What stands before one of them may
be another of them, so they are one part.
"""
_MORE = {"'": 3, '"': 3, "%": 2, "$": 2}
"""How many times as many a sign's own row becomes; `_MOST`: one with several signs."""
_MOST = 5


def _escaped(part: str, behind: str) -> str:
    """A pattern for a part of a secret as languages escape it: behind a backslash or a caret, several times, between
    other quotes, by its number. Each is tried once (`(?>`), so the time is linear. `behind`: the next part.
    """
    if part.isalnum():
        return part
    signs = sorted(set(part))
    ways = [
        rf"\\{{1,4}}(?:x|u00){ord(one):02x}|%(?:25)?{ord(one):02x}|&(?:amp;)?#(?:{ord(one)}|x{ord(one):x});"
        for one in signs
    ]
    ways += [html.escape(one) for one in signs if one in "<>&'\""]
    others = re.escape("".join(one for one in signs if one not in "\\^"))
    if "\\" in part or "^" in part:
        ways.append(rf"\^|\\(?!(?:x|u00){ord(behind[0]):02x})" if behind else r"\^|\\")  # its number is its own
        ways += [f"[{others}]"] * bool(others)
    else:
        ways.append(rf"[\\^]{{0,4}}[{others}]")
    ways += ['"\'"'] * ("'" in part and '"' not in part)
    most = _MORE.get(part[0], 1) if signs == [part[0]] and others else _MOST
    return rf"(?>(?:{'|'.join(ways)}){{{len(part)},{most * len(part)}}})"


def _loose(secret: str) -> Form | None:
    """The secret with any of its signs escaped; None: none can be, or no part of it is long enough to look for."""
    parts = _SIGN.findall(secret)
    least = max(filter(str.isalnum, parts), key=len, default="")
    if len(least) < _LEAST or len(parts) == 1 or not secret.isascii():
        return None
    pattern = "".join(map(_escaped, parts, [*parts[1:], ""]))
    return Form(least.casefold(), re.compile(pattern, re.IGNORECASE))


def forms(secret: str, least: int) -> dict[str, Form]:
    """Every form of `secret` with `least` characters or more, by its spelling."""
    found = {secret}
    for _ in range(_DEEP):
        found |= {write(text) for write in _WRITTEN for text in found}
    found |= _packed(secret)
    exact = {one: Form(one.casefold(), re.compile(re.escape(one), re.IGNORECASE)) for one in found if len(one) >= least}
    loose = _loose(secret) if exact else None
    return exact | ({f"{secret} escaped": loose} if loose else {})


_SCHEME = re.compile(r"\s*(?:[A-Za-z][A-Za-z0-9+.-]{0,20}:/{1,3}|(?:https?|socks\w?)[:/]{1,3}|/{2})?", re.IGNORECASE)
_PATH = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://[A-Za-z0-9.-]{1,253}(?::\d{1,5})?/")
"""A whole address up to its path, in which a sign such as `@` says nothing."""


def is_address(name: str) -> bool:
    """Whether an environment variable of this name holds the address of a proxy or of an endpoint of AWS."""
    large = name.upper()
    return (large.endswith("_PROXY") and large != "NO_PROXY") or large.startswith("AWS_ENDPOINT_URL")


def without_login(address: str) -> str:
    """An address without user and password: nobody needs them to find the host."""
    before, at, host = address.rpartition("@")
    if at and _PATH.match(address):
        return address
    return f"{_scheme(before)}{MASK}@{host}" if at else address


def _scheme(text: str) -> str:
    found = _SCHEME.match(text)
    return found[0] if found else ""


def passwords() -> Iterator[str]:
    """What this process's environment has of them: `user:password`, and the password alone if it is no plain word,
    which other texts may have.
    """
    for name, value in os.environ.items():
        before, at, _ = value.rpartition("@")
        login = before[len(_scheme(before)) :]
        if at and ":" in login and is_address(name):
            yield login
            password = login.partition(":")[2]
            if not password.isalpha():
                yield password
