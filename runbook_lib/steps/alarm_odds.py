"""Each alarm's odds at the traffic that was seen: what `judge/alarm_math` says of the policy's alarms."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runbook_lib.judge import words
from runbook_lib.judge.planning.alarm_math import Odds, count_odds, least_count, rate_odds
from runbook_lib.judge.planning.guard_math import Demands, Figures, Proposal, figures, propose
from runbook_lib.observe.alarms.declared import threshold
from runbook_lib.observe.metrics.fetch import Ask, fetch
from runbook_lib.observe.traffic import before as baseline_traffic
from runbook_lib.params.alarms import Alarm
from runbook_lib.params.load import Params
from runbook_lib.params.phases import Phase
from runbook_lib.params.policy import Policy

FAILURES = ("jobs_failed", "worker_errors", "async_5xx")
"""Counters that rise by one for each failed async request of their kind.

The arithmetic takes every failure for one that the alarm counts, so its figure for a healthy day is an upper bound.
"""
ASYNC_RATES = {("worker_errors", "worker_invocations"), ("async_5xx", "async_requests")}
ALL_RATES = {("api_5xx", "api_requests")}
"""Rates over both routes. Polling adds answers that are never 5xx; it is left out."""
NOT_A_COUNT = "n/a"


@dataclass(frozen=True)
class Submissions:
    """Submissions of both routes: their rate by hour of the day, and the share of synchronous ones that fail."""

    per_s: tuple[float, ...]
    """Requests a second: 24 values by hour of the day (UTC), or one mean."""
    sync_failing: float | None
    """Share of the synchronous requests answered 5xx; None: there were none."""
    known: bool
    """Whether traffic was seen; if not, `per_s` is the policy's usual figure."""

    @property
    def per_day(self) -> float:
        """Requests a day."""
        return sum(self.per_s) / len(self.per_s) * 86_400


def look(cloudwatch: Any, params: Params, now: Any) -> Submissions:
    """Reads the traffic of the baseline's days; where none was seen, takes the policy's usual figure.

    Raises:
        AwsError: CloudWatch refused or did not answer.
    """
    found = baseline_traffic.read(cloudwatch, params, now)
    hours: dict[int, list[float]] = defaultdict(list)
    for start, count in found.points:
        hours[start.hour].append(count / 3600)
    failed = Ask("sync_5xx", found.asked, "Sum", baseline_traffic.PERIOD_S)
    errors = sum(value for _, value in fetch(cloudwatch, params, [failed], now).points(failed.label))
    asked = sum(value for _, value in found.answers.points("sync_requests:Sum"))
    share = min(1.0, errors / asked) if asked else None
    if not any(count for _, count in found.points):
        return Submissions((params.policy.baseline.requests_per_day / 86_400,), share, known=False)
    means = [sum(hours[hour]) / len(hours[hour]) for hour in sorted(hours)]
    whole = len(means) == 24  # less than a day seen is no profile
    return Submissions(tuple(means) if whole else (sum(means) / len(means),), share, known=True)


@dataclass(frozen=True)
class AlarmOdds:
    """Odds of every alarm at every weight, and the guards' figures in each phase."""

    params: Params
    seen: Submissions
    rows: Mapping[str, Mapping[float, Odds]] = field(default_factory=dict)
    """Odds by alarm id and weight in percent; without the alarms for which `_odds` is None."""

    @staticmethod
    def of(params: Params, seen: Submissions) -> AlarmOdds:
        """Computes the odds of the policy's alarms at the traffic that was seen."""
        rows = {alarm.id: _by_weight(alarm, params, seen) for alarm in params.policy.alarms}
        return AlarmOdds(params, seen, {id: row for id, row in rows.items() if row})

    def counting(self) -> tuple[Alarm, ...]:
        """The guards that count users' failures."""
        return tuple(one for one in self.params.policy.alarms if one.guard and one.metric in FAILURES)

    def of_phases(self) -> dict[tuple[str, str], Figures]:
        """Figures of each guard in each phase of this environment, by alarm id and phase."""
        return {
            (alarm.id, name): self._figures(alarm.at(name), phase.percent)
            for alarm in self.counting()
            for name, phase in self._phases().items()
        }

    def _phases(self) -> dict[str, Phase]:
        return self.params.policy.phases_of(self.params.env)

    def _figures(self, alarm: Alarm, percent: float) -> Figures:
        least = max(1, least_count(alarm.op, threshold(alarm, self.params)))
        return figures(least, alarm.period_s, self._share(percent), demands(self.params, percent))

    def _share(self, percent: float) -> list[float]:
        return [one * percent / 100 for one in self.seen.per_s]

    def proposals(self) -> dict[str, Proposal]:
        """The best count for each phase at its share of the traffic seen; a phase without one is left out."""
        phases = self._phases()
        by_weight = {
            percent: propose(self._share(percent), demands(self.params, percent))
            for percent in {phase.percent for phase in phases.values()}
        }
        found = {name: by_weight[phase.percent] for name, phase in phases.items()}
        return {name: one for name, one in found.items() if one is not None}


def demands(params: Params, percent: float) -> Demands:
    """What the policy expects of a guard at a weight in percent."""
    policy, wanted = params.policy, params.policy.alarm_math
    gate = policy.gate(wanted.gate)
    within = [minutes for weight, minutes in sorted(wanted.detect_within_min.items()) if weight <= percent]
    return Demands(
        target=1 - gate.target.limit,
        limit=1 - (gate.alert or gate.target).limit,
        bad=1 - wanted.bad,
        target_per_day=wanted.false_per_day,
        limit_per_day=wanted.limit_per_day,
        within_min=within[-1] if within else max(wanted.detect_within_min.values()),
        daytime=wanted.daytime,
        delay_s=policy.metric_delay_s,
    )


def weights(policy: Policy) -> tuple[float, ...]:
    """The weights of the rollout in percent, in rising order."""
    return tuple(sorted({one.percent for one in policy.phases.values() if one.percent}))


def _phase_of(params: Params, weight: float) -> str | None:
    """The first phase with this weight, whose guards are in force then; None if no phase has it."""
    return next((name for name, one in params.policy.phases.items() if one.percent == weight), None)


def _by_weight(alarm: Alarm, params: Params, seen: Submissions) -> dict[float, Odds]:
    found = {
        weight: _odds(alarm.at(_phase_of(params, weight)), params, seen, weight / 100)
        for weight in weights(params.policy)
    }
    return {weight: odds for weight, odds in found.items() if odds is not None}


def _odds(alarm: Alarm, params: Params, seen: Submissions, weight: float) -> Odds | None:
    """Odds of one alarm at a weight (a share); None if it counts no failed requests or needs several periods."""
    policy = params.policy.alarm_math
    well, bad = 1 - policy.healthy, 1 - policy.bad
    window, delay = float(alarm.period_s), float(params.policy.metric_delay_s)
    shared: Sequence[float] = [one * weight for one in seen.per_s]
    limit = threshold(alarm, params)
    if alarm.periods != 1 or alarm.stat != "Sum" or alarm.op not in (">", ">="):
        return None
    if alarm.metric in FAILURES:
        least = max(1, least_count(alarm.op, limit))
        return count_odds(least=least, window_s=window, per_s=shared, healthy=well, bad=bad, delay_s=delay)
    watched = tuple(alarm.metrics.values())
    if watched in ASYNC_RATES:
        rate = limit / 100
        return rate_odds(limit=rate, window_s=window, per_s=shared, healthy=well, bad=bad, delay_s=delay)
    if watched in ALL_RATES and seen.sync_failing is not None:
        broken = (1 - weight) * seen.sync_failing
        return rate_odds(
            limit=limit / 100,
            window_s=window,
            per_s=seen.per_s,
            delay_s=delay,
            healthy=broken + weight * well,
            bad=broken + weight * bad,
        )
    return None


_NEVER_H = 24 * 365 * 100
"""A century in hours; tables say "never" for anything longer."""


def odds_cells(one: Odds | None) -> list[object]:
    """Two cells: how often an alarm fires on a good day, and how soon on a bad one; "n/a" where it has no odds."""
    return [NOT_A_COUNT, NOT_A_COUNT] if one is None else [percent(one.per_day), _duration(one.hours)]


def percent(share: float) -> str:
    """A chance as text in percent: whole from 10 % on, below that with two decimals."""
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2f} %" if share >= 1e-4 else "< 0.01 %"


def _duration(hours: float) -> str:
    if not hours < _NEVER_H:
        return "never"
    if hours > 24 * 365:
        return words.hours(hours)
    return f"{hours * 60:.0f} min" if hours < 2 else f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.0f} d"
