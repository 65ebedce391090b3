"""What scenario 1 returns to: the synchronous endpoint's own success, as far as anybody has measured it.

Where `/api/vpr` itself was asynchronous when it was decided, what it answered since the migration was the submit
Lambda's 202, and says nothing of the endpoint that users get back.
"""

from __future__ import annotations

import datetime as dt
from functools import cached_property

from runbook_lib.base.window import parse
from runbook_lib.judge import words
from runbook_lib.judge.gates import statistics
from runbook_lib.observe import aftermath
from runbook_lib.observe.traffic import state as traffic
from runbook_lib.record.record import Record
from runbook_lib.steps.rollbacks.incident import Incident

BASELINE = dt.timedelta(hours=24)
FEW = 100
"""Below this many requests, use a phase's larger sample."""
MIGRATE = "08_phase3_100_percent"


class WayBackTo(Incident):
    """An incident that knows what its way back leads to."""

    state: traffic.TrafficState
    restored = False
    """This run has had the infrastructure's command bring the synchronous route back."""

    @property
    def decided_at(self) -> dt.datetime:
        """When it was decided to act; in a plan, now."""
        return parse(self.clock.decided_at) if self.clock else self.run.now

    def baseline_words(self) -> str:
        """The measured success of the synchronous endpoint before the decision, in words.

        Where `/api/vpr` was asynchronous, its answers say nothing of that; where hardly anybody called it, little. Then
        the newest phase that saw enough of them is asked.
        """
        until = self.async_since or self.decided_at
        seen = aftermath.calls(self.run.aws.client("cloudwatch"), self.params, until - BASELINE, until)
        total, bad = round(seen.synchronous or 0), seen.errors
        when = f"in the day before the {'migration' if self.async_since else 'decision'}"
        if total < FEW or bad is None:
            total, bad, when = self._kept_baseline() or (total, bad, when)
        if not total or bad is None:
            return f"how often it succeeds is not known: hardly a request was synchronous {when}"
        good = round(total - bad)
        low, high = statistics.clopper_pearson(good, total, self.params.policy.confidence)
        told = f"{when} {words.number(good / total, 'ratio')} of {total:,} users' requests succeeded there"
        told += f" ({words.interval(low, high, 'ratio')})"
        gate = self.params.policy.gate("success_rate")
        broken = gate.alert is not None and gate.alert.holds(high)
        return told + ("; it is broken: this stops the new harm and restores nothing" if broken else "")

    def _kept_baseline(self) -> tuple[int, float, str] | None:
        """Requests, failures and when, of the newest phase whose record saw enough synchronous requests."""
        for notebook in reversed(self.params.policy.phases):
            for record in reversed(self._of(notebook)):
                kept = record.evidence.get("baseline_success") or {}
                if (n := kept.get("n") or 0) >= FEW and kept.get("bad") is not None:
                    when = f"in the hours to {kept.get('end')}, the last that saw enough of them (run {record.run_id}),"
                    return round(n), float(kept["bad"]), when
        return None

    @cached_property
    def async_since(self) -> dt.datetime | None:
        """Since when `/api/vpr` itself was asynchronous at the decision; None: it was synchronous.

        Where no record says when it was migrated, the whole day before counts as asynchronous.
        """
        since = self.decided_at - BASELINE
        back = [at for record in self.earlier for at in _deployed(record, way_back=True) if at >= self.decided_at]
        if not (self.state.migrated or self.restored or back):
            return None
        moved = [at for record in self._of(MIGRATE) for at in _deployed(record, step="migrate")]
        return max((at for at in moved if since <= at <= self.decided_at), default=since)

    def _of(self, notebook: str) -> list[Record]:
        """This release's records of a notebook, oldest first, those that can be trusted."""
        flat = self.params.flat
        return self._loaded(self.run.archive.records(env=flat.env, release=flat.release, notebook=notebook))


def _deployed(record: Record, step: str = "", way_back: bool = False) -> list[dt.datetime]:
    """When a step, or the way back, was deployed, by a record."""
    meant = (one for one in record.changes if (one.way_back if way_back else one.step == step))
    return [at for one in meant if (at := one.done_at())]
