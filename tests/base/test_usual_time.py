"""A SOURCE_DATE_EPOCH that is no time reaches no kernel, whichever way a run begins."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from runbook_lib.base.usual_time import usual_time


@pytest.mark.parametrize(
    ("said", "kept"), [("1764460800", True), ("0", True), ("nope", False), ("1e999", False), ("", False)]
)
def test_a_time_of_the_source_that_is_none_is_not_passed_on(
    said: str, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """numpy did not load with it, and no kernel answered: a command said that this was a fault of the runbook."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", said)
    usual_time()
    assert ("SOURCE_DATE_EPOCH" in os.environ) == kept


def test_papermills_own_command_line_does_not_pass_it_on_either() -> None:
    """A kernel did not answer for a minute, and the record named a ValueError of numpy's."""
    code = "import os, runbook_lib.record.engine; print('SOURCE_DATE_EPOCH' in os.environ)"
    env = {**os.environ, "SOURCE_DATE_EPOCH": "nope"}
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, env=env, check=True).stdout == b"False\n"
