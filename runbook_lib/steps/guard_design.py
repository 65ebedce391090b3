"""How well the guards fit the traffic seen: tables of their odds, and two checks of their counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.planning.guard_math import Proposal
from runbook_lib.show.tables import Cell, table
from runbook_lib.steps.alarm_odds import AlarmOdds, odds_cells, percent, weights


def odds_table(odds: AlarmOdds) -> Any:
    """How often each alarm fires on a healthy day, how soon on a bad one, at each weight."""
    policy, seen = odds.params.policy, odds.seen
    math_ = policy.alarm_math
    rows: list[list[object]] = []
    others: list[str] = []
    for alarm in policy.alarms:
        row = odds.rows.get(alarm.id, {})
        if not row:
            others.append(alarm.id)
            continue
        cells: list[object] = [Cell(alarm.id, nowrap=True), "guard" if alarm.guard else "people"]
        for weight in weights(policy):
            cells += odds_cells(row.get(weight))
        rows.append(cells)
    head = (
        "Alarm",
        "For",
        *(text for w in weights(policy) for text in (f"{w:g} %: fires on a good day", "bad: after")),
    )
    where = f"{seen.per_day:,.0f} requests a day, " + ("seen" if seen.known else "the policy's figure: none seen")
    caption = f"A good service: {100 * math_.healthy:.1f} % success; a bad one: {100 * math_.bad:.0f} %; {where}"
    baseline = f" (baseline: {100 * seen.sync_failing:.0f} % fail)" if seen.sync_failing is not None else ""
    delay = f"{policy.metric_delay_s / 60:.0f} min"
    note = (
        f"{_left_out(others)}Busy hours count as they are; times are averages at the mean rate, with {delay} until the "
        f"metric is there. The API-wide alarm sees both routes{baseline}. A guard has the count of the weight's phase: "
        "one that is quick at 10 % of the traffic fires on a healthy service at all of it."
    )
    return table(head, rows, caption=caption, note=note)


def _left_out(others: Sequence[str]) -> str:
    """The sentence about the alarms without odds, which have no row."""
    if not others:
        return ""
    return f"Left out, as they count no failed requests but a depth, throttles or errors: {', '.join(others)}. "


def design_table(odds: AlarmOdds, proposed: Mapping[str, Proposal]) -> Any:
    """The figures of each guard in each phase, and a better count where one misses what the policy expects."""
    policy = odds.params.policy
    rows: list[list[object]] = []
    for (id, phase), found in odds.of_phases().items():
        alarm, best = next(one for one in policy.alarms if one.id == id).at(phase), proposed.get(phase)
        rows.append(
            [
                Cell(id, nowrap=True),
                phase,
                f"{alarm.threshold:g} in {alarm.period_s / 60:g} min",
                percent(found.at_target),
                percent(found.at_limit),
                f"{found.minutes:.0f} min",
                f"{100 * found.within:.0f} %",
                "as declared" if not found.gives or best is None else best.words,
            ]
        )
    math_, gate = policy.alarm_math, policy.gate(policy.alarm_math.gate)
    limit = (gate.alert or gate.target).limit
    head = (
        "Guard",
        "Phase",
        "Count",
        f"{100 * gate.target.limit:.0f} %: fires on a day",
        f"{100 * limit:.0f} %: fires on a day",
        f"{100 * math_.bad:.0f} %: noticed after",
        "within the time",
        "Would hold",
    )
    first, last = math_.daytime
    within = ", ".join(f"{weight} %: {minutes:g} min" for weight, minutes in math_.detect_within_min.items())
    note = (
        f"Expected: at most {100 * math_.false_per_day:.0f} % and {100 * math_.limit_per_day:.0f} % of days; noticed, "
        f"on average over faults that begin between {first:02d} and {last:02d} UTC, within ({within}), the metric's "
        f"{policy.metric_delay_s / 60:.0f} min included. 'Within the time': the share of such faults that are. "
        "Each guard as if all failures were those it counts. docs/verdicts.md, 'Guards', has them simulated too."
    )
    return table(head, rows, caption="The guards, phase by phase", note=note)


def bears(odds: AlarmOdds, proposed: Mapping[str, Proposal]) -> Check:
    """`guards.quiet`: whether each guard fires rarely enough on a service at its target and on one at the limit."""
    math_ = odds.params.policy.alarm_math
    wrong = []
    for (id, phase), found in odds.of_phases().items():
        loud = found.at_target > math_.false_per_day or found.at_limit > math_.limit_per_day
        if loud:
            wrong.append(f"{id} in {phase} {found.gives[0]}{_instead(proposed, phase)}")
    said = "; ".join(wrong) or "in each phase every guard fires rarely at the target, and at the alert limit"
    return check(
        "guards.quiet",
        "Guards: fire rarely on a service at its target",
        not wrong,
        said,
        # Without traffic nothing is known about the guards: the check is advice then.
        required=odds.seen.known,
        expected=f"at most {percent(math_.false_per_day)} of days at the target, "
        f"{percent(math_.limit_per_day)} at the limit",
    )


def quick(odds: AlarmOdds, proposed: Mapping[str, Proposal]) -> Check:
    """`guards.quick`: whether each guard notices a bad service in time. Advice: with few requests no alarm does."""
    wrong = [
        f"{id} in {phase} {found.gives[-1]}{_instead(proposed, phase)}"
        for (id, phase), found in odds.of_phases().items()
        if found.minutes > found.demands.within_min
    ]
    said = (
        "; ".join(wrong) + "; look more often there (runbook watch)"
        if wrong
        else ("every guard notices a bad service in time, in each phase")
    )
    return check(
        "guards.quick",
        "Guards: quick on a bad service",
        not wrong,
        said,
        required=False,
        expected="within the phase's time, on average over the daytime",
    )


def _instead(proposed: Mapping[str, Proposal], phase: str) -> str:
    best = proposed.get(phase)
    if best is None:
        return ""
    gives = best.figures.gives
    return f" (at this traffic {best.words} would {'hold' if not gives else 'do best: it ' + gives[0]})"
