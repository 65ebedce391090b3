"""The team's infrastructure as code, from a notebook: the configured commands diff and deploy, the inventory verifies.

Structural changes are never a notebook's own API calls (docs/domain.md, "Traffic split").
"""

from __future__ import annotations

import json
from typing import Any

from runbook_lib.act.command import Commands, Ran, command_check, placeholders, printed, run_command
from runbook_lib.base.aws import aws_errors
from runbook_lib.base.errors import AwsError
from runbook_lib.base.redact import redact_text
from runbook_lib.judge import words
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.incidents.diff import Diff, parse
from runbook_lib.judge.incidents.mending import Wanted, mended
from runbook_lib.judge.terms import Verdict
from runbook_lib.observe.inventory.inspect import inspect, wanted
from runbook_lib.observe.inventory.rules import FIX
from runbook_lib.observe.resources import change_sets
from runbook_lib.params.alarms import alarm_arn
from runbook_lib.params.load import project_root
from runbook_lib.rollout.deviations import open_deviations
from runbook_lib.run.run import Run
from runbook_lib.show.checks import checks_table
from runbook_lib.show.console import Live, folded
from runbook_lib.show.page import line

PREVIOUS = "previous-template.json"
BEFORE = "deploy the step before, by the same command"


class Infra:
    """The infrastructure of the run's environment at one step of its code.

    Args:
        step: variant of the code: baseline, async, migrate, remove_temporary or remove_sync.
        undo: the way back from it, in words.
    """

    def __init__(self, run: Run, step: str = "async", undo: str = BEFORE) -> None:
        self.run, self.params, self.step, self.undo = run, run.params, step, undo
        self.commands = run.params.nested(run.params.commands, Commands)
        self.differs: bool | None = None
        """Whether code and AWS differ; None before the diff is made, or where it cannot be made."""
        self.named = Diff()
        """What the diff names: resources and properties."""
        self.deployed = False
        """Whether this run has deployed, and the diff afterwards shows no difference."""
        self.ran = False
        """Whether this run started the command that deploys, however it ended."""
        self.whole: list[str] = []
        """Names of the files in the record that hold the diffs too long to be shown whole."""

    def diff(self) -> Any:
        """Makes the diff: what deploying would change. Changes nothing."""
        ran = self._diff()
        said = {True: "there are differences", False: "code and AWS agree", None: ran.said}[self.differs]
        made = self.differs is not None
        reason = f"step '{self.step}': {said}" if made else f"the diff cannot be made: `{ran.line}`: {said}"
        self.run.check(
            check(
                "infra.diff",
                self.commands.diff.title,
                made if ran.code is not None else None,
                reason,
                expected="the diff can be made",
                found=said,
                **ran.facts(),
                step=self.step,
                differs=self.differs,
                read_as=self.named.kind,
                names=[one.words for one in self.named.changes],
            )
        )
        if made:
            self.run.check(stack_check(self.named, self.params.name("stack")))
        above = [f"(its end; the whole of it is in the record: {name})" for name in self.whole[-1:]]
        return folded(f"{ran.line}: {said} ({ran.seconds:.1f} s)", [*above, *ran.tail], opened=bool(self.differs))

    def plan(self) -> Any:
        """What deploying would do now, and how it is taken back; changes nothing."""
        if self.differs is None:
            self._diff()
        if self.differs is None:
            return line("Nothing can be planned: the diff cannot be made.")
        if not self.differs:
            return line(f"Nothing to deploy: AWS is at step '{self.step}' already.")
        return line(f"Applying would run: {self.line()}. The way back: the step before, by the same command.")

    @property
    def changes_something(self) -> bool:
        """Whether the diff names at least one change of the rollout's stack."""
        return any(one.stack in ("", self.params.name("stack")) for one in self.named.changes)

    @property
    def unproven(self) -> str:
        """Why the deployment is not proven: for use where `deploy` raised nothing and `differs` is not False."""
        if not self.ran:
            return f"step '{self.step}' was not deployed: the diff cannot be made, so nobody can say what would change"
        why = "yet the code still differs" if self.differs else "but the diff that would prove it cannot be made"
        return f"step '{self.step}' was deployed, {why}; look at the stack, then run this notebook again"

    def line(self) -> str:
        """The deployment's command line as text."""
        return self.commands.deploy.line(self.values())

    def deploy(self) -> Any:
        """Deploys if the run may and there is something to deploy; otherwise says what would be run.

        Without a diff nothing is deployed: nobody could say what would change.

        Raises:
            Refused: the change is not authorised.
            AwsError: the command failed, or the code still differs from AWS after it.
        """
        if self.differs is None:
            self._diff()
        command = self.commands.deploy
        if self.differs is False:
            self._note(True, "nothing to deploy: code and AWS agree")
            return line(f"Nothing to deploy: AWS is at step '{self.step}' already.")
        if self.differs is None:
            self._note(None, "not deployed: the diff cannot be made, so nobody can say what would change")
            return line("Nothing was deployed: the diff cannot be made.")
        if not self.run.applying:
            words = f"would run: {self.line()}"
            self._note(None, f"not deployed yet; {words}", mends=True)
            return line(f"Nothing was deployed: mode is plan. Applying {words}")
        live = Live(command.title)
        done: list[Ran] = []

        def act() -> None:
            self.ran = True
            ran = run_command(command, root=project_root(), values=self.values(), out=live)
            done.append(ran)
            if not ran.ok:
                raise AwsError(f"the deployment failed: `{ran.line}`: {ran.said}")

        try:
            self.run.guard.change(
                f"deploy step '{self.step}' of the infrastructure code in {self.params.env}",
                before={"differs": True},
                after={"differs": False},
                facts={"step": self.step},
                undo=self.undo,
                by_hand=command.line({**self.values(), "step": "STEP"}) if self.undo == BEFORE else "",
                do=act,
                read_back=lambda: {"differs": (self._diff(), self.differs)[1]},
                raises=True,
            )
        except AwsError as error:
            self._note(False, str(error), ran=done[-1] if done else None)
            raise
        finally:
            live.close()
        self.deployed = self.differs is False
        ran = done[-1]
        told = {
            False: f"step '{self.step}' deployed in {ran.seconds:.1f} s",
            True: f"step '{self.step}' was deployed, and the code still differs from AWS; look at the diff",
            None: f"step '{self.step}' was deployed, but the diff that would prove it cannot be made",
        }
        self._note(self.deployed if self.differs is not None else None, told[self.differs], ran=ran)
        return folded(f"{ran.line}: {ran.said}", ran.tail)

    def inventory(self, caption: str = "Inventory") -> Any:
        """Every resource and setting of this step, verified against AWS; a check that deploying would mend says so."""
        found = self.inspect()
        self.run.check(*found)
        bad = [one for one in found if not one.ok]
        if not bad:
            return self._all(found, caption)
        many = words.count(len(found), "setting")
        return checks_table(bad, f"{caption}: {len(found) - len(bad)} of {many} in order")

    def inspect(self) -> list[Check]:
        """The inventory as checks, not yet noted in the journal.

        The deployment counts as mending a failed check only if the diff names its resource and property. A check
        without data never counts as mended.
        """
        known = open_deviations(self.run.archive, self.params.env)
        found = inspect(self.run.aws, self.params, self.step, deviations=known)
        if not self.differs or self.deployed:
            return found
        wants = wanted(self.params, self.step)
        return [self._mended(one, wants.get(one.id)) if one.verdict is Verdict.FAIL else one for one in found]

    def _mended(self, one: Check, wants: Wanted | None) -> Check:
        said = mended(wants, self.named, self.params.name("stack"))
        told = one.reason.replace(f"; {FIX}", "; the deployment mends it") if said.ok else f"{one.reason}; {said.words}"
        return one.model_copy(update={"mends": said.ok, "reason": told, "facts": {**one.facts, "diff": said.words}})

    def verify(self) -> Any:
        """Runs the team's own command that verifies a deployment, if one is configured."""
        command = self.commands.verify
        if command is None:
            return line("No command is configured that verifies a deployment ('verify' in the commands).")
        ran = run_command(command, root=project_root(), values=self.values())
        found = command_check(ran)
        if self.differs and not self.deployed and found.verdict is Verdict.FAIL:
            found = found.model_copy(update={"mends": self.changes_something})
        self.run.check(found)
        return folded(f"{ran.line}: {ran.said}", ran.tail, opened=not ran.ok)

    def previous_template(self) -> Any:
        """Keeps the deployed stack's template and parameters in the record, for the way back.

        What looks like a secret is taken out, and the line shown says so.

        Raises:
            AwsError: there is no such stack, or CloudFormation refused or did not answer.
        """
        stack, client = self.params.name("stack"), self.run.aws.client("cloudformation")
        with aws_errors(f"keeping the template of {stack} (cloudformation:GetTemplate, DescribeStacks)"):
            body = client.get_template(StackName=stack)["TemplateBody"]
            described = client.describe_stacks(StackName=stack)["Stacks"][0]
        kept = {"stack": stack, "parameters": described.get("Parameters", []), "template": body}
        text = json.dumps(kept, indent=1, sort_keys=True, default=str)
        self.run.journal.attach(PREVIOUS, text)
        hole = "; what looks like a secret is left out of it" if redact_text(text) != text else ""
        return line(f"The template of {stack} as it is deployed now is in the record: {PREVIOUS}{hole}.")

    def watched(self) -> Check:
        """Notes whether CloudFormation takes the stack's update back if a guard fires (docs/domain.md, trap 18).

        Advisory: the infrastructure's command sets the triggers, and the team may have divided its stacks otherwise.

        Raises:
            AwsError: there is no such stack, or CloudFormation refused or did not answer.
        """
        stack = self.params.name("stack")
        with aws_errors(f"reading what watches {stack} (cloudformation:DescribeStacks)"):
            described = self.run.aws.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        found = watched_by(stack, described.get("RollbackConfiguration", {}), self.values()["guard_alarm_arns"])
        self.run.check(found)
        return found

    def _all(self, found: list[Check], caption: str) -> Any:
        rows = [f"{one.id}: {one.found or one.reason}" for one in found]
        return folded(f"✔ {caption}: {words.all_of(len(found), 'setting')} in order", rows)

    def _diff(self) -> Ran:
        lines, before = list[str](), self._change_sets()
        ran = run_command(self.commands.diff, root=project_root(), values=self.values(), out=lines.append)
        self.differs = ran.differs
        told = printed(self.commands.diff_show, project_root(), self.values()) if self.differs else ""
        self.named = self._read(told or "\n".join(lines), before) if self.differs is not None else Diff()
        if len(lines) > len(ran.tail):
            name = f"diff-{self.step}-{len(self.whole) + 1}.txt"
            self.run.journal.attach(name, "\n".join(lines) + "\n")
            self.whole.append(name)
        return ran

    def _change_sets(self) -> dict[str, Any]:
        """The stack's change sets by id; empty where the diff is not read from them, or they cannot be listed."""
        if self.commands.diff_kind not in ("auto", "change-set"):
            return {}
        try:
            return change_sets.ready(self.run.aws.client("cloudformation"), self.params.name("stack"))
        except AwsError:
            return {}  # no such stack yet, or no right to list them: the command's output is read

    def _read(self, text: str, before: dict[str, Any]) -> Diff:
        """Reads what the diff names from the change set that the command left in the stack, else from its output."""
        client, stack = self.run.aws.client("cloudformation"), self.params.name("stack")
        new = {id: at for id, at in self._change_sets().items() if id not in before} if self.differs else {}
        try:
            found = change_sets.described(client, max(new, key=lambda id: new[id])) if new else None
        except AwsError:
            found = None
        named = found or parse(text, self.commands.diff_kind)
        try:
            return named.resolved(change_sets.resources(client, stack), stack) if named.changes else named
        except AwsError:
            return named  # a stack that does not exist yet has no resources

    def values(self) -> dict[str, str]:
        """Values of the commands' placeholders, by name."""
        arns = [alarm_arn(alarm, self.params) for alarm in self.params.policy.alarms if alarm.guard]
        return placeholders(self.params, self.step, ",".join(arns))

    def _note(self, ok: bool | None, reason: str, *, mends: bool = False, ran: Ran | None = None) -> None:
        command = self.commands.deploy
        found = check(
            "infra.deploy",
            command.title,
            ok,
            reason,
            expected=f"step '{self.step}'",
            mends=mends,
            step=self.step,
            **(ran.facts() if ran else {}),
        )
        if mends:
            found = found.model_copy(update={"verdict": Verdict.INCONCLUSIVE})
        self.run.check(found)


def stack_check(named: Diff, stack: str) -> Check:
    """`infra.diff_stack`: whether the rollout's stack is among the stacks that the diff names."""
    id, title = "infra.diff_stack", "The diff is of the rollout's stack"
    if not named.stacks:
        reason = f"the diff does not say which stack it is of; make sure that it is {stack}"
        made = check(id, title, None, reason, required=False, expected=stack, found="no stack")
        return made.model_copy(update={"verdict": Verdict.INCONCLUSIVE})
    told = ", ".join(named.stacks)
    if stack in named.stacks:
        return check(id, title, True, f"the diff is of {told}", expected=stack, found=told)
    reason = (
        f"the diff is of {told}, and names.stack is {stack}: the command looks at another environment, or "
        "service.yaml names another stack; put either right"
    )
    return check(id, title, False, reason, expected=stack, found=told)


def watched_by(stack: str, configuration: dict[str, Any], guards: str) -> Check:
    """`infra.rollback_triggers`: whether the guards (ARNs, separated by commas) are rollback triggers of `stack`."""
    wanted = {arn.rpartition(":")[2] for arn in guards.split(",") if arn}
    has = {one["Arn"].rpartition(":")[2] for one in configuration.get("RollbackTriggers", [])}
    minutes, missing = configuration.get("MonitoringTimeInMinutes", 0), sorted(wanted - has)
    found = f"{', '.join(sorted(has))} for {minutes} min" if has else "no rollback triggers"
    reason = f"CloudFormation takes an update of {stack} back if a guard fires within {minutes} min of it"
    if missing or not minutes:
        what = f"{', '.join(missing)} missing" if missing else "they watch for 0 min"
        reason = (
            f"{stack} has {found}: {what}; CloudFormation takes nothing back by itself for them, so have the soak "
            "watched (runbook watch), or set them with {guard_alarm_arns} in the command that deploys"
        )
    return check(
        "infra.rollback_triggers",
        "The guards watch the stack's update",
        not missing and minutes > 0,
        reason,
        required=False,
        expected=", ".join(sorted(wanted)),
        found=found,
        minutes=minutes,
    )
