"""What a look saw, as it is kept in the record."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.redact import MASK
from runbook_lib.base.window import iso
from runbook_lib.observe.metrics.fetch import Answers, Series
from runbook_lib.record.journal import Journal
from runbook_lib.rollout.look import attached

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
