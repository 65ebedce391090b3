"""What every gate says to bad input, as a table."""

from __future__ import annotations

from runbook_lib.judge.planning.door import LIMITS, Limits, Manner, Peak, Throttle, door_checks
from runbook_lib.judge.planning.mutation import Trial
from runbook_lib.judge.planning.power import Power
from runbook_lib.judge.terms import Verdict
from runbook_lib.show.power import door_table, power_table, trials_table

BUSY = Peak(per_minute=24, per_hour=480, per_day=6000)


def test_a_line_a_gate_a_column_a_bad_input_and_what_is_wrong_stands_out() -> None:
    trials = [
        Trial("a", "Success", "healthy", Verdict.PASS, "", True),
        Trial("a", "Success", "empty", Verdict.NO_DATA, "", True),
        Trial("b", "Latency", "healthy", Verdict.PASS, "", True),
        Trial("b", "Latency", "unit_too_small", Verdict.PASS, "", False),
    ]
    shown = str(trials_table(trials))
    lines = {line.split("  ")[0].strip(): line for line in shown.splitlines()}
    head = next(line for line in shown.splitlines() if "a healthy day" in line)
    assert head.index("a healthy day") < head.index("an empty answer")
    assert "pass" in lines["Success"] and "no data" in lines["Success"] and "–" in lines["Success"]
    assert "✘" not in lines["Success"] and "✘ pass" in lines["Latency"]


def test_a_level_is_told_once_below_not_in_each_phase() -> None:
    told = "DLQ depth is a level: one point is seen, whatever the traffic."
    level = Power(
        phase="06", gate="dlq", title="DLQ depth", percent=10, hours=24, alpha=0.05, per_hour=1, expected=0, reason=told
    )
    shown = str(power_table([level, level.model_copy(update={"phase": "07"})], 0.95))
    assert " ".join(shown.split()).count("DLQ depth") == 1


def test_what_fits_without_room_is_in_doubt_and_no_limit_has_no_colour() -> None:
    manner = Manner(burst=3, headroom=2, generation_s=45, poll_every_s=5, handler_s={}, workers=5)
    limits = Limits(stage=Throttle(rate=5, burst=20), account=Throttle(rate=1e4, burst=5e3), unreserved=900)
    found = {"08_phase3": door_checks(limits, BUSY, 100.0, manner)}
    shown = str(door_table(found, {"08_phase3": 100.0}, ""))
    doubt = next(one for one in found["08_phase3"] if one.verdict is Verdict.INCONCLUSIVE)
    assert f"? {doubt.found}" in shown and f"✘ {doubt.found}" not in shown
    assert "✔ no limit here" not in shown and "no limit here" in shown


def test_each_limit_is_a_line_each_phase_a_column_and_what_does_not_fit_stands_out() -> None:
    manner = Manner(burst=3, headroom=2, generation_s=45, poll_every_s=5, handler_s={}, workers=5)
    limits = Limits(stage=Throttle(rate=2, burst=10), account=Throttle(rate=1e4, burst=5e3), unreserved=900)
    phases, peak = {"06_phase1": 10.0, "08_phase3": 100.0}, Peak(per_minute=24, per_hour=480, per_day=6000)
    found = {name: door_checks(limits, peak, percent, manner) for name, percent in phases.items()}
    shown = str(door_table(found, phases, "24 in the peak minute"))
    assert "06 at 10 %" in shown and "08 at 100 %" in shown and "24 in the peak minute" in shown
    assert all(title in shown for title in LIMITS.values())
    stage = next(line for line in shown.splitlines() if line.strip().startswith("The stage's throttle"))
    assert "✔ 5.56 times the peak" in stage and "✘ 0.56 times the peak" in stage
    assert "raise the limit before the shift" in " ".join(shown.split())
    own = next(line for line in shown.splitlines() if line.strip().startswith("The throttle of the submit route"))
    assert own.count("no limit here") == 2
