"""What every gate says to bad input, as a table."""

from __future__ import annotations

from runbook_lib.judge.model import Verdict
from runbook_lib.judge.mutation import Trial
from runbook_lib.show.power import trials_table


def test_a_line_a_gate_a_column_a_bad_input_and_what_is_wrong_stands_out() -> None:
    trials = [
        Trial("a", "Success", "healthy", Verdict.PASS, "", True),
        Trial("a", "Success", "empty", Verdict.NO_DATA, "", True),
        Trial("b", "Latency", "healthy", Verdict.PASS, "", True),
        Trial("b", "Latency", "unit_too_small", Verdict.PASS, "", False),
    ]
    shown = str(trials_table(trials))
    head, success, latency = [
        line for line in shown.splitlines() if "Gate" in line or "Success" in line or "Latency" in line
    ]
    assert ["a healthy day" in head, "an empty answer" in head, "a unit off by 1000, downwards" in head] == [True] * 3
    assert "✔ pass" in success and "✔ no data" in success and "–" in success
    assert "✘ pass!" in latency
