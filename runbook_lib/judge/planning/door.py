"""The door: limits in front of the functions, and whether the peak of a coming phase fits under each of them.

No metric of a function has the requests that these limits refuse (docs/domain.md, trap 31), so they are compared
beforehand. The load is the peak minute before the rollout, split by the phase's weight:

- submissions a second: peak minute / 60; the peak second has `burst` times that.
- polls a second: every job in flight polls each `poll_every_s`. Jobs in flight = submissions a second x seconds from
  submission to report (Little 1961, L = lambda W).
- busy executions of a function: the requests that arrive while one request keeps it busy (Little again): those of the
  peak second, and for the remaining seconds the mean of the peak minute.
- busy workers: by the peak hour, because the queue absorbs shorter peaks.

API Gateway throttles with a token bucket: `rate` tokens a second, at most `burst` of them kept (API Gateway developer
guide, "Throttle requests to your REST APIs"). So the mean of the peak minute must fit under the rate, and the peak
second under the larger of rate and burst. The limits of the stage, and of a route that overrides it, are for each
method by itself; that of the account is for all requests together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from runbook_lib.judge import numbers, words
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.terms import Frozen, Verdict

ROUTES = ("sync", "submit", "status")
LIMITS: dict[str, str] = {
    "stage": "The stage's throttle",
    "route_sync": "The throttle of the synchronous route",
    "route_submit": "The throttle of the submit route",
    "route_status": "The throttle of the status route",
    "usage_plans": "The usage plans of the stage",
    "account": "The account's API Gateway throttle",
    "lambda_sync": "Reserved concurrency of the synchronous Lambda",
    "lambda_submit": "Reserved concurrency of the submit Lambda",
    "lambda_status": "Reserved concurrency of the status Lambda",
    "lambda_pool": "Unreserved concurrency of the account",
    "workers": "The workers",
}
"""Title of every limit by its id; each has one check, whatever is configured."""
_DAYS = {"DAY": 1, "WEEK": 7, "MONTH": 31}


class Throttle(Frozen):
    """A token bucket; None: this limit is not set there, and another one is in force."""

    rate: float | None = None
    """Requests a second."""
    burst: float | None = None
    """Number of requests that may come at once."""

    @property
    def words(self) -> str:
        """The limit in words: `2 requests/s, burst 10`."""
        rate = "no rate" if self.rate is None else words.count(float(f"{self.rate:g}"), "request/s")
        return f"{rate}, burst {'not set' if self.burst is None else f'{self.burst:,g}'}"

    def factor(self, mean: float, peak: float) -> float | None:
        """How many times the load fits under it; None without a limit or without load.

        Args:
            mean: requests a second over the peak minute.
            peak: requests in the peak second.
        """
        found = [self.rate / mean] if self.rate is not None and mean > 0 else []
        at_once = max((one for one in (self.rate, self.burst) if one is not None), default=None)
        if at_once is not None and peak > 0:
            found.append(at_once / peak)
        return min(found, default=None)


class DoorPlan(Frozen):
    """A usage plan that has the stage. Its limits are for each API key."""

    name: str
    throttle: Throttle = Throttle()
    routes: dict[str, Throttle] = Field(default_factory=dict)
    """The plan's throttles of single routes, by route."""
    quota: float | None = None
    period: Literal["DAY", "WEEK", "MONTH"] = "DAY"

    @property
    def per_day(self) -> float | None:
        """Requests a day within the quota; a month has 31 days."""
        return None if self.quota is None else self.quota / _DAYS[self.period]

    @property
    def words(self) -> str:
        """The plan in one sentence."""
        quota = "no quota" if self.quota is None else f"{self.quota:,g} requests a {self.period.lower()}"
        return f"usage plan {self.name}: {self.throttle.words}, {quota}"


class Limits(Frozen):
    """Every limit in front of the functions, as read from AWS."""

    stage: Throttle = Throttle()
    """Limit of each route without its own limit."""
    routes: dict[str, Throttle] = Field(default_factory=dict)
    """Limits of the routes that override the stage's, by route."""
    account: Throttle = Throttle()
    plans: tuple[DoorPlan, ...] = ()
    keyed: tuple[str, ...] = ()
    """Routes that need an API key: usage plans limit these only."""
    reserved: dict[str, int | None] = Field(default_factory=dict)
    """Reserved concurrency of each function that exists (`sync`, `submit`, `status`, `worker`); None: no reserve."""
    unreserved: int | None = None
    """Concurrency of the account that no function has reserved."""
    unseen: dict[str, str] = Field(default_factory=dict)
    """Why a limit could not be seen, by its id."""

    def blind(self, id: str) -> str:
        """Why nothing is known about a limit that AWS always has; empty: it is known."""
        silent = (id == "account" and self.account == Throttle()) or (id == "lambda_pool" and self.unreserved is None)
        return self.unseen.get(id, "AWS does not say" if silent else "")


class Peak(Frozen):
    """The heaviest traffic before the rollout: submissions, both routes together."""

    per_minute: float
    per_hour: float
    per_day: float
    period_s: int = 60
    """Seconds of the points behind the peak minute; with more than 60 it is a mean of several minutes."""

    @property
    def words(self) -> str:
        """The peak in words: `12 submissions in the peak minute`."""
        aside = "" if self.period_s <= 60 else f" (a mean over {self.period_s // 60} minutes: no finer points are kept)"
        return f"{self.per_minute:,.1f} submissions in the peak minute{aside}"


class Manner(Frozen):
    """Rules for the load of submissions, and for enough room (`baseline` of gates.yaml, `service.yaml`)."""

    burst: float
    headroom: float
    generation_s: float
    poll_every_s: float
    handler_s: dict[str, float]
    workers: int


def per_second(peak: Peak, percent: float, manner: Manner) -> dict[str, float]:
    """Requests a second of each route over the peak minute, at a weight of `percent`.

    Raises:
        ValueError: an impossible peak, percentage or manner.
    """
    numbers.finite(0.0, per_minute=peak.per_minute, generation_s=manner.generation_s)
    numbers.share(weight=percent / 100)
    numbers.positive(poll_every_s=manner.poll_every_s)
    async_, sync = peak.per_minute / 60 * percent / 100, peak.per_minute / 60 * (1 - percent / 100)
    return {"sync": sync, "submit": async_, "status": async_ * manner.generation_s / manner.poll_every_s}


def door_checks(
    limits: Limits, peak: Peak | None, percent: float, manner: Manner, *, prefix: str = "door"
) -> list[Check]:
    """One check a limit (`<prefix>.<limit>`): how many times the peak of a phase fits under it.

    Below 1 it is FAIL. Below `headroom` it is INCONCLUSIVE and advisory. A limit that could not be seen is NO_DATA;
    without any traffic every limit is NO_DATA and advisory.
    """
    if peak is None or not 0 < peak.per_minute < math.inf:
        why = "no traffic was seen before the rollout, so whether its peak fits is not known"
        return [check(f"{prefix}.{id}", title, None, f"{title}: {why}", required=False) for id, title in LIMITS.items()]
    load = per_second(peak, percent, manner)
    made = []
    for id, title in LIMITS.items():
        if why := limits.blind(id):
            reason = f"{title} could not be seen: {why}"
            made.append(check(f"{prefix}.{id}", title, None, reason, expected="can be seen"))
            continue
        factor, told = _fits(id, limits, peak, load, manner)
        made.append(_check(f"{prefix}.{id}", title, factor, told, percent, peak, manner))
    return made


def _shown(factor: float) -> str:
    """The factor in words, with the useful digits only."""
    return f"{factor:,.2f}" if factor < 10 else f"{factor:,.0f}"


def _check(id: str, title: str, factor: float | None, told: str, percent: float, peak: Peak, manner: Manner) -> Check:
    left = None if factor is None else round(factor, 3)
    facts: dict[str, Any] = {"factor": left, "percent": percent, "peak": peak.model_dump()}
    expected = f"{manner.headroom:g} times the peak, at least the peak itself"
    if factor is None:
        return check(id, title, True, f"{title}: {told}", expected=expected, found="no limit here", **facts)
    found, at = f"{_shown(factor)} times the peak", f"at {percent:g} %, with {peak.words}"
    if factor < 1:
        reason = f"{title}: {told}: only {factor:.0%} of the peak fits {at}; raise the limit before the shift"
        return check(id, title, False, reason, expected=expected, found=found, **facts)
    reason = f"{title}: {told}: the peak fits {_shown(factor)} times {at}"
    if factor >= manner.headroom:
        return check(id, title, True, reason, expected=expected, found=found, **facts)
    reason += f", less than the {manner.headroom:g} times that leave room"
    made = check(id, title, False, reason, required=False, expected=expected, found=found, **facts)
    return made.model_copy(update={"verdict": Verdict.INCONCLUSIVE})


Fit = tuple[float | None, str]
"""The factor left (None: no limit, or no load) and the limit beside the load, in words."""


def _fits(id: str, limits: Limits, peak: Peak, load: Mapping[str, float], manner: Manner) -> Fit:
    kind, _, name = id.partition("_")
    if kind == "route":
        return _route(name, limits, load, manner)
    if kind == "lambda" and name != "pool":
        return _reserve(name, limits, load, manner)
    if id in ("usage_plans", "workers"):
        return (_plans if id == "usage_plans" else _workers)(limits, peak, load, manner)
    return {"stage": _busiest, "account": _whole, "lambda_pool": _pool}[id](limits, load, manner)


def _whole(limits: Limits, load: Mapping[str, float], manner: Manner) -> Fit:
    total = sum(load.values())
    told = f"{limits.account.words}, shared with every other API of the account; {_rate(total, manner)}"
    return limits.account.factor(total, total * manner.burst), told


def _workers(limits: Limits, peak: Peak, load: Mapping[str, float], manner: Manner) -> Fit:
    busy = peak.per_hour / 3600 * _share(load) * manner.generation_s
    reserved = limits.reserved.get("worker")
    slots = manner.workers if reserved is None else reserved
    return (slots / busy if busy > 0 else None), f"{slots} of them, {busy:,.1f} busy in the peak hour"


def _route(name: str, limits: Limits, load: Mapping[str, float], manner: Manner) -> Fit:
    own = limits.routes.get(name)
    if own is None:
        return None, "none of its own, so the stage's is in force"
    return own.factor(load[name], load[name] * manner.burst), f"{own.words}; {_rate(load[name], manner)}"


def _share(load: Mapping[str, float]) -> float:
    """The share of the submissions that become jobs."""
    total = load["sync"] + load["submit"]
    return load["submit"] / total if load["submit"] else float(load["status"] > 0 and total > 0)


def _rate(mean: float, manner: Manner) -> str:
    return f"{mean:,.2f} requests/s come in the peak minute, {mean * manner.burst:,.2f} in its peak second"


def _busiest(limits: Limits, load: Mapping[str, float], manner: Manner) -> Fit:
    """The stage's limit is each method's: the busiest of the routes that do not override it counts."""
    under = {name: load[name] for name in ROUTES if name not in limits.routes}
    if not under:
        return None, "every route has a throttle of its own"
    name = max(under, key=lambda one: under[one])
    told = f"{limits.stage.words} for each route; on the busiest ({name}) {_rate(under[name], manner)}"
    return limits.stage.factor(under[name], under[name] * manner.burst), told


def _plans(limits: Limits, peak: Peak, load: Mapping[str, float], manner: Manner) -> Fit:
    if not limits.plans:
        return None, "no usage plan contains the stage"
    keyed = {name: load[name] for name in limits.keyed if load.get(name, 0) > 0}
    if not keyed:
        return None, f"{words.count(len(limits.plans), 'usage plan')} of the stage, and no route asks for an API key"
    total, found = sum(keyed.values()), list[tuple[float, str]]()
    a_day = peak.per_day * total / (peak.per_minute / 60)
    for plan in limits.plans:
        factors = [plan.throttle.factor(total, total * manner.burst)]
        factors += [
            own.factor(keyed[name], keyed[name] * manner.burst) for name, own in plan.routes.items() if name in keyed
        ]
        factors.append(None if plan.per_day is None else plan.per_day / a_day)
        known = [one for one in factors if one is not None]
        if known:
            told = f"{plan.words}, for each API key; if one key makes them all, {_rate(total, manner)}, "
            found.append((min(known), f"{told}and {a_day:,.0f} on the busiest day"))
    return min(found, default=(None, "no usage plan of the stage has a limit"))


def _busy(names: list[str], load: Mapping[str, float], manner: Manner) -> float:
    """Executions of these functions that are busy at once, at the peak."""
    busy_s = {name: manner.handler_s.get(name, 1.0) for name in names}
    return sum(load[name] * (took + (manner.burst - 1) * min(took, 1.0)) for name, took in busy_s.items())


def _reserve(name: str, limits: Limits, load: Mapping[str, float], manner: Manner) -> Fit:
    slots = limits.reserved.get(name)
    if slots is None:
        return None, "none, it takes from the account's unreserved concurrency"
    busy = _busy([name], load, manner)
    told = f"{slots} executions at once, {busy:,.1f} busy at once"
    return (slots / busy if busy > 0 else None), told


def _pool(limits: Limits, load: Mapping[str, float], manner: Manner) -> Fit:
    slots = limits.unreserved or 0
    names = [name for name in ROUTES if limits.reserved.get(name) is None]
    busy = _busy(names, load, manner)
    told = (
        f"{slots:,} executions at once for all functions without a reserve; ours ({', '.join(names) or 'none'}) keep "
    )
    return (slots / busy if busy > 0 else None), f"{told}{busy:,.1f} busy at once"
