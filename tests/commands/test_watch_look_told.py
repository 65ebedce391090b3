"""A look says its decision once: on a line of the terminal, and in `--json`."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.cli import watch
from runbook_lib.cli.watch import lines
from runbook_lib.commands.watch_look import Look
from runbook_lib.judge.terms import Decision

REASONS = st.sampled_from(["nothing has failed", "06 says HOLD: x", "the dial: moved"])


@given(st.sampled_from([*map(str, Decision), "ERROR"]), REASONS)
def test_the_decision_is_said_once(decision: str, reason: str) -> None:
    look = Look("2026-11-23T03:00:00Z", "during", decision, reason, "go on")
    head = lines(look)[0]
    assert head.split()[3] == decision and head.endswith(reason) and head.removesuffix(reason).count(decision) == 1
    told = reason if decision == "ERROR" else f"{decision}: {reason}"
    assert (look.as_dict()["decision"], look.as_dict()["reason"]) == (decision, told)


def test_what_is_next_is_advice_and_a_record_stays_on_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[str, ...]] = []
    monkeypatch.setattr(watch, "prose", lambda text, **_: said.append(("prose", text)))
    monkeypatch.setattr(watch, "advice", lambda name, text: said.append(("advice", name, text)))
    monkeypatch.setattr(watch, "say", lambda text: said.append(("line", text)))
    gate = {"id": "dlq", "title": "DLQ", "verdict": "FAIL", "reason": "  next:   of no account"}
    watch.told(Look("2026-11-23T03:00:00Z", "during", "HOLD", "DLQ", "runbook status", gates=(gate,), record="a b"))
    assert [how for how, *_ in said] == ["prose", "prose", "advice", "line"]
    assert said[2] == ("advice", "  next:   ", "runbook status") and said[3] == ("line", "  record: a b")


def test_a_failing_gate_is_told_once() -> None:
    reason = "success rate 0.0 % is below the alert limit 98 %: 3 of 3 failed, past collapse; it is broken."
    gate = {"id": "success_rate", "verdict": "FAIL", "title": "Success rate"}
    gates = (
        {**gate, "reason": "success rate 0.0 % is below the alert limit 98 %: 3 of 3 failed."},
        {**gate, "id": "cost", "title": "Cost", "reason": "dear"},
    )
    told = lines(Look("2026-11-23T03:00:00Z", "during", "ROLLBACK", reason, "go on", gates=gates))
    assert [line for line in told if "failing" in line] == ["  failing: Cost: dear"]


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("auto", [False, True])
def test_one_look_is_taken_whoever_hears_of_the_missed_ones(
    monkeypatch: pytest.MonkeyPatch, as_json: bool, auto: bool
) -> None:
    """A cron whose log was on a full disk ended at the first missed look: ROLLBACK was never judged, nor kept."""
    missed = Look("2026-11-23T03:00:00Z", "during", "SOAK", "nothing has failed", "", back_filled=True)
    now = Look("2026-11-23T03:30:00Z", "during", "ROLLBACK", "it fails", "runbook rollback 1")

    class Watched(SimpleNamespace):
        def looks(self, **_: bool) -> Any:
            for self.last in (missed, now):
                yield self.last

    monkeypatch.setattr("runbook_lib.commands.watch.Watch", lambda *_, **__: Watched(auto_rollback=auto))
    monkeypatch.setattr(watch, "closed", lambda: True)
    with pytest.raises(typer.Exit) as ended:
        watch.watch("06", Path("params/prod.yaml"), once=True, auto_rollback=auto, json_=as_json)
    assert ended.value.exit_code == 4
