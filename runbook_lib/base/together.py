"""What is read as one and belongs on one line: a number and its unit, a date and its time, a range, a region."""

from __future__ import annotations

import re

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
