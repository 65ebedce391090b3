"""The trial of the judge's mutants finds what it is to change."""

from __future__ import annotations

import gc

import pytest

from tests.benchmarks.mutate_judge import JUDGE, Trial


@pytest.mark.slow
def test_the_judges_functions_are_found_though_the_collector_was_told_to_forget_them() -> None:
    """None was, once `conftest.py` froze what is collected: each change survived, for none was made."""
    gc.freeze()
    try:
        trial = Trial({JUDGE / "threshold.py": []}, 1)
        trial._look_through()
    finally:
        gc.freeze()
    assert any(file.endswith("threshold.py") for file, _, _ in trial.functions)
