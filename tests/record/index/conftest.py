"""An archive with something to ask about, and a cache of the test's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.entry import Entry, sealed
from runbook_lib.record.journal import Journal
from runbook_lib.record.place import RecordRef, new_run_id

PHASE = "06_phase1_10_percent"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "cache"


def run(archive: Archive, decision: str, at: str, percent: float = 0, attempt: int = 1, **incident: Any) -> RecordRef:
    """A phase that changed the dial at a time, if `percent`, and decided this then."""
    staging = archive.stage("prod", "r1", PHASE, new_run_id(), "papermill")
    journal = Journal(staging)
    params = {"env": "prod", "release": "r1", "mode": "apply", "operator": "Ada", "attempt": attempt}
    journal.append("opened", run_id=staging.name, notebook=PHASE, params=params, versions={"rollout-runbook": "0.2.0"})
    journal.append("caller", account_id="1", arn="arn:ada", operator="Ada", as_of=at)
    if percent:
        intent = {
            "id": "i",
            "what": f"dial 0 % -> {percent} %",
            "before": {"percent": 0},
            "after": {"percent": percent},
        }
        journal.append("intent", **intent, who="arn:ada", aws_at=at, raises=True, undo="dial to 0")
        journal.append("outcome", intent="i", ok=True, aws_at=at)
    if incident:
        journal.append("incident", **incident)
    journal.append("decision", moment="after", outcome={"decision": decision, "reason": "it was judged"})
    journal.append("closed", decision=decision)
    return seal_staged(archive, staging, status="completed")


@pytest.fixture
def filled(tmp_path: Path) -> Archive:
    """An approval, a raise, a rollback, and a PROMOTE of the next attempt."""
    archive = Archive(tmp_path / "archive")
    flat = {"env": "prod", "release": "r1", "attempt": 1}
    said = Entry(kind="approval", item=PHASE, by="ada", role="lead", at="2026-11-01T02:00:00+00:00", text='go, "now"')
    sealed(archive, flat, said, "arn:ada")
    run(archive, "SOAK", "2026-11-01T03:00:00+00:00", 10)
    run(archive, "ROLLBACK", "2026-11-01T09:00:00+00:00")
    run(archive, "PROMOTE", "2026-11-03T09:00:00+00:00", 10, 2)
    return archive
