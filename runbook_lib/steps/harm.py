"""What a failure would cost the users in each phase: `judge.planning.harm` for the policy and the traffic seen."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from runbook_lib.judge import words
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.gates.situation import USER_SUCCESS
from runbook_lib.judge.planning.alarm_math import least_count
from runbook_lib.judge.planning.guard_math import least_that_bears, propose
from runbook_lib.judge.planning.harm import Harm, forecast
from runbook_lib.judge.planning.harm_terms import Traffic, Watch
from runbook_lib.observe.alarms.declared import threshold
from runbook_lib.params.load import Params
from runbook_lib.params.phases import Phase
from runbook_lib.show.harm import harm_chart, harm_table, share_of
from runbook_lib.show.picture import image
from runbook_lib.show.tables import stack
from runbook_lib.steps.alarm_odds import FAILURES, Submissions, demands

STEPS = (75.0, 50.0, 25.0, 20.0, 10.0, 5.0, 2.0, 1.0)
"""Weights in percent that are tried where a step is too large."""
INTERVALS_MIN = (60.0, 30.0, 15.0, 10.0, 5.0, 2.0, 1.0)
"""Watch intervals in minutes that are tried."""
SHORT_S = 600
"""Period in seconds of the quickest guard that is tried."""


@dataclass(frozen=True)
class Forecast:
    """One phase's forecast and its inputs."""

    phase: str
    percent: float
    traffic: Traffic
    watch: Watch
    seen: Submissions
    rows: tuple[Harm, ...]
    users: int | None
    """Users that a failure may harm at most; None: no budget is declared."""
    confidence: float

    @property
    def broken(self) -> tuple[Harm, ...]:
        """Rows beyond the budget, for failure shares worse than the alert limit; the policy tolerates smaller ones."""
        if self.users is None:
            return ()
        return tuple(one for one in self.rows if one.share > self.watch.limit and not within(one, self.users))


def within(one: Harm, users: int) -> bool:
    """Whether a row stays within the budget; a failure that nobody stops never does."""
    return one.users.most is not None and one.users.most <= users


def watch_of(params: Params, name: str, phase: Phase) -> Watch:
    """What would notice a failure in that phase, by the policy: its gate, looks and guards."""
    policy = params.policy
    gate = next(one for one in policy.gates if one.measure == USER_SUCCESS and one.against is None)
    counting = [one.at(name) for one in policy.alarms if one.guard and one.metric in FAILURES]
    guards = {(max(1, least_count(one.op, threshold(one, params))), float(one.period_s)) for one in counting}
    return Watch(
        gate=gate,
        looks=phase.looks,
        every_min=policy.harm.watch_min,
        guards=tuple(sorted(guards)),
        alpha_early=policy.alpha_of(gate),
        prior=policy.early_prior,
        confidence=policy.confidence,
        settle_s=max(policy.metric_delay_s, params.service.job_deadline_s),
        delay_s=policy.metric_delay_s + policy.baseline.generation_s,
        clear_s=params.service.traffic.client_poll_s,
    )


def traffic_of(params: Params, percent: float, seen: Submissions, from_hour: float) -> Traffic:
    """The traffic at a weight in percent, beginning at an hour of the day (UTC)."""
    return Traffic(
        per_s=seen.per_s,
        weight=percent / 100,
        from_hour=from_hour,
        failing=1 - params.policy.alarm_math.healthy,
        baseline=seen.sync_failing,
    )


def of_phase(params: Params, name: str, seen: Submissions, from_hour: float) -> Forecast:
    """The forecast of a phase whose shift is made at `from_hour` (UTC)."""
    policy, phase = params.policy, params.policy.phases[name]
    watch, traffic = watch_of(params, name, phase), traffic_of(params, phase.percent, seen, from_hour)
    rows = forecast(traffic, watch, confidence=policy.harm.confidence)
    budget = policy.harm
    return Forecast(name, phase.percent, traffic, watch, seen, rows, budget.users, budget.confidence)


def harm_check(params: Params, found: Forecast, *, required: bool) -> Check:
    """`harm.<phase>`: whether the forecast stays within the budget; if not, the reason names what would.

    Args:
        required: whether a broken budget blocks; without a budget the check is advice.
    """
    sure, title = words.sure(found.confidence), f"What a failure would cost at {found.percent:g} %"
    worse = [one for one in found.rows if one.share > found.watch.limit] or list(found.rows)
    worst = max(worse, key=_most)
    facts: dict[str, Any] = {
        "rows": [one.model_dump(mode="json") for one in found.rows],
        "worst": {"share": worst.share, "begins_h": worst.begins_h, "users": worst.users.most},
        "requests_a_day": round(found.seen.per_day, 1),
        "traffic_seen": found.seen.known,
        "watch_min": found.watch.every_min,
        "guards": [list(one) for one in found.watch.guards],
        "confidence": found.confidence,
    }
    budget = "no budget (gates.yaml, harm.users)" if found.users is None else f"at most {found.users:,} users"
    if not found.broken:
        told = f"of failures worse than the alert limit none harms more than {_users(worst)} at {sure} ({_when(worst)})"
        if worst.users.most is None:
            told = f"{_when(worst)} is not stopped by this soak at {sure}, so it harms users without end"
        return check(f"harm.{found.phase}", title, True, told, required=False, expected=budget, **facts)
    first = max(found.broken, key=_most)
    cost = "is not stopped by this soak" if first.users.most is None else f"harms up to {_users(first)}"
    remedies = list(mended(params, found))
    said = (
        f"{_when(first)} {cost} at {sure}, and the budget is {words.count(found.users or 0, 'user')} "
        f"(gates.yaml, harm); "
        + (f"{' or '.join(remedies)} would hold it" if remedies else "no smaller step, watch or guard would hold it")
    )
    return check(
        f"harm.{found.phase}", title, False, said, required=required, expected=budget, found=_users(first), **facts
    )


def _most(one: Harm) -> float:
    """Users harmed at most; infinite if nothing stops the failure."""
    return math.inf if one.users.most is None else one.users.most


def _users(one: Harm) -> str:
    return "users without end" if one.users.most is None else words.count(round(one.users.most), "user")


def _when(one: Harm) -> str:
    begins = "from the shift on" if not one.begins_h else f"from {one.begins_h:g} h after the shift on"
    return f"{share_of(one.share)} failing {begins}"


def mended(params: Params, found: Forecast) -> Iterator[str]:
    """Remedies that would each keep the budget, in words: a smaller step, more frequent looks, another guard."""
    users, before = found.users or 0, params.policy.phases[found.phase].before_percent
    judged = {one.share for one in found.rows if one.share > found.watch.limit}
    # The worst first: most of what does not help is refused by it.
    shares = list(dict.fromkeys([*(one.share for one in sorted(found.broken, key=_most, reverse=True)), *judged]))

    def holds(traffic: Traffic, watch: Watch) -> bool:
        """Whether every row would be within the budget: a remedy of one may break another."""
        return all(within(row, users) for share in shares for row in _again(found, share, traffic, watch))

    smaller = (one for one in STEPS if before < one < found.percent)
    step = next((one for one in smaller if holds(replace(found.traffic, weight=one / 100), found.watch)), None)
    if step is not None:
        yield f"a step of {step:g} %"
    every = found.watch.every_min or math.inf
    shorter = (one for one in INTERVALS_MIN if one < every)
    often = next((one for one in shorter if holds(found.traffic, replace(found.watch, every_min=one))), None)
    if often is not None:
        yield f"a look every {often:g} min (harm.watch_min; runbook watch --interval {often:g})"
    for least, period_s in _guards(params, found):
        guarded = replace(found.watch, guards=(*found.watch.guards, (least, float(period_s))))
        if holds(found.traffic, guarded):
            yield f"guards at {least} in {period_s / 60:g} min (gates.yaml, alarms)"
            return


def _again(found: Forecast, share: float, traffic: Traffic, watch: Watch) -> tuple[Harm, ...]:
    """The rows of a share with another traffic or watch, played as the forecast of such a policy plays them."""
    return forecast(traffic, watch, shares=(share,), confidence=found.confidence)


def _guards(params: Params, found: Forecast) -> Sequence[tuple[int, int]]:
    """Guards to try, as (count, period in seconds): the best one, and the quickest that fires rarely enough."""
    per_s = [one * found.percent / 100 for one in found.seen.per_s]
    wanted = demands(params, found.percent)
    best = propose(per_s, wanted)
    if best is None:
        return ()
    return [(best.least, best.period_s), (least_that_bears(SHORT_S, per_s, wanted), SHORT_S)]


def shown(found: Forecast, *, chart: bool = True) -> Any:
    """The forecast as a table and a chart."""
    watch, seen = found.watch, found.seen
    where = f"{seen.per_day:,.0f} requests a day, " + ("seen" if seen.known else "the policy's figure: none was seen")
    counts = " and ".join(f"{least} in {window_s / 60:g} min" for least, window_s in watch.guards)
    looks = f"somebody looks every {watch.every_min:g} min" if watch.every_min else "nobody looks in between"
    hours = ", ".join(f"{one.hours:g}" for one in watch.looks)
    note = (
        f"Played {found.rows[0].plays} times each, from {found.traffic.from_hour:g} h UTC on: {where}; {looks}; "
        f"guards at {counts or 'no count'}; declared looks after {hours} h. Requests and users are asynchronous ones, "
        f"until the last client has left. Not stopped: the soak ends and passes, and the failure goes on. "
        f"What only a declared look can notice (requests that were accepted and became no job) harms up to "
        f"{max(one.unseen.most or 0.0 for one in found.rows):,.0f}. "
        f"{share_of(watch.limit)} failing is the alert limit, which the policy accepts."
    )
    told = harm_table(found.rows, percent=found.percent, confidence=found.confidence, note=note)
    if not chart:
        return told

    def draw() -> Any:
        return harm_chart(found.rows, percent=found.percent, confidence=found.confidence, users=found.users)

    return stack(told, image(draw))
