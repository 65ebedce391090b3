"""`runbook cost`: the bills of both sides for any window, for people and for programs. Changes and records nothing.

For times that the jobs table no longer covers, counts and tokens come from the KPI metrics; the output says so.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runbook_lib.base.aws import Aws
from runbook_lib.base.errors import UsageError
from runbook_lib.base.window import Window, iso, moment, when
from runbook_lib.judge import words
from runbook_lib.judge.gates.gates import judge_all
from runbook_lib.judge.model import Evidence, GateResult, Look
from runbook_lib.judge.money.projection import BreakEven, Month
from runbook_lib.judge.terms import Verdict
from runbook_lib.observe.api_address import reached
from runbook_lib.observe.evidence import measure
from runbook_lib.observe.evidence.costs import MEASURE, SYNC
from runbook_lib.observe.evidence.questions import label
from runbook_lib.observe.jobs import census
from runbook_lib.observe.jobs.segment import Segment
from runbook_lib.observe.metrics.fetch import Answers, fetch
from runbook_lib.observe.resources import configured, live
from runbook_lib.observe.traffic import state as traffic
from runbook_lib.observe.traffic import weight as weights
from runbook_lib.params.load import Params, load_file
from runbook_lib.record.archive import Archive
from runbook_lib.rollout import deviations
from runbook_lib.rollout.costs import even, months
from runbook_lib.show.cost import as_rows, cost_table, month_table


@dataclass(frozen=True)
class CostReport:
    """The bills of both routes, and the costs per month that follow from them."""

    env: str
    since: str
    until: str
    own: Evidence
    sync: Evidence
    months: tuple[Month, ...]
    even: BreakEven | None
    gate: GateResult | None
    """Result of the cost gate; None: the policy has no such gate."""

    @property
    def stale(self) -> str | None:
        """A sentence if the prices are too old; None: they are not."""
        found = self.own.extra.get("stale") or self.sync.extra.get("stale")
        return str(found) if found else None

    @property
    def billed(self) -> bool:
        """Whether at least one side has a bill."""
        return any(one.extra.get("lines") for one in (self.own, self.sync))

    @property
    def too_dear(self) -> bool:
        """Whether the cost gate fails."""
        return self.gate is not None and self.gate.verdict is Verdict.FAIL

    def as_dict(self) -> dict[str, Any]:
        """The bills as JSON, for `--json`."""
        sides = {
            name: {**one.model_dump(mode="json"), "statement": as_rows(one)}
            for name, one in (("async", self.own), ("sync", self.sync))
        }
        return {
            "env": self.env,
            "since": self.since,
            "until": self.until,
            **sides,
            "months": [{**one.model_dump(mode="json"), "usd": one.usd} for one in self.months],
            "break_even": self.even.model_dump(mode="json") if self.even else None,
            "gate": {"verdict": self.gate.verdict, "reason": self.gate.reason} if self.gate else None,
            "stale": self.stale,
        }

    def as_csv(self) -> str:
        """The bills as CSV, for `--csv`: one line for each row of both statements."""
        out = io.StringIO()
        names = ("side", "scope", "service", "fixed", "usd", "usd_per_vpr", "usd_per_request")
        writer = csv.DictWriter(out, names, lineterminator="\n")
        writer.writeheader()
        for side, one in (("async", self.own), ("sync", self.sync)):
            if one.extra.get("lines"):
                writer.writerows({"side": side, **row} for row in as_rows(one))
        return out.getvalue()

    def text(self) -> str:
        """The bills as text for a terminal."""
        parts = [str(cost_table(self.own)), str(cost_table(self.sync, judged=False))]
        if self.months:
            parts.append(str(month_table(self.months, self.even, words.unit(self.own.extra))))
        if self.gate:
            parts.append(f"{words.said(self.gate.verdict)}: {self.gate.reason}")
        return "\n".join(parts)


def report(file: Path, since: str, until: str = "", values: Mapping[str, Any] | None = None) -> CostReport:
    """The bills from `since` to `until`.

    Args:
        file: flat parameters of one environment.
        since: ISO 8601 (UTC without a zone), or a span before now: `24h`, `7d`, `90min`.
        until: the same forms; empty: now.
        values: overrides.

    Raises:
        UsageError: the parameters or a time are wrong, or the account is another one.
        AwsError: AWS cannot be asked.
    """
    params = load_file(file, values)
    params, aws, identity = reached(params)
    now = identity.now
    window = Window(moment(since, now, "--since"), now)
    end = moment(until, now, "--until") if until else now
    if not window.start < end <= now:
        raise UsageError(
            f"--since {since}, --until {until or 'now'}: expects a beginning before the end, and no future"
        )
    return _report(aws, params, Window(window.start, end), now)


def _report(aws: Aws, params: Params, window: Window, now: dt.datetime) -> CostReport:
    state, there = weights.read_or_nothing(aws, params)
    routed = traffic.as_routed(params, state)
    levels = live.read(aws.client("sqs"), aws.client("lambda"), params) if there else {}
    levels["configured"] = configured.read(
        aws.client, params, lambda: deviations.since(Archive.of(params), params.env, deviations.BILLING)
    )
    answers = fetch(aws.client("cloudwatch"), routed, measure.asks(routed, window, now), now)
    segment: Segment | None = None
    note: tuple[str, ...] = ()
    if there:
        segment = census.take(aws.client("dynamodb"), params, window, now)
        segment, note = filled(segment, answers)
    found = measure.measure(answers, segment, levels, state, routed, window, now)
    own = found[MEASURE].model_copy(update={"notes": (*found[MEASURE].notes, *note)})
    gates = [gate for gate in params.policy.gates if gate.measure == MEASURE]
    look = Look(hours=max(window.seconds / 3600, 0.01), alpha=1 - params.policy.confidence)
    judged = judge_all(gates, {MEASURE: own}, look=look)
    return CostReport(
        env=params.env,
        since=iso(window.start),
        until=iso(window.end),
        own=own,
        sync=found[SYNC],
        months=tuple(months(own, params)),
        even=even(own, params),
        gate=judged[0] if judged else None,
    )


def filled(segment: Segment, answers: Answers) -> tuple[Segment, tuple[str, ...]]:
    """The census with its gaps filled from the KPI metrics, and sentences about what that means. Pure.

    The KPIs count a report that came too late for its client as completed: with them, the cost per success is a lower
    bound.
    """
    added = {"completed": 0.0, "failed": 0.0, "input_tokens": 0.0, "output_tokens": 0.0}
    asked = {"completed": "jobs_completed", "failed": "jobs_failed"} | {name: name for name in list(added)[2:]}
    for start, end in segment.gaps:
        for name, metric in asked.items():
            added[name] += sum(value for at, value in answers.points(label(metric)) if start <= at < end)
    if not segment.gaps or not any(added.values()):
        return segment, ()
    changed: dict[str, Any] = {name: getattr(segment, name) + round(more) for name, more in added.items()}
    spans = ", ".join(f"{when(start)} to {when(end)}" for start, end in segment.gaps)
    note = (
        f"the jobs of {spans} are not in the table any more: the KPI metrics replace them, late reports "
        "counted as successes"
    )
    return segment.model_copy(update={**changed, "gaps": ()}), (note,)
