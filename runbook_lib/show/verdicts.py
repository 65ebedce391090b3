"""Shows a decision with its gates, findings and predecessors, for reading in ten seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runbook_lib.base import foreign
from runbook_lib.judge import words
from runbook_lib.judge.model import GateResult, Outcome
from runbook_lib.judge.terms import Word
from runbook_lib.show.scale import failing_first
from runbook_lib.show.style import BLACK, badge_of
from runbook_lib.show.tables import ANY, FONT, Cell, Shown, badge, edged, inline, mark, stack, table, window


def _interval(low: float | None, high: float | None, unit: str) -> str:
    """An interval in words: both ends, or the known one; `–` where there is none."""
    if low is not None and high is not None:
        return words.interval(low, high, unit) if low < high else "–"
    if high is not None:
        return f"<= {words.number(high, unit)}"
    return f">= {words.number(low, unit)}" if low is not None else "–"


def gate_table(outcome: Outcome | Sequence[GateResult], *, interim: bool = False) -> Shown:
    """A table with one row a gate: verdict, value, interval, sample size, thresholds, window, reason, and the query.

    Args:
        interim: whether the look is between two declared ones (`words.of_gate`).
    """
    found = outcome.results if isinstance(outcome, Outcome) else tuple(outcome)
    results = failing_first(found, interim)
    head = ("Gate", "Verdict", "Value", "95 % interval", "n", "Target", "Alert", "Window", "Why")
    rows = [_gate_row(result, interim) for result in results]
    return table(head, rows, caption=_tally(results, interim), last_below=True)


def _gate_row(result: GateResult, interim: bool) -> list[object]:
    gate, evidence = result.gate, result.evidence
    aside = f"muted: {gate.muted}" if gate.muted else "" if gate.required else "advisory, does not decide"
    title = Cell(
        gate.title + (f" ({aside})" if aside else ""),
        f'<div style="min-width:9em;font-weight:600">{foreign.html(gate.title)}</div>'
        + (f'<span style="opacity:.8">{foreign.html(aside)}</span>' if aside else ""),
    )
    against = gate.alert.limit if gate.alert else gate.target.limit
    value = "–" if result.value is None else words.number(result.value, gate.unit, against)
    extent, n = _interval(result.low, result.high, gate.unit), "–" if result.n is None else f"{result.n:,}"
    if result.compared is not None:
        value, moved, ends = words.arms(result.compared)
        extent, n = f"{moved} ({ends})", f"{n} and {result.compared.other_n:,}"
    word = words.of_gate(result, interim)
    more = [*evidence.notes]
    if evidence.partial:
        more.append("part of the window could not be seen")
    if evidence.proven_zero_by:
        more.append(f"no data, and that is zero: {evidence.proven_zero_by}")
    if evidence.in_flight:
        more.append(f"{evidence.in_flight} still in flight")
    reason, told = (
        ("In order so far.", (result.reason,))
        if word is Word.WATCH and result.value is not None
        else (result.reason, ())
    )
    asked = "".join(f"<div>{foreign.html(line)}</div>" for line in (gate.why, *told, f"Asked: {evidence.query}", *more))
    why = Cell(
        " ".join(words.sentence(part) for part in (result.reason, *more)),
        f'<div style="min-width:11em">{foreign.html(reason)}</div><details style="margin-top:2px">'
        f'<summary style="cursor:pointer;opacity:.8">query</summary>'
        f'<div style="font-size:12px;opacity:.9">{asked}</div></details>',
    )
    return [
        title,
        badge(word),
        Cell(value, f"<b>{foreign.html(value)}</b>", nowrap=True),
        Cell(extent, nowrap=True),
        Cell(n, nowrap=True),
        Cell(words.demand(gate), nowrap=True),
        Cell(words.comparison(gate.alert, gate.unit) if gate.alert and not gate.against else "–", nowrap=True),
        window(evidence),
        why,
    ]


def _tally(results: Sequence[GateResult], interim: bool) -> str:
    counted = [result for result in results if result.gate.required and not result.gate.muted]
    if not counted:
        return "No gate was judged"
    said = [(words.of_gate(result, interim), result.gate.title) for result in counted]
    named = [
        f"{word}: {', '.join(title for of, title in said if of is word)}"
        for word in (Word.FAIL, Word.NO_DATA, Word.INCONCLUSIVE)
        if any(of is word for of, _ in said)
    ]
    if watched := sum(of is Word.WATCH for of, _ in said):
        named.append(f"{Word.WATCH}, nothing wrong so far: {watched}")
    passed = sum(of is Word.PASS for of, _ in said)
    return " · ".join(
        [f"{passed} of {words.count(len(counted), 'required gate')} {words.verb(len(counted), 'pass')}", *named]
    )


def verdict_banner(outcome: Outcome, *, acts: bool = False) -> Shown:
    """The decision, its reason, and what to do next, as the first output that people read.

    Args:
        acts: whether this run is going to act; then a plan is not its final decision, and has no banner.
    """
    word = outcome.word
    if acts and word == Word.PLANNED:
        why = words.sentence(words.shown(outcome.reason))
        return edged(f"Before the action: {why} What was done, and the decision, follow below.")
    icon, colour = badge_of(word)
    lines = [("Why", words.shown(outcome.reason)), ("Next", outcome.next)]
    back = words.instant(outcome.come_back_at)
    if back and back not in outcome.next:
        lines.append(("Come back", back))
    if outcome.scenario:
        lines.append(("Runbook", f"notebooks/{outcome.scenario}*.ipynb"))
    rows = "".join(f"<div><b>{name}:</b> {inline(text)}</div>" for name, text in lines)
    head = f'<div style="font-size:20px;font-weight:800;letter-spacing:.02em">{icon} {word}</div>'
    markup = (
        f'<div role="status" style="{FONT};{ANY};background:{colour};color:{BLACK};border-radius:6px;padding:10px 16px;'
        f'margin:6px 0 12px;font-size:14px;line-height:1.5;max-width:1132px">{head}{rows}</div>'
    )
    return Shown(markup, "\n".join([f"{icon} {word}", *(f"  {name}: {text}" for name, text in lines)]))


def findings_table(findings: Iterable[Any], caption: str = "") -> Shown:
    """A table of findings (`ok`, `sentence`, and the alarm, resource or name of each), bad ones first."""
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


def _field(item: Any, *names: str) -> Any:
    """The value of the first of `names` that a mapping or an object has."""
    for name in names:
        found = item.get(name) if isinstance(item, Mapping) else getattr(item, name, None)
        if found is not None:
            return found
    return None


def _beside(sentence: str, name: str) -> str:
    """The sentence without the name, which is in the same row."""
    for after in (": ", " "):
        if name and sentence.startswith(name + after):
            return sentence.removeprefix(name + after)
    return sentence


def predecessors_table(findings: Sequence[Mapping[str, Any]], notebook: str) -> Shown:
    """A table of the records that must have promoted before this notebook may act."""
    if not findings:
        return edged(f"✔ {notebook} requires no predecessor.")
    named = [
        {**finding, "name": _field(finding, "requires", "predecessor", "notebook", "name", "id")}
        for finding in findings
    ]
    return findings_table(named, caption=f"Predecessors of {notebook}")


def closing_note(run_id: str, outcome: Outcome, where: str | None, warnings: Sequence[str] = ()) -> Shown:
    """The last lines of a run: decision, next step, warnings, and place of the record."""
    sealed = (
        f"Record {run_id} sealed: {where}" if where else f"Record {run_id}: sealed by the engine when the notebook ends"
    )
    word = outcome.word
    icon, colour = badge_of(word)
    return stack(edged(f"{icon} {word}. Next: {outcome.next}", colour), *map(edged, warnings), edged(sealed))


def refused_note(word: str, sentence: str, then: str = "") -> Shown:
    """The note in a cell that does not run because one above was refused."""
    icon, colour = badge_of(Word.FAILED)
    said = f"{icon} {word}: {sentence}"
    return stack(edged(said, colour), edged(f"Next: {then}", colour)) if then else edged(said, colour)
