"""The effect of more workers: the curve, the drained queue, the gates that called for them, and whether they may go."""

from __future__ import annotations

import datetime as dt
import math
from functools import cached_property

from runbook_lib.base.window import Window
from runbook_lib.judge import words
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.gates.remedies import Order, in_order
from runbook_lib.judge.incidents.backlog import Turn, capacity_per_s, most_arrivals_per_s, turn
from runbook_lib.judge.incidents.incident import spell
from runbook_lib.judge.model import Gate
from runbook_lib.judge.terms import Verdict
from runbook_lib.observe.jobs import census
from runbook_lib.steps.rollbacks.queue_backlog_seen import BacklogSeen


class BacklogAfter:
    """The state of scenario 2 since the decision; a new one is made when the workers change."""

    def __init__(self, seen: BacklogSeen) -> None:
        self.seen, self.mitigation, self.incident = seen, seen.mitigation, seen.incident
        self.run, self.params = seen.run, seen.params

    @cached_property
    def turned(self) -> Turn | None:
        """What the curve did since the decision; None: not raised, or no point yet."""
        at = self.incident.decided_time
        if at is None or not (self.seen.raised or self.mitigation.closed):
            return None
        points = [((when - at).total_seconds(), level) for when, level in self.seen.now_seen_levels if when >= at]
        few = self.params.policy.gate("queue_depth").target.limit - 1
        return turn(points, steady=self.seen.policy.steady, few=few)

    @property
    def due(self) -> dt.datetime | None:
        """When the curve must have turned, and the metrics have come in."""
        at = self.incident.decided_time
        wait = dt.timedelta(minutes=self.incident.spec.limit_min, seconds=self.params.policy.metric_delay_s)
        return at + wait if at else None

    def curve_check(self) -> Check:
        """`rollback_2.curve`: turned within the limit; INCONCLUSIVE until the limit has passed."""
        limit = self.incident.spec.limit_min
        title, within = f"The curve turns within {limit:g} min", f"< {limit:g} min"
        found, due = self.turned, self.due
        early = due is None or self.run.now < due
        if found is None or found.turned_s is None:
            level = "no data since" if found is None else f"{found.last:.0f} messages wait, {found.peak:.0f} at most"
            told = f"not turned {'yet' if early else 'in time'}: {level}"
            made = check("rollback_2.curve", title, False, told, expected=within, found=level)
            open_ = early or found is None
            return made.model_copy(update={"verdict": Verdict.INCONCLUSIVE}) if open_ else made
        told = f"turned {spell(found.turned_s)} after the decision; peak {found.peak:.0f}, now {found.last:.0f}"
        return check(
            "rollback_2.curve",
            title,
            found.turned_s < 60 * limit,
            told,
            expected=within,
            found=spell(found.turned_s),
            **found.model_dump(),
        )

    @property
    def drained(self) -> bool:
        """Whether the queue has reached its target and stayed there."""
        return self.turned is not None and self.turned.drained

    @property
    def drained_at(self) -> dt.datetime | None:
        """Since when the queue has been at its target; None: it is not drained, or was not seen."""
        clock = self.incident.clock
        begun = clock and (clock.effective_at or clock.decided_at)
        if not self.drained or not begun:
            return None
        start, few = dt.datetime.fromisoformat(begun), self.params.policy.gate("queue_depth").target.limit - 1
        deep = [when for when, level in self.seen.now_seen_levels if when >= start and level > few]
        after = [when for when, _ in self.seen.now_seen_levels if when > max(deep, default=start)]
        return max(start, min(after)) if after else None

    @cached_property
    def orders(self) -> list[Order]:
        """The gates that call for more workers, judged since the queue was drained: jobs that waited were late."""
        since = self.drained_at
        return [self._order(gate, since) for gate in self.mitigation.calling]

    def _order(self, gate: Gate, since: dt.datetime | None) -> Order:
        if since is None:
            told = f"{words.title(gate)}: the queue is not drained yet"
            return Order(gate=gate.id, verdict=Verdict.INCONCLUSIVE, words=told)
        if gate.measure == "queue_depth":
            levels = [level for when, level in self.seen.now_seen_levels if when >= since]
            return in_order(gate, levels=levels, at_least=self.seen.policy.steady)
        if gate.measure == "generation_time":
            times = census.take(
                self.run.aws.client("dynamodb"), self.params, Window(since, self.run.now), self.run.now
            ).generation_s
            # The nearest rank, as in `observe.evidence.levels.generation_time`.
            rank = max(1, math.ceil(round((gate.quantile or 1.0) * len(times), 9)))
            value = times[rank - 1 : rank]
            return in_order(gate, levels=value, n=len(times), at_least=self.seen.policy.enough_jobs)
        told = f"{words.title(gate)} is not measured by this notebook: the phase judges it"
        return Order(gate=gate.id, verdict=Verdict.INCONCLUSIVE, words=told)

    def until_judged(self) -> dt.timedelta:
        """How long until enough jobs have ended, at the rate of arrivals seen; five minutes to an hour."""
        rate = (self.seen.now_seen.sent or 0.0) / max(self.seen.now_seen.window.seconds, 1.0)
        wait = self.seen.policy.enough_jobs / rate + self.params.service.job_deadline_s if rate else 3600.0
        return dt.timedelta(seconds=min(max(wait, 300.0), 3600.0))

    @property
    def missing_back(self) -> str:
        """Why the workers cannot be put back yet; empty: the former number can finish more than arrives."""
        if adopted := self.mitigation.adopted:
            return f"both settings go together with {adopted}: adopt the other too"
        if not self.drained:
            return "the queue is not drained yet"
        load = self.seen.now_seen.load(self.seen.was)
        if load is None:
            return ""
        able, seen = capacity_per_s(self.seen.was, load.service_s), self.seen.now_seen
        most = most_arrivals_per_s(round(seen.sent or 0), seen.window.seconds, self.params.policy.confidence)
        if most < able:
            return ""
        sure = load.arrivals_per_s >= able
        chance = "" if sure else f", which may be a quiet moment of {most * 60:.1f}"
        return (
            f"{load.arrivals_per_s * 60:.1f} jobs a minute arrive{chance}, and {self.seen.was} workers finish "
            f"{able * 60:.1f}: the queue {'would' if sure else 'could'} grow again"
        )
