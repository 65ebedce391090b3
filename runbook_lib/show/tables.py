"""Tables that an on-call engineer reads in ten seconds: HTML in a notebook and a report, plain text in a terminal.

Styles are inline and inherit text colour and paper, so a table reads the same in JupyterLab (light or dark), in the
sealed report and in a page that strips style sheets. Every value is escaped.
"""

from __future__ import annotations

import datetime as dt
import html
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runbook_lib.judge import words
from runbook_lib.judge.model import Evidence, GateResult, Outcome
from runbook_lib.judge.statistics import clopper_pearson
from runbook_lib.show.style import BADGES, BLACK, GREEN, GREY, ORANGE, VERMILLION, unfinished

WIDTH = 150
"""Columns of the plain text."""
_LINE = "rgba(128,128,128,.35)"
_CELL = (
    f"text-align:left;vertical-align:top;padding:5px 9px;border:0;border-bottom:1px solid {_LINE};"
    "white-space:normal;overflow-wrap:break-word"
)
_HEAD = f"{_CELL};font-weight:600;border-bottom:2px solid {_LINE};white-space:nowrap"
_TABLE = "border-collapse:collapse;border:0;font-size:13px;line-height:1.4;margin:0"
_FONT = "font-family:system-ui,-apple-system,'Segoe UI',sans-serif;color:inherit"


class Shown:
    """Something to look at, twice: as HTML, and as plain text for terminals and logs."""

    def __init__(self, html_text: str, text: str) -> None:
        self._html = html_text
        self._text = text

    def _repr_html_(self) -> str:
        return self._html

    def __str__(self) -> str:
        return self._text

    __repr__ = __str__

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("(…)" if cycle else self._text)


class Cell:
    """A table's cell whose HTML says more than its text."""

    def __init__(self, text: str, markup: str | None = None, nowrap: bool = False) -> None:
        self.text = text
        self.html = html.escape(text) if markup is None else markup
        self.nowrap = nowrap


def stack(*shown: Shown) -> Shown:
    """Several, one under the other."""
    return Shown("".join(each._repr_html_() for each in shown), "\n".join(str(each) for each in shown))


def _cell(value: object) -> Cell:
    return value if isinstance(value, Cell) else Cell("" if value is None else str(value))


def badge(word: str) -> Cell:
    """A verdict or decision as a coloured word with its icon."""
    icon, colour = BADGES[word]
    label = word.replace("_", " ")
    style = f"background:{colour};color:{BLACK};border-radius:4px;padding:1px 7px;font-weight:700;white-space:nowrap"
    return Cell(f"{icon} {label}", f'<span style="{style}">{icon} {label}</span>', nowrap=True)


def mark(ok: bool | None, says: tuple[str, str, str] = ("ok", "no", "unknown")) -> Cell:
    """Yes, no or not known, as a coloured word (`says`: in this order) with its icon."""
    yes, no, unknown = says
    icon, word, colour = {True: ("✔", yes, GREEN), False: ("✘", no, VERMILLION), None: ("?", unknown, GREY)}[ok]
    style = f"background:{colour};color:{BLACK};border-radius:4px;padding:1px 7px;font-weight:700;white-space:nowrap"
    return Cell(f"{icon} {word}", f'<span style="{style}">{icon} {word}</span>', nowrap=True)


def table(head: Sequence[str], rows: Iterable[Sequence[object]], *, caption: str = "", note: str = "") -> Shown:
    """A table from rows of strings, numbers or `Cell`s; without rows it says so."""
    cells = [[_cell(value) for value in row] for row in rows]
    parts = [f'<div style="{_FONT};font-size:14px;overflow-x:auto;margin:6px 0 10px">']
    if caption:
        parts.append(f'<div style="font-weight:600;margin:0 0 4px">{html.escape(caption)}</div>')
    if cells:
        parts.append(f'<table style="{_TABLE}">')
        if any(head):
            names = "".join(f'<th scope="col" style="{_HEAD}">{html.escape(name)}</th>' for name in head)
            parts.append(f"<thead><tr>{names}</tr></thead>")
        parts.append("<tbody>")
        for row in cells:
            inner = (f'<td style="{_CELL}{";white-space:nowrap" if c.nowrap else ""}">{c.html}</td>' for c in row)
            parts.append(f'<tr style="background:transparent">{"".join(inner)}</tr>')
        parts.append("</tbody></table>")
    else:
        parts.append("<div>nothing to show</div>")
    if note:
        parts.append(f'<div style="opacity:.8;font-size:12px;margin-top:4px">{_inline(note)}</div>')
    parts.append("</div>")
    return Shown("".join(parts), _plain(head, cells, caption, note))


def _inline(text: str) -> str:
    """Escaped; what stands between backticks is a command."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def caption_line(text: str) -> Shown:
    """A table's caption where there is no table to stand over."""
    return Shown(f'<div style="{_FONT};font-size:14px;font-weight:600;margin:6px 0">{html.escape(text)}</div>', text)


def _plain(head: Sequence[str], cells: Sequence[Sequence[Cell]], caption: str, note: str) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    lines = [caption] if caption else []
    if cells:
        drawn = Table(box=box.SIMPLE_HEAD, show_header=any(head), pad_edge=False)
        for place, name in enumerate(head):
            drawn.add_column(Text(name), no_wrap=all(row[place].nowrap for row in cells), overflow="fold")
        for row in cells:
            drawn.add_row(*(Text(each.text) for each in row))
        out = io.StringIO()
        Console(file=out, width=WIDTH, color_system=None, force_jupyter=False, force_terminal=False).print(drawn)
        lines += [line.rstrip() for line in out.getvalue().splitlines() if line.strip()]
    else:
        lines.append("nothing to show")
    return "\n".join([*lines, note] if note else lines)


def when(iso: str | dt.datetime) -> str:
    """A time as the tables write it: `23 Nov 03:05` (UTC; the caption says so)."""
    moment = iso if isinstance(iso, dt.datetime) else dt.datetime.fromisoformat(iso)
    return f"{moment.astimezone(dt.UTC):%d %b %H:%M}"


def _window(evidence: Evidence) -> Cell:
    try:
        start, end = (dt.datetime.fromisoformat(text) for text in (evidence.start, evidence.end))
    except ValueError:
        return Cell(f"{evidence.start} to {evidence.end}")
    first, last = when(start), f"{when(end)} ({words.hours((end - start).total_seconds() / 3600)})"
    style = "white-space:nowrap"
    return Cell(f"{first} to {last}", f'<span style="{style}">{first} to</span> <span style="{style}">{last}</span>')


def _interval(low: float | None, high: float | None, unit: str) -> str:
    """Both ends, or the one that is known; nothing where there is no spread to tell."""
    if low is not None and high is not None:
        return words.interval(low, high, unit) if low < high else "–"
    if high is not None:
        return f"<= {words.number(high, unit)}"
    return f">= {words.number(low, unit)}" if low is not None else "–"


def gate_table(outcome: Outcome | Sequence[GateResult], *, soaking: bool = False) -> Shown:
    """One row a gate: verdict, value, interval, sample size, thresholds, window, reason, and the query behind it.

    While `soaking`, a gate that is merely not decided yet, with nothing wrong so far, is shown as SOAKING.
    """
    results = outcome.results if isinstance(outcome, Outcome) else tuple(outcome)
    head = ("Gate", "Verdict", "Value", "95 % interval", "n", "Target", "Alert", "Window (UTC)", "Why")
    return table(head, [_gate_row(result, soaking) for result in results], caption=_tally(results, soaking))


def _gate_row(result: GateResult, soaking: bool) -> list[object]:
    gate, evidence = result.gate, result.evidence
    aside = f"muted: {gate.muted}" if gate.muted else "" if gate.required else "advisory, does not decide"
    title = Cell(
        gate.title + (f" ({aside})" if aside else ""),
        f'<div style="min-width:9em;font-weight:600">{html.escape(gate.title)}</div>'
        + (f'<span style="opacity:.8">{html.escape(aside)}</span>' if aside else ""),
    )
    against = gate.alert.limit if gate.alert else gate.target.limit
    value = "–" if result.value is None else words.number(result.value, gate.unit, against)
    calm = soaking and unfinished(result)
    more = [*evidence.notes]
    if evidence.partial:
        more.append("part of the window could not be seen")
    if evidence.proven_zero_by:
        more.append(f"no data, and that is zero: {evidence.proven_zero_by}")
    if evidence.in_flight:
        more.append(f"{evidence.in_flight} still in flight")
    reason, told = ("In order so far.", (result.reason,)) if calm and result.value is not None else (result.reason, ())
    asked = "".join(f"<div>{html.escape(line)}</div>" for line in (gate.why, *told, f"Asked: {evidence.query}", *more))
    why = Cell(
        " ".join(words.sentence(part) for part in (result.reason, *more)),
        f'<div style="min-width:11em">{html.escape(reason)}</div><details style="margin-top:2px">'
        f'<summary style="cursor:pointer;opacity:.8">query</summary>'
        f'<div style="font-size:12px;opacity:.9">{asked}</div></details>',
    )
    return [
        title,
        badge("SOAKING" if calm else result.verdict),
        Cell(value, f"<b>{html.escape(value)}</b>", nowrap=True),
        Cell(_interval(result.low, result.high, gate.unit), nowrap=True),
        Cell("–" if result.n is None else f"{result.n:,}", nowrap=True),
        Cell("as the weight" if gate.kind == "split" else words.comparison(gate.target, gate.unit), nowrap=True),
        Cell(words.comparison(gate.alert, gate.unit) if gate.alert else "–", nowrap=True),
        _window(evidence),
        why,
    ]


def _tally(results: Sequence[GateResult], soaking: bool) -> str:
    counted = [result for result in results if result.gate.required and not result.gate.muted]
    if not counted:
        return "No gate was judged"
    calm = [result for result in counted if soaking and unfinished(result)]
    loud = [result for result in counted if result not in calm]
    named = [
        f"{verdict.replace('_', ' ')}: {', '.join(r.gate.title for r in loud if r.verdict == verdict)}"
        for verdict in ("FAIL", "NO_DATA", "INCONCLUSIVE")
        if any(r.verdict == verdict for r in loud)
    ]
    if calm:
        named.append(f"soaking, nothing wrong so far: {len(calm)}")
    passed = sum(r.verdict == "PASS" for r in counted)
    return " · ".join([f"{passed} of {len(counted)} required gates pass", *named])


def verdict_banner(outcome: Outcome) -> Shown:
    """The decision, why, and what to do next, before anything else is read."""
    icon, colour = BADGES[outcome.decision]
    lines = [("Why", words.shown(outcome.reason, outcome.decision)), ("Next", outcome.next)]
    back = words.instant(outcome.come_back_at)
    if back and back not in outcome.next:
        lines.append(("Come back", back))
    if outcome.scenario:
        lines.append(("Runbook", f"notebooks/{outcome.scenario}*.ipynb"))
    rows = "".join(f"<div><b>{name}:</b> {html.escape(text)}</div>" for name, text in lines)
    head = f'<div style="font-size:20px;font-weight:800;letter-spacing:.02em">{icon} {outcome.decision}</div>'
    markup = (
        f'<div role="status" style="{_FONT};background:{colour};color:{BLACK};border-radius:6px;padding:10px 16px;'
        f'margin:6px 0 12px;font-size:14px;line-height:1.5;max-width:1132px">{head}{rows}</div>'
    )
    return Shown(markup, "\n".join([f"{icon} {outcome.decision}", *(f"  {name}: {text}" for name, text in lines)]))


def where_table(facts: Mapping[str, object]) -> Shown:
    """Names and values, one a line."""
    rows = [[Cell(name, f"<b>{html.escape(name)}</b>", nowrap=True), value] for name, value in facts.items()]
    return table(("", ""), rows)


def plan_table(plan: Any) -> Shown:
    """What applying would do, step by step, with the way back; `plan` is an `act.traffic.Plan`."""
    rows = [
        [place, step.action, Cell(f"{step.before:g} % → {step.after:g} %", nowrap=True), step.strategy or "–", step.why]
        for place, step in enumerate(plan.steps, 1)
    ]
    title = f"Dial {plan.before:g} % → {plan.percent:g} %" if rows else f"Dial at {plan.before:g} %: nothing to do"
    shown = [table(("Step", "Call", "Dial", "Strategy", "Why"), rows, caption=title)] if rows else [_line(title)]
    shown += [_line(f"Note: {note}") for note in plan.notes]
    shown += [_line(f"✘ Blocked: {blocker}", VERMILLION) for blocker in plan.blockers]
    return stack(*shown, _line(f"Undo: {plan.undo}"))


def _line(text: str, colour: str | None = None) -> Shown:
    edge = f";border-left:4px solid {colour};padding-left:8px;font-weight:600" if colour else ""
    return Shown(f'<div style="{_FONT};font-size:13px;margin:3px 0{edge}">{html.escape(text)}</div>', text)


def _field(item: Any, *names: str) -> Any:
    """The first of `names` that a mapping or an object has."""
    for name in names:
        found = item.get(name) if isinstance(item, Mapping) else getattr(item, name, None)
        if found is not None:
            return found
    return None


def findings_table(findings: Iterable[Any], caption: str = "") -> Shown:
    """Findings (`ok`, `sentence`, and the alarm, resource or name they are about), the bad ones first."""
    found = sorted(findings, key=lambda item: _field(item, "ok") is True)
    rows = [
        [
            mark(_field(item, "ok")),
            Cell(name, nowrap=True),
            _beside(str(_field(item, "sentence", "text") or ""), name),
        ]
        for item in found
        for name in [str(_field(item, "alarm", "resource", "name", "id") or "")]
    ]
    bad = sum(_field(item, "ok") is not True for item in found)
    summary = f"{len(found) - bad} of {len(found)} in order" if found else ""
    return table(("", "What", "Finding"), rows, caption=": ".join(part for part in (caption, summary) if part))


def _beside(sentence: str, name: str) -> str:
    """The sentence without the name that stands beside it."""
    for mark in (": ", " "):
        if name and sentence.startswith(name + mark):
            return sentence.removeprefix(name + mark)
    return sentence


def predecessors_table(findings: Sequence[Mapping[str, Any]], notebook: str) -> Shown:
    """The records that must have promoted before this notebook may act."""
    if not findings:
        return _line(f"✔ {notebook} requires no predecessor.")
    named = [
        {**finding, "name": _field(finding, "requires", "predecessor", "notebook", "name", "id")}
        for finding in findings
    ]
    return findings_table(named, caption=f"Predecessors of {notebook}")


def closing_note(run_id: str, outcome: Outcome, where: str | None) -> Shown:
    """The last line of a run: decision, what is next, where the record is."""
    sealed = (
        f"Record {run_id} sealed: {where}" if where else f"Record {run_id}: sealed by the engine when the notebook ends"
    )
    icon, colour = BADGES[outcome.decision]
    return stack(_line(f"{icon} {outcome.decision}. Next: {outcome.next}", colour), _line(sealed))


def _rate_row(name: str, evidence: Evidence, confidence: float) -> list[object]:
    if not evidence.n or evidence.bad is None:
        return [name, "no data", "–", "–", _window(evidence), evidence.query]
    low, high = clopper_pearson(evidence.n - evidence.bad, evidence.n, confidence)
    value = words.number((evidence.n - evidence.bad) / evidence.n, "ratio")
    spread = Cell(words.interval(low, high, "ratio"), nowrap=True)
    count = Cell(f"{evidence.n:,}", nowrap=True)
    return [
        name,
        Cell(value, f"<b>{html.escape(value)}</b>", nowrap=True),
        spread,
        count,
        _window(evidence),
        evidence.query,
    ]


def baseline_table(canary: Evidence, baseline: Evidence, confidence: float = 0.95) -> Shown:
    """What users get on each side at the same time, and what that makes of a rollback.

    Both are rates whose `bad` are failures; they are called apart only where their intervals do not overlap.
    """
    rows = [_rate_row("Async (canary)", canary, confidence), _rate_row("Sync (baseline)", baseline, confidence)]
    head = ("Users on", "Success", f"{words.sure(confidence)} interval", "n", "Window (UTC)", "Asked")
    return stack(table(head, rows), _line(_honest(canary, baseline, confidence), ORANGE))


def _honest(canary: Evidence, baseline: Evidence, confidence: float) -> str:
    if not baseline.n or baseline.bad is None:
        return "The baseline cannot be seen: whether a rollback would serve anybody better is not known."
    good = baseline.n - baseline.bad
    low, high = clopper_pearson(good, baseline.n, confidence)
    rate = words.number(good / baseline.n, "ratio")
    if not canary.n or canary.bad is None:
        return f"The baseline that a rollback returns to serves {rate} of its requests; the canary cannot be seen."
    canary_low, canary_high = clopper_pearson(canary.n - canary.bad, canary.n, confidence)
    if high < canary_low:
        return (
            f"The baseline is itself the worse side: it serves {rate} of its requests. "
            "A rollback stops new harm from async; it does not restore service."
        )
    if low > canary_high:
        return f"The baseline is the better side ({rate}): users moved back to it are served better."
    return f"The baseline serves {rate} of its requests; the two sides cannot be told apart at this sample size."


def census_table(segment: Any) -> Shown:
    """What became of every job created in the window; `segment` is an `observe.census.Segment`."""
    created = segment.completed + segment.late + segment.failed + segment.lost
    meaning = (
        ("completed", "COMPLETED while the client was still polling: success"),
        ("late", "COMPLETED after the client gave up: failed for the user"),
        ("failed", "marked FAILED by the worker"),
        ("lost", "never finished"),
    )

    def share(count: int) -> Cell:
        return Cell(
            words.number(count / created, "ratio", 1.0 if count != created else None) if created else "–", nowrap=True
        )

    rows: list[list[object]] = [
        [name, Cell(f"{getattr(segment, name):,}", nowrap=True), share(getattr(segment, name)), what]
        for name, what in meaning
    ]
    rows.append(["in flight", f"{segment.in_flight:,}", "–", "younger than the deadline: counted at the next look"])
    if getattr(segment, "probes", 0):
        good = words.number(1 - segment.probes_bad / segment.probes, "ratio", 1.0 if segment.probes_bad else None)
        rows.append(
            ["probes", f"{segment.probes:,}", "–", f"our own, {good} of them a success: never in the users' rate"]
        )
    window = f"{when(segment.start)} to {when(segment.end_settled)} UTC"
    caption = f"Census of {words.count(created, 'settled job')} created {window}"
    shown = [
        table(("Job", "Count", "Share", "Meaning"), rows, caption=caption, note=f"{segment.read_units:g} read units")
    ]
    if getattr(segment, "errors", None):
        worst = sorted(segment.errors.items(), key=lambda item: -item[1])
        shown.append(
            table(("Failure", "Count"), [[text, f"{count:,}"] for text, count in worst], caption="Why they failed")
        )
    return stack(*shown)


def traffic_table(state: Any, recent: int = 8) -> Shown:
    """Dial, switch and the weight in force, with the last deployments; `state` is an `observe.traffic.TrafficState`."""
    facts = where_table(
        {
            "Weight in force": f"{state.weight:g} % of requests go to async",
            "Dial": f"{state.dial_percent:g} %",
            "Switch": "on" if state.switch_on else "off",
        }
    )
    rows = [
        [
            f"{deployment.number}",
            Cell(when(deployment.started_at) if deployment.started_at else "–", nowrap=True),
            Cell("–" if deployment.percent is None else f"{deployment.percent:g} %", nowrap=True),
            Cell(deployment.state, nowrap=True),
            _made_by(deployment.description),
            "; ".join(_event(event) for event in deployment.events[:2]),
        ]
        for deployment in state.history[:recent]
    ]
    head = ("No.", "Started (UTC)", "Dial", "State", "Made by", "Last events")
    return stack(facts, table(head, rows, caption="Deployments of the dial, newest first"))


def _made_by(description: str) -> str:
    """A deployment's description for reading: of ours, the notebook, the run and the step."""
    said = dict(part.split("=", 1) for part in description.split() if "=" in part)
    if not description.startswith("runbook ") or "notebook" not in said:
        return description or "–"
    more = [f"{name} {said[name]}" for name in ("attempt", "run", "step") if name in said]
    return ", ".join([said["notebook"], *more])


def _event(event: Any) -> str:
    """What happened; by whom, where it was not AppConfig's ordinary course."""
    course = event.triggered_by in ("APPCONFIG", "USER") and "ROLL" not in event.type and "REVERT" not in event.type
    return (
        event.description
        if course and event.description
        else f"{event.type} by {event.triggered_by}: {event.description}"
    )
