"""A record as Markdown: the summary of a CI job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from runbook_lib.base.foreign import field
from runbook_lib.base.foreign import markdown as _text
from runbook_lib.base.window import when
from runbook_lib.judge import words
from runbook_lib.judge.model import GateResult
from runbook_lib.record import said
from runbook_lib.record.record import Record
from runbook_lib.record.report import headline
from runbook_lib.show.scale import sealed_failing_first

_ICONS = {
    "PASS": "✅",
    "FAIL": "❌",
    "INCONCLUSIVE": "⏳",
    "NO_DATA": "❔",
    "PLANNED": "📋",
    "SOAK": "⏳",
    "WATCH": "⏳",
    "ASYNC IS OFF": "⏳",
    "MITIGATED": "⏳",
    "PROMOTE": "✅",
    "DONE": "✅",
    "HOLD": "✋",
    "ROLLBACK": "⏪",
}


def markdown(record: Record) -> str:
    """The decision with its reason, the gates, and the checks that do not pass (with a count of all)."""
    if record.entry is not None:
        return _entry(record)
    told = headline(record)
    lines = [
        f"## {_ICONS.get(told.word, '❌')} {told.word}: {_text(record.notebook)} in {_text(record.env)}",
        "",
        _sentence(told.reason),
    ]
    lines += ["", f"**Next:** {_sentence(told.next)}"] if told.next else []
    lines += ["", _sentence(told.aside)] if told.aside else []
    lines += [
        "",
        f"Run `{record.run_id}` · {_text(record.mode)} · release {_text(record.release)} · "
        f"{_text(when(record.as_of or record.sealed_at))}",
    ]
    if record.gates:
        rows = map(_gate, sealed_failing_first(record.gates))
        lines += ["", *_table(("Gate", "Verdict", "Value", "95 % interval", "n", "Why"), rows)]
    if record.checks:
        passed = sum(check.get("verdict") == "PASS" for check in record.checks)
        many = len(record.checks)
        lines += ["", f"{passed} of {words.count(many, 'check')} {words.verb(many, 'pass')}."]
        bad = [check for check in sealed_failing_first(record.checks) if check.get("verdict") != "PASS"]
        lines += ["", *_table(("Check", "Verdict", "Kind", "Why"), map(_check, bad))] if bad else []
    return "\n".join(lines) + "\n"


def _sentence(text: str) -> str:
    """Text with its commands, between backticks, as code: who copies one copies no backtick, by which a shell would run
    it within another.
    """
    parts = text.split("`")
    if len(parts) % 2 == 0:  # one of them is alone
        return _text(text)
    return "".join(
        f"`{field(part)}`" if place % 2 and part.strip() else _part(part) for place, part in enumerate(parts)
    )


def _part(text: str) -> str:
    """`_text`, with the space at its ends."""
    shown = _text(text)
    return f"{' ' * text[:1].isspace()}{shown}{' ' * text[-1:].isspace()}" if shown else text[:1]


def _entry(record: Record) -> str:
    """A person's statement: who, in which role, what, when, in which words, with which evidence."""
    told = said.headline(record)
    lines = [f"## {told[1]} {told[0]}: {_text(said.title(record))} in {_text(record.env)}", "", _text(told[3])]
    rows = [(row["name"], row["text"]) for row in said.rows(record)]
    lines += ["", *_table(("", "Said"), rows)]
    return (
        "\n".join([*lines, "", f"Run `{record.run_id}` · release {_text(record.release)} · {when(record.sealed_at)}"])
        + "\n"
    )


def _check(check: Mapping[str, Any]) -> Sequence[str]:
    kind = "required" if check.get("required") else "advisory"
    return (str(check.get("id")), _verdict(str(check.get("verdict"))), kind, str(check.get("reason", "")))


def _gate(raw: Mapping[str, Any]) -> Sequence[str]:
    """A row of the table; a gate of a version that cannot be read shows its title, verdict and reason."""
    try:
        result = GateResult.model_validate(raw)
    except ValidationError:
        gate = raw.get("gate")
        title = gate.get("title") or gate.get("id") if isinstance(gate, Mapping) else gate
        return (str(title), _verdict(str(raw.get("verdict"))), "–", "–", "–", str(raw.get("reason", "")))
    unit = result.gate.unit
    value = "–" if result.value is None else words.number(result.value, unit)
    interval = "–"
    if result.low is not None and result.high is not None:
        interval = words.interval(result.low, result.high, unit)
    n = "–" if result.n is None else f"{result.n:,}"
    return (result.gate.title, _verdict(result.verdict), value, interval, n, result.reason)


def _verdict(verdict: str) -> str:
    return f"{_ICONS.get(verdict, '❌')} {verdict.replace('_', ' ')}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(_text(value) for value in row)} |" for row in rows),
    ]
