"""How a phase looks: everything asked over one window, kept raw in the record, turned into evidence, and shown."""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from typing import Any

from runbook_lib.base.window import Window, parse
from runbook_lib.judge.gates import beside
from runbook_lib.judge.gates.gates import judge
from runbook_lib.judge.gates.situation import USER_SUCCESS
from runbook_lib.judge.model import Evidence, Look
from runbook_lib.observe.alarms import declared as alarms
from runbook_lib.observe.jobs import access_log, census
from runbook_lib.observe.jobs.segment import Segment, merge
from runbook_lib.observe.metrics import fetch
from runbook_lib.observe.resources import configured, live
from runbook_lib.observe.traffic import state as traffic
from runbook_lib.params.policy import Phase as Spec
from runbook_lib.record.chain import predecessors
from runbook_lib.record.record import Record
from runbook_lib.rollout import costs, deviations
from runbook_lib.rollout.look import Seen, take
from runbook_lib.rollout.moment import Moment
from runbook_lib.rollout.panels import PERIOD_S, SERIES, Panel, asks, grid
from runbook_lib.rollout.so_far import so_far
from runbook_lib.run.run import Run
from runbook_lib.show.charts import timelines
from runbook_lib.show.checks import checks_table
from runbook_lib.show.page import evidence_table, line
from runbook_lib.show.points import Grid
from runbook_lib.show.tables import stack, where_table
from runbook_lib.show.traffic import baseline_table, census_table, ledger_table, traffic_table
from runbook_lib.show.verdicts import findings_table

CONTEXT_H = 6.0
"""Hours before the shift that the charts show."""
BASELINE_H = 24.0
"""Hours that the baseline is read from while there is no soak."""
BESIDE = "beside:"
"""Begin of the labels under which the latencies of this phase and the one before are asked."""
FEW = 100
"""Requests to the synchronous endpoint below which the baseline is that of the phase before."""


class Looking:
    """One phase as far as it asks AWS and shows the answers; it decides and changes nothing."""

    run: Run
    spec: Spec
    state: traffic.TrafficState
    moment: Moment
    deployed: bool
    """The rollout's flags are there; without them nothing goes to async."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.params = run.params
        self.spec = run.params.policy.phases[run.notebook]
        self.seen: Seen | None = None
        self.findings: list[alarms.Finding] | None = None
        self.state, self.deployed = traffic.read_or_nothing(run.aws.client("appconfig"), run.params, run.aws)
        self._before_this: Record | None = None

    def traffic_table(self) -> Any:
        """Moment, dial, switch and the deployments behind them."""
        head = where_table({"Moment": self.moment.words})
        if not self.deployed:
            return stack(head, line("The new resources are not deployed here yet: no request can go to async."))
        return stack(head, traffic_table(self.state))

    def guards_table(self) -> Any:
        """Whether each guard alarm could protect the shift."""
        if not self.deployed:
            return line("No guards yet: the new resources are not deployed.")
        if self.state.migrated:
            return line("AppConfig guards nothing any more: the weight has no effect since /api/vpr is asynchronous.")
        return findings_table(self.guards(), caption="Guard alarms that AppConfig watches")

    def guards(self) -> list[alarms.Finding]:
        """The findings about the guards, asked once a run."""
        if self.findings is None:
            clients = self.run.aws
            found = alarms.guard_findings(
                clients.client("cloudwatch"), clients.client("appconfig"), self.params, self.run.notebook
            )
            self.findings = list(found)
            self.run.journal.append("guards", findings=[finding.model_dump(mode="json") for finding in self.findings])
        return self.findings

    def window(self) -> Window:
        """The time that is judged; before the shift, the last hours, for the baseline alone."""
        end = self.moment.window_end(self.run.now)
        start = self.moment.effective_at or end - dt.timedelta(hours=BASELINE_H)
        return Window(min(start, end), end)

    def observe(self) -> Any:
        """Asks CloudWatch, the jobs table and the queue, and turns the answers into evidence."""
        self.seen = seen = self.look(self.window(), self.moment.look)
        tables = [evidence_table(seen.evidence)]
        ledger = seen.evidence["success"].extra.get("ledger")
        if ledger:
            tables.append(ledger_table(ledger))
        return stack(*tables, census_table(seen.segment)) if seen.segment else tables[0]

    def look(self, window: Window, look: Look | None, *, census: bool | None = None) -> Seen:
        """One look at `window`: everything asked, kept raw, and turned into evidence.

        Args:
            census: whether jobs are counted; None: where a soak of this phase is under way.
        """
        run = self.run
        counted = self.moment.effective_at is not None if census is None else census
        segment = self._census(window) if counted else None
        levels = live.read(run.aws.client("sqs"), run.aws.client("lambda"), self.params) if self.deployed else {}
        levels["configured"] = configured.read(
            run.aws.client, self.params, lambda: deviations.since(run.archive, self.params.env, deviations.BILLING)
        )
        if counted:
            routed = traffic.as_routed(self.params, self.state)
            levels["door"] = access_log.read(run.aws.client("logs"), routed, window)
            if self.state.only_old_clients:
                levels["clients"] = access_log.read_clients(run.aws.client("logs"), routed, window)
        chart = Window(window.start - dt.timedelta(hours=CONTEXT_H), run.now)
        more = [*asks(chart), *self.more_asks(window)]
        return take(run, self.state, window, look, segment, levels, more=more, baseline=self._baseline)

    def more_asks(self, window: Window) -> list[fetch.Ask]:
        """What a phase asks beside the evidence."""
        return self._latencies(window)

    def _latencies(self, window: Window) -> list[fetch.Ask]:
        """The submission's median for each period: of this window, and of the soak before it, under its route of then.

        Medians, because a p95 of the few requests of a period is lower than one of many, and phases differ in traffic.
        """
        before = self.before_this()
        kept = before.evidence.get("submit_latency") if before else None
        asked = [fetch.Ask("async_latency", window, "p50", PERIOD_S, label=f"{BESIDE}now")]
        if kept:
            route = "sync_latency" if self.state.migrated else "async_latency"
            then = Window(parse(kept["start"]), parse(kept["end"]))
            asked.append(fetch.Ask(route, then, "p50", PERIOD_S, label=f"{BESIDE}before"))
        return asked

    def _baseline(self, own: Evidence) -> Evidence:
        """The baseline's success; where hardly anybody calls it any more, as the phase before saw it last."""
        if not self.state.migrated and (own.n or 0) >= FEW:
            return own
        before = self.before_this()
        kept = before.evidence.get("baseline_success") if before else None
        if before is None or kept is None:
            return Evidence.model_validate({**own.model_dump(), "bad": None, "n": None}) if self.state.migrated else own
        note = f"from {before.notebook}, run {before.run_id}: hardly a request is synchronous now"
        found = Evidence.model_validate(kept)
        return found.model_copy(update={"notes": (*found.notes, note)})

    def before_this(self) -> Record | None:
        """The record of the phase before this one in the same environment, verified and saying PROMOTE; else None."""
        if self._before_this is None:
            order, env = list(self.params.policy.phases), self.params.env
            place = order.index(self.run.notebook)
            wanted = [f"{name}@{env}" for name in order[max(0, place - 1) : place]]
            for finding in predecessors(self.run.archive, wanted, self.params.release):
                if finding.ok and finding.record:
                    self._before_this = self.run.archive.load(self.run.archive.find(finding.record))
        return self._before_this

    def _census(self, window: Window) -> Segment:
        """The jobs since the last look, joined to what earlier looks of the same soak counted (trap 1)."""
        run = self.run
        earlier = [
            segment
            for segment in self._counted_before()
            if window.start <= segment.start and segment.end_settled <= window.end
        ]
        start = max((segment.end_settled for segment in earlier), default=window.start)
        fresh = census.take(
            run.aws.client("dynamodb"), self.params, Window(start, window.end), run.now, since=self.moment.effective_at
        )
        run.journal.append("census", segment=fresh.model_dump(mode="json"))
        return merge([*earlier, fresh])

    @cached_property
    def earlier(self) -> list[Record]:
        """This attempt's earlier records, oldest first; an altered one is left out, and named."""
        archive, flat = self.run.archive, self.params.flat
        refs = archive.records(env=flat.env, release=flat.release, notebook=self.run.notebook)
        found = archive.trusted(refs, self.run.warn, "an earlier look is not used")
        return [record for _, record in found if record.attempt == flat.attempt]

    def _counted_before(self) -> list[Segment]:
        """The censuses of this attempt's earlier looks, from their sealed records."""
        return [Segment.model_validate(segment) for record in self.earlier for segment in record.census]

    def baseline_table(self) -> Any:
        """The canary's success beside the baseline's."""
        seen, policy = self.looked(), self.params.policy
        canary, baseline = seen.evidence["success"], seen.evidence["baseline_success"]
        shown = baseline_table(canary, baseline, policy.confidence)
        if self.moment.effective_at is None:
            return shown
        now, before = (
            [value / 1000 for _, value in seen.answers.points(f"{BESIDE}{arm}")] for arm in ("now", "before")
        )
        found = [
            beside.success(canary, baseline, policy.beside, policy.confidence),
            beside.latency(now, before, policy.beside, policy.confidence),
        ]
        self.run.check(*found)
        return stack(shown, checks_table(found, "Beside its neighbours (advice: the gates decide)", keep_order=True))

    def cost_table(self) -> Any:
        """What a report costs, infrastructure and tokens apart, and what a month of it comes to."""
        return costs.bill(self.looked().evidence["cost_per_vpr"], self.params)

    def cost_comparison(self) -> Any:
        """The cost of a successful VPR on both sides, infrastructure and tokens apart; noted as `cost.compared`."""
        seen = self.looked()
        kept = costs.from_record(self.before_this())
        found = seen.evidence
        compared = costs.compare(found["cost_per_vpr"], found["cost_per_vpr_sync"], kept, self.run.run_id)
        self.run.check(compared)
        return costs.compared(compared, found["cost_per_vpr_sync"], self.params)

    def charts(self) -> Any:
        """One timeline for each group of metrics, thresholds and the moment of the shift drawn in."""
        seen = self.looked()
        marks = []
        if self.moment.shift_at:
            what = "migrated" if self.state.migrated else f"shift to {self.spec.percent:g} %"
            marks.append((self.moment.shift_at, what))
        if self.moment.taken_back_at:
            marks.append((self.moment.taken_back_at, "taken back by AppConfig"))
        gates = {gate.id: gate for gate in self.params.policy.gates}
        periods = grid(seen.window.start - dt.timedelta(hours=CONTEXT_H), self.run.now, self.params)
        names = {"sync": "temporary route", "async": self.params.service.api.routes.sync} if self.state.migrated else {}
        groups = [drawn(panel, seen.answers, gates, names, periods) for panel in SERIES]
        served = self._success(seen)
        if served is not None:
            chart, since = served
            groups.insert(0, chart)
            marks += [(parse(since), "change")] if since else []
        return timelines(groups, marks=marks)

    def _success(self, seen: Seen) -> tuple[dict[str, Any], str | None] | None:
        """The users' success so far as a chart, and since when it is worse, if it is; None: nothing to draw."""
        policy, evidence = self.params.policy, seen.evidence[USER_SUCCESS]
        gate = next((one for one in policy.gates if one.measure == USER_SUCCESS), None)
        if gate is None:
            return None
        looks = self.moment.looks or self.spec.looks
        confidence, prior = policy.confidence, policy.early_prior
        result = judge(
            gate, evidence, look=seen.look, looks=looks,
            confidence=confidence, alpha_early=policy.alpha_early, prior=prior,
        )  # fmt: skip
        chart = so_far(evidence, result, look=seen.look, looks=looks, confidence=confidence, prior=prior)
        return None if chart is None else (chart, result.since)

    def looked(self) -> Seen:
        """The look of this run."""
        if self.seen is None:
            self.observe()
        assert self.seen is not None  # noqa: S101
        return self.seen


def drawn(
    panel: Panel, answers: fetch.Answers, gates: dict[str, Any], names: dict[str, str], periods: Grid
) -> dict[str, Any]:
    """A panel with its points, as `show.charts.timelines` takes it; of a partial answer nothing is taken for 0."""
    series = {
        names.get(line.name, line.name): [(at, value * line.scale) for at, value in answers.points(line.label)]
        for line in panel.lines
    }
    return {
        "series": series,
        "title": panel.title,
        "unit": panel.unit,
        "gate": gates.get(panel.gate or ""),
        "kind": panel.kind,
        "grid": periods,
        "counts": [
            names.get(line.name, line.name)
            for line in panel.lines
            if line.name in panel.counts and not answers.partial(line.label)
        ],
    }
