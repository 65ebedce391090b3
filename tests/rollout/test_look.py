"""What a look saw, as it is kept in the record."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runbook_lib.base.redact import MASK
from runbook_lib.base.window import iso
from runbook_lib.judge.case import Case
from runbook_lib.judge.model import Gate
from runbook_lib.observe.evidence import arms
from runbook_lib.observe.metrics.fetch import Answers, Series
from runbook_lib.record.journal import Journal, plain
from runbook_lib.record.place import CASE
from runbook_lib.record.record import Record
from runbook_lib.rollout import look
from runbook_lib.rollout.look import Seen, attached, remade
from tests.observe.conftest import LOOK, Soak, answered, day, now, params, soak
from tests.observe.evidence.test_arms import comparing, gate_of, jobs

TOKEN = "ghp" + "_" + "a1" * 15


class Told:
    """Answers of CloudWatch to one metric of this name."""

    def __init__(self, name: str) -> None:
        at = dt.datetime(2025, 6, 16, tzinfo=dt.UTC)
        result = {"id": "q0", "messages": [], "times": [iso(at)], "values": [4.0]}
        self.raw: Any = [{"queries": [{"label": name}], "pages": [{"messages": [], "results": [result]}]}]
        self.series = {"x": Series("x", name, "Sum", 60, False, ((at, 4.0),), False, ())}

    def table(self) -> str:
        return Answers(self.raw, self.series).table()


@pytest.mark.parametrize(("name", "kept"), [("async_requests", "async_requests"), (f"calls {TOKEN}", f"calls {MASK}")])
def test_a_secret_in_the_name_of_a_metric_is_masked_in_both_files(tmp_path: Path, name: str, kept: str) -> None:
    told: Any = Told(name)
    sha256 = attached(Journal(tmp_path), told)
    assert len(sha256) == 64
    (line,) = (tmp_path / "metrics.csv").read_text().splitlines()[1:]
    assert line == f"{kept},Sum,2025-06-16 00:00:00+00:00,4.0,60"
    assert kept in (tmp_path / "answers.json").read_text() and TOKEN not in (tmp_path / "answers.json").read_text()


@pytest.mark.parametrize("where", ["page", "result"])
def test_a_secret_in_what_cloudwatch_says_beside_the_points_is_masked(tmp_path: Path, where: str) -> None:
    told: Any = Told("async_requests")
    (page,) = told.raw[0]["pages"]
    (page if where == "page" else page["results"][0])["messages"] = [f"Bearer {TOKEN}"]
    attached(Journal(tmp_path), told)
    assert TOKEN not in (tmp_path / "answers.json").read_text()


__all__ = ["answered", "day", "now", "params", "soak"]
"""Fixtures of the tests of `observe`."""


@pytest.fixture
def gate(day: Soak) -> Gate:
    return gate_of(day.params, "success_rate", "phase_before")


def sealed(day: Soak, folder: Path, *, name: str = "answers.json") -> tuple[Any, Record]:
    """The soak as a record: its case and its answers; and an archive that has nothing else."""
    answers, evidence = day.answers(), day.evidence()
    raw = json.dumps(answers.raw).encode()
    sha = hashlib.sha256(raw).hexdigest()
    seen = Seen(
        day.window,
        day.now,
        LOOK,
        answers,
        day.segment,
        day.live,
        day.traffic,
        evidence,
        sha256=sha,
    )
    case = Case(rules=3, evidence=evidence, look=LOOK, moment="after")
    (folder / name).write_bytes(raw)
    (folder / CASE).write_text(json.dumps(plain({"case": case, "seen": seen.as_dict(), "verdict": None})))
    record = Record(notebook="06_phase1_10_percent", run_id="r1", files={name: sha, CASE: ""})
    return SimpleNamespace(find=lambda _: SimpleNamespace(folder=folder)), record


def test_its_hours_are_those_of_its_own_answers(day: Soak, gate: Gate, tmp_path: Path) -> None:
    """It was judged by a policy that compares nothing."""
    day.segment = jobs(day, failed=range(30, 40))
    archive, record = sealed(day, tmp_path)
    today, said = comparing(day, gate).params, list[str]()
    found = look.phase_before(archive, record, today, said.append)
    assert found is not None and said == []
    rows = found["gates"][gate.id]["hours"]
    assert (sum(bad for _, bad, _, _ in rows), sum(n for *_, n in rows)) == (10, 300) and len(rows) == 24
    assert (found["phase"], found["weight"]) == ("06_phase1_10_percent", 10)
    assert found == json.loads(json.dumps(found)), "it goes into the record of the look"


def test_what_was_taken_of_it_replays_without_it(day: Soak, gate: Gate, tmp_path: Path) -> None:
    day.segment = jobs(day, failed=range(30, 40))
    archive, record = sealed(day, tmp_path)
    comparing(day, gate)
    day.live[arms.BEFORE] = look.phase_before(archive, record, day.params, lambda _: None)
    later = tmp_path / "later"
    later.mkdir()
    sealed(day, later)
    kept = json.loads((later / CASE).read_text())["seen"]
    again = remade(kept, json.loads((later / "answers.json").read_text()), day.params, LOOK, 3)
    evidence = day.evidence()["success"]
    assert again["success"] == evidence and sum(one.other_bad for one in evidence.arms[0].hours) == 10


def test_nothing_is_read_where_no_gate_compares_or_there_is_no_phase_before(day: Soak, gate: Gate) -> None:
    nobody: Any = SimpleNamespace()
    assert look.phase_before(nobody, Record(run_id="r1"), day.params, pytest.fail) is None
    assert look.phase_before(nobody, None, comparing(day, gate).params, pytest.fail) is None


@pytest.mark.parametrize("spoil", [CASE, "answers.json", "altered"])
def test_a_record_that_does_not_hold_it_is_said_and_leaves_no_data(
    day: Soak, gate: Gate, tmp_path: Path, spoil: str
) -> None:
    day.segment = jobs(day)
    archive, record = sealed(day, tmp_path)
    if spoil == "altered":
        (tmp_path / "answers.json").write_text("[]")
    else:
        (tmp_path / spoil).unlink()
    said: list[str] = []
    found = look.phase_before(archive, record, comparing(day, gate).params, said.append)
    assert found == {"phase": "06_phase1_10_percent", "weight": 0.0, "gates": {}}
    assert len(said) == 1 and said[0].startswith("the record of 06_phase1_10_percent cannot be compared with: ")
