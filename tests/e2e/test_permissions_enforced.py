"""Every notebook on an embedded AWS that enforces IAM: planned with `read-only.json`, applied with `operator.json` too.

The embedded AWS evaluates the policies (AUTH=true, one deploy): what they leave out is answered with AccessDenied.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook_lib.base.calls import FILE as CALLS
from runbook_lib.base.calls import heard
from runbook_lib.observe.metrics.catalogue import address
from runbook_lib.params.load import load_file, read_yaml
from runbook_lib.params.permissions import Role, permissions, policy
from runbook_lib.record.archive import Archive
from runbook_lib.record.record import Record
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import only
from runbook_lib.rehearse.sandbox.deploy import deploy_all
from runbook_lib.rollout.replay import replay_all
from runbook_lib.run.launch import START
from runbook_lib.steps.start import Start
from tests.cells import ROOT, Notebooks
from tests.commands.doctor.test_allowed import Enforced

pytestmark = [pytest.mark.emulator, pytest.mark.slow]
NOTEBOOKS = tuple(sorted({path.stem for path in (ROOT / "notebooks").glob("*.ipynb")} - {START}))
CODE = {"pytest", "ruff", "mypy"}
"""Programs of checks of the team's code."""
APPLY = {"mode": "apply", "operator": "ana", "reason": "a drill"}


class Held(Notebooks):
    """The stacks of every environment, whose callers are held to the policies of theirs, and every notebook."""

    def __init__(self, aws: EmbeddedAws, folder: Path) -> None:
        self.aws, self.folder = aws, folder
        for env in ("dev", "staging", "prod"):
            overlay = read_yaml(ROOT / "params" / "rehearsal.yaml")
            self.file = self.copied({**read_yaml(ROOT / "params" / f"{env}.yaml"), **overlay})
        gates = read_yaml(self.file.with_name("gates.yaml"))
        # None waits for another's record, nor for people.
        self.steps = {
            name: {key: value for key, value in one.items() if not key.startswith("requires")}
            for name, one in gates["steps"].items()
        }
        self.file.with_name("gates.yaml").write_text(yaml.safe_dump({**gates, "steps": self.steps, "attestations": []}))
        # What looks at the team's code asks nothing of AWS.
        path = self.file.with_name("rehearsal-commands.yaml")
        commands = read_yaml(path)
        checks = [
            {**one, "run": "python -c pass"} if CODE & {*one["run"].split()} else one for one in commands["checks"]
        ]
        path.write_text(yaml.safe_dump({**commands, "checks": checks}))
        params = {env: load_file(self.file.with_name(f"{env}.yaml")) for env in ("dev", "staging", "prod")}
        self.params = params["prod"]
        deploy_all(aws, params.values())
        self.enforced = {env: Enforced(aws, one) for env, one in params.items()}
        self.known: dict[tuple[str, ...], dict[str, str]] = {}

    def env(self, notebook: str) -> str:
        """Where it is run: in production, if it is for that."""
        return str(self.steps[notebook]["envs"][-1]) if notebook in self.steps else "prod"

    def given(self, env: str, *roles: Role, without: Sequence[str] = ()) -> dict[str, str]:
        """Credentials of a caller who may do what these roles may, but for some actions."""
        key = (env, *roles, *without)
        if key not in self.known:
            self.enforced[env].made = len(self.known)
            self.known[key] = self.enforced[env].role(*roles, without=without)
        return self.known[key]

    def run_as(
        self, notebook: str, *roles: Role, without: Sequence[str] = (), **values: Any
    ) -> tuple[Record, frozenset[str]]:
        """Its record, and the calls that it made."""
        env = self.env(notebook)
        given = self.given(env, *roles, without=without)
        self.file = self.file.with_name(f"{env}.yaml")
        calls = self.folder / f"{notebook}-{len(list(self.folder.glob('*.calls')))}.calls"
        with only({**self.aws.env, **given, CALLS: str(calls)}):
            return self.run(notebook, **values, confirm=env if values else ""), heard(calls)

    def page(self, *roles: Role) -> tuple[str, frozenset[str]]:
        """What the notebook shows that is no step, and the calls that it made."""
        calls = self.folder / "page.calls"
        given = self.given("prod", *roles)
        with contextlib.chdir(self.folder), only({**self.aws.env, **given, CALLS: str(calls)}):
            return str(Start("prod").page()), heard(calls)

    def throttled(self) -> None:
        """The table was throttled a moment ago."""
        metric = address(self.params.metric("table_write_throttles"), self.params)
        where = {"MetricName": metric["MetricName"], "Dimensions": metric["Dimensions"]}
        at = self.aws.now() - dt.timedelta(minutes=3)
        data = [{**where, "Timestamp": at, "Value": 40.0}]
        self.aws.client("cloudwatch").put_metric_data(Namespace=metric["Namespace"], MetricData=data)


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    # It checks the date of a signature, so its clock is the real one.
    with EmbeddedAws(dt.datetime.now(dt.UTC), auth=True) as aws:
        yield Held(aws, tmp_path_factory.mktemp("held"))


def actions(document: dict[str, Any]) -> set[str]:
    return {action for one in document["Statement"] for action in one["Action"]}


def denied(record: Record) -> list[str]:
    """What AWS denied in a run, by the record."""
    return re.findall(
        r"AWS answered (?:AccessDenied\w*|AuthorizationError) to (\w+)", json.dumps(record.model_dump(mode="json"))
    )


CHANGING = (
    permissions().calls
    - set(permissions().free)
    - {call for grant in permissions().grants if {"read-only"} & set(grant.to) for call in grant.calls}
)
APPLIED = {
    "02_deploy_dev": {"sqs.SendMessage", "sqs.DeleteMessage", "dynamodb.PutItem"},
    "03_dashboard": {"cloudwatch.PutDashboard"},
    "04_alarms": {"cloudwatch.PutMetricAlarm", "cloudwatch.SetAlarmState", "sqs.CreateQueue", "sns.Subscribe"},
    "06_phase1_10_percent": {"appconfig.StartDeployment", "appconfig.CreateHostedConfigurationVersion"},
    "rollback_1_async_failing": {"appconfig.StopDeployment", "appconfig.StartDeployment", "sns.Publish"},
    "rollback_2_queue_backlog": {"lambda.PutFunctionConcurrency"},
    "rollback_3_dynamodb_throttling": {"dynamodb.UpdateTable"},
}
"""What a notebook changes that is applied, among others. 01, 10 and 11 change nothing; 05, 07 and 08 make the calls of
06; 09 deploys, by a command of the team's own.
"""
TAKEN: list[tuple[str, str, dict[str, str]]] = [
    ("02_deploy_dev", "dynamodb:DescribeTable", {}),
    ("03_dashboard", "cloudformation:ListStacks", {}),
    ("04_alarms", "sns:ListSubscriptionsByTopic", {}),
    ("09_deprecate_sync", "iam:GetRole", {}),
    ("rollback_1_async_failing", "dynamodb:Scan", {}),
    ("04_alarms", "cloudwatch:PutMetricAlarm", APPLY),
    ("rollback_1_async_failing", "appconfig:StartDeployment", APPLY),
]
"""A notebook, and an action without which it runs: a handful of all that were tried, for each takes a run."""


def test_every_notebook_plans_and_applies_with_its_roles_and_names_what_is_taken_away(held: Held) -> None:
    """One test, in this order: what is taken away is missed before it is applied."""
    shown, asked = held.page("read-only")
    assert "steps passed" in shown and "AccessDenied" not in shown
    assert asked and not asked & CHANGING
    used = set(asked)
    for notebook in NOTEBOOKS:
        record, calls = held.run_as(notebook, "read-only")
        assert (record.status, denied(record)) == ("completed", []), (notebook, record.error)
        assert calls and not calls & CHANGING, notebook
        used |= calls
    for notebook, action, values in TAKEN:
        record, _ = held.run_as(notebook, "read-only", "operator", without=(action,), **values)
        assert action.partition(":")[2] in denied(record), (notebook, action)
    held.throttled()
    for notebook, changes in APPLIED.items():
        record, calls = held.run_as(notebook, "read-only", "operator", **APPLY)
        assert (record.status, denied(record)) == ("completed", []), (notebook, record.error)
        assert changes <= calls, (notebook, changes - calls)
        used |= calls
    archive = Archive(held.folder / "archive")
    again = {one.notebook: one.differences for one in replay_all(archive, archive.records()) if not one.identical}
    assert again == {}, "whenever a notebook is run, its verdict comes out again"
    known = permissions()
    allowed = {one for role in ("read-only", "operator") for one in actions(policy(role, held.params))}
    assert not [one for one in allowed if "*" in one], "an action that is taken away is covered by no other"
    assert {known.action(call) for call in used - set(known.free)} <= allowed
