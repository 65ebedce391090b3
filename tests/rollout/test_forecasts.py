"""What a failure would cost at the phases to come: the newest forecast, read from the records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runbook_lib.judge.gates.checks import check
from runbook_lib.params.load import load_file, params_dir
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.journal import Journal
from runbook_lib.rollout.forecasts import forecasts
from runbook_lib.rollout.progress import Line

PARAMS = load_file(params_dir() / "prod.yaml")
PHASES = list(PARAMS.policy.phases_of("prod"))
SIX, SEVEN, EIGHT = PHASES


def line(step: str, state: Any = "missing", moment: str = "") -> Line:
    rest = dict.fromkeys(("words", "last", "last_at", "due", "command"), "")
    return Line(notebook=step, env="prod", title=step, state=state, moment=moment, **rest)


LINES = (line("01_preflight", "passed"), *(line(phase) for phase in PHASES))


class Sealed:
    """An archive of records with forecasts."""

    def __init__(self, folder: Path) -> None:
        self.archive, self.count = Archive(folder), 0

    def seal(self, step: str, users: dict[str, float | None], *, holds: bool = True, facts: bool = True) -> None:
        self.count += 1
        run_id = f"{self.count:012d}"
        staging = self.archive.stage("prod", PARAMS.release, step, run_id, "papermill")
        journal = Journal(staging)
        flat = {**PARAMS.flat.model_dump(mode="json"), "env": "prod"}
        journal.append("opened", run_id=run_id, notebook=step, params=flat)
        journal.append("caller", account_id="1", arn="arn:test", as_of=f"2026-11-09T{self.count:02d}:00:00Z")
        for phase, most in users.items():
            more = {"worst": {"users": most}} if facts else {}
            told = check(f"harm.{phase}", "harm", holds, f"none harms more than {most} users", **more)
            journal.append("check", check=told.model_dump(mode="json"))
        seal_staged(self.archive, staging, status="completed")


@pytest.fixture
def sealed(tmp_path: Path) -> Sealed:
    return Sealed(tmp_path)


def test_before_any_record_nothing_is_known(sealed: Sealed) -> None:
    assert forecasts(PARAMS, sealed.archive, LINES) == ()


def test_each_phase_to_come_has_that_of_the_preflight_and_then_its_own(sealed: Sealed) -> None:
    sealed.seal("01_preflight", {SIX: 8, SEVEN: 14, EIGHT: 20})
    found = forecasts(PARAMS, sealed.archive, LINES)
    assert [(one.phase, one.users, one.record) for one in found] == [
        (SIX, 8, "01_preflight"),
        (SEVEN, 14, "01_preflight"),
        (EIGHT, 20, "01_preflight"),
    ]
    assert found[0].words == (f"harm at {SIX}: none harms more than 8 users (01_preflight, 2026-11-09 01:00 UTC)")
    sealed.seal(SIX, {SIX: 11}, holds=False)
    sealed.seal(SIX, {})
    (first, *_rest) = forecasts(PARAMS, sealed.archive, LINES)
    assert (first.users, first.record, first.run_id, first.holds) == (11, SIX, f"{2:012d}", False)


@pytest.mark.parametrize(("state", "moment"), [("passed", "over"), ("soaking", "during"), ("due", "after")])
def test_once_the_shift_is_made_it_is_over(sealed: Sealed, state: str, moment: str) -> None:
    sealed.seal("01_preflight", {SIX: 8, SEVEN: 14})
    lines = (LINES[0], line(SIX, state, moment), *LINES[2:])
    assert [one.phase for one in forecasts(PARAMS, sealed.archive, lines)] == [SEVEN]


def test_a_record_of_before_says_it_in_words_alone(sealed: Sealed) -> None:
    sealed.seal("01_preflight", {SIX: 8}, facts=False)
    (one,) = forecasts(PARAMS, sealed.archive, LINES)
    assert one.users is None and "8 users" in one.words
