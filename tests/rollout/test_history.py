"""What earlier records say: which of them count, when a step was deployed, which baseline stands for an endpoint."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest

from runbook_lib.base.errors import ArchiveError
from runbook_lib.judge.model import Evidence
from runbook_lib.record.archive import Archive
from runbook_lib.record.record import Change, Record
from runbook_lib.rollout import history

PARAMS: Any = SimpleNamespace(env="prod", release="r", attempt=1)
MIGRATE, REMOVE = "migrate", "remove_temporary"


class Three(Archive):
    """Three records: one in order, one altered, one of another attempt."""

    def __init__(self) -> None:
        pass

    def records(self, **_: Any) -> Any:
        return ["in order", "altered", "other attempt"]

    def verify(self, ref: Any) -> Any:
        if ref == "altered":
            raise ArchiveError("20261102-abc: its hash is not that of its content")

    def verifier(self) -> Any:
        return self.verify

    def load(self, ref: Any) -> Any:
        return SimpleNamespace(attempt=2 if ref == "other attempt" else 1, run_id=ref)


def test_an_altered_record_or_another_attempt_counts_nothing_and_is_named() -> None:
    said: list[str] = []
    found = history.of_attempt(Three(), PARAMS, "06", said.append, "an earlier look is not used")
    assert [one.run_id for one in found] == ["in order"]
    assert said == ["an earlier look is not used: 20261102-abc: its hash is not that of its content"]
    assert [one.run_id for one in history.of_release(Three(), PARAMS, "06", said.append)] == [
        "in order",
        "other attempt",
    ]
    assert said[1].startswith("an earlier record is not used: ")


def change(step: str, ok: bool, at: str) -> Any:
    """As the guard writes it; the words say nothing that is decided by."""
    return Change(intent={"what": "any words", "by_hand": "", "step": step}, outcome={"ok": ok, "aws_at": at})


def test_when_a_step_was_deployed_is_what_the_records_say() -> None:
    records: list[Any] = [
        SimpleNamespace(changes=(change(REMOVE, False, "2026-11-10T04:00:00+00:00"),)),
        SimpleNamespace(changes=(change(MIGRATE, True, "2026-11-10T03:00:00+00:00"),)),
        SimpleNamespace(changes=(change(REMOVE, True, "2026-11-10T05:00:00+00:00"),)),
    ]
    assert history.done_at(records, REMOVE) == dt.datetime(2026, 11, 10, 5, tzinfo=dt.UTC)
    assert history.done_at(records, MIGRATE) == dt.datetime(2026, 11, 10, 3, tzinfo=dt.UTC)
    assert history.done_at(records[:1], REMOVE) is None, "begun, and not done"


def record(run_id: str, *checks: dict[str, Any], **more: Any) -> Record:
    return Record.model_validate({"notebook": "07", "status": "completed", "run_id": run_id, "checks": checks, **more})


def seen(verdict: str, reason: str) -> dict[str, Any]:
    return {"id": "migrate.shifted", "title": "t", "verdict": verdict, "reason": reason, "facts": {"hours": 24}}


def test_the_newest_run_that_saw_a_check_pass_is_named() -> None:
    records = [record("a", seen("PASS", "old")), record("b", seen("PASS", "new")), record("c", seen("FAIL", "no"))]
    found = history.passed(records, "migrate.shifted")
    assert found is not None and (found.reason, found.facts) == ("new", {"hours": 24, "run_id": "b"})
    assert history.passed(records, "migrate.moved") is None
    assert history.passed(records[2:], "migrate.shifted") is None


def evidence(n: int, bad: int) -> Evidence:
    start, end = "2026-11-02T03:00:00Z", "2026-11-03T03:00:00Z"
    return Evidence(measure="baseline_success", kind="rate", query="q", start=start, end=end, n=n, bad=bad)


@pytest.mark.parametrize("migrated", [False, True])
@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("n", [0, history.FEW - 1, history.FEW, 5000])
def test_the_baseline_is_the_endpoints_own_unless_hardly_anybody_calls_it(n: int, kept: bool, migrated: bool) -> None:
    own, other = evidence(n, 0), evidence(4000, 40)
    before = record("p", evidence={"baseline_success": other.model_dump(mode="json")}) if kept else None
    found = history.baseline(own, before, migrated=migrated)
    if n >= history.FEW and not migrated:
        assert found is own
    elif kept:
        assert (found.n, found.bad) == (4000, 40)
        assert found.notes[-1] == "from 07, run p: almost no request is synchronous now"
    elif migrated:
        assert (found.n, found.bad) == (None, None), "what it answers is the submit Lambda's 202"
    else:
        assert found is own
