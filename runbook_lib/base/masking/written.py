"""Masks secrets in texts within a text, as the reader sees them: HTML writes its signs as entities (`&quot;`), JSON and
programs write a line break as a backslash and a letter, which looks like a part of the next word, an address writes a
quote as `%22`, which looks like a part of the token behind it.
"""

from __future__ import annotations

import ast
import html
import json
import re
from collections.abc import Callable
from urllib.parse import quote, unquote_to_bytes

from runbook_lib.base.errors import NO_PYTHON
from runbook_lib.base.masking.doubled import mask_doubled
from runbook_lib.base.masking.kinds import MASK
from runbook_lib.base.masking.names import telling

_ENTITY = re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|#[0-9]{1,6}|#x[0-9a-fA-F]{1,6});")
_TOLD = re.compile(r"(?:\A|(?<=>))[^<>]+|(?<==)\"[^\"<>]*\"|(?<==)'[^'<>]*'")
"""What HTML shows between two tags, or has as the value of an attribute."""
_QUOTES = re.compile(r"&(?:quot|apos|#0*3[49]|#[xX]0*2[27]);")
_LITERAL = re.compile(
    r"(?<![\\A-Za-z0-9\"'])(?:[bB](?=[\"']))?"
    r"(?:\"(?:[^\"\\\n]|\\[^\n])*\"(?!\")|'(?:[^'\\\n]|\\[^\n])*'(?!'))",
    re.ASCII,
)
"""A text as JSON or a program's source has it, but for one in three quotes."""
_UNKNOWN = re.compile(
    r"(?<!\\)(?:\\\\)*\\(?![\\'\"abfnrtv]|[0-3][0-7]{0,2}|[0-7]{1,2}(?![0-7])|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})"
)
_ESCAPE = re.compile(r"\\{1,4}(?:[nrt]|u(?!00[0-7]|[dD][89a-fA-F])[0-9a-fA-F]{4})")
"""A line break, a tab, or a letter beyond ASCII."""
_LETTERS = {"n": "\n", "r": "\r", "t": "\t"}
_WORD = re.compile(r"[^\s\"'<>]+")
_ENCODED = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
"""Signs as an address writes them (RFC 3986, section 2.1)."""
_BETWEEN = re.compile(r"([?&=;#])")
_SIGN = re.compile(r"%([0-9A-Fa-f]{2})")
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=@:$(){}[]*")
"""Signs that end no value. Another one is a part of the value in which it is encoded, ..."""
_SAME = 0xE000
_STANDS = re.compile("[\ue000-\ue0ff]")
"""... and a sign for private use stands for it as long as the address is searched."""
_SHORT_NAMES = ("sig", "signature", "awsaccesskeyid", "pwd", "pass", "pw", "psw", "auth")
"""Names that tell a secret in a query, beside those that tell one everywhere."""


def mask_written(text: str, mask: Callable[[str], str]) -> str:
    """`text` with what `mask` masks in the texts that are written within it."""
    text = mask_doubled(text, mask)
    if "%" in text and _ENCODED.search(text):
        text = _WORD.sub(lambda match: _address(match[0], mask) if "%" in match[0] else match[0], text)
    pieces = _pieces(text, mask) if "\\" in text else [text]
    if "&" in text and _ENTITY.search(text):
        pieces = [_TOLD.sub(lambda match: _told(match[0], mask), "".join(pieces))]
    if "\\" not in text:
        return "".join(pieces)
    pieces[::2] = [_lines(piece, mask) for piece in pieces[::2]]
    return "".join(pieces)


def _pieces(text: str, mask: Callable[[str], str]) -> list[str]:
    """What stands between the texts of a program, and these, masked, in turn."""
    kept, at = list[str](), 0
    for literal in _LITERAL.finditer(text):
        if "\\" in literal[0] and (masked := _literal(literal[0], mask)) is not None:
            kept += [text[at : literal.start()], masked]
            at = literal.end()
    return [*kept, text[at:]]


def _literal(written: str, mask: Callable[[str], str]) -> str | None:
    """A text of a program, masked as the program has it; None: it is none."""
    if written[0] == "'" and written[1] in "{[" and _is_json(written[1:-1]):  # between a shell's quotes
        return f"'{mask(written[1:-1])}'"
    if written[0] != '"' and _UNKNOWN.search(written):
        return None
    try:
        seen = json.loads(written, strict=False) if written[0] == '"' else ast.literal_eval(written)
        told = seen.decode() if isinstance(seen, bytes) else seen
    except NO_PYTHON:
        return None
    if (masked := mask(told)) == told:
        return written
    if isinstance(seen, bytes):
        return repr(masked.encode("utf-8", "surrogatepass"))
    return json.dumps(masked, ensure_ascii=written.isascii()) if written[0] == '"' else repr(masked)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _lines(text: str, mask: Callable[[str], str]) -> str:
    if "\\" not in text or not _ESCAPE.search(text):
        return text
    return "\n".join(_line(line, mask) if "\\" in line else line for line in text.split("\n"))


def _told(written: str, mask: Callable[[str], str]) -> str:
    """Text of HTML, masked as its reader sees it."""
    if not _ENTITY.search(written):
        return written
    value = written[0] in "\"'" and written[0] == written[-1] and len(written) > 1
    around = written[0] if value else ""
    seen = html.unescape(written[1:-1] if value else written)
    masked = mask(seen)
    if masked == seen:
        return written
    return f"{around}{html.escape(masked, quote=value or bool(_QUOTES.search(written)))}{around}"


def _address(word: str, mask: Callable[[str], str]) -> str:
    """An address: each of its values is a text of its own, and together they have the names before the values."""
    values = _BETWEEN.split(word)
    # One behind a name that tells is a secret as a whole: what is in it would hide a part.
    told = {at for at in range(2, len(values), 2) if values[at - 1] == "=" and _tells(values[at - 2])}
    values = [_decoded(one, mask) if "%" in one and at not in told else one for at, one in enumerate(values)]
    whole = "".join(values)
    if _STANDS.search(whole):
        return _decoded(whole, mask)
    for at in told:
        values[at] = _SIGN.sub(_stand, values[at])
    return _STANDS.sub(lambda match: f"%{ord(match[0]) - _SAME:02X}", _decoded("".join(values), mask))


def _stand(match: re.Match[str]) -> str:
    sign = int(match[1], 16)
    return match[0] if sign in _PLAIN else chr(_SAME + sign)


def _tells(written: str) -> bool:
    name = re.split(r"[^\w.-]", unquote_to_bytes(written[-200:]).decode(errors="replace"))[-1]
    return telling(name) or name.casefold() in _SHORT_NAMES


def _decoded(written: str, mask: Callable[[str], str]) -> str:
    """A part of an address, masked as the program behind it reads it; what stays is written as it was."""
    seen = _ENCODED.sub(lambda match: _letters(match[0]), written)
    masked = mask(seen) if seen != written or _STANDS.search(seen) else seen
    if masked == seen:
        return written
    spelt = _spelt(written)
    found, at = [], 0
    for number, piece in enumerate(pieces := masked.split(MASK)):
        first, last = number == 0, number == len(pieces) - 1
        begin = 0 if first else len(seen) - len(piece) if last else seen.find(piece, at)
        same = begin >= at and seen.startswith(piece, begin)
        at = begin + len(piece) if same else at
        found.append("".join(spelt[begin:at]) if same else quote(piece, safe="/?&=;#:@!$'()*+,~"))
    return MASK.join(found)


def _letters(signs: str) -> str:
    """What encoded signs are; themselves if they are no text."""
    try:
        return unquote_to_bytes(signs).decode()
    except UnicodeDecodeError:
        return signs


def _spelt(written: str) -> list[str]:
    """How each letter of what a part of an address is was written."""
    spelt, at = list[str](), 0
    for match in _ENCODED.finditer(written):
        spelt += written[at : match.start()]
        at, told = match.end(), _letters(match[0])
        begin = match.start()
        for letter in told:
            many = 1 if told == match[0] else 3 * len(letter.encode())
            spelt.append(written[begin : begin + many])
            begin += many
    return [*spelt, *written[at:]]


def _line(line: str, mask: Callable[[str], str]) -> str:
    """A line of a program's text, masked as the lines that it becomes."""
    spelt: dict[str, str] = {}

    def written(match: re.Match[str]) -> str:
        end = match[0].lstrip("\\")
        letter = _LETTERS.get(end) or chr(int(end[1:], 16))
        spelt.setdefault(letter, match[0])
        return letter

    seen = _ESCAPE.sub(written, line)
    masked = mask(seen) if spelt else seen
    if masked == seen:
        return line
    return "".join(spelt.get(letter, letter) for letter in masked)
