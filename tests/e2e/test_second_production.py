"""Two environments with users: what the first one's rollout proved and approved counts nothing in the second.

A project of `runbook init` with its own environments, and an archive in which prod-eu is through; no AWS, no kernel.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook_lib.commands.init.answers import of_flags
from runbook_lib.commands.init.folder import planned, write
from runbook_lib.commands.params_check import check as check_params
from runbook_lib.judge.gates.checks import check
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.params.load import Params, load_file
from runbook_lib.params.own_steps import rollout_of
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.entry import Entry, enter
from runbook_lib.record.journal import Journal
from runbook_lib.rollout.approval import approval_checks, evidence
from runbook_lib.rollout.known import needed
from runbook_lib.rollout.next_step import Standing, standing
from runbook_lib.rollout.people import attestation_checks
from runbook_lib.rollout.requirement import lines, unserved

OWN = {"qa": "development", "pre": "staging", "prod-eu": "production", "prod-us": "production"}
NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
PHASES = ("06_phase1_10_percent", "07_phase2_50_percent", "08_phase3_100_percent")


class Project:
    """The folder, its two productions, and the archive of both."""

    def __init__(self, folder: Path) -> None:
        answers = of_flags("invoice-press", region=["us-west-2", "prod-eu=eu-west-3"], environments=OWN)  # type: ignore[arg-type]
        answers.complete()
        write(folder, planned(answers))
        self.folder, self.archive, self.count = folder, Archive(folder / "archive"), 0
        self.params = {env: load_file(folder / "params" / f"{env}.yaml") for env in ("prod-eu", "prod-us")}

    def seal(self, step: str) -> None:
        self.count += 1
        notebook, _, env = step.partition("@")
        params = self.params.get(env, self.params["prod-eu"])
        run_id = f"{self.count:012d}"
        staging = self.archive.stage(env, params.release, notebook, run_id, "papermill")
        journal = Journal(staging)
        flat = {**params.flat.model_dump(mode="json"), "env": env, "mode": "apply"}
        journal.append("opened", run_id=run_id, notebook=notebook, params=flat)
        at = f"2026-11-{self.count:02d}T03:00:00Z"
        journal.append("caller", account_id="1", arn=f"arn:{env}", as_of=at)
        journal.append("check", check=check("one", "one", True, "in order").model_dump(mode="json"))
        journal.append("decision", outcome={"decision": "PROMOTE", "reason": "PROMOTE: so it is", "next": "on"})
        seal_staged(self.archive, staging, status="completed")

    def standing(self, env: str) -> Standing:
        state = TrafficState(dial_percent=0, switch_on=False, weight=0, migrated=False, temporary_route=True)
        return standing(self.params[env], self.archive, state, NOW, seen={})

    def say(self, env: str, kind: str, item: str, role: str) -> None:
        """A statement in an environment: an approval on what is there, or an attestation."""
        found = evidence(self.archive, self.params[env], item) if kind == "approval" else ()
        facts = {"evidence": [one.model_dump() for one in found]}
        told = {"kind": kind, "item": item, "by": "Ada", "role": role, "at": "2026-11-20T11:00:00Z", "facts": facts}
        enter(self.archive, self.params[env], Entry.model_validate(told))


class Asks:
    """A run that asks, of one environment."""

    def __init__(self, project: Project, env: str, notebook: str) -> None:
        self.run_id, self.notebook, self.now = "", notebook, NOW
        self.params: Params = project.params[env]
        self.archive = project.archive


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """prod-eu has come as far as the end of phase 3, prod-us nowhere."""
    folder = tmp_path_factory.mktemp("press")
    with pytest.MonkeyPatch.context() as here:
        here.chdir(folder)
        made = Project(folder)
        for name, env in needed(made.params["prod-eu"].policy.steps):
            if name < "09":
                made.seal(f"{name}@{env}")
        yield made


@pytest.mark.slow
def test_the_project_is_whole(project: Project) -> None:
    assert [one.sentence for one in check_params(project.folder / "params") if not one.ok] == []


@pytest.mark.slow
def test_each_stands_where_its_own_records_say(project: Project) -> None:
    eu, us = project.standing("prod-eu"), project.standing("prod-us")
    states = {f"{one.notebook}@{one.env}": one.state for one in us.lines}
    assert all(states[f"{name}@prod-us"] != "passed" for name in (*PHASES, "01_preflight", "04_alarms"))
    assert not any(name.endswith("@prod-eu") and name[:2] not in ("01",) for name in states), (
        "none of the other's steps"
    )
    assert states["05_staging@pre"] == states["02_deploy_dev@qa"] == "passed", "what comes before is shared"
    assert not any(f"{one.notebook}@{one.env}".endswith("@prod-us") for one in eu.lines)
    assert "01_preflight" in us.next.command and "prod-us" in us.next.command, us.next


def test_an_approval_is_of_one_environment(project: Project) -> None:
    notebook, role = PHASES[1], "engineering lead"
    project.say("prod-eu", "approval", notebook, role)
    for env, ok in (("prod-eu", True), ("prod-us", False)):
        (found,) = [one for one in approval_checks(Asks(project, env, notebook), [role]) if one.id.endswith("lead")]
        assert found.ok is ok, found.reason
    assert "prod-us" in found.reason and "params/prod-us.yaml" in found.reason


@pytest.mark.parametrize(
    ("item", "role", "carried"),
    [
        ("code_review", "reviewer", True),
        ("infra_diff_reviewed", "reviewer", False),
        ("low_traffic_window", "operator", False),
        ("docs_updated", "operator", False),
    ],
)
def test_what_is_attested_of_an_environment_is_of_that_one(
    project: Project, item: str, role: str, carried: bool
) -> None:
    project.say("prod-eu", "attestation", item, role)
    (eu,), (us,) = (attestation_checks(Asks(project, env, "01_preflight"), [item]) for env in ("prod-eu", "prod-us"))
    assert eu.ok and us.ok is carried, (eu.reason, us.reason)


def test_the_acceptance_of_the_second_asks_for_records_of_its_own(project: Project) -> None:
    assert rollout_of(project.params["prod-us"].policy, "prod-us") == {"qa", "pre", "prod-us"}
    told = [one for line in lines(env="prod-us") for one in line.by if one.env]
    assert {one.env for one in told} == {"qa", "pre", "prod-us"} and len(told) > 50
    records = [project.archive.load(ref) for ref in project.archive.records()]
    mine, other = unserved(records, "prod-eu"), unserved(records, "prod-us")
    phase = "Acceptance Criteria: Phase 1 (10% traffic) successful for 24 hours"
    assert not any(one.startswith(phase) for one in mine) and any(one.startswith(phase) for one in other)
