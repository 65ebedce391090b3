"""Every line of the requirement is served by something that exists, and the page says what the map says."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.errors import UsageError
from runbook_lib.params.load import read_yaml
from runbook_lib.params.policy import Policy
from runbook_lib.record.record import Record
from runbook_lib.rollout.requirement import Line, Reference, lines, reference, unserved
from tests.traceability import page, wanted

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENT = (ROOT / "docs" / "requirement.md").read_text(encoding="utf-8")
POLICY = Policy.model_validate(read_yaml(ROOT / "params" / "gates.yaml"))
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "runbook_lib").rglob("*.py"))


def known_checks() -> Iterator[str]:
    """Ids that declarations make: alarms, attestations, commands, widgets, inventory, gates, slots."""
    yield from (f"{kind}.{alarm.id}" for alarm in POLICY.alarms for kind in ("alarm", "drill", "alarm_data"))
    for attested in POLICY.attestations:
        yield attested.check or f"attest.{attested.id}"
    yield from (one["id"] for one in read_yaml(ROOT / "params" / "commands.yaml")["checks"])
    yield from (f"dashboard.widget.{one['id']}" for one in read_yaml(ROOT / "params" / "dashboard.yaml")["widgets"])
    for id, resource in read_yaml(ROOT / "params" / "inventory.yaml")["resources"].items():
        yield from (f"inventory.{id}.{setting}" for setting in ("exists", *(resource.get("settings") or {})))
    yield from (f"metric.{gate.id}" for gate in POLICY.gates)
    yield from (f"approval.{role.replace(' ', '_')}" for phase in POLICY.phases.values() for role in phase.approvers)
    yield from (f"previous.{name}" for name in POLICY.phases)
    yield from (f"cadence.day{day}_{hour:02d}h" for day in range(1, 8) for hour in (4, 12, 24))
    yield from re.findall(r"\"([a-z_]+\.[a-z0-9_]+)\"", SOURCE)
    yield from re.findall(r"f\"(smoke)\.", SOURCE)
    # What every rollback has (`steps/rollbacks/incident.py`, `steps/rollbacks/mitigation.py`), and what is its own.
    own = re.findall(r"f\"\{self\.(?:incident\.)?id\}\.([a-z_]+)\"", SOURCE)
    yield from (f"rollback_{number}.{name}" for number in (1, 2, 3) for name in own)
    yield from re.findall(r"\"(rollback_\d\.[a-z_]+)\"", SOURCE)
    yield from (f"smoke.{id}" for id in ("submit", "download"))
    yield "announcement"
    # Scenario 1 names its checks where it looks (`Incident.later`, `looked`).
    yield from (f"rollback_{number}.time_to_effect" for number in (1, 2, 3))  # judge/incidents/incident.py
    yield from (f"rollback_1.{id}" for id in re.findall(r"\.(?:later|looked)\(\s*\"([a-z_]+)\"", SOURCE))


CHECKS = set(known_checks())
ALL = lines()


def test_the_requirement_is_the_customers_with_its_84_boxes() -> None:
    assert len(re.findall(r"^- \[ \] ", REQUIREMENT, re.M)) == 84


def test_the_map_has_every_line_of_the_requirement_and_no_other() -> None:
    asked = wanted(REQUIREMENT)
    mapped = [(line.section, line.text) for line in ALL]
    assert [line for line in asked if line not in mapped] == []
    assert [line for line in mapped if line not in asked] == []


@pytest.mark.parametrize("line", ALL, ids=lambda line: f"{line.section[:12]}-{line.text[:40]}")
def test_what_serves_a_line_exists(line: Line) -> None:
    assert line.by
    for one in line.by:
        _exists(one)


def _exists(one: Reference) -> None:
    match one.kind:
        case "command":
            name = one.id.split()[1]
            assert re.search(rf"def {name}\(|command\(\"{name}\"", SOURCE), one.id
        case "rollback":
            assert one.notebook in POLICY.rollbacks
            assert (ROOT / "notebooks" / f"{one.notebook}.ipynb").is_file(), one.notebook
            assert one.id in CHECKS, one.id
        case "param":
            file, _, key = one.id.partition(": ")
            assert key in read_yaml(ROOT / "params" / file)
        case _:
            assert (ROOT / "notebooks" / f"{one.notebook}.ipynb").is_file(), one.notebook
            assert one.env in POLICY.steps[one.notebook].envs
            if one.kind == "gate":
                assert one.id in [gate.id for gate in POLICY.gates]
            if one.kind == "check":
                assert any(fnmatch.fnmatchcase(id, one.id) for id in CHECKS), one.id


def test_nothing_is_left_to_be_built() -> None:
    assert [line.text for line in ALL if line.how == "planned"] == []


def test_the_page_is_what_the_map_says() -> None:
    assert (ROOT / "docs" / "traceability.md").read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("text", ["", "nothing", "01_preflight tests.unit", "01_preflight@prod"])
def test_what_is_no_reference_is_one_sentence(text: str) -> None:
    with pytest.raises(UsageError, match="is not a reference"):
        reference(text)


def record(notebook: str, env: str, **more: Any) -> Record:
    return Record.model_validate({"notebook": notebook, "env": env, "status": "completed", **more})


def test_a_line_whose_check_was_never_made_is_named() -> None:
    everything = unserved([])
    assert any("All unit tests passing" in line for line in everything)
    served = record("01_preflight", "prod", checks=({"id": "tests.unit", "verdict": "PASS"},))
    left = unserved([served])
    assert not any(line.startswith("Prerequisites: All unit tests passing") for line in left)
    assert any("All integration tests passing" in line for line in left)


def test_a_decision_or_a_check_of_another_environment_serves_nothing() -> None:
    elsewhere = record("02_deploy_dev", "prod", decision="PROMOTE")
    assert unserved([elsewhere]) == unserved([])
    held = record("02_deploy_dev", "dev", decision="HOLD")
    assert unserved([held]) == unserved([])
    done = record("02_deploy_dev", "dev", decision="PROMOTE")
    assert len(unserved([done])) == len(unserved([])) - 2
