"""What every gate says to bad input, as a table."""

from __future__ import annotations

from runbook_lib.judge.model import Verdict
from runbook_lib.judge.mutation import Trial
from runbook_lib.show.power import trials_table


def test_a_line_a_bad_input_a_column_a_gate_and_what_is_wrong_stands_out() -> None:
    trials = [
        Trial("a", "Success", "healthy", Verdict.PASS, "", True),
        Trial("a", "Success", "empty", Verdict.NO_DATA, "", True),
        Trial("b", "Latency", "healthy", Verdict.PASS, "", True),
        Trial("b", "Latency", "unit_too_small", Verdict.PASS, "", False),
    ]
    shown = str(trials_table(trials))
    lines = {line.split("  ")[0].strip(): line for line in shown.splitlines()}
    head = next(line for line in shown.splitlines() if "Success" in line and "Latency" in line)
    assert head.index("Success") < head.index("Latency")
    assert lines["a healthy day"].count("pass") == 2 and "✘" not in lines["a healthy day"]
    assert "no data" in lines["an empty answer"] and "–" in lines["an empty answer"]
    assert "✘ pass" in lines["a unit off by 1000, downwards"]
