"""What `runbook plan-steps` says, and with what it ends where there is no schedule."""

from __future__ import annotations

import contextlib
import json
import math
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook_lib.base.errors import Refused, UsageError
from runbook_lib.base.project import params_dir
from runbook_lib.commands import plan_steps
from runbook_lib.commands.plan_steps import Options, planned
from runbook_lib.judge.planning import schedule

FILE = params_dir() / "prod.yaml"
OPTIONS = {"requests_per_day": 30_000.0, "begin": "2026-12-01T03:00Z"}


@pytest.mark.slow
def test_a_schedule_as_rows_and_as_json() -> None:
    found = planned(FILE, {}, Options(**OPTIONS, by="2026-12-10"))  # type: ignore[arg-type]
    rows = found.rows()
    assert rows[0]["begins"] == "2026-12-01 03:00" and rows[-1]["step"] == "100 %"
    assert all("failing" in row["users"] or row["users"] == "not stopped" for row in rows)
    assert all(" in " in row["guard"] for row in rows)
    told = json.loads(json.dumps(found.as_dict()))
    assert told["steps"][0]["percent"] == 10 and told["after_h"] == 48
    assert (told["requests_a_day"], told["traffic_seen"], told["users"]) == (30_000, False, None)


@pytest.mark.slow
def test_no_schedule_by_then_names_the_soonest() -> None:
    with pytest.raises(Refused, match=r"no schedule is done by 2026-12-02 00:00 UTC: the soonest one .* ends at"):
        planned(FILE, {}, Options(**OPTIONS, by="2026-12-02"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"by": "soon"}, "--by soon"),
        ({"begin": "now"}, "--from now"),
        ({"users": -1}, "--users"),
        ({"times": 1.0}, "--times 1: expects more than 1"),
        ({"first": 101.0}, "--first 101: expects 1 to 100 percent"),
        ({"first": 0.5}, "--first 0.5"),
        ({"requests_per_day": math.nan}, "--requests-per-day nan: expects a number up to 10,000,000"),
        ({"requests_per_day": math.inf}, "--requests-per-day inf"),
        ({"requests_per_day": 1e18}, "--requests-per-day 1e"),
        ({"least_soak_h": 49.0}, "--least-soak 49: expects more than 0 h, and at most 48 h: longer soaks are not"),
        ({"begin": "0001-01-01T00:00+14:00"}, "--from 0001-01-01T00:00.14:00: expects a year from 2000 to 2999"),
        ({"by": "9999-12-31T23:59-12:00"}, "--by 9999"),
    ],
)
def test_wrong_options_are_one_sentence(options: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        planned(FILE, {}, Options(**{"requests_per_day": 3000.0, **options}))  # type: ignore[arg-type]


@pytest.fixture
def no_plays(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a step costs is not played, and no guard is sought: both take seconds."""
    monkeypatch.setattr(plan_steps, "propose", lambda *_: None)
    monkeypatch.setattr(schedule, "_costed", lambda asked, step: step.model_copy(update={"users": 3.0}))
    monkeypatch.setattr(schedule, "needed", lambda asked: 347)


@pytest.mark.usefixtures("no_plays")
def test_what_times_leads_nowhere_names_one_that_does() -> None:
    given = Options(**OPTIONS, times=1.01)  # type: ignore[arg-type]
    with pytest.raises(Refused, match=r"above 10 % and at most 1.01 times .* is 15 %; allow 1.5 times \(--times 1.5\)"):
        planned(FILE, {}, given)
    assert planned(FILE, {}, replace(given, times=1.5)).schedule.steps[-1].percent == 100


ODD = st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 1e-300, 1e18, 1e308, -1.0])
TIMES = st.sampled_from(["", "2026-12-01", "0001-01-01", "9999-12-31T23:59-12:00", "2999-12-31T23:59Z", "soon"])


@pytest.mark.usefixtures("no_plays")
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    per_day=st.floats() | ODD | st.floats(1, 1e7),
    users=st.integers(-(10**30), 10**30) | st.integers(0, 100),
    first=ODD | st.floats(1, 100),
    times=ODD | st.floats(1, 100),
    least=ODD | st.floats(0, 48),
    when=st.tuples(TIMES, TIMES),
)
def test_whatever_is_asked_ends_in_a_schedule_or_in_a_sentence(
    per_day: float, users: int, first: float, times: float, least: float, when: tuple[str, str]
) -> None:
    if per_day == 0:
        return  # AWS would be asked
    asked = Options(*when, per_day, users, first, times, least)
    with contextlib.suppress(UsageError, Refused):
        assert planned(FILE, {}, asked).rows()


def test_what_is_impossible_changes_nothing_and_holds() -> None:
    with pytest.raises(Refused, match="no schedule: at 10 % of 300 requests a day") as caught:
        planned(FILE, {}, Options(requests_per_day=300.0))
    assert caught.value.exit_code == 3
