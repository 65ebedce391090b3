"""The sandbox's infrastructure tool as a command: exit status, what it prints, and where it refuses to work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.errors import UsageError
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import only, params_of
from runbook_lib.rehearse.sandbox import iac, template
from runbook_lib.rehearse.sandbox.cdk_text import differences
from runbook_lib.rehearse.sandbox.deploy import deploy
from runbook_lib.rehearse.sandbox.iac import Remote, main, violations
from tests import forks

ROOT = Path(__file__).resolve().parents[3]

QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "a", "VisibilityTimeout": 30}}
NO_DIFFERENCES = "Stack careervp-vpr-stack-dev\nThere were no differences\nNumber of stacks with differences: 0\n"


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ({"Q": QUEUE}, {"Q": QUEUE}, []),
        ({}, {"Q": QUEUE}, ["[+] AWS::SQS::Queue a Q"]),
        ({"Q": QUEUE}, {}, ["[-] AWS::SQS::Queue a Q"]),
        (
            {"Q": QUEUE},
            {"Q": {**QUEUE, "Properties": {"QueueName": "a", "VisibilityTimeout": 60}}},
            ["[~] AWS::SQS::Queue a Q", " └─ [~] VisibilityTimeout", "     ├─ [-] 30", "     └─ [+] 60"],
        ),
        (
            {"Q": QUEUE},
            {"Q": {**QUEUE, "DependsOn": "B"}},
            ["[~] AWS::SQS::Queue a Q", " └─ [+] DependsOn", "     └─ B"],
        ),
    ],
)
def test_differences(before: dict[str, Any], after: dict[str, Any], lines: list[str]) -> None:
    assert list(differences(before, after)) == lines


def test_a_long_value_is_cut() -> None:
    after = {"Q": {**QUEUE, "Properties": {**QUEUE["Properties"], "Code": "x" * 500}}}  # type: ignore[dict-item]
    assert all(len(line) < 250 for line in differences({"Q": QUEUE}, after))


@pytest.mark.parametrize("env", ["dev", "staging", "prod"])
def test_every_name_follows_the_rule(env: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["naming", "--env", env]) == 0
    assert "every name follows" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("id", "key", "value", "told"),
    [
        ("Queue", "QueueName", "vpr_jobs", "Queue: QueueName is 'vpr_jobs'"),
        ("Submit", "FunctionName", "careervp-vpr-submit-lambda-dev", "Submit: FunctionName is 'careervp-vpr-submit-"),
        ("Bucket", "BucketName", "${Token[TOKEN.12]}", "Bucket: BucketName is '${Token[TOKEN.12]}'"),
        ("SubmitRole", "RoleName", {"Fn::Sub": "CareerVP-${Env}"}, "SubmitRole: RoleName is 'CareerVP-prod'"),
    ],
)
def test_a_name_that_breaks_the_rule_is_found(
    id: str, key: str, value: Any, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    params = params_of("prod", "x")
    built = template.build(params)
    built["Resources"][id]["Properties"][key] = value
    monkeypatch.setattr(template, "build", lambda _: built)
    (found,) = violations(params)
    assert found.startswith(told)
    assert main(["naming", "--env", "prod"]) == 1
    assert told in capsys.readouterr().out


@pytest.mark.parametrize("endpoint", ["", "https://sts.amazonaws.com", "http://127.0.0.1.example.com:80"])
def test_it_works_on_this_machine_only(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rehearsal's command can never reach a real account."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(UsageError, match="embedded AWS only"):
        Remote()


def test_an_option_said_with_two_values_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["naming", "--env", "dev", "--env", "prod"])
    assert ended.value.code == 2
    assert "env is said twice" in capsys.readouterr().err
    assert main(["naming", "--env", "prod", "--env", "prod"]) == 0


@pytest.mark.parametrize("arguments", [["deploy"], ["deploy", "--env", "qa"], ["diff", "--env", "dev", "--step", "x"]])
def test_wrong_arguments_end_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: iac" in capsys.readouterr().err


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as one, only(one.env):
        deploy(one, params_of("dev", "x"), "baseline")
        yield one


def _command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "runbook_lib.rehearse.sandbox.iac", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=dict(os.environ),
    )


@pytest.mark.emulator
def test_from_the_first_diff_to_the_deployed_step_and_back(
    aws: EmbeddedAws, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", "--env", "dev", "--step", "baseline", "--fail"]) == 0
    assert capsys.readouterr().out == NO_DIFFERENCES
    for step, sign in (
        ("async", "[+] AWS::SQS::Queue careervp-vpr-jobs-queue-dev Queue"),
        ("migrate", "[~] AWS::ApiGateway::Method api/vpr/POST SyncMethod"),
    ):
        assert main(["diff", "--env", "dev", "--step", step]) == 0, "without --fail it only tells"
        assert main(["diff", "--env", "dev", "--step", step, "--fail"]) == 1
        told = capsys.readouterr().out
        assert sign in told.splitlines()
        assert "Number of stacks with differences: 1" in told
        assert main(["verify", "--env", "dev", "--step", step]) == 1
        assert f"expects {step}" in capsys.readouterr().out
        assert main(["deploy", "--env", "dev", "--step", step]) == 0
        assert f"{sign}  COMPLETE" in capsys.readouterr().out.splitlines()
        assert main(["diff", "--env", "dev", "--step", step, "--fail"]) == 0
        assert main(["verify", "--env", "dev", "--step", step]) == 0
        assert main(["verify", "--env", "dev"]) == 0
        assert f"at step {step}" in capsys.readouterr().out
    assert main(["deploy", "--env", "dev"]) == 0
    assert main(["verify", "--env", "dev", "--step", "async"]) == 0


@pytest.mark.emulator
def test_a_changed_template_is_at_no_known_step(
    aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["deploy", "--env", "dev"])
    found = iac.deployed(Remote(), params_of("dev", "x"))
    found["Queue"]["Properties"]["ReceiveMessageWaitTimeSeconds"] = 0
    monkeypatch.setattr(iac, "deployed", lambda *_: found)
    assert main(["verify", "--env", "dev"]) == 1
    assert "at no known step" in capsys.readouterr().out


@pytest.mark.slow
def test_it_is_light_for_the_rehearsal_runs_it_many_times() -> None:
    heavy = "{'pandas', 'matplotlib', 'numpy', 'scipy', 'papermill', 'nbconvert', 'IPython', 'typer', 'boto3'}"
    code = f"import sys, runbook_lib.rehearse.sandbox.iac; print(sorted({heavy} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.emulator
def test_as_a_process_of_its_own(aws: EmbeddedAws) -> None:
    """As the notebook runs it."""
    _command("deploy", "--env", "dev")
    ran = _command("diff", "--env", "dev", "--fail")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, NO_DIFFERENCES, "")
    smoke = _command("smoke", "--env", "dev")
    assert (smoke.returncode, smoke.stdout.splitlines()[-1]) == (0, "8 passed, 0 failed")
    assert "X-Amz-Signature" not in smoke.stdout
    assert _command("smoke", "--env", "dev", "--routes", "sync").stdout == "POST /api/vpr: 200\n"


@pytest.mark.emulator
def test_an_error_is_one_sentence_and_status_2(aws: EmbeddedAws) -> None:
    ran = _command("verify", "--env", "staging")
    assert ran.returncode == 2
    assert ran.stderr.startswith("iac: ")
    assert "does not exist" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("step", "carried"), [("async", False), ("migrate", True), ("remove_temporary", True), ("remove_sync", False)]
)
def test_the_guards_watch_the_updates_of_the_migration(
    aws: EmbeddedAws, step: str, carried: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is sent is looked at: the embedded CloudFormation takes the triggers, and forgets them."""
    main(["deploy", "--env", "dev", "--step", "baseline"])
    sent: list[dict[str, Any]] = []
    remote = Remote()
    events = remote.client("cloudformation").meta.events
    events.register("provide-client-params.cloudformation.UpdateStack", lambda params, **_: sent.append(params))
    monkeypatch.setattr(iac, "Remote", lambda: remote)
    capsys.readouterr()
    arns = [f"arn:aws:cloudwatch:us-east-1:000000000000:alarm:careervp-vpr-{one}-guard-dev" for one in ("a", "b")]
    assert main(["deploy", "--env", "dev", "--step", step, f"--guards={','.join(arns)}"]) == 0
    (update,) = sent
    triggers = [{"Arn": arn, "Type": "AWS::CloudWatch::Alarm"} for arn in arns]
    wanted = {"RollbackTriggers": triggers, "MonitoringTimeInMinutes": 180} if carried else None
    assert update.get("RollbackConfiguration") == wanted
    assert (f"rollback triggers, for 180 min: {', '.join(arns)}" in capsys.readouterr().out) is carried


@pytest.mark.emulator
def test_without_guards_an_update_names_no_triggers(aws: EmbeddedAws, capsys: pytest.CaptureFixture[str]) -> None:
    """The way back is typed without them: a guard that fires must not hold it up."""
    assert main(["deploy", "--env", "dev", "--step", "migrate", "--guards="]) == 0
    assert "rollback triggers" not in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("words", ["naming --env prod", "nonsense", "diff --env prod", "--help"])
def test_as_a_fork_it_says_the_same_and_ends_the_same_as_a_process_that_boots(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`tests/forks.py` stands in for its boot; nothing answers here, so that `diff` is an error of AWS."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    argv = [sys.executable, "-m", forks.MODULE, *words.split()]
    told = []
    for start in (subprocess.Popen, forks.popen):
        env = {**os.environ, "COLUMNS": "120"}
        done = start(argv, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        told.append((done.stdout.read().decode().replace(f"{forks.MODULE}.py", "iac"), done.wait(30), done.poll()))
    assert told[0] == told[1]
    assert isinstance(done, forks.Forked), "no process of its own was started"


def test_a_fork_ends_when_it_is_told_to_and_waiting_for_it_has_an_end() -> None:
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "30"}
    env = {**os.environ, **nowhere, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    argv = [sys.executable, "-m", forks.MODULE, "diff", "--env", "prod"]
    done = forks.popen(argv, cwd=ROOT, env=env, stderr=subprocess.STDOUT)
    with pytest.raises(subprocess.TimeoutExpired):
        done.wait(0.05)
    assert done.poll() is None
    os.killpg(done.pid, signal.SIGKILL)
    assert done.wait(10) == done.poll() == -signal.SIGKILL
