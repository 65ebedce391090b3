"""The first week's looks: the requirement's cadence, what is due, what was missed."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from runbook_lib.judge.planning.cadence import Cadence, judged, over, slots, upcoming
from runbook_lib.params.load import read_yaml

START = dt.datetime(2025, 6, 16, 3, tzinfo=dt.UTC)
WEEK = Cadence.model_validate(read_yaml(Path(__file__).resolve().parents[3] / "params" / "gates.yaml")["cadence"])
HOUR = dt.timedelta(hours=1)


def test_the_requirements_week() -> None:
    found = slots(WEEK, START)
    hours = [round((dt.datetime.fromisoformat(slot.due) - START) / HOUR) for slot in found]
    assert hours == [4, 8, 12, 16, 20, 24, 36, 48, 60, 72, 96, 120, 144, 168]
    assert found[0].name == "day 1, 04 h"
    assert found[0].id == "day1_04h"
    assert WEEK.days == 7


def test_a_look_counts_for_the_slot_it_was_made_in() -> None:
    looks = [START + hours * HOUR for hours in (4.2, 9, 13)]
    states = [slot.state for slot in judged(WEEK, START, looks, START + 20.5 * HOUR)]
    assert states[:6] == ["done", "done", "done", "missed", "due", "to come"]


def test_the_last_slot_has_a_day_and_no_day_has_a_look_beyond_its_end() -> None:
    tokyo = START.astimezone(dt.timezone(9 * HOUR))
    short = Cadence.model_validate({"rhythms": [{"days": [1, 1], "every_h": 5}, {"days": [2, 2], "every_h": 24}]})
    assert [(slot.name, slot.due, slot.until) for slot in slots(short, tokyo)] == [
        ("day 1, 05 h", "2025-06-16T08:00:00Z", "2025-06-16T13:00:00Z"),
        ("day 1, 10 h", "2025-06-16T13:00:00Z", "2025-06-16T18:00:00Z"),
        ("day 1, 15 h", "2025-06-16T18:00:00Z", "2025-06-16T23:00:00Z"),
        ("day 1, 20 h", "2025-06-16T23:00:00Z", "2025-06-18T03:00:00Z"),
        ("day 2, 24 h", "2025-06-18T03:00:00Z", "2025-06-19T03:00:00Z"),
    ]
    assert slots(Cadence(rhythms=()), START) == []


def test_the_times_of_slots_are_utc_wherever_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert slots(WEEK, START)[0].due == "2025-06-16T07:00:00Z"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_slot_begins_with_the_instant_it_is_due_and_ends_before_the_next() -> None:
    states = [[slot.state for slot in judged(WEEK, START, [], START + hours * HOUR)][:2] for hours in (3.9, 4, 7.9, 8)]
    assert states == [["to come", "to come"], ["due", "to come"], ["due", "to come"], ["missed", "due"]]
    looked = [slot.state for slot in judged(WEEK, START, [START + 8 * HOUR], START + 9 * HOUR)]
    assert looked[:2] == ["missed", "done"], "a look at the end of a slot is the next one's"
    first = upcoming(judged(WEEK, START, [], START + HOUR))
    assert first is not None and first.name == "day 1, 04 h"


def test_a_look_before_the_first_slot_counts_for_none() -> None:
    assert {slot.state for slot in judged(WEEK, START, [START + HOUR], START + 2 * HOUR)} == {"to come"}


def test_what_comes_next() -> None:
    found = judged(WEEK, START, [], START + 5 * HOUR)
    following = upcoming(found)
    assert following is not None
    assert (following.name, following.state) == ("day 1, 04 h", "due")
    assert upcoming(judged(WEEK, START, [START + 168 * HOUR], START + 169 * HOUR)) is None


@pytest.mark.parametrize(("hours", "expected"), [(0, False), (167.9, False), (168, True), (500, True)])
def test_the_week_is_over_with_its_last_slot(hours: float, expected: bool) -> None:
    assert over(WEEK, START, START + hours * HOUR) is expected


@pytest.mark.parametrize("days", [[[2, 3]], [[1, 2], [2, 3]], [[3, 1]]])
def test_a_cadence_has_no_gaps(days: list[list[int]]) -> None:
    with pytest.raises(ValidationError):
        Cadence.model_validate({"rhythms": [{"days": pair, "every_h": 12} for pair in days]})


@given(st.lists(st.floats(0, 200), max_size=30), st.floats(0, 250), st.floats(0, 50))
def test_more_looks_and_more_time_never_undo_a_slot(looks: list[float], now: float, later: float) -> None:
    made = [START + hours * HOUR for hours in looks if hours <= now]
    before = judged(WEEK, START, made, START + now * HOUR)
    after = judged(WEEK, START, [*made, START + (now + later) * HOUR], START + (now + later) * HOUR)
    for old, new in zip(before, after, strict=True):
        assert old.state != "done" or new.state == "done"
        assert old.state != "missed" or new.state == "missed"
    assert len(after) == 14
