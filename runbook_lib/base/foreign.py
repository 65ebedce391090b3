"""Text that others wrote (a log line, a job's error, a name in a record), escaped for its medium: one function per
medium.
"""

from __future__ import annotations

import html as _html
import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping

# What draws nothing by itself, in which a whole text can be hidden: category Cf (with the marks of writing direction)
# and Default_Ignorable_Code_Point, but what emoji and words have within them.
UNSEEN = (
    r"\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    r"\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
SELECTORS, JOINERS = r"\ufe00-\ufe0f", r"\u200c\u200d"
# Controls (terminal sequences begin with them), line ends of Unicode and half characters.
_NEVER = rf"\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff{UNSEEN}"
_SELECT, _JOIN = f"[{SELECTORS}]", f"[{JOINERS}]"
_SIGN = rf"[^\x00-\xa0\u2000-\u200d\u3000\ufe00-\ufe0f{_NEVER}]"
# Within an emoji, or a word of a script that needs them, one selector and a joiner stay.
_CONTROL = re.compile(
    rf"[{_NEVER}]|{_SELECT}(?<!{_SIGN}{_SELECT})(?!(?<=[#*0-9]\ufe0f)\u20e3)"
    rf"|{_JOIN}(?:(?<!{_SIGN}{_JOIN})(?<!{_SIGN}{_SELECT}{_JOIN})|(?!{_SIGN}))"
)
# Markdown's own marks, anywhere in a line and at its beginning, read literally after a backslash.
_MARKS = r"([`*\[\]|~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|\A(?:[#+=:-]|[0-9]{1,9}(?=[.)](?:\s|\Z))))"
# Formulas (JupyterLab looks for them in what is rendered, and takes `\\` for an escape), mentions, links to issues,
# emoji and addresses: a sign alone in its element begins none.
_LIVE = (
    r"([$\\]|@(?=\w)|#(?=[0-9])|(?<=\bGH)-(?=[0-9])|(?<=[Ww]{3})\."
    r"|:(?=//|[A-Za-z_+-][\w+-]*:|[0-9]+[A-Za-z_][\w+-]*:|(?:100|1234):))"
)
_MARKDOWN = re.compile(f"{_LIVE}|{_MARKS}")
LITERAL = re.compile(r"<span>&#[0-9]+;</span>")
"""One sign as `markdown` spells it where a backslash does not help."""


_CHAT = re.compile(r"<[A-Za-z!@#/]|\]\(")
"""The beginning of a mention (`<!channel>`), of a tag, or of a link's address."""
_TAGS = re.compile(r"(\\*)\[(?=([a-z#/@][^\[]*?\])?)")
"""A bracket, and whether rich takes it for the beginning of a tag."""
_LONG = re.compile(r"\S{400,}")
_ENDS = 120
_TOLD = 2_000
_MUCH = 100_000
"""Characters of which only the ends are searched."""
_TORN = 2_000
"""Characters before a cut that may be the first part of a secret."""


def short(text: str) -> str:
    """A sentence without walls of text: of a path or a name of hundreds of characters its two ends, and how many."""
    return _without_walls(_clean(text))


def _without_walls(text: str) -> str:
    return _LONG.sub(lambda all_: f"{all_[0][:_ENDS]} …({len(all_[0]):,} characters)… {all_[0][-_ENDS:]}", text)


def told(text: str) -> str:
    """The sentence of an error that others wrote: of megabytes the two ends, which say what it is."""
    if len(text) <= _MUCH:
        begin = end = short(text)
        if len(begin) <= _TOLD:
            return begin
    else:
        begin, end = _without_walls(head(text, _TOLD)), _without_walls(_clean(text[-_TOLD - 2 * _TORN :])[_TORN:])
    return f"{begin[: _TOLD // 2]} …({len(text):,} characters)… {end[-_TOLD // 2 :]}"


def _clean(text: str) -> str:
    from runbook_lib.base.redact import redact_text

    return redact_text(text)


def head(text: str, most: int) -> str:
    """The first `most` characters of a text, redacted: one that is cut and redacted then keeps half a secret."""
    read = most + 2 * _TORN  # what is masked gets shorter
    clean = _clean(text[:read])
    return clean[: most if len(text) <= read else min(most, max(0, len(clean) - _TORN))]


def terminal(text: object) -> str:
    """Text for a terminal: control characters are shown as `\\x1b`; line ends and tabs stay."""
    told = str(text)
    return told if told.isascii() and told.isprintable() else _CONTROL.sub(_shown, told)


def stderr(text: object) -> None:
    """Prints `terminal` of a sentence on standard error."""
    print(terminal(unnumbered(str(text))), file=sys.stderr, flush=True)


def unnumbered(text: str) -> str:
    """A sentence without the number with which Python begins what an OSError says: it tells nobody anything.

    >>> unnumbered(f"a cannot be written ({PermissionError(13, 'Permission denied', 'a')})")
    "a cannot be written (Permission denied: 'a')"
    """
    return re.sub(r"\[Errno -?[0-9]+\] ", "", text)


def line(text: object) -> str:
    """Text that stays on its line, each of its signs seen: a name that somebody gave a file. Its line ends are shown
    as `\\n`.
    """
    told = terminal(text)
    return told if told.isprintable() else told.replace("\n", "\\n").replace("\t", "\\t")


def field(text: object) -> str:
    """`terminal` for one field of a line: without line ends and tabs."""
    return terminal(" ".join(_clean(str(text)).split()))


_LINE_END = re.compile(r"\r\n|[\r\n]")
_FORMULA = re.compile(r"[\s\u2800]*[=+@\uff1d\uff0b\uff20\uff0d\ufe66\ufe62\ufe6b\ufe63\u207a\u208a\u207c\u208c-]")
"""The beginning of a text that a spreadsheet would compute, in any width, with spaces of any kind in front."""


def cell(text: object) -> str:
    """`terminal` for a cell of CSV, which spreadsheets and terminals open: on one line, as Athena reads it, and with an
    apostrophe in front of what a spreadsheet would compute.

    >>> cell("=cmd()"), cell("a\\nb")
    ("'=cmd()", 'a b')
    """
    told = terminal(_LINE_END.sub(" ", str(text)))
    return f"'{told}" if _FORMULA.match(told) else told


def word(text: object) -> str:
    """Text as one word of a command that is pasted into a shell (bash, zsh): what does not print is spelt out.

    >>> print(word("params/prod.yaml"), word("it's"), word("a\\nb"))
    params/prod.yaml 'it'"'"'s' $'a\\nb'
    """
    told = str(text)
    if told.isprintable() and not _CONTROL.search(told):
        return shlex.quote(told)
    spelt = "".join(_spelt(char) for char in told)
    return f"$'{spelt}'"


def _spelt(char: str) -> str:
    if char.isprintable() and not _CONTROL.match(char):
        return f"\\{char}" if char in "\\'" else char
    return {"\n": "\\n", "\t": "\\t"}.get(char) or "".join(f"\\x{byte:02x}" for byte in os.fsencode(char))


def html(text: object) -> str:
    """Text for HTML or SVG, between tags or in a quoted attribute."""
    return _html.escape(terminal(text), quote=True)


def embedded(value: object) -> str:
    """A value as JSON in a script element, which it cannot end; each text in it is `terminal`."""
    return json.dumps(_each(value), ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _each(value: object) -> object:
    if isinstance(value, Mapping):
        return {terminal(name): _each(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_each(one) for one in value]
    return terminal(value) if isinstance(value, str) else value


def markdown(text: object) -> str:
    """One line of text for Markdown, also in a table: it reads literally in GitHub and JupyterLab, without markup,
    HTML, formulas, mentions or links.
    """
    return _MARKDOWN.sub(_escaped, _html.escape(field(text), quote=False))


def message(text: object) -> str:
    """Text for a message to people, whose channel is a chat or a mail: what a chat would take for a mention or a link
    under another name reads literally. Control characters and half characters, which no channel takes, are shown.
    """
    return _CHAT.sub(lambda begin: f"{begin[0][:-1]} {begin[0][-1]}", terminal(text))


def markup(text: object) -> str:
    """Text for rich's console markup: a `[` begins no tag. rich takes two backslashes before a tag for one, and takes
    away the last one before any other `[`.
    """
    return _TAGS.sub(lambda match: match[1] * (1 + bool(match[2])) + "\\[", terminal(text))


def _escaped(match: re.Match[str]) -> str:
    mark = match[0]
    if match[1]:
        return f"<span>&#{ord(mark)};</span>"
    return f"&#{ord(mark[0])};{mark[1:]}" if mark[0].isdigit() else f"\\{mark}"


def _shown(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_MOST = 300
"""Most characters of another program's text in one of our sentences."""
_USER = re.compile(r"(?<=://)[^\s/@\"'<>]{1,200}(?=@)")
"""The user in an address: it may be a token, and nobody needs it to find the host."""


def address(text: object) -> str:
    """`one_line` of what is meant to be an address, without user and password, however it is written."""
    from runbook_lib.base.masking.known import without_login

    return one_line(without_login(str(text)))


def quoted(text: str, shown: Callable[[object], str] | None = None) -> str:
    """A value that a person has set, in quotes, with what it begins and ends with that cannot be seen.

    Args:
        shown: default: `one_line`.

    >>> quoted(" a b\\n")
    "' a b\\\\n'"
    """
    within = text.strip()
    begin, _, end = text.partition(within) if within else (text, "", "")
    ends = [one[:_MOST_BLANKS].encode("unicode_escape").decode() for one in (begin, end)]
    return f"'{ends[0]}{(shown or one_line)(within)}{ends[1]}'"


_MOST_BLANKS = 8
"""Blanks and line ends that are shown at most."""


def one_line(text: object) -> str:
    """Another program's text on one line, without control characters, shortened; of a web page only its title, of an
    error of a file not Python's number.
    """
    from runbook_lib.base.redact import MASK

    said = unnumbered(str(text)) if isinstance(text, OSError) else str(text)
    page = re.search(r"<!doctype html|<(?:html|head|body)[\s>]", said[:2000], re.I)
    if page:
        title = re.search(r"<title[^>]*>([^<]{0,4000})", said[:20_000], re.I)
        before = said[: page.start()].rstrip(" \t\r\n'\"b:") if page.start() else ""
        said = f"{before + ': ' if before else ''}a web page{f' ({head(title[1].strip(), 200)})' if title else ''}"
    said = _CONTROL.sub(" ", head(said, 10 * _MOST))
    said = "".join(" " if char.isspace() or not char.isprintable() else char for char in said)
    said = _USER.sub(MASK, re.sub(r" {2,}", " ", said).strip())
    return said if len(said) <= _MOST else f"{said[: _MOST - 2]} …"
