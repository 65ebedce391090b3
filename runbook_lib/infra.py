"""The team's infrastructure as code, from a notebook: the configured commands diff and deploy, the inventory verifies.

Structural changes are never a notebook's own API calls (DOMAIN.md, "Traffic split").
"""

from __future__ import annotations

import json
from typing import Any

from runbook_lib.act.command import Commands, Ran, command_check, run_command
from runbook_lib.aws import aws_errors
from runbook_lib.errors import AwsError
from runbook_lib.judge.checks import Check, check
from runbook_lib.judge.model import Verdict
from runbook_lib.observe.alarms import alarm_arn
from runbook_lib.observe.inventory import inspect
from runbook_lib.params import project_root
from runbook_lib.run import Run


class Infra:
    """The infrastructure of the run's environment at one step of its code.

    Args:
        step: variant of the code: baseline, async, migrate, remove_temporary or remove_sync.
    """

    def __init__(self, run: Run, step: str = "async") -> None:
        self.run, self.params, self.step = run, run.params, step
        self.commands = run.params.extra(run.params.commands, Commands)
        self.differs: bool | None = None
        """Whether code and AWS differ; None while nobody asked, or it could not be seen."""
        self.deployed = False
        """This run has deployed."""

    def diff(self) -> Any:
        """What deploying would change; changes nothing."""
        from runbook_lib.show.console import folded

        ran = self._diff()
        said = {True: "there are differences", False: "code and AWS agree", None: ran.said}[self.differs]
        ok = None if self.differs is None and ran.code is None else self.differs is not None
        self.run.check(
            check(
                "infra.diff", self.commands.diff.title, ok, f"step '{self.step}': {said}",
                expected="the diff can be made", found=said, **ran.facts(), step=self.step, differs=self.differs,
            )
        )  # fmt: skip
        return folded(f"{ran.line}: {said} ({ran.seconds:.1f} s)", ran.tail, opened=bool(self.differs))

    def deploy(self) -> Any:
        """Deploys if the run may and there is something to deploy; otherwise says what would be run.

        Raises:
            Refused: the change is not authorised.
            AwsError: the command failed, or the code still differs from AWS after it.
        """
        from runbook_lib.show.console import Live, folded
        from runbook_lib.show.parts import line

        if self.differs is None:
            self._diff()
        command = self.commands.deploy
        if self.differs is False:
            self._note(True, "nothing to deploy: code and AWS agree")
            return line(f"Nothing to deploy: AWS is at step '{self.step}' already.")
        if not self.run.applying:
            words = f"would run: {' '.join(command.argv(self._values()))}"
            self._note(None, f"not deployed yet; {words}", mends=True)
            return line(f"Nothing was deployed: mode is plan. Applying {words}")
        live = Live(command.title)
        done: list[Ran] = []

        def act() -> None:
            ran = run_command(command, root=project_root(), values=self._values(), out=live)
            done.append(ran)
            if not ran.ok:
                raise AwsError(f"the deployment failed: `{ran.line}`: {ran.said}")

        try:
            self.run.guard.change(
                f"deploy step '{self.step}' of the infrastructure code in {self.params.env}",
                before={"differs": True},
                after={"differs": False},
                undo=f"deploy the step before, with the same command: {command.run}",
                do=act,
                read_back=lambda: {"differs": (self._diff(), self.differs)[1]},
                raises=True,
            )
        except AwsError as error:
            self._note(False, str(error), ran=done[-1] if done else None)
            raise
        finally:
            live.close()
        self.deployed = not self.differs
        ran = done[-1]
        self._note(
            self.deployed, f"step '{self.step}' deployed in {ran.seconds:.1f} s" if self.deployed else
            f"step '{self.step}' was deployed, and the code still differs from AWS; look at the diff", ran=ran,
        )  # fmt: skip
        return folded(f"{ran.line}: {ran.said}", ran.tail)

    def inventory(self, caption: str = "Inventory") -> Any:
        """Every resource and setting of this step, verified against AWS; what a deployment would mend says so."""
        from runbook_lib.show.checks import checks_table

        found = self.inspect()
        self.run.check(*found)
        bad = [one for one in found if not one.ok]
        good = len(found) - len(bad)
        return checks_table(bad, f"{caption}: {good} of {len(found)} settings hold") if bad else self._all(found, caption)

    def inspect(self) -> list[Check]:
        """The inventory as checks, not noted yet."""
        mends = bool(self.differs) and not self.deployed
        found = inspect(self.run.aws, self.params, self.step)
        return [one.model_copy(update={"mends": True}) if mends and not one.ok else one for one in found]

    def previous_template(self) -> Any:
        """Keeps the stack's template as it is deployed now in the record: the way back, before it is needed."""
        from runbook_lib.show.parts import line

        stack = self.params.name("stack")
        with aws_errors(f"keeping the template of {stack} (cloudformation:GetTemplate)"):
            body = self.run.aws.client("cloudformation").get_template(StackName=stack)["TemplateBody"]
        text = body if isinstance(body, str) else json.dumps(body, indent=1, sort_keys=True)
        self.run.journal.attach("previous-template.json", text.encode())
        return line(f"The template of {stack} as it is now is in the record: previous-template.json.")

    def _all(self, found: list[Check], caption: str) -> Any:
        from runbook_lib.show.console import folded

        return folded(
            f"✔ {caption}: all {len(found)} settings hold",
            [f"{one.id}: {one.found or one.reason}" for one in found],
        )

    def _diff(self) -> Ran:
        command = self.commands.diff
        ran = run_command(command, root=project_root(), values=self._values())
        told = {0: False, command.differences_exit: True}
        self.differs = told.get(ran.code) if ran.code is not None else None
        return ran

    def _values(self) -> dict[str, str]:
        flat = self.params.flat
        arns = [alarm_arn(alarm, self.params) for alarm in self.params.policy.alarms if alarm.guard]
        return {
            "env": flat.env,
            "region": flat.region,
            "account_id": flat.account_id,
            "release": flat.release,
            "step": self.step,
            "guard_alarm_arns": ",".join(arns),
        }

    def _note(self, ok: bool | None, reason: str, *, mends: bool = False, ran: Ran | None = None) -> None:
        command = self.commands.deploy
        found = check(
            "infra.deploy", command.title, ok, reason, expected=f"step '{self.step}'", mends=mends, step=self.step,
            **(ran.facts() if ran else {}),
        )  # fmt: skip
        if mends:
            found = found.model_copy(update={"verdict": Verdict.INCONCLUSIVE})
        self.run.check(found)


__all__ = ["Infra", "command_check"]
