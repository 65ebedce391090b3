"""The skeleton of a post-mortem, as Markdown: what the records know is filled in, the rest is asked for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from runbook_lib.base.foreign import markdown
from runbook_lib.base.window import parse, when
from runbook_lib.judge import words
from runbook_lib.judge.gates.checks import Check
from runbook_lib.judge.incidents.incident import Clock, spell
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.rollout.timeline import Decided, Story
from runbook_lib.show.style import rank

FILE = "post-mortem.md"
BEFORE = dt.timedelta(days=3)
"""How long before the decision the timeline begins."""
TO_FILL_IN = {
    "Impact": "How many users, from when to when, and what did they see? What did it cost?",
    "Root cause": "What failed, and why did it fail now?",
    "Why it was not found earlier": "Which gate, alarm or test could have shown it sooner?",
    "What went well, and where we were lucky": "",
    "What comes next": "With an owner and a date each: mend the cause, find it sooner, make the next rollback easier.",
}


@dataclass(frozen=True)
class Facts:
    """Facts of a rollback that fill the skeleton."""

    title: str
    env: str
    release: str
    attempt: int
    operator: str
    reason: str
    run_id: str
    clock: Clock | None
    limit_min: float
    decision: str
    until: dt.datetime | None = None
    """Now: later decisions are left out (a rehearsal may have taken later steps as passed)."""
    own: Sequence[tuple[dt.datetime, str]] = ()
    """What this incident's runs did: time and words."""
    moved: Sequence[tuple[dt.datetime, str]] = ()
    """Moves of the dial by AppConfig's history, whoever made them: time and words."""
    checks: Sequence[Check] = ()
    sections: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Further sections: Markdown lines by heading."""


def post_mortem(facts: Facts, told: Story) -> str:
    """The skeleton as Markdown. It blames nobody and makes nothing up: where something is not known, it says so."""
    lines = [
        f"# Post-mortem: {markdown(facts.title)} ({markdown(facts.env)})",
        "",
        f"Release {markdown(facts.release)}, attempt {facts.attempt}. "
        f"Rolled back by {markdown(facts.operator)}, run {facts.run_id}.",
        "",
        "## In short",
        "",
        f"- Why, in the operator's words: {markdown(facts.reason) or 'no reason was given; write it here'}",
        *_times(facts),
        f"- Where it stands: {markdown(facts.decision) or 'not decided yet'}",
        "",
        "## Timeline",
        "",
        "| Time | What | Record |",
        "|---|---|---|",
        *_timeline(facts, told),
    ]
    for heading, body in facts.sections.items():
        lines += ["", f"## {heading}", "", *(body or ["Nothing was seen."])]
    lines += ["", "## What was verified", "", "| Verdict | What | Why |", "|---|---|---|"]
    lines += [
        f"| {words.said(one.verdict)} | {markdown(one.title)} | {markdown(one.reason)} |"
        for one in sorted(facts.checks, key=lambda one: rank(one.verdict))
    ]
    for heading, question in TO_FILL_IN.items():
        lines += ["", f"## {heading}", "", f"_{question}_" if question else "_…_"]
    return "\n".join(lines) + "\n"


def _times(facts: Facts) -> list[str]:
    clock = facts.clock
    if clock is None:
        return ["- Nothing has been decided yet."]
    if not clock.measures:
        since = when(clock.set_at, seconds=True)
        return [f"- In force since {since}; no record says when it was decided, so no time is measured"]
    told = [f"- Decided at {when(clock.decided_at, seconds=True)}"]
    if clock.to_set_s is not None:
        told.append(f"- Set at {when(clock.set_at, seconds=True)}, {spell(clock.to_set_s)} after the decision")
    if clock.to_effect_s is not None:
        limit = f"the limit is {facts.limit_min:g} min"
        at = when(clock.effective_at, seconds=True)
        told.append(f"- In effect at {at}, {spell(clock.to_effect_s)} after the decision; {limit}")
    return told


def _timeline(facts: Facts, told: Story) -> list[str]:
    begin = dt.datetime.fromisoformat(facts.clock.decided_at) - BEFORE if facts.clock else None
    weights = [
        (at, f"weight in {env}: {weight:g} %", "traffic")
        for env, points in told.weights.items()
        for at, weight in points
    ]
    # Order within one second: what this rollback did, other changes, AppConfig, weights, decisions, notes.
    causes: tuple[Iterable[tuple[dt.datetime, str, str]], ...] = (
        ((at, words, "this rollback") for at, words in facts.own),
        _changes(told, facts.env),
        ((at, words, "AppConfig") for at, words in facts.moved),
        weights,
        (one for one in _decisions(told) if facts.until is None or one[0] <= facts.until),
        ((at, f"noted by {who}: {text}", "note") for at, who, text in told.notes),
    )
    rows = [(at, place, words, where) for place, cause in enumerate(causes) for at, words, where in cause]
    kept = sorted(
        (row for row in rows if begin is None or row[0] >= begin),
        key=lambda row: (row[0].replace(microsecond=0), row[1]),
    )
    return [f"| {when(at, seconds=True)} | {markdown(words)} | {markdown(where)} |" for at, _, words, where in kept]


def _changes(told: Story, env: str) -> list[tuple[dt.datetime, str, str]]:
    """One row for each change in the environment of the incident; what a run repeats is one row with a count."""
    rows: dict[tuple[str, str], list[dt.datetime]] = {}
    for at, words_, run, where in told.changes:
        if where == env:
            rows.setdefault((words_, run), []).append(at)
    return [(times[0], f"{words_}{_again(times)}", run) for (words_, run), times in rows.items()]


def _again(times: Sequence[dt.datetime]) -> str:
    more = words.count(len(times) - 1, "time")
    return f" (and {more} more, until {when(times[-1])})" if len(times) > 1 else ""


def _decisions(told: Story) -> list[tuple[dt.datetime, str, str]]:
    """One row for each decision; a decision that a notebook repeats is one row with a count."""
    rows: list[list[Decided]] = []
    newest: dict[tuple[str, str], list[Decided]] = {}
    for one in told.decisions:
        same = newest.get((one.notebook, one.env))
        if same is not None and (same[0].decision, same[0].reason) == (one.decision, one.reason):
            same.append(one)
            continue
        rows.append([one])
        newest[one.notebook, one.env] = rows[-1]
    return [(each[0].at, _decision(each), each[0].run_id) for each in rows]


def _decision(same: Sequence[Decided]) -> str:
    one = same[0]
    return f"{one.notebook} @ {one.env}: {one.told}{_again([each.at for each in same])}"


def moves(state: TrafficState) -> list[tuple[dt.datetime, str]]:
    """Moves of the dial and who took them back, by AppConfig's history."""
    rows = []
    for one in reversed(state.history):  # oldest first, also within one second
        if one.started_at:
            rows.append((parse(one.started_at), f"dial set to {one.percent or 0:g} %, deployment {one.number}"))
        if one.taken_back_at:
            who = {"CLOUDWATCH_ALARM": "AppConfig by itself"}.get(one.taken_back_by or "", "a call of StopDeployment")
            rows.append((parse(one.taken_back_at), f"deployment {one.number} was taken back by {who}"))
    return rows


def happened(clock: Clock | None, *, first: bool) -> list[tuple[dt.datetime, str]]:
    """Events of a rollback's own clock for the timeline: time and words.

    Args:
        first: it is rollback 1, which turns async off for the clients; the others act on AWS alone.
    """
    if clock is None:
        return []
    rows = []
    if clock.measures:
        rows.append((parse(clock.decided_at), "decided to roll back" if first else "decided to act"))
    elif clock.set_at:
        rows.append((parse(clock.set_at), "set; no record says when it was decided"))
    if clock.set_at and clock.to_set_s is not None:
        rows.append((parse(clock.set_at), f"set, {spell(clock.to_set_s)} after the decision"))
    if clock.effective_at and clock.to_effect_s is not None:
        whom = " for the last client" if first else ""
        told = f"in effect{whom}, {spell(clock.to_effect_s)} after the decision"
        rows.append((parse(clock.effective_at), told))
    return [(at.replace(microsecond=0), what) for at, what in rows]
