"""The report of a run: one self-contained HTML file, read on a phone at three in the morning, or years later.

The first screen comes from the record alone (decision, reason, what next, where, gates, changes); the notebook's
prose, charts and tables follow. A content security policy in the page forbids scripts and remote content.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from runbook_lib.base.foreign import html, terminal
from runbook_lib.base.window import when
from runbook_lib.judge import words
from runbook_lib.judge.model import GateResult
from runbook_lib.judge.terms import Word
from runbook_lib.record import cells, said
from runbook_lib.record.changes import change_row, each_fact
from runbook_lib.record.links import Links, linked
from runbook_lib.record.readable import Contents, slug
from runbook_lib.record.record import Record
from runbook_lib.record.redact_notebook import redact_text
from runbook_lib.show.checks import untitled
from runbook_lib.show.scale import importance
from runbook_lib.show.style import badge_of, rank
from runbook_lib.show.tables import inline, lead
from runbook_lib.show.whole import whole

_ENDED = {
    "failed": (Word.FAILED, "The run failed"),
    "cancelled": (Word.CANCELLED, "The run was cancelled"),
    "died": (Word.DIED, "The run died"),
}
_MOMENTS = {
    "step": "",
    "before": "before the shift",
    "during": "during the soak",
    "after": "after the soak",
    "taken_back": "the weight was taken back",
    "void": "the soak does not count",
    "over": "the phase is over",
    "migrating": "during the migration",
}
"""A phase's moments as text; `step`, of a notebook that is made of checks, and those of a rollback have none."""
_NO_NOTEBOOK = ("entry", "command", "watch", "practice")
"""Origins of records without a notebook."""
_AGAIN = "Run the {} again: it finds out from AWS where {} stands."
_ASK_AWS = "A change was begun and not read back. First ask AWS what is in force: {}."


class Headline(NamedTuple):
    """The banner: a word with icon and colour, the reason, and the next step."""

    word: str
    icon: str
    colour: str
    reason: str
    next: str
    aside: str = ""


def report_html(nb: Mapping[str, Any] | None, record: Record, links: Links | None = None) -> str:
    """The report as one HTML document.

    Args:
        nb: the executed notebook (nbformat 4); None: the report shows the record alone.
        record: sealed or about to be.
        links: addresses of other runs; default: none.
    """
    page, contents = environment().get_template("report.html.j2"), Contents()
    gates = [gate_row(gate, interim=record.moment == "during") for gate in record.gates]
    gates.sort(key=lambda row: row["order"])
    unmet, changes = unmet_rows(record), [change_row(change) for change in record.changes]
    for name, there in (
        ("Gates", gates),
        ("What holds it up", unmet),
        ("Changes to AWS", changes),
        ("Warnings", record.warnings),
    ):
        if there:
            contents.add(name, 2)
    rendered = page.render(
        title=_title(nb, record),
        record=record,
        headline=headline(record),
        facts=facts(record),
        entry=said.rows(record, each_fact(record.entry.get("facts"))) if record.entry else [],
        then=links.newest() if links and (record.entry or {}).get("kind") == "approval" else [],
        gates=gates,
        unmet=unmet,
        changes=changes,
        pieces=list(cells.pieces(cells.untitled(nb), contents)) if nb else [],
        contents=contents.sections if len(contents.sections) > 1 else [],
        before=links.before() if links else ("", ""),
        checkpoint=links.checkpoint() if links else "",
        by_hand=record.origin == "interactive",
        notebookless=record.origin in _NO_NOTEBOOK,
        params=json.dumps(record.params, indent=1, ensure_ascii=False),
        versions=record.versions,
    )
    # The records that a tombstone names are gone once it is sealed.
    buried = (record.entry or {}).get("kind") == "tombstone"
    rendered = linked(rendered, links) if links and not buried else rendered
    return _without_secrets(rendered) if nb is None else rendered


def _without_secrets(page: str) -> str:
    """A page without secrets. Its style sheet is ours, and more than half of it: that part is not searched."""
    head, style, rest = page.partition(_style())
    return redact_text(head) + style + redact_text(rest)


@functools.cache
def _style() -> str:
    return str(environment().get_template("report.css").render())


def _title(nb: Mapping[str, Any] | None, record: Record) -> str:
    if record.entry:
        return said.title(record)
    return (cells.title(nb) if nb else "") or record.notebook or "Run"


def headline(record: Record) -> Headline:
    """The text of the banner. A run that did not complete is never shown as its last decision."""
    told = record.told
    if record.status != "completed":
        ended, lead = _ENDED[record.status]
        reason = f"{lead}: {record.failure}." if record.error else f"{lead}{record.acted.clause()}."
        aside = f"Before that it had decided {told.line}" if record.decision else ""
        return Headline(ended, *badge_of(ended), reason.replace("..", "."), _again(record), aside)
    if record.entry:
        return Headline(*said.headline(record))
    if not told.word and record.origin == "command":
        notes = record.notes
        said_once = [one for one in notes if not any(other != one and other.startswith(one) for other in notes)]
        done = " ".join(map(words.sentence, said_once)) or f"{record.notebook} has done its work."
        return Headline(record.word, *badge_of(record.word), redact_text(done), "")
    badge = badge_of(record.word)
    reason = words.shown(told.reason or "The run was closed without a decision.")
    back = words.instant(told.come_back_at)
    aside = f"Come back at {back}." if back and back not in told.next else ""
    return Headline(record.word, *badge, reason, told.next, aside)


def _again(record: Record) -> str:
    """The next step behind a run that did not complete."""
    if record.origin in _NO_NOTEBOOK and not record.notebook.startswith("rollback_"):  # whose notebook goes on
        return _ASK_AWS.format("`runbook status` says how") if record.open_changes else _AGAIN.format("command", "it")
    return (
        _ASK_AWS.format("run the notebook in plan mode")
        if record.open_changes
        else _AGAIN.format("notebook", "the rollout")
    )


def facts(record: Record) -> list[tuple[str, str]]:
    """Where, when and by whom, as name and value; unknown facts are left out."""
    what = "apply (may change AWS)" if record.mode == "apply" else "plan (changes nothing)"
    rows = [
        ("Environment", record.env),
        ("Release", f"{record.release} · attempt {record.attempt}" if record.release else ""),
        ("Mode", what if record.opened_at and not record.entry else ""),
        ("As of", "" if record.entry else when(record.as_of)),
        ("Moment", _moment(record.moment or "")),
        ("Operator", "" if record.entry and record.operator == record.caller_arn else record.operator),
        ("Caller", record.caller_arn if record.caller_arn != record.operator else ""),
        ("Account", " · ".join(part for part in (record.account_id, record.region) if part)),
        ("Reason", record.reason),
        ("Run", f"{record.run_id} · {record.origin}"),
        ("Opened", when(record.opened_at) or "never"),
        ("Closed", "" if record.entry else when(record.closed_at) or "never"),
    ]
    return [(name, value) for name, value in rows if value]


def _moment(name: str) -> str:
    return "" if name.startswith("rollback_") else _MOMENTS.get(name, name)


def unmet_rows(record: Record) -> list[dict[str, Any]]:
    """The required checks that do not pass and so made the run a HOLD, as text; empty unless there are several."""
    if record.decision != "HOLD":
        return []
    wrong = [one for one in record.checks if one.get("required", True) and one.get("verdict") != "PASS"]
    if len(wrong) < 2:
        return []  # the banner names it already
    return [
        {
            "title": title,
            "verdict": str(one.get("verdict", "?")).replace("_", " "),
            "badge": badge_of(str(one.get("verdict"))),
            "reason": redact_text(untitled(str(one.get("reason", "")), title)),
        }
        for one in wrong
        for title in [str(one.get("title") or one.get("id"))]
    ]


def gate_row(raw: Mapping[str, Any], *, interim: bool = False) -> dict[str, Any]:
    """One row of the compact gate table, as text. A gate of an unreadable version shows the fields it has.

    Args:
        interim: whether the run is between two declared looks (`words.of_gate`).
    """
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
            "id": slug(str(gate.get("id") or name) if isinstance(gate, Mapping) else name),
            "badge": badge_of(verdict),
            "reason": reason,
            "order": (False, rank(verdict), 0),
        }
    gate, unit = result.gate, result.gate.unit
    against = gate.alert.limit if gate.alert else gate.target.limit
    aside = f"muted: {gate.muted}" if gate.muted else "" if gate.required else "advisory"
    word = words.of_gate(result, interim)
    value = "–" if result.value is None else words.number(result.value, unit, against)
    extent, n = _interval(result), "–" if result.n is None else f"{result.n:,}"
    if result.compared is not None:
        value, moved, ends = words.arms(result.compared)
        extent, n = f"{moved} ({ends})", f"{n} and {result.compared.other_n:,}"
    return {
        "id": slug(gate.id),
        "title": gate.title,
        "aside": aside,
        "verdict": str(word),
        "badge": badge_of(word),
        "value": value,
        "interval": extent,
        "n": n,
        "target": words.demand(gate),
        "alert": words.comparison(gate.alert, unit) if gate.alert and not gate.against else "–",
        "reason": result.reason,
        "order": importance(gate, word),
    }


def _interval(result: GateResult) -> str:
    low, high, unit = result.low, result.high, result.gate.unit
    if (low is None and high is None) or (low == high == result.value):
        return "–"
    if low is None:
        return f"≤ {words.number(high, unit)}"
    return f"≥ {words.number(low, unit)}" if high is None else words.interval(low, high, unit)


@functools.cache
def environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    folder = Path(__file__).parent / "templates"
    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        finalize=lambda value: terminal(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["slug"] = slug
    made.filters["inline"] = lambda text: Markup(inline(text))  # noqa: S704 - inline escapes
    made.filters["whole"] = lambda text: Markup(whole(html(text)))  # noqa: S704 - html escapes
    made.filters["lead"] = lead
    return made
