"""Sentences for a terminal: wrapped between words, and each command in them on a line of its own, to be pasted."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap

_UNIT = r"(?:%|(?:ms|s|min|h|d|days?|points?|USD|UTC|[kKMG]i?B)\b)"
_NUMBER = r"\$?\d(?:[\d.,]*\d)?"


def pattern(less_or_more: str) -> re.Pattern[str]:
    """Finds the parts of a text that belong together.

    Args:
        less_or_more: the signs `<` and `>` as the text has them, as a regular expression.
    """
    than = f"(?<!-)(?:{less_or_more})=? "  # not of an arrow
    return re.compile(
        r"(?<![\w/=-])\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z| UTC)?)?(?![\w-])"  # a time, or a day
        rf"|(?<![\w.,-]){_NUMBER}-{_NUMBER}(?: {_UNIT})?(?![\w-]|\.\d)"  # a range: `74.2-98.0 %`
        rf"|(?:{than}|(?<![\w.,-])[+-]?){_NUMBER} {_UNIT}"  # a number with its unit: `90 s`, `> 99 %`
        rf"|{than}{_NUMBER}|\bn = \d[\d,]*"
        r"|(?<![\w.,-])\d+ (?:NO DATA|TO DO|[A-Z]{4,})\b"  # how many have a verdict: `12 NO DATA`
        r"|(?<![\w-])--[a-z][\w-]*=?"  # an option of a command
        r"|(?<![\w.-])[a-z]{2}(?:-gov|-iso[a-z]?)?-(?:north|south|east|west|central)+-\d(?![\w-])"  # a region of AWS
    )


_TOGETHER, _KEPT = pattern("[<>]"), "\0"
_COMMAND = re.compile(r"\s*`(runbook [^`]+)`[.;]?\s*")


def width() -> int | None:
    """Columns of the terminal that standard output is; None: it is a pipe or a file."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def wrapped(text: str, columns: int | None, hang: str = "") -> list[str]:
    """Each line of a text as lines of at most `columns`, but where one word is longer; None: as it stands."""
    found: list[str] = []
    for line in text.splitlines():
        if columns is None:
            found.append(line)
            continue
        found += wrap(line, max(20, columns), hang)
    return found or [""]


def wrap(line: str, columns: int, hang: str = "") -> list[str]:
    """A line as lines of whole words; a number stays with its unit, and a word longer than the line is whole, too."""
    kept = _TOGETHER.sub(lambda found: found[0].replace(" ", _KEPT), line)
    made = textwrap.wrap(kept, columns, subsequent_indent=hang, break_long_words=False, break_on_hyphens=False)
    return [one.replace(_KEPT, " ") for one in made] or [""]


def advice(name: str, text: str, columns: int | None) -> list[str]:
    """What is next: `name` before the sentence, and each `runbook` command whole on a line of its own.

    Args:
        name: such as `next:   `; the sentence hangs below its end. A text without backticks may be a command itself,
            and stands as it is.
    """
    if columns is None or "`" not in text:
        return [f"{name}{text}"]
    found: list[str] = []
    for place, part in enumerate(_COMMAND.split(text)):
        if place % 2:
            found.append(part)
        elif part.strip():
            found += wrapped(f"{' ' * len(name) if found else name}{part.strip()}", columns, " " * len(name))
    return found or [name]
