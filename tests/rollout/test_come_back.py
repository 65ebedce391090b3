"""When to come back to a soak, and what for: the run, status and every next step say one time."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from runbook_lib.base.window import iso
from runbook_lib.record.record import Record
from runbook_lib.rollout.come_back import Back, back
from runbook_lib.rollout.moment import Moment

AT = dt.datetime(2026, 11, 10, 3, 45, tzinfo=dt.UTC)
VERDICT = dt.datetime(2026, 11, 10, 4, 26, tzinfo=dt.UTC)
SHIFTED = Moment("during", "10 % is in force", 10.0, come_back_at=VERDICT)


def look(at: dt.datetime | None, decision: str | None = "SOAK", **more: Any) -> Record:
    said = {"reason": "so far", "next": "on", "come_back_at": iso(at) if at else None}
    return Record(**{"status": "completed", "decision": decision, "outcome": said, "attempt": 1, **more})


def test_a_look_in_between_comes_before_the_verdict_and_both_are_said() -> None:
    """A run said "at 03:45: a look in between", and status "the verdict is due at 04:26"."""
    found = back(SHIFTED, look(AT))
    assert found == Back(AT, VERDICT) and found.between
    assert found.soaking() == (
        "run it again at 2026-11-10 03:45 UTC, a look in between; the verdict is due at 2026-11-10 04:26 UTC"
    )
    assert found.due().startswith("it is time for a look in between")


@pytest.mark.parametrize("newest", [look(VERDICT), look(VERDICT - dt.timedelta(seconds=20)), look(None), None])
def test_without_one_the_verdict_is_what_to_come_back_for(newest: Record | None) -> None:
    found = back(SHIFTED, newest)
    assert found == Back(VERDICT, VERDICT) and not found.between
    assert found.soaking() == "an interim look is always safe; the verdict is due at 2026-11-10 04:26 UTC"
    assert found.due() == "it is time for the verdict"


def test_a_kept_look_of_a_watch_is_a_look_in_between() -> None:
    assert back(SHIFTED, look(VERDICT, None, origin="watch"), look(AT)) == Back(VERDICT, VERDICT)


@pytest.mark.parametrize("other", [{"status": "failed"}, {"decision": "HOLD"}])
def test_a_run_that_did_not_soak_says_no_time(other: dict[str, Any]) -> None:
    assert back(SHIFTED, look(VERDICT, **other), look(AT)).at == AT


def test_where_aws_was_not_asked_the_record_says_the_time_and_not_what_for() -> None:
    found = back(None, look(AT))
    assert found == Back(AT) and not found.between
    assert found.soaking() == "an interim look is always safe; come back at 2026-11-10 03:45 UTC"
    assert back(None).soaking() == "an interim look is always safe; the verdict is not due yet"


@pytest.mark.parametrize("text", ["soon", "24:00", "9999-12-31T23:59:59-12:00"])
def test_a_text_that_is_no_time_is_none(text: str) -> None:
    said = {"reason": "so far", "next": "on", "come_back_at": text}
    assert back(SHIFTED, look(None, outcome=said), look(AT)) == Back(AT, VERDICT)
    assert back(None, look(None, outcome=said)) == Back(None)
