"""Removes secrets before anything is saved: in the journal, in a notebook's outputs, in the report, in a failure quoted
from a log.

The words, shapes and places that it knows are in `runbook_lib/base/masking`; here they are put in order.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

from runbook_lib.base.masking.assigned import mask_suffixed, mask_whole
from runbook_lib.base.masking.behind import mask_behind
from runbook_lib.base.masking.blocks import mask_blocks
from runbook_lib.base.masking.clients import CLIENTS
from runbook_lib.base.masking.columns import mask_columns
from runbook_lib.base.masking.commands import mask_commands
from runbook_lib.base.masking.declared import DECLARED
from runbook_lib.base.masking.doubled import with_quotes
from runbook_lib.base.masking.drawn import KNOWN, looks_drawn, mask_drawn
from runbook_lib.base.masking.edges import breaks_alike, without_fronts
from runbook_lib.base.masking.fields import mask_objects
from runbook_lib.base.masking.grids import mask_grids
from runbook_lib.base.masking.kinds import BEGIN, EMAIL, END, KEEP, KINDS, MASK, mask_headless
from runbook_lib.base.masking.known import Form, forms, passwords
from runbook_lib.base.masking.kubernetes import mask_manifests
from runbook_lib.base.masking.lines import Window, mask_below, mask_lines
from runbook_lib.base.masking.logins import mask_logins
from runbook_lib.base.masking.names import assigns, mask_named, stemmed, telling
from runbook_lib.base.masking.nested import mask_fields, mask_nested, mask_parts
from runbook_lib.base.masking.pairs import mask_pairs
from runbook_lib.base.masking.places import around_arns, harmless
from runbook_lib.base.masking.rows import mask_rows
from runbook_lib.base.masking.said import mask_apart, mask_said
from runbook_lib.base.masking.sessions import CODES, SESSIONS
from runbook_lib.base.masking.shown import masked_as, narrower
from runbook_lib.base.masking.sql import mask_sql
from runbook_lib.base.masking.tables import mask_tables
from runbook_lib.base.masking.unseen import as_seen, without_colours
from runbook_lib.base.masking.words import mask_listed
from runbook_lib.base.masking.written import mask_written

__all__ = ["KEEP", "LEAST", "MASK", "Pieces", "forget", "know", "mask_emails", "redact_lines", "redact_text"]

# Charts in HTML: in a hundred thousand characters a pattern can only match by chance, which spoils the chart.
_IMAGE = re.compile(r"(data:image/(?:png|jpeg|gif);base64,[A-Za-z0-9+/]{64,}={0,2})")
LEAST = 8
"""Least characters of a secret that is masked everywhere: a shorter one appears in other texts by chance."""
_MOST_KNOWN = 4096
_WITHIN, _FRONTS, _KINDS = 3, 2, (*SESSIONS, *KINDS, *CODES, *CLIENTS, *DECLARED)
"""Texts within each other that are searched, beginnings of lines before each other, and the shapes."""


class _Asked:
    """The requests of this process's parameters, beside secrets."""

    emails = False
    environment = False
    """Whether what the environment holds is known."""
    known: dict[str, Form] = {}  # noqa: RUF012 - replaced, never changed
    """Forms of known secrets, the longest first."""
    clean: ClassVar[set[bytes]] = set()
    """Digests of long texts without secrets: an output is searched when it comes, when its cell ends, and
    again with its notebook."""


def mask_emails(on: bool) -> None:
    """Sets whether e-mail addresses are masked too, from now on in this process (parameter `redact_emails`)."""
    if on != _Asked.emails:
        _Asked.clean.clear()
    _Asked.emails = on


def _know_environment() -> None:
    """Masks everywhere what this process's environment variables with a telling name hold (`DB_PASSWORD`,
    `GITHUB_TOKEN`), and the password of a proxy, also without the name. A word, which other texts may have, is masked
    behind its name alone.
    """
    _Asked.environment = True
    for name, value in os.environ.items():
        if telling(name) and len(value) <= _MOST_KNOWN and looks_drawn(value, KNOWN) and not harmless(value):
            know(value)
    for secret in passwords():
        know(secret)


def know(secret: str) -> None:
    """Masks `secret` everywhere from now on in this process, in every form."""
    _Asked.known = dict(sorted((_Asked.known | forms(secret, LEAST)).items(), key=lambda one: (-len(one[0]), one[0])))
    _short.cache_clear()
    _Asked.clean.clear()


def forget() -> None:
    """Forgets all known secrets: for a process that starts afresh."""
    _Asked.environment = False
    if _Asked.known:
        _Asked.known = {}
        _short.cache_clear()
        _Asked.clean.clear()


def redact_text(text: str) -> str:
    """`text` with every recognised secret replaced by `[redacted]`; a second redaction changes nothing.

    Embedded images stay. Colours of a terminal stay if no secret is among them.
    """
    if not _Asked.environment:
        _know_environment()
    if len(text) <= _SHORT:
        return _short(text, _Asked.emails)
    digest = _digest(text)
    if digest in _Asked.clean:
        return text
    found = _whole(text)
    if len(_Asked.clean) >= _MOST_CLEAN:
        _Asked.clean.clear()
    _Asked.clean.add(digest if found == text else _digest(found))
    return found


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass")).digest()


def _whole(text: str) -> str:
    if "data:image/" in text:
        parts = _IMAGE.split(text)
        parts[::2] = [_wide(part) for part in parts[::2]]
        return "".join(parts)
    return _wide(text)


def _wide(text: str) -> str:
    """`text` redacted, also with less space between its words: a pattern gets no further than some blanks."""
    found = _within(text, _WITHIN)
    narrow = narrower(found)
    return masked_as(found, narrow, _within(narrow, _WITHIN)) if narrow else found


def _within(text: str, deep: int) -> str:
    """`text` redacted from the inside: what has masked a part of a text spoils how the text around it is written."""
    return breaks_alike(text, lambda alike: _alike(alike, deep))


def _alike(text: str, deep: int) -> str:
    before = text
    if deep and ("&" in text or "\\" in text or "%" in text or '""' in text):
        text = _hidden(text)
        whole = mask_whole(text) if "%" in text else text  # before a part of it is taken for an address
        text = mask_written(whole, lambda told: _within(told, deep - 1))
    return with_quotes(as_seen(text, lambda seen: _searched(seen, _Asked.emails)), before)


def _hidden(text: str) -> str:
    """`text` without known secrets: first, before a part of one is taken for something else."""
    small = text.casefold() if _Asked.known else ""
    for form in _Asked.known.values():
        if form.low in small:
            text = form.pattern.sub(MASK, text)
            small = text.casefold()
    return text


def _searched(text: str, emails: bool, deep: int = _FRONTS) -> str:
    text = _hidden(text)
    text = mask_grids(text, text.casefold())  # first: a number before each line is a table's index, too
    if deep and stemmed(text.casefold()):  # first: a name takes the sign before the next line for its value
        text = without_fronts(text, lambda bare: _searched(bare, emails, deep - 1), first=deep == _FRONTS)
    return around_arns(text, lambda one: _told(one, emails), lambda arn: _shaped(arn, arn.casefold(), emails))


def _told(text: str, emails: bool) -> str:
    small = text.casefold()
    for mask in (mask_apart, mask_logins, mask_columns, mask_tables, mask_rows, mask_manifests, mask_objects):
        text = mask(text, small)
    assigned = assigns(small)
    text = mask_fields(_shaped(mask_whole(text) if assigned else text, small, emails), small)
    if "-----end" in small:
        text = mask_headless(text)
    if "\n" in text:
        text = mask_below(text, lambda line: _short(line, emails))
    text = mask_named(mask_nested(mask_suffixed(text)) if assigned else text, small, assigned=assigned)
    for mask in (mask_pairs, mask_sql, mask_said, mask_commands, mask_listed, mask_behind, mask_blocks):
        text = mask(text, small)
    return mask_drawn(mask_parts(text))


def _shaped(text: str, small: str, emails: bool) -> str:
    for kind in (*_KINDS, EMAIL) if emails else _KINDS:
        for needle in kind.needles:  # a generator for each kind would take longer than the search
            if needle in small:
                text = kind.pattern.sub(kind.replacement, text)
                break
    return text


_MOST_CLEAN = 20_000
_SHORT = 60


@lru_cache(maxsize=4096)
def _short(text: str, emails: bool) -> str:  # noqa: ARG001 - part of the question
    """Names and words repeat: nine of ten short texts of a run are searched once."""
    return _whole(text)


class Pieces:
    """Redacts a series of texts that belong together, such as lines as they come: a private key spans several, and a
    name stands on a line before its value.

    Call it with each text in turn.
    """

    def __init__(self) -> None:
        self._open = False
        self._window = Window(redact_text)

    def __call__(self, text: str) -> str:
        """`text`, redacted with regard to the texts before it."""
        return self._window(self.blocks(text))

    def blocks(self, text: str) -> str:
        """`text` with only private keys masked, whether they begin, continue or end in it."""
        if not self._open and "-----BEGIN" not in text:
            return text
        bare = without_colours(text)
        kept, at = list[str](), 0
        begin = None if self._open else BEGIN.search(bare)
        while self._open or begin:
            if begin:
                kept.append(bare[at : begin.start()])
                at = begin.end()
            end = END.search(bare, at)
            self._open = end is None
            if end is None:
                blank = not begin and not bare.strip()
                return bare if blank else "".join([*kept, MASK]) + "\n" * bare.endswith("\n")
            kept.append(MASK)
            at = end.end()
            begin = BEGIN.search(bare, at)
        return "".join([*kept, bare[at:]])


def redact_lines(lines: Sequence[str]) -> list[str]:
    """The lines of one output, redacted as the text that they are; as many as before."""
    pieces = Pieces()
    return mask_lines([pieces.blocks(line) for line in lines], redact_text)
