"""The GitHub workflows: they follow GitHub's schema, zizmor finds nothing, and the shell they run does its work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
RUNBOOK = yaml.safe_load((ROOT / ".github" / "workflows" / "runbook.yml").read_text())
(STEP,) = [one["run"] for one in RUNBOOK["jobs"]["run"]["steps"] if ".ci/runbook" in one.get("run", "")]
INPUTS = RUNBOOK[True]["workflow_dispatch"]["inputs"]  # YAML 1.1 reads `on` as true


def tool(*command: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name(command[0])
    return subprocess.run([str(program), *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_workflows_follow_githubs_schema() -> None:
    done = tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *map(str, WORKFLOWS))
    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_finds_nothing() -> None:
    done = tool("zizmor", "--offline", "--no-progress", "--persona", "regular", *map(str, WORKFLOWS))
    assert done.returncode == 0, done.stdout + done.stderr


def test_any_notebook_of_the_rollout_and_each_way_back_can_be_dispatched() -> None:
    gates = yaml.safe_load((ROOT / "params" / "gates.yaml").read_text())
    assert INPUTS["notebook"]["options"] == [*gates["steps"], *gates["rollbacks"]]
    assert INPUTS["mode"]["default"] == "plan"


def test_no_input_is_pasted_into_a_shell() -> None:
    for step in RUNBOOK["jobs"]["run"]["steps"]:
        assert "${{" not in step.get("run", "")


def test_a_run_is_protected_by_its_environment_and_signs_in_by_oidc() -> None:
    job = RUNBOOK["jobs"]["run"]
    assert job["environment"] == "${{ inputs.environment }}"
    assert job["permissions"] == {"contents": "read", "id-token": "write"}
    assert RUNBOOK["permissions"] == {}


def test_the_credentials_last_as_long_as_the_job_may() -> None:
    job = RUNBOOK["jobs"]["run"]
    (given,) = [one["with"] for one in job["steps"] if "role-to-assume" in one.get("with", {})]
    lasts = given["role-duration-seconds"]
    assert job["timeout-minutes"] * 60 <= lasts <= 12 * 3600, "STS lets a role live for 12 h at most"


def test_a_job_says_what_the_teams_commands_lack_before_it_signs_in() -> None:
    steps = RUNBOOK["jobs"]["run"]["steps"]
    (place,) = [number for number, one in enumerate(steps) if "params check --commands" in one.get("run", "")]
    assert place < next(number for number, one in enumerate(steps) if "role-to-assume" in one.get("with", {}))
    assert steps[place]["continue-on-error"] is True


STUBS = {
    "runbook": """
echo "runbook $*" >>"$CALLS"
case "$1" in
    run)
        test "${CODE:-0}" = 2 && exit 2
        if [ -n "${STOPPED:-}" ]; then
            sealed() {
                echo told >>"$CALLS"; sleep 0.3
                echo "{\\"folder\\": \\"$SEALED\\", \\"run_id\\": \\"abc\\"}"; exit 143
            }
            trap sealed TERM INT
            touch "$STOPPED"
            while true; do sleep 0.05; done
        fi
        if [ -n "${UPLOAD:-}" ]; then
            mkdir -p archive/s3/records/archive/.staging/abc
            echo "{}" >archive/s3/records/archive/.staging/abc/owner.json
            exit 1
        fi
        echo "{\\"folder\\": \\"$SEALED\\", \\"run_id\\": \\"abc\\"}"
        exit "${CODE:-0}" ;;
    archive)
        test "$2" = show && echo "## the verdict"
        if [ "$2" = sync ]; then
            test -f record/abc/owner.json && echo "kept already" >>"$CALLS"
            test "$UPLOAD" = late
        fi ;;
esac
""",
}


@pytest.fixture
def shell(tmp_path: Path) -> Any:
    """`.ci/runbook` in a copy of the project's skeleton, with a stand-in for `runbook`."""
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, body in STUBS.items():
        (programs / name).write_text(f"#!/usr/bin/env bash\n{body}\n")
        (programs / name).chmod(0o755)
    (programs / "python").symlink_to(sys.executable)
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "runbook").write_text((ROOT / ".ci" / "runbook").read_text())
    sealed = tmp_path / "archive" / "env=prod" / "release=r1" / "06" / "sealed"
    sealed.mkdir(parents=True)
    (sealed / "record.json").write_text("{}")

    def run(**values: str) -> tuple[int, list[str], str]:
        env = {
            "PATH": os.environ["PATH"],
            "CALLS": str(tmp_path / "calls"),
            "SEALED": str(sealed),
            "PATIENCE": "0",
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
            **values,
        }
        done = subprocess.Popen(["bash", "-c", STEP], cwd=tmp_path, env=env)
        if "STOPPED" in env:
            until = time.monotonic() + 20
            while not Path(env["STOPPED"]).exists() and time.monotonic() < until:
                time.sleep(0.02)
            for sign in (signal.SIGINT, signal.SIGTERM):
                done.send_signal(sign)
        done.wait(60)
        calls = (tmp_path / "calls").read_text().splitlines() if (tmp_path / "calls").exists() else []
        summary = (tmp_path / "summary").read_text() if (tmp_path / "summary").exists() else ""
        return done.returncode, calls, summary

    run.folder = tmp_path  # type: ignore[attr-defined]
    return run


def test_a_job_that_is_cancelled_has_its_run_seal_the_record(shell: Any) -> None:
    """GitHub tells the step's own process, nobody else."""
    code, calls, summary = shell(**ASKED, STOPPED=str(shell.folder / "running"))
    assert (code, summary) == (143, "## the verdict\n") and "told" in calls
    assert (shell.folder / "record" / "record.json").is_file()


ASKED = {"NOTEBOOK": "06_phase1_10_percent", "ENVIRONMENT": "prod", "MODE": "plan"}


def test_a_plan_neither_applies_nor_confirms_and_keeps_the_record(shell: Any) -> None:
    code, calls, summary = shell(**ASKED, CONFIRM="prod")
    assert code == 0
    assert calls[0] == "runbook run 06_phase1_10_percent --params params/prod.yaml --json"
    assert summary == "## the verdict\n"
    assert (shell.folder / "record" / "record.json").is_file()


def test_apply_hands_over_what_was_confirmed_and_why(shell: Any) -> None:
    _, calls, _ = shell(**{**ASKED, "MODE": "apply"}, CONFIRM="prod", REASON="go; rm -rf $HOME", OPERATOR="octo")
    assert calls[0].endswith("--json --apply --confirm prod --set reason=go; rm -rf $HOME --set operator=octo")


@pytest.mark.slow
@pytest.mark.parametrize("code", [1, 3, 4])
def test_the_runs_exit_code_is_the_jobs_and_the_record_is_kept(shell: Any, code: int) -> None:
    ended, calls, summary = shell(**ASKED, CODE=str(code), ARCHIVE_BUCKET="records")
    assert ended == code
    assert summary == "## the verdict\n"
    assert calls == [
        "runbook run 06_phase1_10_percent --params params/prod.yaml --json --set archive=s3://records/archive",
        f"runbook archive show abc --archive {shell.folder}/archive --markdown",
    ]


def test_an_upload_that_fails_is_tried_again_and_its_record_kept_as_an_artifact(shell: Any) -> None:
    ended, calls, summary = shell(**ASKED, ARCHIVE_BUCKET="records", UPLOAD="refused")
    assert ended == 1
    assert calls[1:] == ["runbook archive sync --archive s3://records/archive", "kept already"] * 3
    assert summary.startswith(
        "The record could not be sealed in s3://records/archive. It is among this job's artifacts"
    )
    assert (shell.folder / "record" / "abc" / "owner.json").is_file()


def test_an_upload_that_comes_late_is_told(shell: Any) -> None:
    ended, calls, summary = shell(**ASKED, ARCHIVE_BUCKET="records", UPLOAD="late")
    assert (ended, len(calls)) == (1, 3)
    assert "was sealed in s3://records/archive late" in summary and not (shell.folder / "record").exists()


def test_a_record_that_cannot_be_shown_hides_no_verdict(shell: Any) -> None:
    (shell.folder / ".venv" / "bin" / "runbook").write_text(
        "#!/usr/bin/env bash\n" + STUBS["runbook"].replace('echo "## the verdict"', "exit 1")
    )
    ended, calls, _ = shell(**ASKED, CODE="4", ARCHIVE_BUCKET="records")
    assert (ended, len(calls)) == (4, 2)


def test_a_run_that_never_began_says_so_in_the_summary(shell: Any) -> None:
    code, _, summary = shell(**ASKED, CODE="2")
    assert code == 2
    assert "left no record" in summary


def test_a_mode_that_is_none_is_not_taken_for_a_plan(shell: Any) -> None:
    code, calls, _ = shell(**{**ASKED, "MODE": "Apply"})
    assert (code, calls) == (2, [])


@pytest.mark.parametrize(("ended", "job"), [(4, 4), (0, 1)])
def test_what_is_no_result_is_no_record(shell: Any, ended: int, job: int) -> None:
    """As `--help` in the place of a notebook is answered: it ended with Python's traceback."""
    (shell.folder / ".venv" / "bin" / "runbook").write_text(
        f"#!/usr/bin/env bash\necho ' Usage: runbook run'; exit {ended}\n"
    )
    code, _, summary = shell(**ASKED)
    assert code == job
    assert "left no record" in summary


def test_a_missing_choice_is_one_sentence(shell: Any) -> None:
    code, calls, _ = shell(NOTEBOOK="06")
    assert code == 2
    assert calls == []
