"""Names behind which an assignment's sign stands and no value: they end a text in quotes or a program's line, and what
follows is another's.
"""

from __future__ import annotations

import errno
import os
import re

from runbook_lib.base.masking.kinds import MASK, Match

_OPENED = re.compile(r"[\"'][\w .*?-]{0,40}\Z")
"""What stands before a name that is the end of a text in quotes: `expect "db password:" send "x"`."""
_SIGN = re.compile(r"[:=][ ]?(?:\\{1,4}[nrt])?\Z")
_CODE = re.compile(r"`[\w.-]{0,40}\Z")
_CLOSED = re.compile(r"\s*[:=]{1,3}`\s")
"""What stands around a name that is quoted with its sign: `password=` is looked for."""
_BELOW_IT = re.compile(r"(?<![\\`^])\n")
"""A line's end behind which no shell's line goes on."""
_MIXED = re.compile(r"(?=.*[0-9])(?=.*[a-z])[A-Za-z0-9]{6,}")
_KEY = re.compile(r"\\{0,7}[\"'][ \t]{0,8}[:=]")
_BELOW = re.compile(r"\n|\\[nr]")
_LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:|[+-]?[A-Za-z_][\w.-]{0,60}(?:=(?!=*(?:\s|\Z))|[ \t]{1,20}=[ \t])"
    r"|[+-]?(?:export|set|setx|setenv|declare|local|readonly|ENV)[ \t]{1,4}(?:-\w{1,4}[ \t]{1,4})?"
    r"[A-Za-z_][\w.-]{0,60}[= \t]"
)
"""What begins another line: the time of a log, an assignment."""
_HEAD = re.compile(r"(?:->[^\n]*|\b(?:def|elif)[ ][^\n]*|\bif[ ](?:not[ ])?[\w.]*)\Z")
_PATH = re.compile(r"(?:\A|[\s\"'`(=])(?:~|\.{1,2})?/(?:[\w.@+ -]{1,80}/){0,20}[\w.@+-]{0,80}\Z")
"""What stands before a name at the end of a file's path."""
_SENTENCE = re.compile(
    rf"[\"'`]?:[ ](?:{'|'.join(sorted({re.escape(os.strerror(one)) for one in errno.errorcode}))}"
    r"|AWS's|a|an|and|are|as|at|be|but|by|can|cannot|carries|did|does|every|expects|for|had|has|have|holds|in|is|it|its|neither"
    r"|no|nobody|none|not|nothing|of|on|only|or|so|such|than|that|the|there|these|this|those|to|too|unknown|was|were|what"
    r"|where|which|who|whose|with|without|you)(?=[ ,;:.?]|\Z)"
)
"""What is said of a file: the words of the system, or one with which a sentence begins and that is no password."""
_FAR = 200
_BETWEEN = " \t,;:()[]{}"
"""What stands between two texts in quotes."""


def ends_text(match: Match) -> bool:
    """Whether the name of a value in quotes ends a text or a line before it, or the value stands between two texts."""
    value = match["value"]
    ends = _closes(match) or is_key(match, match[1]) or _heads(match, match[1])
    return ends or ("," in value and not value.strip(_BETWEEN))


def ends_line(match: Match, value: str) -> bool:
    """Whether the name of a bare value ends what it belongs to: `value` begins a line of its own, or goes on behind a
    name in backticks.
    """
    sep = match["sep"]
    if _BELOW.search(sep) and (
        value.endswith(":") or _LINE.match(match.string, match.start("value"))
    ):  # YAML: the values follow below
        return True
    return (
        _heads(match, sep)
        or is_front(match, sep)
        or _of_file(match)
        or (_CLOSED.match(sep) is not None and _CODE.search(_before(match, 41)) is not None)
    )


def _of_file(match: Match) -> bool:
    """Whether the name is the end of a file's path, and a sentence about the file follows."""
    said = _SENTENCE.match(match.string, match.start("sep"))
    return said is not None and _PATH.search(_before(match, 300)) is not None


def is_front(match: Match, sep: str, part: str = "value") -> bool:
    """Whether a value on the next line is what stands there before the value proper, which is masked already: what a
    logger writes, a program, a name. A word of letters and digits can be the value, and so can what a shell's line
    goes on with.
    """
    begin, word = match.start(part), match[part]
    if not _BELOW_IT.search(sep) or MASK not in match.string[begin : begin + len(word) + _FAR].partition("\n")[0]:
        return False
    return not _MIXED.fullmatch(word.rstrip(",;"))


def is_key(match: Match, sep: str) -> bool:
    """Whether a text in quotes on the next line is a key, which has a value of its own."""
    return "\n" in sep and _KEY.match(match.string, match.end()) is not None


def _before(match: Match, most: int) -> str:
    return match.string[max(0, match.start() - most) : match.start()]


def _closes(match: Match) -> bool:
    """Whether the quote before a value closes the text that its name ends."""
    quote = match.groupdict().get("q")
    if not quote or match["value"][0] not in " \t,)]};:" or not _SIGN.search(match[1].removesuffix(quote)):
        return False
    opened = _OPENED.search(_before(match, 41))
    return opened is not None and opened[0].startswith(quote)


def _heads(match: Match, sep: str) -> bool:
    """Whether the name ends a line of a program that has others below it: `if not token:`."""
    return _BELOW.search(sep) is not None and _HEAD.search(_before(match, 200)) is not None
