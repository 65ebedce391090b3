"""The summary at the end of an exercise: how long it took, what was right, and what there was to see."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from runbook_lib.base.window import parse
from runbook_lib.judge import words
from runbook_lib.judge.terms import Word
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.record.record import Record
from runbook_lib.rehearse.play.played import expected_words
from runbook_lib.rehearse.world.scenario import Scenario

_MITIGATED = (Word.DONE, Word.ASYNC_IS_OFF, Word.MITIGATED)


class Line(NamedTuple):
    """One line: whether it was right (None: neutral), and the text."""

    ok: bool | None
    text: str


def debrief(
    scenario: Scenario, begun: dt.datetime, now: dt.datetime, state: TrafficState, records: Sequence[Record]
) -> list[Line]:
    """The lines of the summary.

    Args:
        begun: time of the call.
        state: the traffic as it is now.
        records: records sealed since then, in order.
    """
    acted = [one for one in records if one.notebook.startswith("rollback_") and one.mode == "apply"]
    lines = [_off(begun, now, state, acted), _answer(scenario, records, acted)]
    if acted:
        lines.append(_known(acted[-1]))
    elif not records:
        lines.append(
            Line(None, "no notebook was run: Run All in the phase's notebook says what is wrong and what is next")
        )
    wanted = expected_words(scenario.expected) if scenario.expected else ""
    return [*lines, Line(None, f"{scenario.title}: {scenario.explanation}"), Line(None, f"as it should end: {wanted}")]


def lasted(seconds: float) -> str:
    """`45 s`, `3 min 12 s`, `2 h 5 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _off(begun: dt.datetime, now: dt.datetime, state: TrafficState, acted: Sequence[Record]) -> Line:
    """The time after which no request went to async, who did it, and whether it came back: AWS shows its present state
    alone, the records show the rollbacks before.
    """
    if state.weight:
        return Line(None, f"async is on at {state.weight:g} %, {lasted((now - begun).total_seconds())} after the call")
    by_record = [(clock.get("set_at"), "the switch") for one in acted if (clock := one.incident or {})]
    times = [(parse(at), who) for at, who in [*by_record, *_ends(state)] if at]
    first = min((one for one in times if one[0] >= begun), default=None)
    if first is None:
        return Line(None, "async was off before the call")
    later = any(one.percent and one.started_at and parse(one.started_at) > first[0] for one in state.history)
    said = f"async was off {lasted((first[0] - begun).total_seconds())} after the call, by {first[1]}"
    return Line(None, f"{said}; it was on again later" if later else said)


def _ends(state: TrafficState) -> list[tuple[str | None, str]]:
    switch = state.turned_by
    off = [(switch.started_at, "the switch")] if switch and not state.switch_on else []
    taken = [
        (one.taken_back_at, "AppConfig" if one.taken_back_by == "CLOUDWATCH_ALARM" else "hand")
        for one in state.history
        if one.taken_back_at
    ]
    return [*off, *taken, *((one.started_at, "the dial") for one in state.history if one.in_force and not one.percent)]


def _answer(scenario: Scenario, records: Sequence[Record], acted: Sequence[Record]) -> Line:
    """Whether the answer is the one that this scenario needs."""
    wanted = scenario.expected
    numbers = () if wanted is None else wanted.rollback
    names = " or ".join(map(str, numbers))
    done = dict.fromkeys(int(one.notebook.split("_")[1]) for one in acted)
    moved = [one.notebook for one in records if one.changes and one not in acted]
    if done:
        said = f"rollback {' and '.join(map(str, done))}"
        if set(done) <= set(numbers):
            return Line(True, f"{said}: the right answer")
        alone = ", and no other" if set(done) & set(numbers) else ""
        called = f"rollback {names} was called for{alone}" if names else "a HOLD was called for"
        return Line(False, f"{said}: {called}")
    if moved:
        return Line(
            False, f"{moved[0]} changed something; " + (f"rollback {names} was called for" if names else "HOLD was")
        )
    held = any(one.decision == "HOLD" for one in records)
    if wanted is not None and "HOLD" in wanted.decisions and (held or not names):
        return Line(True, "nothing was changed: people decide at a HOLD")
    return Line(False, f"nothing was done: rollback {names} was called for")


def _known(last: Record) -> Line:
    """Whether the last record proves it."""
    word = last.told.word if last.status == "completed" and last.told.word else last.status
    if word not in _MITIGATED:
        return Line(False, f"the last record (run {last.run_id}) says {word}: {last.why or 'no decision'}")
    later = f"; it is to be run again at {words.instant(last.told.come_back_at)}" if last.told.come_back_at else ""
    return Line(True, f"known by its record: {word} (run {last.run_id}){later}")
