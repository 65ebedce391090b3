from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from pydantic import ValidationError

from runbook_lib.record.record import Change, Record


def test_a_record_is_frozen_and_knows_its_fields() -> None:
    with pytest.raises(ValidationError):
        Record(env="dev").env = "prod"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Record.model_validate({"schema": 1, "colour": "red"})


OLD = {"what": "deploy step 'async' of the infrastructure code in prod: back to the synchronous route", "undo": "x"}


@pytest.mark.parametrize(
    ("intent", "step", "way_back"),
    [
        ({**OLD, "what": "deploy step 'migrate' of the infrastructure code in prod"}, "migrate", False),
        (OLD, "async", True),
        ({"what": "dial 10 % -> 50 %", "undo": "x"}, "", False),
        ({"what": "any words", "by_hand": "", "step": "async", "way_back": True}, "async", True),
        ({**OLD, "by_hand": ""}, "", False),
    ],
)
def test_what_was_deployed_is_a_fact_and_the_words_of_0_1_are_read_as_one(
    intent: dict[str, Any], step: str, way_back: bool
) -> None:
    change = Change(intent=intent, outcome={"ok": True, "aws_at": "2026-11-10T03:00:00+00:00"})
    assert (change.step, change.way_back) == (step, way_back)
    assert change.done_at() == dt.datetime(2026, 11, 10, 3, tzinfo=dt.UTC)
    assert Change(intent=intent, outcome={"ok": False, "aws_at": "2026-11-10T03:00:00+00:00"}).done_at() is None
    assert Change(intent=intent).done_at() is None
