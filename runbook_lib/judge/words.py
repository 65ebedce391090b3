"""Numbers in words, per unit: one formatter for reasons, tables and charts."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping, Sized

from runbook_lib.base.window import minute, parse, when
from runbook_lib.judge.model import Compared, Gate, GateResult
from runbook_lib.judge.numbers import LARGEST
from runbook_lib.judge.terms import Verdict, Word
from runbook_lib.judge.threshold import Threshold

_MORE_DIGITS = 4
_ROUGH_DAYS = 30
"""From this many days on a duration is in whole days, with "about"."""
_YEARS, _YEAR_DAYS = 2, 365
"""From this many years on a duration is in years."""


def _plain(value: float, digits: int) -> str:
    text = f"{value:.{max(digits, 0)}f}"
    return "0" + text[2:] if text.startswith("-0") and float(text) == 0 else text


def _render(value: float, unit: str, extra: int) -> str:
    match unit:
        case "ratio":
            return f"{_plain(value * 100, 1 + extra)} %"
        case "s":
            digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
            return f"{_plain(value, digits + extra)} s"
        case "USD":
            digits = 2 if abs(value) >= 1 else 4 if abs(value) >= 0.001 or value == 0 else 6
            return f"${_plain(value, digits + extra)}"
        case _:
            whole = float(value).is_integer() and not extra
            return (f"{value:,.0f}" if whole else _plain(value, 1 + extra)) + _suffix(unit)


def _suffix(unit: str) -> str:
    """A unit for after its number; empty for messages and requests, which the text beside it names."""
    return {"ratio": " %", "USD": "", "messages": "", "requests": "", "": ""}.get(unit, f" {unit}")


def _shown(text: str) -> float:
    """The number that a reader sees."""
    return float(text.strip("$").partition(" ")[0].replace(",", ""))


def number(value: float | None, unit: str, against: float | None = None) -> str:
    """A number with its unit in words, such as `7.2 %`, `2.91 s`, `12`, `$0.0013`.

    With `against`, digits are added until the two look different (97.96 % is not written as the 98 % that it misses).
    """
    if value is None or math.isnan(value):
        return "no value"
    if abs(value) > LARGEST:
        return "infinite" if value > 0 else "minus infinite"
    text = _render(value, unit, 0)
    if against is None or value == against:
        return text
    for extra in range(_MORE_DIGITS):
        text = _render(value, unit, extra)
        if _shown(text) != _shown(_render(against, unit, extra)):
            break
    return text


def limit(value: float, unit: str) -> str:
    """A threshold's number without needless digits: `99 %`, `3 s`, `$0.01`, `10`."""
    if not abs(value) <= LARGEST:
        return number(value, unit)
    match unit:
        case "ratio":
            return f"{value * 100:.10g} %"
        case "s":
            return f"{value:g} s"
        case "USD":
            return f"${value:g}"
        case _:
            return f"{value:g}{_suffix(unit)}"


def comparison(threshold: Threshold, unit: str) -> str:
    """A target or alert limit in words: `> 99 %`."""
    return f"{threshold.op} {limit(threshold.limit, unit)}"


def interval(low: float | None, high: float | None, unit: str) -> str:
    """An interval with its unit once: `5.1-9.8 %`; empty where an end is unknown."""
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return ""
    left, right = number(low, unit), number(high, unit)
    suffix = _suffix(unit)
    return f"{left.removesuffix(suffix) if suffix else left}-{right}"


def demand(gate: Gate) -> str:
    """What a gate demands: its target, the weight in force, or how much worse than the other arm it may be."""
    if gate.kind == "split":
        return "as the weight"
    if gate.margin is not None:
        return f"at most {points(gate.margin)} worse"
    return comparison(gate.target, gate.unit)


def arms(both: Compared) -> tuple[str, str, str]:
    """Values of two arms, their difference, its interval: `98.9 % against 99.8 %`, `-0.90 points`, `-2.10 to -0.22`."""
    mine, theirs = number(both.value, "ratio", both.other_value), number(both.other_value, "ratio", both.value)
    low, high = (points(end, sign=True, digits=2).removesuffix(" points") for end in (both.low, both.high))
    return f"{mine} against {theirs}", points(both.difference, sign=True, digits=2), f"{low} to {high}"


def person(by: str, role: str) -> str:
    """A person with their role, unless the name begins with it: `A. Engineer (reviewer)`, `QA (nights)`."""
    named = by.lower().startswith(role.lower()) and not by[len(role) : len(role) + 1].isalnum()
    return by if named or not role else f"{by} ({role})"


def points(share: float, *, sign: bool = False, digits: int = 1) -> str:
    """A difference of shares in percentage points: `1 point`, or with its sign `-0.9 points`."""
    if not abs(share) <= LARGEST:
        return number(share, "ratio")
    if sign:
        return f"{100 * share:+.{digits}f} points"
    return f"{100 * share:g} point{'' if round(100 * share, 9) == 1 else 's'}"


def sure(confidence: float) -> str:
    """A confidence in percent: `95 %`, `99.5 %`."""
    return f"{confidence * 100:.4g} %" if abs(confidence) <= LARGEST else number(confidence, "ratio")


def title(gate: Gate) -> str:
    """The gate's title inside a sentence: `success rate`, but `P95 submit latency` and `DLQ depth`."""
    first, rest = gate.title[:1], gate.title[1:]
    return first.lower() + rest if rest[:1].islower() else gate.title


def of_gate(result: GateResult, interim: bool) -> Word:
    """The word that people read for a gate.

    Args:
        interim: whether the look is between two declared ones; then an open gate with nothing wrong is WATCH.
    """
    fine = result.value is None or result.gate.target.holds(result.value)
    watched = interim and result.verdict is Verdict.INCONCLUSIVE and fine
    return Word.WATCH if watched else said(result.verdict)


def said(verdict: str) -> Word:
    """The word that people read for a verdict or a decision."""
    return Word(verdict.replace("_", " "))


def count(n: float, noun: str) -> str:
    """A number with its noun: `1 request`, `1,234 requests`; also a rate: `1 request/s`, `2.5 requests/s`."""
    one, per, span = noun.partition("/")
    many = f"{n:,.10g}" if isinstance(n, float) else f"{n:,}"
    return f"{many} {one}{'' if n == 1 else 's'}{per}{span}"


def unit(facts: Mapping[str, object]) -> str:
    """The name of one success in evidence or facts; `job` where they have none."""
    return str(facts.get("unit") or "job")


def verb(n: int, plural: str) -> str:
    """The verb for a count, as in `1 check passes`, `2 checks pass`."""
    return plural if n != 1 else f"{plural}{'es' if plural.endswith(('s', 'sh', 'ch', 'x')) else 's'}"


def all_of(n: int, noun: str) -> str:
    """All of a number of things in words: `the only required check`, `all 2 required checks`, `no required check`."""
    return f"the only {noun}" if n == 1 else f"all {count(n, noun)}" if n else f"no {noun}"


def hours(value: float) -> str:
    """A duration in words, from hours: `40 min`, `2.3 h`, `3.5 days`; a long one is rounded more.

    >>> [hours(h) for h in (2.3, 84, 1080, 32676)]
    ['2.3 h', '3.5 days', 'about 45 days', 'about 4 years']
    """
    if math.isnan(value):
        return "an unknown time"
    if abs(value) > LARGEST:
        return "for ever" if value > 0 else hours(0)
    days = value / 24
    if days >= _YEARS * _YEAR_DAYS:
        return f"about {days / _YEAR_DAYS:,.0f} years"
    if days >= _ROUGH_DAYS:
        return f"about {days:.0f} days"
    if value < 1:
        return f"{max(1, math.ceil(value * 60))} min"
    return f"{value:.1f} h" if value < 48 else f"{days:.1f} days"


def instant(at: object) -> str:
    """A time to come back, such as `2026-11-23 03:06 UTC`, rounded up to minutes.

    Empty for an empty text; a text that is no time is returned unchanged.
    """
    if not at:
        return ""
    try:
        moment = at if isinstance(at, dt.datetime) else parse(str(at))
        return when(minute(moment))
    except (ValueError, OverflowError):
        return str(at)


def setting(value: object) -> str:
    """The value of a setting in words: `none` where it is not set, lists and mappings as JSON."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def shown(reason: str) -> str:
    """A decision's reason as a separate sentence, with a capital letter and a full stop."""
    text = reason.strip()
    return (text[:1].upper() + text[1:] if text[1:2].islower() or text[1:2] == " " else text).rstrip(" .") + "."


def and_more(listed: Sized) -> str:
    """What stands behind the first of a list: how many there are besides; empty: none."""
    return f" (and {len(listed) - 1} more)" if len(listed) > 1 else ""


def sentence(text: str) -> str:
    """The text with exactly one full stop at its end; a question keeps its mark."""
    text = text.rstrip(" .;,")
    return text if text.endswith("?") else text + "."
