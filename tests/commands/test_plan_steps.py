"""What `runbook plan-steps` says, and with what it ends where there is no schedule."""

from __future__ import annotations

import json

import pytest

from runbook_lib.base.errors import Refused, UsageError
from runbook_lib.base.project import params_dir
from runbook_lib.commands.plan_steps import Options, planned

FILE = params_dir() / "prod.yaml"
OPTIONS = {"requests_per_day": 30_000.0, "begin": "2026-12-01T03:00Z"}


def test_a_schedule_as_rows_and_as_json() -> None:
    found = planned(FILE, {}, Options(**OPTIONS, by="2026-12-10"))  # type: ignore[arg-type]
    rows = found.rows()
    assert rows[0]["begins"] == "2026-12-01 03:00" and rows[-1]["step"] == "100 %"
    assert all("failing" in row["users"] or row["users"] == "not stopped" for row in rows)
    assert all(" in " in row["guard"] for row in rows)
    told = json.loads(json.dumps(found.as_dict()))
    assert told["steps"][0]["percent"] == 10 and told["after_h"] == 48
    assert (told["requests_a_day"], told["traffic_seen"], told["users"]) == (30_000, False, None)


def test_no_schedule_by_then_names_the_soonest() -> None:
    with pytest.raises(Refused, match=r"no schedule is done by 2026-12-02 00:00 UTC: the soonest one .* ends at"):
        planned(FILE, {}, Options(**OPTIONS, by="2026-12-02"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"by": "soon"}, "--by soon"),
        ({"begin": "now"}, "--from now"),
        ({"users": -1}, "--users"),
        ({"requests_per_day": 3000.0, "times": 1.0}, "times is 1"),
    ],
)
def test_wrong_options_are_one_sentence(options: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        planned(FILE, {}, Options(**{"requests_per_day": 3000.0, **options}))  # type: ignore[arg-type]


def test_what_is_impossible_changes_nothing_and_holds() -> None:
    with pytest.raises(Refused, match="no schedule: at 10 % of 300 requests a day") as caught:
        planned(FILE, {}, Options(requests_per_day=300.0))
    assert caught.value.exit_code == 3
