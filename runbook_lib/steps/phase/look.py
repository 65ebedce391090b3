"""A phase's look: reads where the phase stands, asks AWS over one window, keeps the answers raw in the record, turns
them into evidence, and shows them. Decides and changes nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.window import Window, iso, parse, when
from runbook_lib.judge.case import Case
from runbook_lib.judge.gates import beside
from runbook_lib.judge.model import GateResult, Look
from runbook_lib.observe.alarms import declared as alarms
from runbook_lib.observe.evidence import arms, course
from runbook_lib.observe.jobs import access_log, census
from runbook_lib.observe.jobs.segment import Segment, merge
from runbook_lib.observe.metrics import fetch
from runbook_lib.observe.resources import configured, live
from runbook_lib.observe.traffic import state as traffic
from runbook_lib.observe.traffic import weight as weights
from runbook_lib.params.load import Params
from runbook_lib.params.phases import Phase as Spec
from runbook_lib.record.record import Record
from runbook_lib.rollout import costs, deviations, history, look, under_way
from runbook_lib.rollout import moment as moments
from runbook_lib.rollout.case import case_of
from runbook_lib.rollout.gate_charts import tiles
from runbook_lib.rollout.look import Seen, take
from runbook_lib.rollout.panels import CONTEXT, PERIOD_S, asks, drawn, grid
from runbook_lib.rollout.so_far import how_sure
from runbook_lib.run.run import Run
from runbook_lib.show.charts import timelines
from runbook_lib.show.checks import checks_table
from runbook_lib.show.multiples import changes, multiples
from runbook_lib.show.page import evidence_table, line
from runbook_lib.show.tables import stack, where_table
from runbook_lib.show.traffic import baseline_table, census_table, ledger_table, traffic_table
from runbook_lib.show.verdicts import findings_table

CONTEXT_H = 6.0
"""Hours before the shift that the charts show."""
BASELINE_H = 24.0
"""Hours of traffic that the baseline is read from while there is no soak."""
BESIDE = "beside:"
"""Prefix of the labels under which the latencies of this phase and the one before are asked."""
REMOVE = "remove_temporary"
"""Infrastructure step that removes the temporary route; the soak after the migration begins with it."""


@dataclass(frozen=True)
class Stand:
    """Where a phase stands at the run's instant: with the evidence, the input of its verdict and its plan."""

    params: Params
    spec: Spec
    now: dt.datetime
    state: traffic.TrafficState
    deployed: bool
    """Whether the rollout's flags exist; without them no request goes to async."""
    moment: moments.Moment

    @property
    def window(self) -> Window:
        """The time that is judged; before the shift, the last `BASELINE_H` hours, for the baseline alone."""
        end = self.moment.window_end(self.now)
        start = self.moment.effective_at or end - dt.timedelta(hours=BASELINE_H)
        return Window(min(start, end), end)

    def first_look(self, shift: dt.datetime) -> dt.datetime:
        """When the first look after a shift at `shift` is due: its soak is over and the metrics have come in."""
        in_effect = dt.timedelta(seconds=self.params.service.traffic.client_poll_s)
        return shift + in_effect + dt.timedelta(hours=self.spec.soak_hours) + moments.settle(self.params)


class PhaseLook:
    """The part of a phase that asks AWS and shows the answers.

    Args:
        run: open, of a notebook that `policy.phases` knows.

    Raises:
        AwsError: AppConfig, API Gateway or CloudFormation refused or did not answer.
        Overtaken: another attempt of the phase, another phase or another release has moved the weight since.
    """

    def __init__(self, run: Run) -> None:
        self.run, self.params = run, run.params
        self.seen: Seen | None = None
        self.stand = self._stand()
        run.journal.append(
            "traffic",
            when="before",
            state=self.stand.state.model_dump(mode="json"),
            moment=self.stand.moment.name,
            words=self.stand.moment.words,
        )

    # Where it stands

    def _stand(self) -> Stand:
        run, params = self.run, self.params
        spec = params.policy.phases[run.notebook]
        state, deployed = weights.read_or_nothing(run.aws, params)
        if (other := under_way.overtaken(state, params, run.notebook)) is not None:
            raise other
        moment = moments.which(state, params, run.notebook, spec, run.now)
        if spec.after_migration and state.migrated and not state.temporary_route:
            done = history.done_at(self.earlier, REMOVE) or self._stack_updated()
            state = state.model_copy(update={"migrated_since": iso(done)})
            moment = moments.after_migration(state, params, spec, done, run.now)
        return Stand(params, spec, run.now, state, deployed, moment)

    def _stack_updated(self) -> dt.datetime:
        stack = self.params.name("stack")
        with aws_errors(f"reading when {stack} was updated (cloudformation:DescribeStacks)"):
            found = self.run.aws.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        updated: dt.datetime = found.get("LastUpdatedTime") or found["CreationTime"]
        told = f"{stack} was updated {when(updated)}"
        self.run.warn(f"no record says when the temporary route was removed: {told}")
        return updated.astimezone(dt.UTC)

    def read_again(self, *, absent: bool = False) -> Stand:
        """Reads the traffic again after a change; the moment stays the one that the run began in.

        Args:
            absent: whether the flags may be missing yet.
        """
        if absent:
            state, deployed = weights.read_or_nothing(self.run.aws, self.params)
        else:
            state, deployed = weights.read_traffic(self.run.aws, self.params), self.stand.deployed
        self.stand = replace(self.stand, state=state, deployed=deployed)
        return self.stand

    @cached_property
    def earlier(self) -> list[Record]:
        """This attempt's earlier records, oldest first; an altered one is left out with a warning."""
        run = self.run
        return history.of_attempt(run.archive, self.params, run.notebook, run.warn, "an earlier look is not used")

    @cached_property
    def before_this(self) -> Record | None:
        """The previous phase's verified record in the same environment that says PROMOTE; None if there is none."""
        return history.phase_before(self.run.archive, self.params, self.run.notebook)

    @cached_property
    def arm_before(self) -> dict[str, Any] | None:
        """The previous phase hour by hour, where a gate compares with it; else None."""
        return look.phase_before(self.run.archive, self.before_this, self.params, self.run.warn)

    def traffic_table(self) -> Any:
        """Moment, dial, switch and the deployments behind them."""
        head = where_table({"Moment": self.stand.moment.words})
        if not self.stand.deployed:
            return stack(head, line("The new resources are not deployed here yet: no request can go to async."))
        return stack(head, traffic_table(self.stand.state))

    def guards_table(self) -> Any:
        """Whether each guard alarm could protect the shift."""
        service = self.run.params.service
        if not self.stand.deployed:
            return line("No guards yet: the new resources are not deployed.")
        if self.stand.state.migrated:
            path = service.api.routes.sync
            said = f"{service.traffic.watcher} guards nothing any more: the weight has no effect since {path} is"
            return line(f"{said[0].upper()}{said[1:]} asynchronous.")
        return findings_table(self.guards, caption=f"Guard alarms that {service.traffic.watcher} watches")

    @cached_property
    def guards(self) -> list[alarms.Finding]:
        """The findings about the guards, asked once per run."""
        found = list(alarms.guard_findings(self.run.aws.client, self.params, self.run.notebook))
        self.run.journal.append("guards", findings=[finding.model_dump(mode="json") for finding in found])
        return found

    # What was seen

    def observe(self) -> Any:
        """Asks CloudWatch, the jobs table and the queue, and turns the answers into evidence."""
        self.seen = seen = self.take(self.stand.window, self.stand.moment.look)
        tables = [evidence_table(seen.evidence)]
        ledger = seen.evidence["success"].extra.get("ledger")
        if ledger:
            tables.append(ledger_table(ledger))
        told = self.params.service.contract.table
        return stack(*tables, census_table(seen.segment, told.done, told.broken)) if seen.segment else tables[0]

    def looked(self) -> Seen:
        """This run's look, taken on first use."""
        if self.seen is None:
            self.seen = self.take(self.stand.window, self.stand.moment.look)
        return self.seen

    def take(self, window: Window, look: Look | None, *, counted: bool | None = None) -> Seen:
        """Takes one look at `window`: asks everything, keeps the answers raw and turns them into evidence.

        Args:
            counted: whether jobs are counted; None: only while a soak of this phase is under way.
        """
        run, state = self.run, self.stand.state
        if counted is None:
            counted = self.stand.moment.effective_at is not None
        segment = self._census(window) if counted else None
        levels = live.read(run.aws.client("sqs"), run.aws.client("lambda"), self.params) if self.stand.deployed else {}
        levels["configured"] = configured.read(
            run.aws.client, self.params, lambda: deviations.since(run.archive, self.params.env, deviations.BILLING)
        )
        if counted:
            routed = traffic.as_routed(self.params, state)
            levels["door"] = access_log.read(run.aws.client("logs"), routed, window)
            if state.only_old_clients:
                levels["clients"] = access_log.read_clients(run.aws.client("logs"), routed, window)
        if self.arm_before is not None:
            levels[arms.BEFORE] = self.arm_before
        chart = Window(window.start - dt.timedelta(hours=CONTEXT_H), run.now)
        more = [*asks(chart), *course.asks(self.params, window, run.now), *self._latencies(window)]
        baseline = partial(history.baseline, before=self.before_this, migrated=state.migrated)
        return take(run, state, window, look, segment, levels, more=more, baseline=baseline)

    def _latencies(self, window: Window) -> list[fetch.Ask]:
        """Asks for the submission's median latency in each period of this window, and of the previous phase's soak.

        Medians, because the p95 of a period is lower with few requests than with many, and phases differ in traffic.
        """
        before = self.before_this
        kept = before.evidence.get("submit_latency") if before else None
        asked = [fetch.Ask("async_latency", window, "p50", PERIOD_S, label=f"{BESIDE}now")]
        if kept:
            route = "sync_latency" if self.stand.state.migrated else "async_latency"
            then = Window(parse(kept["start"]), parse(kept["end"]))
            asked.append(fetch.Ask(route, then, "p50", PERIOD_S, label=f"{BESIDE}before"))
        return asked

    def _census(self, window: Window) -> Segment:
        """The jobs since the last look, joined to what earlier looks of the same soak counted (trap 1)."""
        run, since = self.run, self.stand.moment.effective_at
        known = [one for one in censuses(self.earlier) if window.start <= one.start and one.end_settled <= window.end]
        start = max((one.end_settled for one in known), default=window.start)
        rest = Window(start, window.end)
        fresh = census.take(run.aws.client("dynamodb"), self.params, rest, run.now, since=since)
        run.journal.append("census", segment=fresh.model_dump(mode="json"))
        return merge([*known, fresh])

    # What is shown of it

    def baseline_table(self) -> Any:
        """The canary's success beside the baseline's."""
        seen, policy = self.looked(), self.params.policy
        canary, baseline = seen.evidence["success"], seen.evidence["baseline_success"]
        shown = baseline_table(canary, baseline, policy.confidence)
        if self.stand.moment.effective_at is None:
            return shown
        now, before = (
            [value / 1000 for _, value in seen.answers.points(f"{BESIDE}{arm}")] for arm in ("now", "before")
        )
        found = [
            beside.success(canary, baseline, policy.beside, policy.confidence),
            beside.latency(now, before, policy.beside, policy.confidence),
        ]
        self.run.check(*found)
        return stack(shown, checks_table(found, "Beside its neighbours (advice: the gates decide)"))

    def cost_table(self) -> Any:
        """Cost of a report, infrastructure and tokens apart, and of a month of reports."""
        return costs.bill(self.looked().evidence["cost_per_vpr"], self.params)

    def cost_comparison(self) -> Any:
        """Compares the cost of a success on both routes, infrastructure and tokens apart; notes `cost.compared`."""
        seen = self.looked()
        kept = costs.from_record(self.before_this)
        found = seen.evidence
        compared = costs.compare(found["cost_per_vpr"], found["cost_per_vpr_sync"], kept, self.run.run_id)
        self.run.check(compared)
        return costs.compared(compared, found["cost_per_vpr_sync"], self.params)

    def charts(self) -> Any:
        """A timeline of what each gate judges, failing first; then the traffic around it."""
        seen, moment, migrated = self.looked(), self.stand.moment, self.stand.state.migrated
        marks = []
        if moment.shift_at:
            marks.append((moment.shift_at, "migrated" if migrated else f"shift to {self.stand.spec.percent:g} %"))
        if moment.taken_back_at:
            marks.append((moment.taken_back_at, "taken back by AppConfig"))
        case = self._drawn(seen)
        results = case.verdict().results
        gates = {gate.id: gate for gate in self.params.policy.gates}
        periods = grid(seen.window.start - dt.timedelta(hours=CONTEXT_H), self.run.now, self.params)
        names = {"sync": "temporary route", "async": self.params.service.api.routes.sync} if migrated else {}
        groups = [drawn(panel, seen.answers, gates, names, periods) for panel in CONTEXT]
        sure = how_sure(case, results, seen.segment)
        # One change may show in several gates: its moment is marked once.
        changed = sorted((one for _, one in sure if one.since), key=lambda one: parse(one.since or ""))
        marks += [mark for one in changed[:1] for mark in changes(one)]
        certain = timelines([chart for chart, _ in sure], marks=marks, title="How sure it is") if sure else None
        around = timelines(groups, marks=marks, title="The traffic around it")
        return stack(*(part for part in (certain, self._gates(seen, case, results, marks), around) if part is not None))

    def _drawn(self, seen: Seen) -> Case:
        """The case that the charts draw; where nothing is judged, as if a soak were under way."""
        stand = self.stand
        unjudged = stand.moment.effective_at is None or stand.moment.name in ("over", "migrating")
        moment: moments.Name | None = "during" if unjudged else None
        return case_of(stand.params, stand.spec, stand.moment, seen.evidence, seen.look, moment=moment)

    def _gates(
        self, seen: Seen, case: Case, results: Sequence[GateResult], marks: list[tuple[dt.datetime, str]]
    ) -> Any:
        """A timeline for each gate; empty while nothing is judged."""
        since, end = self.stand.moment.effective_at, seen.window.end
        if since is None:
            return multiples([])
        ends = [(since + dt.timedelta(hours=one.hours), f"look {k}") for k, one in enumerate(case.looks, 1)]
        # A look that ends at the chart's edge is this look itself: it gets no mark.
        marks = [*marks, *(one for one in ends if one[0] < end)]
        soak = [one for one in self.earlier if parse(one.as_of or one.sealed_at) >= since]
        return multiples(tiles(seen.answered(self.params), case, results, soak), marks)


def censuses(records: list[Record]) -> list[Segment]:
    """The censuses of earlier looks, from their sealed records."""
    return [Segment.model_validate(segment) for record in records for segment in record.census]
