"""What users met at the door: every submission once, told apart by its answer. Pure.

A user's request is one POST at the submit route. A request that our own gateway or WAF refuses (429, 403, 413), or that
is answered 5xx, never becomes a job, so no rate of jobs counts it. The caller's own mistakes (400, 422) are no failure
of the service. CloudWatch's `4XXError` does not tell the two apart; access logs do. Without them the share of 4xx is
compared with that of the synchronous route, at the same time and before the rollout: that share counts as the callers'
own mistakes, the rest as refusals (docs/domain.md, trap 26).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from runbook_lib.base.window import Window, parse
from runbook_lib.judge import words
from runbook_lib.judge.gates.sequential import early_fail_log_e
from runbook_lib.judge.gates.statistics import lower_bound, upper_bound
from runbook_lib.observe.evidence.questions import label
from runbook_lib.observe.evidence.seen import Answered
from runbook_lib.observe.metrics.fetch import Ask
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.params.load import Params

REFERENCE = "reference:"
"""Prefix of the labels under which the synchronous route's traffic before the rollout is asked."""
REFERENCE_PERIOD_S = 3600
BEFORE = "the synchronous route before the rollout"
FEW = 100
"""A route with fewer requests than this is no reference for the share of 4xx."""


@dataclass(frozen=True)
class Door:
    """Submissions of one span by their answers, in whole numbers."""

    requests: int
    broken: int
    """Submissions answered 5xx."""
    refused: int
    """Submissions that the service itself refused with 4xx, as far as can be told."""
    doubtful: int
    """Part of `refused` that may be the callers' own mistakes."""
    mistakes: int
    """Submissions answered 4xx for the callers' own mistakes."""
    how: str
    """How refusals and mistakes were told apart, in words; empty: there was no 4xx."""
    types: dict[str, int]
    """Refusals by status and type, from the access log."""
    suspect: str = ""
    """Why doubtful refusals are doubtful, in words."""

    @property
    def answerable(self) -> int:
        """Submissions that the service had to answer."""
        return max(0, self.requests - self.mistakes)


def asks(params: Params, state: TrafficState, window: Window) -> list[Ask]:
    """Asks for the synchronous route's traffic before the rollout: its share of 4xx is taken for the callers' own."""
    span = reference(params, state, window)
    return [
        Ask(metric, span, "Sum", REFERENCE_PERIOD_S, label=f"{REFERENCE}{metric}")
        for metric in _reference_metrics(state)
    ]


def reference(params: Params, state: TrafficState, window: Window) -> Window:
    """The `baseline.days` before any request could go to async, in whole hours."""
    shifts = [parse(one.started_at) for one in state.history if one.percent and one.started_at]
    end = min([window.start, *shifts])
    return Window(end - dt.timedelta(days=params.policy.baseline.days), end).inward(REFERENCE_PERIOD_S)


def read(seen: Answered, spans: Sequence[Window]) -> Door | None:
    """The submissions within `spans`; None where CloudWatch knows of none."""
    requests = _sum(seen, "async_requests", spans)
    if requests is None or not math.isfinite(requests):
        return None
    total = round(requests)
    broken = min(total, round(_sum(seen, "async_5xx", spans) or 0.0))
    logged = _logged(seen, spans)
    counted = _sum(seen, "async_4xx", spans)
    if counted is None and logged is not None:
        counted = logged.refused + logged.mistakes  # no point of the metric: only the log knows
    wrong = min(total - broken, round(counted or 0.0))
    if not wrong:
        return Door(total, broken, 0, 0, 0, "", {})
    if logged is not None and abs(logged.refused + logged.mistakes - wrong) <= max(2.0, 0.1 * wrong):
        return _told_apart(seen, spans, logged, total, broken, wrong)
    return _compared(seen, spans, total, broken, wrong)


def _told_apart(seen: Answered, spans: Sequence[Window], logged: _Logged, total: int, broken: int, wrong: int) -> Door:
    """The door by the access log.

    Doubtful are the 4xx of CloudWatch that the log lacks (a minute at each edge), and mistakes beyond what the
    synchronous route or the callers' share explains: those may be the service's own, such as a wrong validation.
    """
    refused, mistakes = min(wrong, logged.refused), min(wrong, logged.mistakes)
    missing = max(0, wrong - refused - mistakes)
    beyond, against = _more_mistakes(seen, spans, total, mistakes)
    doubtful = min(wrong, missing + beyond)
    turned_away = min(wrong, refused + doubtful)
    suspect = f"the access log lacks {missing:,} of {wrong:,} submissions answered 4xx" if missing else ""
    if beyond:
        suspect = (
            f"{mistakes:,} of {total:,} submissions were answered as mistakes of the callers, {beyond:,} more than "
            f"{against} explains: they may be the service's own"
        )
    how = "told apart by the access log"
    return Door(total, broken, turned_away, doubtful, wrong - turned_away, how, logged.types, suspect)


def _more_mistakes(seen: Answered, spans: Sequence[Window], total: int, mistakes: int) -> tuple[int, str]:
    """Mistakes beyond what is usual for callers, and what they were compared with; 0 where chance explains them."""
    alpha = 1 - seen.params.policy.confidence
    allowed = seen.params.policy.door.caller_share
    found = _references(seen, spans)
    name, most = f"the share allowed for ({allowed:.0%})", allowed
    if found:
        name, k, n = _strictest(found)
        name, most = f"{k:,} of {n:,} on {name}", upper_bound(k, n, alpha)
        if not _before_known(found):
            most = min(most, allowed)  # a present fault may hit both routes
    if not total or lower_bound(mistakes, total, alpha) <= most:
        return 0, name
    return max(0, math.ceil(mistakes - total * most)), name


def _sum(seen: Answered, metric: str, spans: Iterable[Window]) -> float | None:
    found = [value for span in spans if (value := seen.sum(metric, span)) is not None]
    return math.fsum(found) if found else None


def _lines(seen: Answered, spans: Sequence[Window]) -> Iterator[tuple[dt.datetime, int, str, int, bool]]:
    """(minute, status, type, count, whether it is the callers' mistake) of each logged 4xx within `spans`."""
    own = set(seen.params.policy.door.mistakes)
    for at, status, kind, count in (seen.live.get("door") or {}).get("counts", ()):
        when = parse(at)
        if 400 <= status < 500 and any(span.start <= when < span.end for span in spans):
            yield when, status, kind, count, status in own


@dataclass(frozen=True)
class _Logged:
    """4xx by the access log: refusals, the callers' mistakes, and the refusals by status and type."""

    refused: int
    mistakes: int
    types: dict[str, int]


def _logged(seen: Answered, spans: Sequence[Window]) -> _Logged | None:
    """The 4xx by the access log; None where there is no log, or it was not read to its end."""
    kept: dict[str, Any] | None = seen.live.get("door")
    if not kept or kept.get("cut"):
        return None
    refused, mistakes, types = 0, 0, dict[str, int]()
    for _, status, kind, count, own in _lines(seen, spans):
        if own:
            mistakes += count
        else:
            refused += count
            name = f"{status} {kind}".strip()
            types[name] = types.get(name, 0) + count
    return _Logged(refused, mistakes, types)


def _compared(seen: Answered, spans: Sequence[Window], total: int, broken: int, wrong: int) -> Door:
    """The door without an access log: 4xx beyond the share of the lowest reference count as refusals."""
    found = _references(seen, spans)
    allowed = seen.params.policy.door.caller_share
    alpha = 1 - seen.params.policy.confidence
    if not found:
        why = f"{wrong:,} of {total:,} submissions were answered 4xx, and there is neither an access log nor a route"
        suspect = f"{why} to compare with: refusals cannot be told from the callers' own mistakes"
        # At most the allowed share counts as the callers' own. The test holds for all looks together.
        policy = seen.params.policy
        log_e = early_fail_log_e(wrong, total, allowed, policy.early_prior) if 0 < allowed < 1 else 0.0
        certain = math.floor(wrong - total * allowed) if log_e >= -math.log(policy.alpha_early) else 0
        return Door(total, broken, wrong, wrong - certain, 0, "nothing to compare with", {}, suspect)
    name, k, n = _strictest(found)
    most = upper_bound(k, n, alpha)
    # Both routes may refuse alike: without the days before, no 4xx counts as the callers' own.
    likely = min(k / n, allowed) if _before_known(found) else 0.0
    refused = max(0, math.ceil(wrong - total * likely))
    certain = max(0, math.floor(wrong - total * most))
    # Chance alone may give a route more 4xx than its share: only what chance does not explain is certain.
    if lower_bound(wrong, total, alpha) <= most:
        certain = 0
    doubtful = max(0, refused - certain)
    how = f"compared with {k:,} of {n:,} on {name}"
    suspect = ""
    if doubtful:
        suspect = (
            f"{wrong:,} of {total:,} submissions were answered 4xx, {how}: without an access log refusals cannot be "
            "told from the callers' own mistakes"
        )
    return Door(total, broken, refused, doubtful, wrong - refused, how, {}, suspect)


_Reference = tuple[str, int, int]


def _strictest(found: Sequence[_Reference]) -> _Reference:
    return min(found, key=lambda one: one[1] / one[2])


def _before_known(found: Sequence[_Reference]) -> bool:
    return any(one[0] == BEFORE for one in found)


def _references(seen: Answered, spans: Sequence[Window]) -> list[_Reference]:
    """(name, 4xx, requests) of each reference that has enough requests: the synchronous route before and meanwhile."""
    before = [seen.answers.total(f"{REFERENCE}{name}") for name in _reference_metrics(seen.traffic)]
    beside = [None if seen.traffic.migrated else _sum(seen, name, spans) for name in ("sync_requests", "sync_4xx")]
    places = ((BEFORE, before), ("the synchronous route meanwhile", beside))
    return [
        (name, min(round(wrong or 0.0), round(requests)), round(requests))
        for name, (requests, wrong) in places
        if requests and requests >= FEW
    ]


def _reference_metrics(state: TrafficState) -> tuple[str, str]:
    return ("async_requests", "async_4xx") if state.migrated else ("sync_requests", "sync_4xx")


@dataclass(frozen=True)
class Ledger:
    """`requests = jobs + repeats + refused + mistakes + 5xx + unexplained`, over the settled part of a census."""

    door: Door
    jobs: int
    repeats: int
    """Accepted submissions without a job of their own that count as repeats, up to the declared share."""
    unsure: int
    """Accepted submissions without a job, too few for a contradiction: as failures they keep the rate from passing."""
    unexplained: int
    """More of these than that: accepted submissions without a job (positive), or jobs without a request (negative)."""

    def as_dict(self) -> dict[str, Any]:
        """The ledger for the gate's detail."""
        door = self.door
        return {
            "requests": door.requests,
            "accepted": self.jobs,
            "repeats": self.repeats,
            "unsure": self.unsure,
            "refused": door.refused,
            "callers_mistakes": door.mistakes,
            "5xx": door.broken,
            "unexplained": self.unexplained,
            "doubtful": door.doubtful,
            "told_apart": door.how,
            "refusals": dict(door.types),
        }

    @property
    def words(self) -> str:
        """What does not add up, in words; empty where it does."""
        door = self.door
        whole = (
            f"{words.count(door.requests, 'submission')} = "
            f"{words.count(self.jobs, 'job')} + {words.count(self.repeats, 'repeat')} + {door.refused:,} refused "
            f"+ {door.mistakes:,} callers' mistakes + {door.broken:,} 5xx"
        )
        if self.unexplained > 0:
            return f"the ledger does not add up: {whole}, and {self.unexplained:,} that nothing explains"
        if self.unexplained < 0:
            return f"the ledger does not add up: {whole}, which is {-self.unexplained:,} more than came"
        return ""


def ledger(seen: Answered, door: Door, jobs: int, spans: Sequence[Window]) -> Ledger:
    """Holds requests against jobs. A minute's requests at each edge and the declared share of repeats may differ."""
    left = door.requests - door.broken - door.refused - door.mistakes - jobs
    minutes = max(1.0, sum(span.seconds for span in spans) / 60)
    edge = math.ceil(2 + 3 * math.sqrt(door.requests / minutes) + door.requests / minutes)
    repeats = max(0, min(left, math.ceil(seen.params.policy.door.repeats * door.requests)))
    rest = left - repeats
    unexplained = rest if abs(rest) > edge else 0
    return Ledger(door, jobs, repeats, 0 if unexplained else max(0, rest), unexplained)


def spans_of(window: Window, gaps: Iterable[tuple[dt.datetime, dt.datetime]]) -> list[Window]:
    """`window` without `gaps`, in whole minutes."""
    found, at = [], window.start
    for start, end in sorted(gaps):
        if start > at:
            found.append(Window(at, min(start, window.end)).inward(60))
        at = max(at, end)
    if at < window.end:
        found.append(Window(at, window.end).inward(60))
    return [one for one in found if not one.empty]


def failures(seen: Answered, spans: Sequence[Window], door: Door, step_s: int) -> tuple[tuple[int, int, int], ...]:
    """Failures at the door as (number of the step of `step_s` seconds since the epoch, n, n): 5xx, and the refusals in
    the access log.
    """
    found = dict[int, float]()
    for when, value in seen.answers.points(label("async_5xx")):
        if any(span.start <= when < span.end for span in spans):
            place = int(when.timestamp() // step_s)
            found[place] = found.get(place, 0.0) + value
    for when, _, _, count, own in _lines(seen, spans) if door.types else ():
        if not own:
            place = int(when.timestamp() // step_s)
            found[place] = found.get(place, 0.0) + count
    return tuple((place, round(value), round(value)) for place, value in sorted(found.items()) if round(value))


def lines(seen: Answered, door: Door, span: Window) -> list[tuple[dt.datetime, int, bool]]:
    """(minute, count, whether they are the callers' mistakes) of the 4xx that the access log tells apart in `span`."""
    return [(when, count, own) for when, _, _, count, own in _lines(seen, [span])] if door.types else []


def labels() -> tuple[str, ...]:
    """Labels of the series that the door is read from."""
    return tuple(label(f"async_{what}") for what in ("requests", "4xx", "5xx"))
