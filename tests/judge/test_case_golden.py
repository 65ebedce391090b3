"""Whole cases of drawn worlds: every verdict, figure and word as it was."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.judge.case import Case
from runbook_lib.judge.terms import Decision
from tests.golden_cases import rows, same, written


@pytest.mark.mutants
@pytest.mark.slow
@pytest.mark.parametrize("row", rows(), ids=lambda row: f"world {row['seed']}")
def test_a_drawn_world_is_judged_as_it_was(row: dict[str, Any]) -> None:
    assert list(same(row["outcome"], written(Case.model_validate(row["case"]).verdict()))) == []


def test_the_worlds_end_in_every_way_that_a_phase_can() -> None:
    assert {row["outcome"]["decision"] for row in rows()} >= {
        *(str(one) for one in (Decision.SOAK, Decision.PROMOTE, Decision.HOLD, Decision.ROLLBACK))
    }
