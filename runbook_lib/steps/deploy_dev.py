"""What the cells of `02_deploy_dev` call: deploy, verify, a conversation over HTTP, a dead letter, the logs."""

from __future__ import annotations

import datetime as dt
from typing import Any

from runbook_lib.act.dlq_drill import round_trip
from runbook_lib.act.requests.smoke import STEPS, smoke
from runbook_lib.base.errors import AwsError, Refused
from runbook_lib.base.window import Window, when
from runbook_lib.judge import words
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.model import Outcome
from runbook_lib.judge.terms import Verdict
from runbook_lib.observe.api_address import LEAST_WAIT_S, stage_url
from runbook_lib.observe.inventory.inspect import rules
from runbook_lib.observe.jobs import logs
from runbook_lib.observe.jobs.behind import Behind
from runbook_lib.observe.references import with_secrets
from runbook_lib.params.contract import Contract
from runbook_lib.params.cross_check import functions
from runbook_lib.run.run import Run
from runbook_lib.show.bars import bars
from runbook_lib.show.checks import checks_table
from runbook_lib.show.console import Live
from runbook_lib.show.page import line
from runbook_lib.show.tables import stack, table
from runbook_lib.steps.infra import Infra
from runbook_lib.steps.step import Step


def expected(contract: Contract) -> dict[str, str]:
    """What each step of the smoke test must see."""
    submit, unknown = contract.submit, contract.status.unknown
    not_asked = "not asked"
    return {
        "submit": f"{submit.accepted.told()} and a job",
        "mark": f"'{contract.probe.arrives_in}' begins with '{contract.probe.prefix}', and has this run's own mark",
        "duplicate": f"{submit.repeated.told()}, the same job" if submit.repeated else not_asked,
        "invalid": submit.refused.told(),
        "poll": f"{contract.table.done} in time",
        "download": "this job's report",
        "unknown": unknown.told() if unknown else not_asked,
        "sync": " or ".join(map(str, contract.sync.codes)) + ", as ever",
    }


class DeployDev(Step):
    """Deployment to dev and what proves that it works."""

    def __init__(self, run: Run) -> None:
        super().__init__(
            run,
            done=f"{run.params.env} is deployed, and its flow works end to end",
            then="Go on in staging with 05_staging.",
        )
        self.infra = Infra(run)
        self.began = run.now
        self.acted = False
        """Whether the action was carried out; from then on the verdict is about its result."""

    def judge(self) -> Outcome:
        """The decision by every check so far: about the plan before the action, about its result after it."""
        applied = self.run.applying and self.acted
        self.outcome = self.run.decide_checks(applied=applied, done=self.done, then=self.then)
        return self.outcome

    def verdict(self) -> Any:
        """The decision and the checks; of the inventory, which is shown above, only the checks that do not pass."""
        checks = self.run.checks.values()
        told = [one for one in checks if not (one.ok and one.id.startswith("inventory."))]
        held = words.count(len(checks) - len(told), "setting")
        rest = line(f"In order in the inventory, and not repeated here: {held}.")
        return stack(self.banner(), checks_table(told, "Checks", fold=True), rest)

    def deploy(self) -> Any:
        """Deploys by the team's command, if the run may and there is something to deploy.

        Raises:
            AwsError: the command failed.
        """
        shown = self.infra.deploy()
        self.acted = self.run.applying
        return shown

    def smoke(self) -> Any:
        """Goes through the API contract once by real HTTP; in plan mode it only says so, for the test creates a job."""
        if not self.run.applying:
            return self.note(
                *(self._later(f"smoke.{id}", _title(title)) for id, title in STEPS.items()), caption="Smoke test"
            )
        params = self.params
        try:
            steps = smoke(
                stage_url(self.run.aws, self.params),
                probe_id=self.run.run_id,
                deadline_s=max(LEAST_WAIT_S, params.service.job_deadline_s * params.time_scale),
                poll_s=max(0.05, params.service.poll_every_s * params.time_scale),
                routes=params.service.api.routes,
                contract=with_secrets(params.service.contract, self.run.aws, params.env),
                behind=Behind(self.run.aws, params),
            )
        except AwsError as error:
            return self.note(check("smoke.submit", "submit", False, str(error)), caption="Smoke test")
        wanted = expected(params.service.contract)
        found = [
            check(
                f"smoke.{step.id}",
                _title(step.name),
                step.ok,
                f"{step.name}: {step.detail}",
                expected=wanted[step.id],
                found=step.detail,
                seconds=round(step.seconds, 2),
            )
            for step in steps
        ]
        return self.note(*found, caption="Smoke test")

    def dead_letter(self) -> Any:
        """Sends a message of our own through the DLQ and back; in plan mode it only says so."""
        id, title = "dlq.roundtrip", "A dead letter is noticed, redriven and done"
        if not self.run.applying:
            return self.note(self._later(id, title), caption="Dead letters")
        wait_s = max(LEAST_WAIT_S, self.params.service.dead_letter_wait_s * self.params.time_scale)
        live = Live("A dead letter on its way")
        try:
            trip = round_trip(self.run.aws, self.run.guard, self.params, wait_s=wait_s, out=live)
        except (AwsError, Refused) as error:
            return self.note(check(id, title, False, str(error)), caption="Dead letters")
        finally:
            live.close()
        return self.note(
            check(id, title, trip.ok, trip.sentence, seconds=round(trip.seconds, 1)), caption="Dead letters"
        )

    def log_errors(self) -> Any:
        """Counts errors in the logs of the four functions since this run began.

        A function without any log line is no data, not a pass: the smoke test has just called each of them. Of several
        workers the service itself chooses who gets the job of the smoke test: one of them must have spoken, and the
        others are named. The load test in staging gives work to all.
        """
        id, title = "logs.errors", "Logs since the deployment"
        if not self.run.applying:
            return self.note(self._later(id, title), caption="Logs")
        window = Window(self.began, self.run.guard.now + dt.timedelta(minutes=1))
        client = self.run.aws.client("logs")
        names = functions(self.params)
        silent = [name for name in names if not logs.spoke(client, self.params, window, resource=name)]
        crew = {post.worker for post in self.params.service.crew}
        idle = sorted(crew.intersection(silent)) if crew.difference(silent) else []
        found = [(name, one) for name in names for one in logs.failures(client, self.params, window, resource=name)]
        count = sum(one.count for _, one in found)
        since = f"since {when(self.began)}"
        said = f"no error in any log {since}"
        if idle:
            said += f"; the job of the smoke test went to another worker than {', '.join(idle)}"
        silent = [name for name in silent if name not in idle]
        if count:
            lines = f"{words.count(count, 'line')} with errors {since}"
            said = f"{lines}, the most frequent: {found[0][1].text[:120]}; read them below"
        elif silent:
            said = f"nothing at all in the log of {', '.join(silent)} {since}: look at the function, or run it again"
        ok = False if count else None if silent else True
        shown = self.note(
            check(
                id,
                title,
                ok,
                said,
                expected="lines, and no errors",
                found=words.count(count, "error"),
                silent=silent,
                idle=idle,
            ),
            caption="Logs",
        )
        if not found:
            return shown
        rows = [[name, f"{one.count}", when(one.first), one.text, one.example] for name, one in found]
        return stack(shown, table(("Function", "Count", "First", "Signature", "Example"), rows, caption="Errors"))

    def inventory_chart(self) -> Any:
        """Chart of each resource: settings that hold, and required and advisory ones that do not."""
        held: dict[str, list[int]] = {}
        resources = rules(self.run.params).resources
        for id, one in self.run.checks.items():
            if id.startswith("inventory."):
                name = id.split(".")[1]
                known = resources.get(name)
                counts = held.setdefault(known.title if known else name.replace("_", " "), [0, 0, 0])
                # A missing resource counts with all its settings: none of them holds.
                counts[0 if one.ok else 1 if one.required else 2] += 1 + len(one.facts.get("skipped", ()))
        parts = ("hold", "required, do not hold", "advisory, do not hold")
        rows = {name: dict(zip(parts, counts, strict=True)) for name, counts in held.items()}
        return bars(rows, title="Settings of each resource against what must hold", unit="settings")

    def _later(self, id: str, title: str) -> Check:
        found = check(id, title, None, f"{title}: done when applied; a plan sends nothing", mends=True)
        return found.model_copy(update={"verdict": Verdict.INCONCLUSIVE})


def _title(name: str) -> str:
    return name[0].upper() + name[1:]
