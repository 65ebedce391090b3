"""`runbook plan-steps`: the steps and soaks that promote a healthy service soonest. Changes and records nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runbook_lib.base.errors import Refused, UsageError
from runbook_lib.base.window import iso, parse
from runbook_lib.judge.planning.guard_math import propose
from runbook_lib.judge.planning.schedule import (
    MOST_PER_DAY,
    MOST_SOAK_H,
    WEIGHTS,
    YEARS,
    Asked,
    ImpossibleError,
    Schedule,
    plan,
)
from runbook_lib.observe.api_address import reached
from runbook_lib.params.load import Params, load_file
from runbook_lib.steps.alarm_odds import Submissions, demands, look
from runbook_lib.steps.harm import watch_of


@dataclass(frozen=True)
class Options:
    """The options of the command line."""

    by: str = ""
    """Time by which the rollout must be done; empty: no limit."""
    begin: str = ""
    """Time of the first shift; empty: now, by AWS's clock."""
    requests_per_day: float = 0.0
    """Requests per day, evenly spread; 0: as seen in CloudWatch."""
    users: int = 0
    """Most users that a failure may harm; 0: as in the policy."""
    first: float = 10.0
    times: float = 5.0
    least_soak_h: float = 1.0


@dataclass(frozen=True)
class Planned:
    """A schedule, with its inputs."""

    schedule: Schedule
    seen: Submissions
    begins: str
    by: str
    users: int | None
    confidence: float
    healthy: float

    def as_dict(self) -> dict[str, Any]:
        """The schedule as JSON, for `--json`."""
        return {
            **self.schedule.model_dump(mode="json"),
            "begins": self.begins,
            "by": self.by,
            "requests_a_day": round(self.seen.per_day, 1),
            "traffic_seen": self.seen.known,
            "users": self.users,
            "confidence": self.confidence,
            "healthy": self.healthy,
        }

    def rows(self) -> list[dict[str, str]]:
        """One row per step."""
        return [
            {
                "step": f"{one.percent:g} %",
                "begins": when(one.begins),
                "soak": f"{one.hours:g} h",
                "ends": when(one.ends),
                "requests": f"{one.requests:,}",
                "needed": f"{one.needed:,}",
                "guard": f"{one.guard[0]} in {one.guard[1] / 60:g} min" if one.guard else "none",
                "users": "not stopped" if one.users is None else f"{one.users:,.0f} ({one.worst * 100:.0f} % failing)",
            }
            for one in self.schedule.steps
        ]


def planned(file: Path, values: Mapping[str, Any], asked: Options) -> Planned:
    """The soonest schedule for the traffic of the parameter file's environment.

    Raises:
        UsageError: the parameters or the options are wrong.
        AwsError: CloudWatch cannot be asked.
        Refused: no schedule is possible; with the reason, and what would help.
    """
    params = load_file(file, values)
    begins, by = _time("--from", asked.begin), _time("--by", asked.by)
    _in_range(asked)
    if asked.requests_per_day:
        seen = Submissions((asked.requests_per_day / 86_400,), None, known=False)
        begins = begins or dt.datetime.now(dt.UTC)
    else:
        params, aws, identity = reached(params, quick=True)
        seen = look(aws.client("cloudwatch"), params, identity.now)
        begins = begins or identity.now
    try:
        question = _question(params, seen, begins, asked)
    except ValueError as error:
        raise UsageError(f"plan-steps: {error}") from None
    try:
        found = plan(question)
    except ImpossibleError as error:
        raise Refused(f"no schedule: {error}", nothing_changed=True) from None
    if by is not None and parse(found.ends) > by:
        steps = ", ".join(f"{one.percent:g} %" for one in found.steps)
        raise Refused(
            f"no schedule is done by {by:%Y-%m-%d %H:%M} UTC: the soonest one ({steps}) ends at {when(found.ends)} UTC",
            nothing_changed=True,
        )
    text = iso(begins)
    return Planned(found, seen, text, asked.by, question.users, question.confidence, params.policy.alarm_math.healthy)


def _question(params: Params, seen: Submissions, begins: dt.datetime, asked: Options) -> Asked:
    policy = params.policy
    phases = policy.phases_of(params.env)
    if not phases:
        raise UsageError(f"plan-steps: no phase is declared for {params.env} (gates.yaml, phases)")
    name, phase = next(iter(phases.items()))
    after = next((one.after_migration for one in reversed(phases.values()) if one.after_migration), ())

    def guard(percent: float) -> tuple[int, float] | None:
        best = propose([one * percent / 100 for one in seen.per_s], demands(params, percent))
        return None if best is None else (best.least, float(best.period_s))

    return Asked(
        per_s=seen.per_s,
        gates=policy.gates,
        looks=phase.looks,
        watch=watch_of(params, name, phase),
        guard=guard,
        begins=begins,
        healthy=1 - policy.alarm_math.healthy,
        power=policy.baseline.power,
        confidence=policy.harm.confidence,
        users=asked.users or policy.harm.users,
        first=asked.first,
        times=asked.times,
        least_h=asked.least_soak_h,
        after_h=after[0].hours if after else 0.0,
        samples=policy.baseline.samples,
    )


def _in_range(asked: Options) -> None:
    """Refuses a number that allows no schedule, with the option and its value."""
    first, last = WEIGHTS[0], WEIGHTS[-1]
    for option, value, fits, expects in (
        (
            "--requests-per-day",
            asked.requests_per_day,
            0 <= asked.requests_per_day <= MOST_PER_DAY,
            f"a number up to {MOST_PER_DAY:,.0f}, or 0 for what CloudWatch has seen",
        ),
        ("--users", asked.users, 0 <= asked.users <= MOST_PER_DAY, f"a number from 0 to {MOST_PER_DAY:,.0f}"),
        ("--first", asked.first, first <= asked.first <= last, f"{first:g} to {last:g} percent"),
        ("--times", asked.times, 1 < asked.times <= last, f"more than 1, and at most {last:g}"),
        (
            "--least-soak",
            asked.least_soak_h,
            0 < asked.least_soak_h <= MOST_SOAK_H,
            f"more than 0 h, and at most {MOST_SOAK_H} h: longer soaks are not proposed",
        ),
    ):
        if not fits:
            raise UsageError(f"plan-steps: {option} {value:g}: expects {expects}")


def _time(option: str, text: str) -> dt.datetime | None:
    if not text:
        return None
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text}: not an ISO 8601 time such as 2026-12-10T06:00:00Z") from None
    if not YEARS[0] <= at.year <= YEARS[1]:
        raise UsageError(f"{option} {text}: expects a year from {YEARS[0]} to {YEARS[1]}")
    return at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at.astimezone(dt.UTC)


def when(text: str) -> str:
    """An instant as text."""
    return text[:16].replace("T", " ")
