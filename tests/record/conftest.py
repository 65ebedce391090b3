"""Builders for records: an archive in a temporary folder, runs as a notebook journals them, gates as a judge writes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook_lib.judge.model import Evidence, GateResult
from runbook_lib.judge.terms import Verdict
from runbook_lib.params.load import read_yaml
from runbook_lib.params.policy import Policy
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.journal import Journal
from runbook_lib.record.place import RecordRef, new_run_id

PARAMS = Path(__file__).parents[2] / "params"
NOTEBOOK = "06_phase1_10_percent"


class Clock:
    """A wall clock that moves a second at each look."""

    def __init__(self) -> None:
        self.now = dt.datetime(2026, 11, 23, 3, 0, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        self.now += dt.timedelta(seconds=1)
        return self.now


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive", Clock())


@pytest.fixture(scope="session")
def policy() -> Policy:
    return Policy.model_validate(read_yaml(PARAMS / "gates.yaml"))


@pytest.fixture(scope="session")
def gate_result(policy: Policy) -> Callable[..., dict[str, Any]]:
    def build(
        gate: str = "success_rate", verdict: str = "PASS", value: float | None = 0.997, **more: Any
    ) -> dict[str, Any]:
        chosen = policy.gate(gate)
        evidence = Evidence(
            measure=chosen.measure,
            kind=chosen.kind,
            start="2026-11-22T03:00:00+00:00",
            end="2026-11-23T03:00:00+00:00",
            query="census",
        )
        facts = {"low": 0.99, "high": 0.999, "n": 301, "reason": f"{chosen.title} was judged.", **more}
        result = GateResult(gate=chosen, verdict=Verdict(verdict), value=value, evidence=evidence, **facts)
        return result.model_dump(mode="json")

    return build


@pytest.fixture
def opened() -> dict[str, Any]:
    """The data of an `opened` event."""
    return {
        "notebook": NOTEBOOK,
        "origin": "interactive",
        "params": {"env": "dev", "release": "r1", "account_id": "000000000101", "region": "us-east-1", "mode": "apply"},
        "policy": {"confidence": 0.95},
        "versions": {"python": "3.11"},
    }


@pytest.fixture
def stage(archive: Archive, opened: dict[str, Any]) -> Callable[..., Path]:
    """Stages a run whose journal holds these events (name, data) after `opened`."""

    def build(*events: tuple[str, dict[str, Any]], env: str = "dev", begin: bool = True) -> Path:
        run_id = new_run_id()
        staging = archive.stage(env, "r1", NOTEBOOK, run_id, "interactive")
        journal = Journal(staging, archive.clock)
        if begin:
            journal.append("opened", **{**opened, "run_id": run_id, "params": {**opened["params"], "env": env}})
        for event, data in events:
            journal.append(event, **data)
        return staging

    return build


@pytest.fixture
def sealed(archive: Archive, stage: Callable[..., Path]) -> Callable[..., RecordRef]:
    """A sealed, completed run that decided this."""

    def build(decision: str = "PROMOTE", *events: tuple[str, dict[str, Any]], status: Any = "completed") -> RecordRef:
        outcome = {"decision": decision, "reason": "it was judged", "next": "go on"}
        staging = stage(
            *events, ("decision", {"moment": "after", "outcome": outcome}), ("closed", {"decision": decision})
        )
        Journal(staging).attach("answers.json", "[1, 2]")
        return seal_staged(archive, staging, status=status)

    return build


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the archive's witness."""
    folder, params = tmp_path / "elsewhere", tmp_path / "project"
    folder.mkdir()
    params.mkdir()
    (params / "service.yaml").write_text(yaml.safe_dump({"archive": {"witness": [str(folder)]}}))
    monkeypatch.setenv("RUNBOOK_PARAMS", str(params))
    return folder
