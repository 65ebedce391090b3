"""What the cells of `05_staging` call beside those of a phase: the full suite, the people, the load test."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from runbook_lib.act.command import command_check, run_command
from runbook_lib.act.load import LoadError, LoadPlan, events, run_load
from runbook_lib.act.smoke import smoke
from runbook_lib.attest import attestation_checks, wanted_by
from runbook_lib.deploy_dev import stage_url
from runbook_lib.judge import load as judged
from runbook_lib.judge.checks import Check, check, unmet
from runbook_lib.judge.model import Decision, Outcome, Verdict
from runbook_lib.observe import dashboard
from runbook_lib.observe.fetch import fetch
from runbook_lib.observe.load_census import census
from runbook_lib.params import project_root
from runbook_lib.phase import Phase
from runbook_lib.run import Run

LOAD = ("accepted", "submit_p95", "throttles", "dlq", "none_lost", "drained")
KEPT = ("staging.tests", *(f"load.{name}" for name in (*LOAD, "clients_wait")))
"""Checks that are made once before the soak, and carried through its looks."""


class Staging(Phase):
    """The phase on staging: first it is tested and loaded, then it soaks."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.plan_of_load = run.params.extra("load", LoadPlan)  # noqa: S610 (no Django here)

    @property
    def ready(self) -> bool:
        """The resources are there, dashboard and alarms too, and the soak has not begun: it is time to test."""
        fresh = self.infra is not None and self.infra.deployed
        here = self.moment.name == "before" and self.deployed and not fresh and not self.run.missing_to_shift
        return here and not (self.infra is not None and self.infra.differs)

    def carried_table(self) -> Any:
        """What the tests before the soak said, from their sealed record."""
        from runbook_lib.show.checks import checks_table
        from runbook_lib.show.parts import line

        if self.moment.name == "before":
            return line("Suite and load test come before the shift, in this run's action.")
        found: dict[str, Check] = {}
        for record in self.earlier:
            for one in record.checks:
                if one.get("id") in KEPT or str(one.get("id", "")).startswith("attest."):
                    kept = Check.model_validate(one)
                    found[kept.id] = kept.model_copy(update={"facts": {**kept.facts, "run": record.run_id}})
        missing = [id for id in KEPT if id not in found]
        lost = [check(id, id, None, f"no sealed record of this attempt shows {id}: test again") for id in missing]
        self.run.check(*found.values(), *lost)
        return checks_table([*found.values(), *lost], "Before the soak")

    def dashboard_table(self) -> Any:
        """The dashboard's metrics during the soak: each has data."""
        from runbook_lib.show.checks import checks_table
        from runbook_lib.show.parts import line

        if self.moment.name not in ("during", "after"):
            return line("The dashboard is looked at while the soak runs.")
        board, params = dashboard.declared(self.params), self.params
        window = self.window()
        answers = fetch(self.run.aws.client("cloudwatch"), params, dashboard.asks(board, window), self.run.now)
        silent = {widget.id: dashboard.silent(widget, answers) for widget in board.widgets}
        quiet = {id: names for id, names in silent.items() if names}
        told = "; ".join(f"{id}: {', '.join(names)}" for id, names in quiet.items())
        said = f"{len(board.widgets) - len(quiet)} of {len(board.widgets)} widgets have data in all their metrics"
        name = dashboard.board_name(board, params)
        with_data = len(quiet) < len(board.widgets)
        found = check(
            "dashboard.metrics", f"Metrics on {name}", with_data, said + (f" (silent: {told})" if told else ""),
            expected=f"{len(board.widgets)} widgets", found=f"{len(board.widgets) - len(quiet)}",
        )  # fmt: skip
        self.run.check(found)
        return checks_table([found])

    def tests(self) -> Any:
        """The configured full test suite."""
        from runbook_lib.infra import Infra
        from runbook_lib.show.console import Live, folded
        from runbook_lib.show.parts import line

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
        """Manual QA and its sign-off."""
        from runbook_lib.show.checks import checks_table
        from runbook_lib.show.parts import line

        if not self.ready:
            return line("Manual QA signs off once everything is deployed, before the soak.")
        found = attestation_checks(self.run, wanted_by(self.params.policy, self.run.notebook))
        self.run.check(*found)
        return checks_table(found, "Attested")

    def load_test(self) -> Any:
        """Users at once, through the real API: judged, and every one of their jobs accounted for."""
        from runbook_lib.show.checks import checks_table
        from runbook_lib.show.console import Live
        from runbook_lib.show.parts import line
        from runbook_lib.show.tables import stack

        plan = self.plan_of_load
        if not self._acts(tuple(f"load.{name}" for name in LOAD), f"{plan.users} users"):
            return line(f"No load is made now; {plan.users} users would come at {plan.spawn_per_s:g} a second.")
        live = Live(f"Load test: {plan.users} users")
        try:
            found = self._loaded(live)
        except LoadError as error:
            found = [check("load.accepted", "Load test", None, str(error))]
        finally:
            live.close()
        self.run.check(*found)
        summary = line(f"{plan.users} users at once, {plan.spawn_per_s:g} new ones a second.")
        return stack(summary, checks_table(found, "Load test", keep_order=True))

    def _loaded(self, live: Any) -> list[Check]:
        plan, params, run = self.plan_of_load, self.params, self.run
        service, url = params.service, stage_url(run)
        probe = f"load-{run.run_id}"
        with ThreadPoolExecutor(max(1, plan.warm_up)) as pool:
            for _ in range(plan.warm_up):
                pool.submit(smoke, url, probe_id=probe, deadline_s=service.job_deadline_s, routes=service.api.routes)
        done = run_load(
            plan, url, service.api.routes, probe=probe, poll_s=service.poll_every_s,
            max_polls=service.job_deadline_s // service.poll_every_s, out=live,
        )  # fmt: skip
        run.journal.attach("load-users.json", events(done.met))
        run.journal.attach("load-statistics.csv", done.statistics)
        jobs = census(run.aws, params, list(dict.fromkeys(one.job_id for one in done.met if one.job_id)))
        unslept = plan.generation_s * (1 - params.time_scale)
        drain = judged.drain(jobs, service.workers, unslept)
        per_job = (drain.service_s if drain else 0.0) + unslept
        return [
            *judged.served(done.met, plan.users, params.policy.gate("submit_latency")),
            self._dlq(),
            judged.none_lost(done.met, jobs),
            judged.drained(drain, plan.drain_factor),
            judged.clients_wait(plan.users, per_job, service.workers, service.job_deadline_s),
        ]

    def _dlq(self) -> Check:
        from runbook_lib.observe import live

        depth = live.read(self.run.aws.client("sqs"), self.run.aws.client("lambda"), self.params)["dlq_visible"]
        said = f"{depth} messages in {self.params.name('dlq')} after the load"
        return check("load.dlq", "Nothing in the DLQ", depth == 0, said, expected="0", found=f"{depth}")

    def judge_again(self) -> Any:
        """The decision once more, by what the tests and the load have shown: only then is the shift planned."""
        from runbook_lib.show.parts import line

        if not self.ready or not self.run.applying:
            return line(f"Decision: {self.decided().reason}")
        outcome: Outcome = self.judge()
        wrong = unmet(self.run.checks.values())
        if wrong and outcome.decision is not Decision.HOLD:
            outcome = self.outcome = outcome.model_copy(
                update={
                    "decision": Decision.HOLD,
                    "reason": f"HOLD: {wrong[0].reason}",
                    "next": "Put that right, then run this notebook again.",
                }
            )
            self._noted()
        return line(f"Decision: {outcome.reason}")

    def _acts(self, ids: tuple[str, ...], what: str) -> bool:
        """Whether it is time, and allowed; where only the permission is missing, the checks say what is to come."""
        if not self.ready or self.decided().decision is Decision.HOLD:
            return False
        if self.run.applying:
            return True
        for id in ids:
            later = check(id, id, None, f"{id}: {what} when applied; a plan sends nothing", mends=True)
            self.run.check(later.model_copy(update={"verdict": Verdict.INCONCLUSIVE}))
        return False
