"""What the cells of `05_staging` call beside those of a phase: the full suite, the people, the load test."""

from __future__ import annotations

import datetime as dt
from typing import Any

from runbook_lib.act.command import command_check, run_command
from runbook_lib.act.requests.load import Loaded, LoadError, LoadPlan, events, run_load
from runbook_lib.base.aws import aws_errors
from runbook_lib.base.window import Window
from runbook_lib.judge.gates.checks import Check, check, unmet
from runbook_lib.judge.planning import load as judged
from runbook_lib.judge.planning.load_told import marked, undrained, until_done, untold
from runbook_lib.judge.terms import Decision, Verdict
from runbook_lib.observe.api_address import stage_url
from runbook_lib.observe.dashboard import declared as dashboard
from runbook_lib.observe.dashboard.board import Widget
from runbook_lib.observe.evidence.questions import functions
from runbook_lib.observe.jobs.load_census import settled
from runbook_lib.observe.metrics.fetch import Ask, fetch
from runbook_lib.observe.references import with_secrets
from runbook_lib.observe.resources import live
from runbook_lib.params.load import project_root
from runbook_lib.rollout.people import attestation_checks, wanted_by
from runbook_lib.run.run import Run
from runbook_lib.show.checks import checks_table
from runbook_lib.show.console import Live, folded
from runbook_lib.show.page import line
from runbook_lib.show.tables import stack
from runbook_lib.steps.infra import Infra
from runbook_lib.steps.phase.look import PhaseLook
from runbook_lib.steps.phase.phase import Phase

LOAD = ("accepted", "concurrent", "submit_p95", "throttles", "downloaded", "dlq", "none_lost", "drained")
"""Functions whose throttles are counted: the metric `<function>_throttles` of each."""
KEPT = ("staging.tests", *(f"load.{name}" for name in (*LOAD, "clients_wait", "marked")))
"""Checks that are made once before the soak and carried through its looks."""
LEAST_WAIT_S, LEAST_POLL_S = 5.0, 0.5
"""Least seconds to wait for the last jobs, and between polls, at any time scale: processes start in real time."""


class Staging(Phase):
    """Notebook 05: the phase on staging, with tests and a load before its soak."""

    def __init__(self, run: Run, look: PhaseLook | None = None) -> None:
        super().__init__(run, look)
        self.plan_of_load = run.params.nested("load", LoadPlan)

    @property
    def ready(self) -> bool:
        """Whether it is time to test: an earlier run has deployed everything, and the soak has not begun."""
        fresh = self.infra is not None and self.infra.deployed
        here = self.moment.name == "before" and self.stand.deployed and not fresh and not self.run.missing_to_shift
        return here and not (self.infra is not None and self.infra.differs)

    def carried_table(self) -> Any:
        """What the tests before the soak said, from their sealed record."""
        if self.moment.name == "before":
            return line("Suite and load test come before the shift, in this run's action.")
        found: dict[str, Check] = {}
        for record in self.look.earlier:
            for one in record.checks:
                if one.get("id") in KEPT or str(one.get("id", "")).startswith("attest."):
                    kept = Check.model_validate(one)
                    found[kept.id] = kept.model_copy(update={"facts": {**kept.facts, "run": record.run_id}})
        missing = [id for id in KEPT if id not in found]
        lost = [check(id, id, None, f"no sealed record of this attempt shows {id}: test again") for id in missing]
        self.run.check(*found.values(), *lost)
        return checks_table([*found.values(), *lost], "Before the soak")

    def dashboard_table(self) -> Any:
        """Checks during the soak that every widget of the dashboard has data."""
        if self.moment.name not in ("during", "after"):
            return line("The dashboard is looked at while the soak runs.")
        found = self._dashboard()
        self.run.check(found)
        return checks_table([found])

    def _dashboard(self) -> Check:
        """`dashboard.metrics`: the dashboard exists, and no widget is empty.

        A silent metric beside others is only named: perhaps nobody called its route.
        """
        board, params, window = dashboard.declared(self.params), self.params, self.stand.window
        cloudwatch, name = self.run.aws.client("cloudwatch"), dashboard.board_name(board, params)
        title, wants = f"Metrics on {name}", f"{len(board.widgets)} widgets"
        with aws_errors("looking for the dashboard (cloudwatch:ListDashboards)"):
            there = cloudwatch.list_dashboards(DashboardNamePrefix=name)["DashboardEntries"]
        if name not in [one["DashboardName"] for one in there]:
            reason = f"there is no dashboard {name}; make it with 03_dashboard"
            return check("dashboard.metrics", title, False, reason, expected=wants, found="none")
        answers = fetch(cloudwatch, params, dashboard.asks(board, window), self.run.now)
        silent = {widget.title: dashboard.silent(widget, answers, params) for widget in board.widgets}
        empty = [widget.title for widget in board.widgets if len(silent[widget.title]) == metrics_of(widget)]
        quiet = "; ".join(f"{title}: {', '.join(names)}" for title, names in silent.items() if names)
        full = len(board.widgets) - len(empty)
        reason = f"{full} of {wants} have data" + (f"; no data: {', '.join(empty)}" if empty else "")
        reason += f" (metrics without a point: {quiet})" if quiet else ""
        return check("dashboard.metrics", title, not empty, reason, expected=wants, found=f"{full}")

    def tests(self) -> Any:
        """Runs the configured full test suite, if it is time."""
        infra = self.infra or Infra(self.run)
        command = infra.commands.named("staging.tests")
        if not self._acts(("staging.tests",), "the full suite runs"):
            return line("The full test suite is not run now.")
        live = Live(command.title)
        ran = run_command(command, root=project_root(), values=infra.values(), out=live)
        live.close()
        self.run.check(command_check(ran))
        return folded(f"{'✔' if ran.ok else '✘'} {ran.line}: {ran.said}", ran.tail, opened=not ran.ok)

    def people(self) -> Any:
        """Checks the attestations of this notebook, such as the sign-off of manual QA."""
        if not self.ready:
            return line("Manual QA signs off once everything is deployed, before the soak.")
        found = attestation_checks(self.run, wanted_by(self.params.policy, self.run.notebook))
        self.run.check(*found)
        return checks_table(found, "Attested")

    def load_test(self) -> Any:
        """Runs the load test through the real API, judges it, and accounts for every one of its jobs."""
        plan = self.plan_of_load
        if not self._acts(tuple(f"load.{name}" for name in LOAD), f"{plan.users} users"):
            return line(f"No load is made now; {plan.users} users would come at {plan.spawn_per_s:g} a second.")
        wrong = [one for one in unmet(self.run.checks.values()) if not one.mends]
        if wrong:
            return line(f"No load is made: {wrong[0].reason}")
        live = Live(f"Load test: {plan.users} users")
        try:
            found = self._loaded(live)
        except LoadError as error:
            found = [check("load.accepted", "Load test", None, str(error))]
        finally:
            live.close()
        self.run.check(*found)
        summary = line(
            f"{plan.users} users, {plan.spawn_per_s:g} new ones a second. Each submits one job, polls every "
            f"{self.params.service.poll_every_s} s, and downloads its report."
        )
        return stack(summary, checks_table(found, "Load test", keep_order=True))

    def _loaded(self, live: Any) -> list[Check]:
        plan, params, service, journal = self.plan_of_load, self.params, self.params.service, self.run.journal
        began = self.run.guard.now
        done = self._sent(live)
        journal.attach("load-users.json", events(done.met).decode())
        journal.attach("load-statistics.csv", done.statistics)
        journal.attach("load-report.html", done.report, clean=True)  # redacted already, except its script
        ids = list(dict.fromkeys(one.job_id for one in done.met if one.job_id))
        about = plan.drain_factor * len(ids) * plan.generation_s / service.workers + service.visibility_timeout_s
        jobs = settled(
            self.run.aws,
            params,
            ids,
            limit_s=max(LEAST_WAIT_S, about * params.time_scale),
            poll_s=max(LEAST_POLL_S, service.poll_every_s * params.time_scale),
            mark=self._mark,
            out=live,
        )
        drain = judged.drain(jobs, service.workers)
        submit, alpha = params.policy.gate("submit_latency"), 1 - params.policy.confidence
        told = service.contract.tells_users
        met = done.met if told else until_done(done.met, jobs)
        served = judged.served(met, plan.users, submit, throttled=self._throttled(began), alpha=alpha)
        return [
            *(one if told or one.id != "load.downloaded" else untold() for one in served),
            marked(jobs, service.contract.probe.arrives_in),
            self._dlq(),
            judged.none_lost(done.met, jobs),
            judged.drained(drain, plan.drain_factor, plan.drain_slack_s)
            if service.contract.table.started_at
            else undrained(),
            judged.clients_wait(
                done.met,
                plan.users,
                drain.full_s if drain else plan.generation_s,
                service.workers,
                service.job_deadline_s,
            ),
        ]

    @property
    def _mark(self) -> str:
        return f"load-{self.run.run_id}"

    def _sent(self, live: Any) -> Loaded:
        """Sends the load through the guard, which writes it down first, like every change."""
        plan, service, run = self.plan_of_load, self.params.service, self.run
        url, probe, kept = stage_url(run.aws, run.params), self._mark, list[Loaded]()
        contract = with_secrets(service.contract, run.aws, run.params.env)

        def act() -> None:
            kept.append(
                run_load(
                    plan,
                    url,
                    service.api.routes,
                    probe=probe,
                    poll_s=service.poll_every_s,
                    max_polls=service.job_deadline_s // service.poll_every_s,
                    contract=contract,
                    out=live,
                )
            )

        run.guard.change(
            f"load test of {self.params.env}: {plan.users} users, a job each, marked {probe}",
            before={"ran": False},
            after={"ran": True},
            undo="none is needed: the jobs are probes, and expire by their TTL",
            do=act,
            read_back=lambda: {"ran": bool(kept), "users": len(kept[0].met) if kept else 0},
            raises=True,
        )
        return kept[0]

    def _throttled(self, began: dt.datetime) -> float | None:
        """Throttled invocations since the load began, as far as CloudWatch knows; None: no data yet."""
        end = self.run.guard.now + dt.timedelta(minutes=1)
        # A point bears the time at which its minute begins.
        window = Window(began.replace(second=0, microsecond=0), end)
        asks = [Ask(f"{name}_throttles", window, "Sum", 60) for name in functions(self.params)]
        answers = fetch(self.run.aws.client("cloudwatch"), self.params, asks, end)
        counts = [count for ask in asks if (count := answers.total(ask.label)) is not None]
        return sum(counts) if counts else None

    def _dlq(self) -> Check:
        levels = live.read(self.run.aws.client("sqs"), self.run.aws.client("lambda"), self.params)
        depth = live.held(levels, "dlq", in_flight=False)
        queues = " and ".join(self.params.name(post.dlq) for post in self.params.service.crew)
        said = (
            f"{depth} messages in {queues} after the load (a message gets there after "
            f"{self.params.service.max_receives} receives; the soak's gate goes on watching it)"
        )
        return check("load.dlq", "Nothing in the DLQ", depth == 0, said, expected="0", found=f"{depth}")

    def judge_again(self) -> Any:
        """Judges again with the results of the tests and the load; a failed one holds the shift."""
        if not self.ready or not self.run.applying:
            return line(f"Decision: {self.decided().told}")
        outcome = self.judge()
        wrong = unmet(self.run.checks.values())
        if wrong and outcome.decision is not Decision.HOLD:
            then = "Put that right, then run this notebook again."
            outcome = self._noted(outcome.held(wrong[0].reason, next=then))
        return line(f"Decision: {outcome.told}")

    def _acts(self, ids: tuple[str, ...], what: str) -> bool:
        """Whether to act now. Where only the permission is missing, it notes the checks as still to come."""
        if not self.ready or self.decided().decision is Decision.HOLD:
            return False
        if self.run.applying:
            return True
        for id in ids:
            later = check(id, id, None, f"{id}: {what} when applied; a plan sends nothing", mends=True)
            self.run.check(later.model_copy(update={"verdict": Verdict.INCONCLUSIVE}))
        return False


def metrics_of(widget: Widget) -> int:
    """How many metrics a widget draws."""
    return len({name for name, _ in widget.asked})
