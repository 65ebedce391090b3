"""Another program's text on one line of ours."""

from __future__ import annotations

import re

from runbook_lib.base.redact import MASK, redact_text

_MOST = 300
"""Most characters of another program's text in one of our sentences."""
_USER = re.compile(r"(?<=://)[^\s/@\"'<>]{1,200}(?=@)")
"""The user in an address: it may be a token, and nobody needs it to find the host."""


def one_line(text: object) -> str:
    """Another program's text on one line, without control characters, shortened; of a web page only its title."""
    said = str(text)
    page = re.search(r"<!doctype html|<(?:html|head|body)[\s>]", said[:2000], re.I)
    if page:
        title = re.search(r"<title[^>]*>([^<]{0,200})", said[:20_000], re.I)
        before = said[: page.start()].rstrip(" \t\r\n'\"b:") if page.start() else ""
        said = f"{before + ': ' if before else ''}a web page{f' ({title[1].strip()})' if title else ''}"
    said = "".join(" " if char.isspace() or not char.isprintable() else char for char in said[: 10 * _MOST])
    said = _USER.sub(MASK, redact_text(re.sub(r" {2,}", " ", said).strip()))
    return said if len(said) <= _MOST else f"{said[: _MOST - 2]} …"
