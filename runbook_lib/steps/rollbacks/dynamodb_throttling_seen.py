"""What scenario 3 looks at: symptoms, the busiest minute, the watch after the change."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from runbook_lib.base.window import Window, when
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.gates.remedies import Order, in_order
from runbook_lib.judge.incidents.capacity import Units, Watch, wanted, watch
from runbook_lib.judge.model import Gate
from runbook_lib.judge.terms import Verdict
from runbook_lib.judge.words import count as counted
from runbook_lib.observe.evidence import questions
from runbook_lib.observe.jobs import logs
from runbook_lib.observe.resources import billing, throttling
from runbook_lib.observe.resources.throttling import PARTS
from runbook_lib.rollout.deviations import BILLING, UNITS
from runbook_lib.show.charts import timelines
from runbook_lib.show.tables import table, where_table
from runbook_lib.steps.rollbacks.incident import Symptom
from runbook_lib.steps.rollbacks.mitigation import Mitigation, declared

FAILED_UPDATE = ("Throttl", "ProvisionedThroughputExceeded")
"""Error codes of DynamoDB that the handlers log for a throttled write; parts of them are enough."""


def _summed(points: Sequence[tuple[float, float]], period_s: int) -> list[tuple[dt.datetime, float]]:
    """Sums of the points (epoch seconds, value) in each period, oldest first."""
    sums: dict[float, float] = {}
    for at, value in points:
        start = at // period_s * period_s
        sums[start] = sums.get(start, 0.0) + value
    return [(dt.datetime.fromtimestamp(at, dt.UTC), value) for at, value in sorted(sums.items())]


class ThrottlingSeen:
    """The state of scenario 3: the table's billing and its throttle events.

    Args:
        mitigation: the incident's; its deviations say what was done.

    Raises:
        AwsError: DynamoDB or CloudWatch refused or did not answer.
    """

    def __init__(self, mitigation: Mitigation) -> None:
        self.mitigation, self.incident = mitigation, mitigation.incident
        self.run, self.params = mitigation.run, mitigation.params
        self.policy = declared(self.incident.spec.throttling, "throttling")
        self.client = self.run.aws.client("dynamodb")
        self.billing = billing.read_billing(self.client, self.params)
        if mitigation.closed:
            mitigation.go_on()
        if self.in_force:
            mitigation.seen_in_force(0.0)
        now, run = self.run.now, self.run
        start = now - dt.timedelta(hours=self.policy.peak_h)
        if decided := self.incident.decided_time:
            start = min(start, decided - dt.timedelta(minutes=self.policy.window_min))
        self.pressure = throttling.read(run.aws.client("cloudwatch"), self.params, Window(start, now), now)
        run.journal.attach("answers.json", json.dumps(self.pressure.answers.raw, default=str).encode())

    def read_again(self) -> billing.Billing:
        """Reads the billing again."""
        self.billing = billing.read_billing(self.client, self.params)
        return self.billing

    @property
    def provisioned(self) -> bool:
        """Whether the table has the capacity that this scenario's open deviation records.

        The mode alone does not show it, for the table may have been PROVISIONED before: it needs at least those units.
        """
        has = self.billing.units
        enough = all(
            name in has and has[name].read >= one.read and has[name].write >= one.write
            for name, one in self.decided_units.items()
        )
        return bool(self.mitigation.open) and self.billing.mode == billing.PROVISIONED and enough

    @property
    def decided_units(self) -> dict[str, Units]:
        """Units that the open deviation records, by name of table or index; empty: there is no deviation."""
        found = self.mitigation.open.get(BILLING)
        return {name: Units.model_validate(one) for name, one in found.facts.get(UNITS, {}).items()} if found else {}

    @property
    def in_force(self) -> bool:
        """Whether the table is provisioned, and table and index are ACTIVE."""
        return self.provisioned and self.billing.active

    @cached_property
    def lately(self) -> dict[str, float]:
        """Throttle events of the last `window_min` minutes, by name."""
        return self.pressure.events(self.run.now - dt.timedelta(minutes=self.policy.window_min))

    # What is true

    def state_table(self) -> Any:
        """Billing mode, units and status of table and index; where this scenario stands."""
        found = self.billing
        told = "nothing was done yet"
        if self.mitigation.open:
            since = when(self.mitigation.open[BILLING].at)
            told = f"provisioned, decided at {since}" if self.provisioned else f"on record since {since}, not made yet"
        elif self.mitigation.closed:
            told = "over: the deviation is undone or adopted"
        return where_table(
            {
                "Billing mode": found.mode,
                "Status": "; ".join([found.status, *(f"{one} {is_}" for one, is_ in found.index_status.items())]),
                "Units a second": self.units_words(),
                "This scenario": told,
            }
        )

    def units_words(self) -> str:
        """Units of table and index, or that they are on demand."""
        return "; ".join(f"{name}: {one}" for name, one in self.billing.units.items()) or "on demand"

    def symptoms_table(self) -> Any:
        """Checks the symptoms: throttle events of table or index (trap 10), and failed job updates."""
        now, minutes = self.run.now, self.policy.window_min
        start = now - dt.timedelta(minutes=minutes)
        events = ", ".join(f"{count:g} {name}" for name, count in self.lately.items())
        # DynamoDB publishes no zeros: without an event, traffic shows that none happened (trap 5).
        throttled = True if self.lately else False if self.pressure.used(start, now) else None
        told = f"throttle events: {events}" if events else f"no throttle event in {minutes:g} min"
        failed = self._failed_updates(Window(start, now))
        failures = f"{counted(failed, 'update')} failed by throttling"
        found = [
            Symptom("throttled", "Throttle events of table or index", throttled, told),
            Symptom("failed_updates", "Failed job updates", failed > 0, failures),
        ]
        return self.mitigation.symptoms(found, required=not (self.mitigation.open or self.mitigation.closed))

    def _failed_updates(self, window: Window) -> int:
        client = self.run.aws.client("logs")
        workers = [post.worker for post in self.params.service.crew]
        both = [logs.failures(client, self.params, window, resource=name) for name in (*workers, "submit")]
        return sum(one.count for each in both for one in each if any(word in one.text for word in FAILED_UPDATE))

    def errors_table(self) -> Any:
        """Counts the HTTP 500s of DynamoDB, which more capacity does not cure."""
        count = self.pressure.server_errors(self.run.now - dt.timedelta(minutes=self.policy.window_min))
        told = "none" if count is not None else "no data: DynamoDB publishes SystemErrors only where there are any"
        if count:
            told = f"{count:g} HTTP 500s of DynamoDB: those are scenario 1, capacity does not cure them"
        return self.incident.note(
            check(
                "rollback_3.server_errors",
                "HTTP 500s of DynamoDB (SystemErrors)",
                not count,
                told,
                required=False,
                found=f"{count:g}" if count else "none",
            )
        )

    def part(self, name: str) -> str:
        """Physical name of `table` or `gsi`."""
        return self.billing.table if name == "table" else self.params.name("gsi")

    @cached_property
    def units(self) -> dict[str, Units]:
        """Units to provision, by the name of the table and of the index."""
        return {
            self.part(part): wanted(
                self.pressure.demand(part, "reads"),
                self.pressure.demand(part, "writes"),
                at_least=self.policy.units,
                times_peak=self.policy.times_peak,
                now=self.billing.units.get(self.part(part)),
            )
            for part in throttling.PARTS
        }

    def peaks_table(self) -> Any:
        """The busiest minute of table and index, reads and writes, and the units that follow from it."""
        rows: list[list[object]] = []
        for part, words in throttling.PARTS.items():
            units = self.units[self.part(part)]
            for side in throttling.SIDES:
                found = self.pressure.demand(part, side)
                at = when(dt.datetime.fromtimestamp(found.at, dt.UTC)) if found.at is not None else "no data"
                provision = units.read if side == "reads" else units.write
                rows.append([words, side, at, f"{found.consumed_per_s:.2f}", f"{found.throttled:g}", provision])
        return table(
            ("Of the", "", "Busiest minute", "Consumed a second", "Throttled in it", "Units to provision"),
            rows,
            caption=f"max({self.policy.units}, {self.policy.times_peak:g} x peak), of {self.policy.peak_h:g} h",
            note="A throttled request consumed nothing and is counted as one unit. Units are those a second.",
        )

    def charts(self) -> Any:
        """Throttle events and consumed units, with the moments of the change."""
        gate = next((one for one in self.params.policy.gates if one.measure == "throttle_events"), None)
        groups: list[dict[str, Any]] = [
            {
                "series": self._events(),
                "title": "Throttle events",
                "unit": "events / 5 min",
                "kind": "bar",
                "gate": gate,
            }
        ]
        for side in throttling.SIDES:
            used = {words: _summed(self.pressure.points(f"{part}_{side}"), 60) for part, words in PARTS.items()}
            title = f"{side.removesuffix('s').capitalize()} units consumed{self._provisioned(side)}"
            groups.append({"series": used, "title": title, "unit": "units a minute"})
        marks = [(at, word) for at, word in ((self.incident.decided_time, "decided"), (self.active_at, "ACTIVE")) if at]
        return timelines(groups, marks=marks)

    def _events(self) -> dict[str, list[tuple[dt.datetime, float]]]:
        """Throttle events summed by the gate's period; 0 where the table was written to and no event was published."""
        period = questions.GAUGE_PERIOD_S
        zero = [(at, 0.0) for at, value in self.pressure.points("table_writes") if value > 0]
        found = {name: _summed([*points, *zero], period) for name, points in self.pressure.series().items() if points}
        return found or {"table and index": _summed(zero, period)}

    def _provisioned(self, side: str) -> str:
        """Provisioned units of one side (reads or writes) a minute, in words; empty on demand."""
        found = {getattr(one, side.removesuffix("s")) * 60 for one in self.billing.units.values()}
        return f", of {' and '.join(f'{each:,}' for each in sorted(found))} provisioned" if found else ""

    # After the action

    @property
    def active_at(self) -> dt.datetime | None:
        """When table and index were seen ACTIVE with the new units."""
        clock = self.incident.clock
        return dt.datetime.fromisoformat(clock.set_at) if clock and clock.set_at else None

    @property
    def watched(self) -> Watch | None:
        """What the watch says; None while the capacity is not in force."""
        at = self.active_at
        if at is None or not (self.in_force or self.mitigation.closed):
            return None
        seen_until = self.run.now - dt.timedelta(seconds=self.params.policy.metric_delay_s)
        end = at + dt.timedelta(minutes=self.incident.spec.quiet_min)
        return watch(
            self.pressure.series(),
            since=at.timestamp(),
            seen_until=seen_until.timestamp(),
            minutes=self.incident.spec.quiet_min,
            settle_min=self.policy.settle_min,
            proven=self.pressure.used(at, min(end, seen_until)),
        )

    def watch_check(self) -> Check:
        """`rollback_3.watch`: no throttle event in the first `quiet_min` minutes; INCONCLUSIVE until they are over."""
        found, minutes = self.watched, self.incident.spec.quiet_min
        ok = {"resolved": True, "throttled": False}.get(found.state) if found else None
        made = check(
            "rollback_3.watch",
            "No throttling after the change",
            ok,
            found.words if found else "the capacity is not in force yet",
            expected=f"0 events in {minutes:g} min",
            found=f"{sum(found.events.values()):g} events in {found.minutes:.0f} min" if found else "",
            events=found.events if found else {},
        )
        waiting = found is None or found.state == "watching"
        return made.model_copy(update={"verdict": Verdict.INCONCLUSIVE}) if waiting else made

    @property
    def orders(self) -> list[Order]:
        """The gates that call for capacity, judged by the throttle events since the capacity is in force."""
        return [self._order(gate) for gate in self.mitigation.calling]

    def _order(self, gate: Gate) -> Order:
        at, period = self.active_at, questions.GAUGE_PERIOD_S
        if at is None or gate.measure != "throttle_events":
            told = "the capacity is not in force yet" if at is None else "the phase judges it"
            return Order(gate=gate.id, verdict=Verdict.INCONCLUSIVE, words=f"{gate.title}: {told}")
        since = at + dt.timedelta(minutes=self.policy.settle_min)
        until = self.run.now - dt.timedelta(seconds=self.params.policy.metric_delay_s)
        sums: dict[float, float] = {}
        for points in self.pressure.series().values():
            for second, value in points:
                if since.timestamp() <= second < until.timestamp():
                    sums[second // period] = sums.get(second // period, 0.0) + value
        if not sums and since < until and self.pressure.used(since, until):
            sums = {0.0: 0.0}  # no event is published where none happened
        return in_order(gate, levels=list(sums.values()), at_least=1)

    def capacity_check(self) -> Check:
        """`rollback_3.capacity`: PROVISIONED and ACTIVE; INCONCLUSIVE while UPDATING."""
        found = self.billing
        told = f"{found.mode}, {self.units_words()}; {'ACTIVE' if found.active else found.status}"
        there = self.in_force or bool(self.mitigation.closed)
        made = check(
            "rollback_3.capacity",
            "Table and index PROVISIONED, and ACTIVE",
            there,
            told,
            expected=f"at least {self.policy.units} units each",
            found=found.mode,
        )
        return made if made.ok or found.active else made.model_copy(update={"verdict": Verdict.INCONCLUSIVE})
