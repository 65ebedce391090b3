"""What a look saw, as it is kept in the record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from runbook_lib.base.redact import MASK
from runbook_lib.record.journal import Journal
from runbook_lib.rollout.look import attached

TOKEN = "ghp" + "_" + "a1" * 15


class Told:
    """Answers of CloudWatch to one metric of this name."""

    def __init__(self, name: str) -> None:
        self.raw: Any = [{"queries": [{"label": name}]}]
        self.frame = pd.DataFrame({"metric": [name] * 2, "stat": ["Sum"] * 2, "value": [4.0, 5.0]})


@pytest.mark.parametrize(("name", "kept"), [("async_requests", "async_requests"), (f"calls {TOKEN}", f"calls {MASK}")])
def test_a_secret_in_the_name_of_a_metric_is_masked_in_both_files(tmp_path: Path, name: str, kept: str) -> None:
    told: Any = Told(name)
    sha256 = attached(Journal(tmp_path), told)
    assert len(sha256) == 64
    assert (tmp_path / "metrics.csv").read_text() == f"metric,stat,value\n{kept},Sum,4.0\n{kept},Sum,5.0\n"
    assert kept in (tmp_path / "answers.json").read_text() and TOKEN not in (tmp_path / "answers.json").read_text()
