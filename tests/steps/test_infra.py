"""The infrastructure's commands from a notebook: diff, deploy through the guard, inventory, the way back."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.act.command import Commands
from runbook_lib.base.errors import AwsError, Refused, UsageError
from runbook_lib.judge.gates.checks import Check, decide_checks
from runbook_lib.judge.incidents.diff import parse
from runbook_lib.judge.terms import Verdict
from runbook_lib.observe.inventory.rules import FIX
from runbook_lib.params.alarms import alarm_name
from runbook_lib.params.load import project_root
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.journal import read_events
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import only, overlaid, params_of
from runbook_lib.rehearse.sandbox.deploy import deploy
from runbook_lib.run.run import Run
from runbook_lib.steps.infra import PREVIOUS, Infra, watched_by
from tests.disk import full_disk

pytestmark = pytest.mark.emulator
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as one, only(one.env), contextlib.chdir(ROOT):
        yield one


@pytest.fixture
def runs(aws: EmbeddedAws, tmp_path: Path) -> Iterator[Any]:
    """`runs(mode)`: a run of dev, which is at `async`."""
    deploy(aws, params_of("dev", "x"), "async")
    opened: list[Run] = []

    def make(mode: str = "apply", **values: Any) -> Run:
        flat = {**overlaid("dev", "x"), "archive": str(tmp_path), "mode": mode, "confirm": "dev", **values}
        opened.append(Run.open("02_deploy_dev", flat))
        return opened[-1]

    yield make
    for run in opened:
        if run.staging.exists():
            seal_staged(Archive(tmp_path), run.staging, status="completed")


def _infra(run: Run, step: str = "migrate", **commands: dict[str, Any]) -> Infra:
    """With single settings of the configured commands replaced."""
    infra = Infra(run, step)
    given = infra.commands.model_dump()
    for name, values in commands.items():
        given[name] |= values
    infra.commands = Commands.model_validate(given)
    return infra


def _check(run: Run, id: str) -> Check:
    return run.checks[id]


def _step(aws: EmbeddedAws, step: str) -> bool:
    from runbook_lib.rehearse.sandbox.iac import Remote, diff

    return not diff(Remote(), params_of("dev", "x"), step)


def test_a_plan_says_what_would_run_and_changes_nothing(aws: EmbeddedAws, runs: Any) -> None:
    run = runs("plan")
    infra = _infra(run)
    assert "SyncMethod" in str(infra.diff())
    found = _check(run, "infra.diff")
    assert (found.verdict, found.facts["differs"], found.facts["exit"]) == (Verdict.PASS, True, 1)
    command = "python -m runbook_lib.rehearse.sandbox.iac deploy --env dev --step migrate"
    assert command in str(infra.plan())
    assert command in str(infra.deploy())
    found = _check(run, "infra.deploy")
    assert (found.verdict, found.mends, found.facts["step"]) == (Verdict.INCONCLUSIVE, True, "migrate")
    infra.inventory("Before")
    wrong = [one for one in run.checks.values() if one.id.startswith("inventory.") and one.verdict is Verdict.FAIL]
    assert "inventory.route_sync.integration" in {one.id for one in wrong}
    assert all(one.mends for one in wrong), "the deployment would mend it"
    assert all("the diff " in one.facts["diff"] for one in wrong)
    assert _check(run, "infra.diff_stack").ok
    infra.verify()
    assert (_check(run, "infra.verify").verdict, _check(run, "infra.verify").mends) == (Verdict.FAIL, True)
    assert _step(aws, "async")
    assert [event for event in read_events(run.staging) if event["event"] == "intent"] == []


def test_applying_deploys_once_and_proves_it(aws: EmbeddedAws, runs: Any) -> None:
    run = runs()
    infra = _infra(run)
    infra.diff()
    infra.deploy()
    found = _check(run, "infra.deploy")
    assert (found.verdict, infra.deployed, found.facts["exit"]) == (Verdict.PASS, True, 0)
    assert any("COMPLETE" in line for line in found.facts["tail"])
    assert found.facts["seconds"] > 0
    assert _step(aws, "migrate")
    events = {event["event"]: event for event in read_events(run.staging)}
    assert events["intent"]["what"] == "deploy step 'migrate' of the infrastructure code in dev"
    assert (events["outcome"]["ok"], events["outcome"]["read_back"]) == (True, {"differs": False})
    infra.inventory("After")
    assert [one.id for one in run.checks.values() if one.required and not one.ok] == []
    infra.verify()
    assert _check(run, "infra.verify").ok

    again = runs()
    infra = _infra(again)
    assert "Nothing to deploy" in str(infra.deploy())
    assert "Nothing to deploy" in str(infra.plan())
    assert _check(again, "infra.deploy").ok
    assert [event for event in read_events(again.staging) if event["event"] == "intent"] == []


@pytest.mark.parametrize("mode", ["plan", "apply"])
@pytest.mark.parametrize(
    ("diff", "words"),
    [
        ({"run": "no-such-cdk diff"}, "no-such-cdk cannot be started"),
        ({"run": 'python -c "raise SystemExit(1)"'}, "exit status 1"),  # as an error of cdk ends, too
        ({"run": 'python -c "raise SystemExit(2)"'}, "exit status 2"),
        ({"timeout_s": 0.01}, "stopped after 0.01 s"),
    ],
)
def test_without_a_diff_nothing_is_deployed(
    aws: EmbeddedAws, runs: Any, mode: str, diff: dict[str, Any], words: str
) -> None:
    run = runs(mode)
    infra = _infra(run, diff=diff)
    infra.diff()
    found = _check(run, "infra.diff")
    assert not found.ok
    assert not found.mends
    assert words in found.reason
    assert "Nothing can be planned" in str(infra.plan())
    assert "Nothing was deployed" in str(infra.deploy())
    found = _check(run, "infra.deploy")
    assert (found.verdict, found.mends) == (Verdict.NO_DATA, False)
    assert _step(aws, "async")


def test_a_failed_deployment_is_an_error_with_the_end_of_its_output(aws: EmbeddedAws, runs: Any) -> None:
    run = runs()
    infra = _infra(run, deploy={"run": "python -c \"print('no space left'); raise SystemExit(3)\""})
    infra.diff()
    with pytest.raises(AwsError, match=r"the deployment failed: .* exit status 3 after .*: no space left"):
        infra.deploy()
    found = _check(run, "infra.deploy")
    assert (found.verdict, found.facts["tail"]) == (Verdict.FAIL, ["no space left"])
    assert not infra.deployed


DEPLOYS = (
    "import os, signal, subprocess, sys; "
    "subprocess.run([sys.executable, '-m', 'runbook_lib.rehearse.sandbox.iac', 'deploy', "
    "'--env', 'dev', '--step', 'migrate'])"
)
DIES = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"


@pytest.mark.parametrize(
    ("program", "done"),
    [(f"{DEPLOYS}; sys.exit(1)", True), (f"{DEPLOYS}; {DIES}", True), (DIES, False)],
    ids=["fails when it is done", "killed when it is done", "killed before"],
)
def test_what_the_diff_says_after_it_counts_and_not_how_the_command_ended(
    aws: EmbeddedAws, runs: Any, program: str, done: bool
) -> None:
    run = runs()
    infra = _infra(run, deploy={"run": f'python -c "{program}"'})
    infra.diff()
    with contextlib.nullcontext() if done else pytest.raises(AwsError, match="exit status -9"):
        infra.deploy()
    assert (_step(aws, "migrate"), infra.deployed, _check(run, "infra.deploy").ok) == (done, done, done)
    outcome = next(event for event in read_events(run.staging) if event["event"] == "outcome")
    assert (outcome["ok"], outcome["read_back"]) == (done, {"differs": not done})
    assert "the deployment failed" in outcome["error"]
    again = runs()
    infra = _infra(again)
    assert ("Nothing to deploy" in str(infra.deploy())) is done
    assert _step(aws, "migrate")


def test_without_room_for_the_intent_nothing_is_deployed(aws: EmbeddedAws, runs: Any, tmp_path: Path) -> None:
    run = runs()
    infra = _infra(run)
    infra.diff()
    with full_disk(tmp_path, "intent", only=True), pytest.raises(Refused, match="No space left on device"):
        infra.deploy()
    assert _step(aws, "async")
    infra.deploy()
    assert _step(aws, "migrate")


def test_a_deployment_that_changes_nothing_does_not_pass(aws: EmbeddedAws, runs: Any) -> None:
    """Exit status 0 is the command's word; the diff, taken again, is the proof."""
    run = runs()
    infra = _infra(run, deploy={"run": "python -c pass"})
    infra.diff()
    infra.deploy()
    found = _check(run, "infra.deploy")
    assert found.verdict is Verdict.FAIL
    assert "still differs" in found.reason
    assert not infra.deployed


def test_a_wrong_confirmation_deploys_nothing(aws: EmbeddedAws, runs: Any) -> None:
    run = runs(confirm="prod")
    infra = _infra(run)
    with pytest.raises(UsageError, match="confirm is 'prod', expects 'dev'"):
        infra.deploy()
    assert _step(aws, "async")


def test_old_evidence_refuses_it(aws: EmbeddedAws, runs: Any) -> None:
    """The state that the plan read is an hour old: somebody may have changed it since."""
    now = runs().guard.now
    run = runs(as_of=(now - dt.timedelta(hours=1)).isoformat())
    with pytest.raises(Refused, match="60 min from AWS's own clock"):
        _infra(run).deploy()
    assert _step(aws, "async")


def test_a_concern_refuses_it(aws: EmbeddedAws, runs: Any) -> None:
    run = runs()
    run.guard.concerns.append("the archive is damaged")
    with pytest.raises(Refused, match="the archive is damaged"):
        _infra(run).deploy()
    assert _step(aws, "async")


def test_what_could_not_be_seen_is_not_mended(aws: EmbeddedAws, runs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from runbook_lib.judge.gates.checks import check
    from runbook_lib.steps import infra as room

    given = [
        check("inventory.queue.retention", "a", None, "denied"),
        check("inventory.queue.long_poll", "b", False, f"other; {FIX}"),
        check("inventory.queue.exists", "c", True, "as it should be"),
    ]
    monkeypatch.setattr(room, "inspect", lambda *_, **__: given)
    infra = _infra(runs("plan"))
    infra.differs = True
    infra.named = parse(
        "Stack careervp-vpr-stack-dev\nResources\n[~] AWS::SQS::Queue VprJobsQueue VprJobsQueue0A1B2C3D\n"
        " ├─ [+] MessageRetentionPeriod\n │   └─ 14400\n"
        " └─ [~] ReceiveMessageWaitTimeSeconds\n     ├─ [-] 0\n     └─ [+] 20\n"
    )
    assert [one.mends for one in infra.inspect()] == [False, True, False]
    assert infra.inspect()[1].reason == "other; the deployment mends it", "nobody has to change the code once more"
    infra.deployed = True
    assert not any(one.mends for one in infra.inspect()), "after the deployment nothing will mend it any more"


def _says(tmp_path: Path, text: str) -> dict[str, Any]:
    """A diff command that prints this and ends as `cdk diff --fail` does."""
    file = tmp_path / "said.py"
    file.write_text(f"import sys\nprint({text!r})\nprint('Number of stacks with differences: 1')\nsys.exit(1)\n")
    return {"run": f"python {file}"}


@pytest.fixture
def short_queue(aws: EmbeddedAws, runs: Any) -> Iterator[None]:
    """The job queue's visibility timeout is 30 s: one required setting of dev is wrong."""
    url = aws.client("sqs").get_queue_url(QueueName="careervp-vpr-jobs-queue-dev")["QueueUrl"]
    aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "30"})
    yield
    aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "660"})


QUEUE = (
    "Stack careervp-vpr-stack-dev\nResources\n[~] AWS::SQS::Queue Jobs Queue\n"
    " └─ [~] {}\n     ├─ [-] 30\n     └─ [+] {}"
)
SETS = "the diff sets VisibilityTimeout of AWS::SQS::Queue Jobs to"
TIMEOUT = "inventory.queue.visibility_timeout"


@pytest.mark.usefixtures("short_queue")
@pytest.mark.parametrize(
    ("text", "mends", "words"),
    [
        (QUEUE.format("VisibilityTimeout", "660"), True, f"{SETS} 660"),
        (QUEUE.format("VisibilityTimeout", "60"), False, f"{SETS} 60"),
        (QUEUE.format("DelaySeconds", "660"), False, "the diff does not name it"),
        (QUEUE.format("VisibilityTimeout", "660").replace("Queue\n", "Dlq\n"), False, "the diff does not name it"),
        (QUEUE.format("VisibilityTimeout", "660").replace("-dev", "-prod"), False, "not careervp-vpr-stack-dev"),
        ("some other tool: 1 to change", False, "the diff has an unknown format"),
    ],
    ids=["right", "wrong value", "other property", "other resource", "other stack", "other tool"],
)
def test_only_what_the_diff_names_is_about_to_be_mended(
    aws: EmbeddedAws, runs: Any, tmp_path: Path, text: str, mends: bool, words: str
) -> None:
    run = runs("plan")
    infra = _infra(run, "async", diff=_says(tmp_path, text))
    infra.diff()
    infra.inventory("Before")
    found = _check(run, TIMEOUT)
    assert (found.verdict, found.mends) == (Verdict.FAIL, mends)
    assert words in found.facts["diff"]
    assert mends or words in found.reason
    inventory = [one for one in run.checks.values() if one.id.startswith("inventory.")]
    assert [one.id for one in inventory if one.required and not one.ok] == [TIMEOUT]
    outcome = decide_checks(inventory, applied=False, done="", then="")
    assert (outcome.decision == "PLANNED") is mends


@pytest.mark.usefixtures("short_queue")
@pytest.mark.parametrize("seconds", [660, 60])
def test_a_plan_of_terraform_is_read_from_the_command_that_shows_it_and_kept_nowhere(
    aws: EmbeddedAws, runs: Any, tmp_path: Path, seconds: int
) -> None:
    sides = [{"name": "careervp-vpr-jobs-queue-dev", "visibility_timeout_seconds": it} for it in (30, seconds)]
    change = {"actions": ["update"], "before": sides[0], "after": {**sides[1], "policy": "not-for-the-record"}}
    one = {"address": "aws_sqs_queue.jobs", "type": "aws_sqs_queue", "name": "jobs", "change": change}
    (tmp_path / "plan.json").write_text(json.dumps({"format_version": "1.2", "resource_changes": [one]}))
    run = runs("plan")
    show = {"id": "infra.diff_show", "title": "The plan as JSON", "run": f"cat {tmp_path / 'plan.json'}"}
    diff = {"run": "python -c 'raise SystemExit(2)'", "differences_exit": 2, "differences_say": ""}
    infra = _infra(run, "async", diff=diff)
    infra.commands = Commands.model_validate(
        {**infra.commands.model_dump(), "diff_show": show, "diff_kind": "terraform"}
    )
    infra.diff()
    infra.inventory("Before")
    found = _check(run, TIMEOUT)
    assert found.mends is (seconds == 660)
    assert found.facts["diff"] == f"the diff sets VisibilityTimeout of AWS::SQS::Queue aws_sqs_queue.jobs to {seconds}"
    assert "not-for-the-record" not in run.journal.path.read_text()


@pytest.mark.parametrize(
    ("text", "verdict", "required", "words"),
    [
        ("Stack careervp-vpr-stack-dev", Verdict.PASS, True, "is of careervp-vpr-stack-dev"),
        ("Stack Dev/Vpr (careervp-vpr-stack-dev)\nStack other", Verdict.PASS, True, "careervp-vpr-stack-dev, other"),
        ("Stack careervp-vpr-stack-prod", Verdict.FAIL, True, "names.stack is careervp-vpr-stack-dev"),
        ("1 to change", Verdict.INCONCLUSIVE, False, "does not say which stack"),
    ],
)
def test_the_stack_that_the_diff_speaks_of(
    aws: EmbeddedAws, runs: Any, tmp_path: Path, text: str, verdict: Verdict, required: bool, words: str
) -> None:
    run = runs("plan")
    _infra(run, "async", diff=_says(tmp_path, text)).diff()
    found = _check(run, "infra.diff_stack")
    assert (found.verdict, found.required) == (verdict, required)
    assert words in found.reason
    assert found.expected == "careervp-vpr-stack-dev"


MAKES = """
import json, sys, boto3
from runbook_lib.rehearse.sandbox.deploy import embedded_template
from runbook_lib.rehearse.play.stage import params_of
params = params_of("dev", "x")
template = embedded_template(params, "async")
template["Resources"]["Queue"]["Properties"]["VisibilityTimeout"] = 661
boto3.client("cloudformation").create_change_set(
    StackName=params.name("stack"), ChangeSetName=sys.argv[1], TemplateBody=json.dumps(template),
    Capabilities=["CAPABILITY_NAMED_IAM"],
)
print("Stack", params.name("stack"))
print("Number of stacks with differences: 1")
sys.exit(1)
"""


@pytest.mark.usefixtures("short_queue")
def test_a_change_set_that_the_command_leaves_is_read_and_an_old_one_is_not(
    aws: EmbeddedAws, runs: Any, tmp_path: Path
) -> None:
    """The embedded CloudFormation names properties without their values, as AWS does where it is not asked for them."""
    file = tmp_path / "makes.py"
    file.write_text(MAKES)
    run = runs("plan")
    infra = _infra(run, "async", diff={"run": f"python {file} review"})
    infra.diff()
    assert infra.named.kind == "change-set"
    assert [one.name for change in infra.named.changes for one in change.properties] == ["VisibilityTimeout"]
    assert _check(run, "infra.diff").facts["read_as"] == "change-set"
    infra.inventory("Before")
    assert _check(run, TIMEOUT).mends
    assert "but does not show the new value in full" in _check(run, TIMEOUT).facts["diff"]

    again = runs("plan")
    infra = _infra(again, "async", diff=_says(tmp_path, "Stack careervp-vpr-stack-dev"))
    infra.diff()
    infra.inventory("Before")
    assert (infra.named.kind, _check(again, TIMEOUT).mends) == ("cdk", False)


@pytest.mark.usefixtures("short_queue")
def test_what_cannot_be_read_mends_nothing_if_so_configured(aws: EmbeddedAws, runs: Any, tmp_path: Path) -> None:
    run = runs("plan")
    infra = _infra(run, "async", diff=_says(tmp_path, QUEUE.format("VisibilityTimeout", "660")))
    infra.commands = infra.commands.model_copy(update={"diff_kind": "none"})
    infra.diff()
    infra.inventory("Before")
    assert not _check(run, TIMEOUT).mends


def test_the_previous_template_is_kept_as_it_was(aws: EmbeddedAws, runs: Any) -> None:
    run = runs("plan")
    assert PREVIOUS in str(_infra(run).previous_template())
    kept = json.loads((run.staging / PREVIOUS).read_text())
    stack = run.params.name("stack")
    body = aws.client("cloudformation").get_template(StackName=stack)["TemplateBody"]
    assert kept["stack"] == stack
    assert kept["template"] == body
    assert "template" in str(_infra(run).previous_template())


def test_no_stack_no_template(aws: EmbeddedAws, runs: Any) -> None:
    names = {**runs("plan").params.service.names, "stack": "careervp-other-stack-{env}"}
    run = runs("plan")
    infra = _infra(run)
    service = run.params.service.model_copy(update={"names": names})
    infra.params = run.params.model_copy(update={"service": service})
    with pytest.raises(AwsError, match="careervp-other-stack-dev"):
        infra.previous_template()


def test_without_a_verifying_command_it_says_so(aws: EmbeddedAws, runs: Any) -> None:
    run = runs("plan")
    infra = _infra(run)
    infra.commands = infra.commands.model_copy(update={"verify": None})
    assert "No command is configured" in str(infra.verify())
    assert "infra.verify" not in run.checks


def test_the_guards_are_told_to_the_command(aws: EmbeddedAws, runs: Any) -> None:
    """For CloudFormation's rollback triggers: the team's command may want to watch them."""
    command = "cdk deploy --alarms {guard_alarm_arns}"
    line = _infra(runs("plan"), deploy={"run": command}).line()
    assert line.count("arn:aws:cloudwatch:us-east-1:000000000000:alarm:careervp-vpr-") >= 4
    assert "-dev" in line


GUARDS = "arn:aws:cloudwatch:us-east-1:000000000000:alarm:a,arn:aws:cloudwatch:us-east-1:000000000000:alarm:b"


@pytest.mark.parametrize(
    ("triggers", "minutes", "verdict", "says"),
    [
        ("ab", 180, Verdict.PASS, "takes an update of s back if a guard fires within 180 min"),
        ("abc", 30, Verdict.PASS, "within 30 min"),
        ("a", 180, Verdict.FAIL, "s has a for 180 min: b missing"),
        ("ab", 0, Verdict.FAIL, "they watch for 0 min"),
        ("", 180, Verdict.FAIL, "s has no rollback triggers: a, b missing"),
    ],
)
def test_what_watches_an_update(triggers: str, minutes: int, verdict: Verdict, says: str) -> None:
    arn = GUARDS.partition(",")[0][:-1]
    had = [{"Arn": arn + one, "Type": "AWS::CloudWatch::Alarm"} for one in triggers]
    found = watched_by("s", {"RollbackTriggers": had, "MonitoringTimeInMinutes": minutes}, GUARDS)
    assert (found.verdict, found.required) == (verdict, False)
    assert says in found.reason


def test_the_record_has_what_watches_the_stack(aws: EmbeddedAws, runs: Any) -> None:
    """The embedded CloudFormation forgets the triggers that it was given, and this sees it."""
    run = runs("plan")
    found = _infra(run).watched()
    assert run.checks["infra.rollback_triggers"] == found
    assert (found.verdict, found.found) == (Verdict.FAIL, "no rollback triggers")
    guards = [alarm_name(one, run.params) for one in run.params.policy.alarms if one.guard]
    assert found.expected == ", ".join(sorted(guards))


def test_the_commands_run_in_the_projects_folder() -> None:
    assert project_root(ROOT / "notebooks") == ROOT
