"""The report of a run: one HTML file that needs nothing else, read on a phone at three in the morning, or in years.

The first screen comes from the record alone (decision, reason, what next, where, gates, changes); below it stand the
notebook's prose, charts and tables. A content security policy in the page forbids scripts and anything from elsewhere.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from runbook_lib.judge import words
from runbook_lib.judge.model import GateResult
from runbook_lib.record import cells
from runbook_lib.record.record import Change, Record
from runbook_lib.record.redact import redact_text
from runbook_lib.show.style import BADGES, GREY, VERMILLION, Badge

_ENDED = {
    "failed": ("FAILED", Badge("✘", VERMILLION), "The run failed"),
    "cancelled": ("CANCELLED", Badge("■", GREY), "The run was cancelled"),
    "died": ("DIED", Badge("✘", VERMILLION), "The run died"),
}
_AGAIN = "Run the notebook again: it finds out from AWS where the rollout stands."
_ASK_AWS = "A change was begun and not read back. First ask AWS what is in force: run the notebook in plan mode."


class Headline(NamedTuple):
    """The banner: a word with icon and colour, why, and what next."""

    word: str
    icon: str
    colour: str
    reason: str
    next: str
    aside: str = ""


def report_html(nb: Mapping[str, Any] | None, record: Record) -> str:
    """The report as one HTML document.

    Args:
        nb: the executed notebook (nbformat 4); None draws what the record alone tells.
        record: sealed or about to be.
    """
    page = _environment().get_template("report.html.j2")
    rendered = page.render(
        title=(cells.title(nb) if nb else "") or record.notebook or "Run",
        record=record,
        headline=headline(record),
        facts=facts(record),
        gates=[gate_row(gate) for gate in record.gates],
        changes=[change_row(change) for change in record.changes],
        pieces=list(cells.pieces(cells.untitled(nb))) if nb else [],
        params=json.dumps(record.params, indent=1, ensure_ascii=False),
        versions=record.versions,
    )
    return redact_text(rendered) if nb is None else rendered


def headline(record: Record) -> Headline:
    """What the banner says. A run that did not complete is never dressed up as its last decision."""
    outcome = record.outcome or {}
    if record.status != "completed":
        word, badge, lead = _ENDED[record.status]
        reason = f"{lead}: {record.error.sentence}." if record.error else f"{lead}."
        aside = f"Before that it had decided {record.decision}: {outcome.get('reason', '')}" if record.decision else ""
        return Headline(word, *badge, reason.replace("..", "."), _ASK_AWS if record.open_changes else _AGAIN, aside)
    word = record.decision or "CLOSED"
    badge = BADGES.get(word, Badge("•", GREY))
    reason = str(outcome.get("reason") or "The run was closed without a decision.").removeprefix(f"{word}: ")
    aside = f"Come back at {_when(outcome.get('come_back_at'))}." if outcome.get("come_back_at") else ""
    return Headline(word, *badge, reason, str(outcome.get("next") or ""), aside)


def facts(record: Record) -> list[tuple[str, str]]:
    """Where, when and by whom, as name and value; what is not known is left out."""
    what = "apply (may change AWS)" if record.mode == "apply" else "plan (changes nothing)"
    said = record.entry or {}
    rows = [
        (str(said.get("kind", "")).capitalize(), redact_text(str(said.get("item") or said.get("text") or ""))),
        ("Said by", " · ".join(str(said[name]) for name in ("by", "role") if said.get(name))),
        ("Said", redact_text(str(said.get("text") or "")) if said.get("item") else ""),
        ("Evidence", redact_text(str(said.get("link") or ""))),
        ("Environment", record.env),
        ("Release", f"{record.release} · attempt {record.attempt}" if record.release else ""),
        ("Mode", what if record.opened_at else ""),
        ("As of", _when(record.as_of)),
        ("Moment", record.moment or ""),
        ("Operator", record.operator),
        ("Caller", record.caller_arn if record.caller_arn != record.operator else ""),
        ("Account", " · ".join(part for part in (record.account_id, record.region) if part)),
        ("Reason", record.reason),
        ("Run", f"{record.run_id} · {record.origin}"),
        ("Opened", _when(record.opened_at) or "never"),
        ("Closed", _when(record.closed_at) or "never"),
    ]
    return [(name, value) for name, value in rows if value]


def gate_row(raw: Mapping[str, Any]) -> dict[str, Any]:
    """One line of the compact gate table, as text. A gate of another version that cannot be read shows what it has."""
    try:
        result = GateResult.model_validate(raw)
    except ValidationError:
        gate = raw.get("gate")
        name = str(gate.get("title") or gate.get("id")) if isinstance(gate, Mapping) else str(gate)
        verdict, reason = str(raw.get("verdict", "?")), str(raw.get("reason", ""))
        return {
            "title": name,
            "aside": "",
            "verdict": verdict,
            "badge": BADGES.get(verdict, Badge("•", GREY)),
            "reason": reason,
        }
    gate, unit = result.gate, result.gate.unit
    against = gate.alert.limit if gate.alert else gate.target.limit
    aside = f"muted: {gate.muted}" if gate.muted else "" if gate.required else "advisory"
    return {
        "title": gate.title,
        "aside": aside,
        "verdict": result.verdict.replace("_", " "),
        "badge": BADGES[result.verdict],
        "value": "–" if result.value is None else words.number(result.value, unit, against),
        "interval": _interval(result),
        "n": "–" if result.n is None else f"{result.n:,}",
        "target": "as the weight" if gate.kind == "split" else words.comparison(gate.target, unit),
        "alert": words.comparison(gate.alert, unit) if gate.alert else "–",
        "reason": result.reason,
    }


def _interval(result: GateResult) -> str:
    low, high, unit = result.low, result.high, result.gate.unit
    if low is None and high is None:
        return "–"
    if low is None:
        return f"≤ {words.number(high, unit)}"
    return f"≥ {words.number(low, unit)}" if high is None else words.interval(low, high, unit)


def change_row(change: Change) -> dict[str, str]:
    """One change as text: what, from, to, what came of it, the way back."""
    intent, outcome = change.intent, change.outcome or {}
    came = "not known: begun, and not read back" if change.open else _facts(outcome.get("read_back"))
    if not change.open and outcome.get("ok") is False:
        came = f"not as meant: {came}"
    if outcome.get("error"):
        came += f" ({outcome['error']})"
    return {
        "what": str(intent.get("what", "?")),
        "before": _facts(intent.get("before")),
        "after": _facts(intent.get("after")),
        "came": came,
        "undo": str(intent.get("undo") or "–"),
        "state": "open" if change.open else "done" if outcome.get("ok", True) else "bad",
    }


def _facts(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key.replace('_', ' ')} {item}" for key, item in value.items()) or "–"
    return "–" if value is None else str(value)


def _when(instant: Any) -> str:
    """`2026-11-23 03:05 UTC`; a text that is no time stays as it is."""
    if not instant:
        return ""
    try:
        return f"{dt.datetime.fromisoformat(str(instant)).astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return str(instant)


@functools.cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = Path(__file__).parent / "templates"
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
