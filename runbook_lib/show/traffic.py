"""Tables of the users' requests: where they go, what users get on either side, and what a plan would change."""

from __future__ import annotations

from typing import Any

from runbook_lib.base import foreign
from runbook_lib.base.window import when
from runbook_lib.judge import words
from runbook_lib.judge.gates.statistics import clopper_pearson
from runbook_lib.judge.model import Evidence
from runbook_lib.show.style import ORANGE, VERMILLION
from runbook_lib.show.tables import Cell, Shown, edged, span, stack, table, where_table, window

RECENT = 8
"""Deployments of the dial that a table shows."""


def plan_table(plan: Any) -> Shown:
    """The steps of a plan, with the way back; `plan` is an `act.traffic.shift.ShiftPlan`."""
    rows = [
        [place, step.action, Cell(f"{step.before:g} % → {step.after:g} %", nowrap=True), step.strategy or "–", step.why]
        for place, step in enumerate(plan.steps, 1)
    ]
    title = f"Dial {plan.before:g} % → {plan.percent:g} %" if rows else f"Dial at {plan.before:g} %: nothing to do"
    shown = [table(("Step", "Call", "Dial", "Strategy", "Why"), rows, caption=title)] if rows else [edged(title)]
    shown += [edged(f"Note: {note}") for note in plan.notes]
    shown += [edged(f"✘ Blocked: {blocker}", VERMILLION) for blocker in plan.blockers]
    return stack(*shown, edged(f"Undo: {plan.undo}"))


def _rate_row(name: str, evidence: Evidence, confidence: float) -> list[object]:
    if not evidence.n or evidence.bad is None:
        return [name, "no data", "–", "–", window(evidence), evidence.query]
    low, high = clopper_pearson(evidence.n - evidence.bad, evidence.n, confidence)
    value = words.number((evidence.n - evidence.bad) / evidence.n, "ratio")
    spread = Cell(words.interval(low, high, "ratio"), nowrap=True)
    count = Cell(f"{evidence.n:,}", nowrap=True)
    return [
        name,
        Cell(value, f"<b>{foreign.html(value)}</b>", nowrap=True),
        spread,
        count,
        window(evidence),
        evidence.query,
    ]


def baseline_table(canary: Evidence, baseline: Evidence, confidence: float = 0.95) -> Shown:
    """What users get on each side at the same time, and whether a rollback would help.

    Both are rates whose `bad` are failures; one counts as better only where their intervals do not overlap.
    """
    rows = [_rate_row("Async (canary)", canary, confidence), _rate_row("Sync (baseline)", baseline, confidence)]
    head = ("Users on", "Success", f"{words.sure(confidence)} interval", "n", "Window", "Asked")
    return stack(table(head, rows), edged(_honest(canary, baseline, confidence), ORANGE))


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


def ledger_table(ledger: dict[str, Any]) -> Shown:
    """A table of the fate of all submissions: jobs, repeats, refused, callers' mistakes, 5xx, unexplained."""
    meaning = (
        ("accepted", "jobs in the table, one for each user"),
        (
            "repeats",
            "accepted and no job of their own: taken for repeated submissions, as far as these are allowed for",
        ),
        ("unsure", "accepted and no job, too few to tell: count against the success rate, and fail nothing"),
        ("refused", "by our own gateway or WAF (429, 403): failed for the user"),
        ("callers_mistakes", "400, 401, 404, 422: no failure of the service, and not in the rate"),
        ("5xx", "failed for the user"),
        ("unexplained", "what does not add up; not 0 is INCONCLUSIVE"),
    )
    rows: list[list[object]] = [["submissions", Cell(f"{ledger['requests']:,}", nowrap=True), "counted at the gateway"]]
    rows += [
        [key.replace("callers_", "callers' "), Cell(f"{ledger[key]:,}", nowrap=True), what] for key, what in meaning
    ]
    how = ledger.get("told_apart")
    kinds = ", ".join(f"{name}: {count:,}" for name, count in (ledger.get("refusals") or {}).items())
    note = "; ".join(one for one in (f"4xx {how}" if how else "", kinds) if one)
    return table(("", "Requests", "What it means"), rows, caption="Every user once, at the door", note=note)


def census_table(segment: Any, done: str, broken: str) -> Shown:
    """A table of the fate of every job created in the window; `segment` is an `observe.census.Segment`.

    Args:
        done, broken: the table's own words for a job that is done, and one that failed.
    """
    created = segment.completed + segment.late + segment.failed + segment.lost
    meaning = (
        ("completed", f"{done} while the client was still polling: success"),
        ("late", f"{done} after the client gave up: failed for the user"),
        ("failed", f"marked {broken} by the worker"),
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
    window = span(segment.start, segment.end_settled)
    caption = f"Census of {words.count(created, 'settled job')} created {window}"
    shown = [
        table(
            ("Job", "Count", "Share", "Meaning"),
            rows,
            caption=caption,
            note=f"The scan of the jobs table took {words.count(segment.read_units, 'read unit')}.",
        )
    ]
    if getattr(segment, "errors", None):
        worst = sorted(segment.errors.items(), key=lambda item: -item[1])
        shown.append(
            table(("Failure", "Count"), [[text, f"{count:,}"] for text, count in worst], caption="Why they failed")
        )
    return stack(*shown)


def traffic_table(state: Any) -> Shown:
    """Dial, switch and weight in force, with the last deployments; `state` is an `observe.traffic.TrafficState`."""
    facts = where_table(
        {
            "Weight in force": f"{state.weight:g} % of requests go to async",
            "Dial": f"{state.dial_percent:g} %",
            "Switch": "on" if state.switch_on else "off",
            **({"Under way": "; ".join(state.under_way)} if state.under_way else {}),
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
        for deployment in state.history[:RECENT]
    ]
    head = ("No.", "Started", "Dial", "State", "Made by", "Last events")
    return stack(facts, table(head, rows, caption="Deployments of the dial, newest first"))


def _made_by(description: str) -> str:
    """A deployment's description for people; for one of the runbook the notebook, the attempt, the run and the step."""
    said = dict(part.split("=", 1) for part in description.split() if "=" in part)
    if not description.startswith("runbook ") or "notebook" not in said:
        return description or "–"
    more = [f"{name} {said[name]}" for name in ("attempt", "run", "step") if name in said]
    return ", ".join([said["notebook"], *more])


def _event(event: Any) -> str:
    """An event in words, with its cause where it was not AppConfig's ordinary course."""
    course = event.triggered_by in ("APPCONFIG", "USER") and "ROLL" not in event.type and "REVERT" not in event.type
    return (
        event.description
        if course and event.description
        else f"{event.type} by {event.triggered_by}: {event.description}"
    )
