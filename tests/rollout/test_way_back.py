"""The command that brings the synchronous route back, as a person pastes it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook_lib.params.load import load_file, params_dir
from runbook_lib.rollout.way_back import deploy_command


@pytest.mark.parametrize(
    ("deploy", "line"),
    [
        ({"run": "cdk deploy --step {step} -e {env}"}, "cdk deploy --step async -e prod"),
        ({"run": "python deploy.py {release}", "cwd": "../infra"}, "cd ../infra && python deploy.py 2026.11-vpr-async"),
        ({"run": "cdk deploy", "env": {"ENVIRONMENT": "{env}"}}, "ENVIRONMENT=prod cdk deploy"),
        ({"run": "cdk deploy | tee log", "shell": "sh"}, "sh -eu -c 'cdk deploy | tee log'"),
        ({"run": "deploy --alarms {guard_alarm_arns}"}, "deploy --alarms ''"),
    ],
)
def test_it_is_the_command_with_its_folder_variables_and_shell(
    tmp_path: Path, deploy: dict[str, Any], line: str
) -> None:
    folder = Path(shutil.copytree(params_dir(), tmp_path / "params"))
    commands = yaml.safe_load((folder / "commands.yaml").read_text())
    commands["deploy"] = {"id": "infra.deploy", "title": "Deploy", **deploy}
    (folder / "commands.yaml").write_text(yaml.safe_dump(commands))
    assert deploy_command(load_file(folder / "prod.yaml")) == line
