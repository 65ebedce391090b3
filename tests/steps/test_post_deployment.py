"""The first week: from the records which look this is, from the evidence what it decides. AWS's answers are canned."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runbook_lib.base.window import Window, iso, parse
from runbook_lib.judge.model import Evidence
from runbook_lib.judge.terms import Decision, Verdict
from runbook_lib.observe.jobs.segment import Segment
from runbook_lib.observe.metrics.fetch import Answers
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.params.load import load_file
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.journal import Journal
from runbook_lib.rollout import look as sight
from runbook_lib.run.run import Run
from runbook_lib.steps import post_deployment as room
from runbook_lib.steps.post_deployment import Week

PARAMS = load_file(Path(__file__).resolve().parents[2] / "params" / "prod.yaml")
START = dt.datetime(2026, 11, 2, 3, tzinfo=dt.UTC)
NOTEBOOK, PHASE3 = "10_post_deployment", "08_phase3_100_percent"
STATE = TrafficState(dial_percent=0, switch_on=True, weight=100, migrated=True, temporary_route=False)
Made = Callable[..., Week]


def hours(count: float) -> dt.datetime:
    return START + dt.timedelta(hours=count)


def evidence(n: int = 5000, bad: int = 5, **changed: dict[str, Any]) -> dict[str, Evidence]:
    """A healthy day; `changed`: fields of single measures."""
    zeros = {"values": (0,) * 180, "expected": 180}
    kinds: dict[str, dict[str, Any]] = {"rate": {"bad": 0, "n": n}, "gauge": zeros}
    fields: dict[str, dict[str, Any]] = {
        **{gate.measure: {"kind": gate.kind, **kinds.get(gate.kind, {})} for gate in PARAMS.policy.gates},
        "success": {"kind": "rate", "bad": bad, "n": n},
        "submit_latency": {"kind": "quantile", "value": 0.4, "upper": 0.5, "low": 0.3, "n": n},
        "generation_time": {"kind": "quantile", "value": 60, "upper": 62, "low": 58, "n": n},
        "queue_depth": {"kind": "gauge", "values": (0, 2, 1) * 60, "expected": 180, "live": 0},
        "dlq_depth": {"kind": "gauge", **zeros, "live": 0},
        "lambda_errors": {"kind": "rate", "bad": 0, "n": 3 * n},
        "cost_per_vpr": {"kind": "amount", "value": 0.002, "low": 0.002, "high": 0.002, "n": n},
        "observed_split": {"kind": "split", "bad": n, "n": n, "weight": 1.0},
    }
    window = {"start": iso(START), "end": iso(hours(23)), "query": "canned"}
    return {
        name: Evidence.model_validate({"measure": name, **window, **given, **changed.get(name, {})})
        for name, given in fields.items()
    }


def seal(archive: Archive, notebook: str, at: dt.datetime, decision: str, n: int | None = 500) -> None:
    run_id = f"{notebook[:2]}{at:%d%H%M%S}"
    staging = archive.stage("prod", PARAMS.release, notebook, run_id, "papermill")
    journal = Journal(staging)
    journal.append("opened", run_id=run_id, notebook=notebook, params=PARAMS.flat.model_dump(mode="json"))
    journal.append("caller", account_id=PARAMS.account_id, arn="arn:test", as_of=iso(at))
    journal.append("evidence", evidence={"success": {"kind": "rate", "bad": 0, "n": n}})
    journal.append("decision", outcome={"decision": decision, "reason": f"{decision}: so", "next": "on"})
    seal_staged(archive, staging, status="completed")


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """`made(at, looks, ...)`: every cell of the notebook `at` hours after the acceptance.

    Its charts take five times as long as all else, so they are made where `drawn` says that these would be others.
    """
    archive = Archive(tmp_path)
    canned: dict[str, Any] = {}
    monkeypatch.setattr(room.weights, "read_or_nothing", lambda *_: (STATE, True))
    monkeypatch.setattr(sight.fetch, "fetch", lambda *_: Answers.from_raw([]))
    monkeypatch.setattr(room.live, "read", lambda *_: {})
    monkeypatch.setattr(room.configured, "read", lambda *_: {})
    monkeypatch.setattr(sight.measure, "measure", lambda *_: dict(canned["evidence"]))

    def census(_: Any, __: Any, window: Window, ___: Any) -> Segment:
        return Segment(start=window.start, end=window.end, end_settled=window.end, completed=1)

    monkeypatch.setattr(room.census, "take", census)

    def make(
        at: float,
        looks: tuple[float, ...] = (),
        *,
        mode: str = "plan",
        accepted: bool = True,
        drawn: bool = False,
        **given: Any,
    ) -> Week:
        if accepted:
            seal(archive, PHASE3, START, "PROMOTE")
        for each in looks:
            seal(archive, NOTEBOOK, hours(each), "SOAK")
        for each in given.get("blind", ()):
            seal(archive, NOTEBOOK, hours(each), "SOAK", n=None)
        canned["evidence"] = given.get("seen") or evidence()
        flat = PARAMS.flat.model_copy(update={"mode": mode, "confirm": "prod" if mode == "apply" else ""})
        params = PARAMS.model_copy(update={"flat": flat})
        staging = archive.stage("prod", params.release, NOTEBOOK, "now", "papermill")
        run = Run(NOTEBOOK, params, archive=archive, staging=staging, run_id="now", origin="papermill")
        run.now, run.aws = hours(at), SimpleNamespace(client=lambda _: None)  # type: ignore[assignment]
        week = Week(run)
        cells = [week.cadence_table, week.observe, week.trend_table, week.judge, week.gate_table, week.plan]
        if drawn:
            cells.insert(3, week.charts)
        for cell in cells:
            cell()
        week.proof()
        return week

    return make


def decided(week: Week) -> tuple[Decision, str, str | None]:
    assert week.outcome is not None
    return week.outcome.decision, week.outcome.reason, week.outcome.come_back_at


@pytest.mark.slow
@pytest.mark.parametrize(
    ("at", "looks", "window_h", "back"),
    [
        (0.5, (), 0.5, 4),
        (4, (), 4, 8),
        (8.2, (4,), 4.2, 12),
        (12, (4,), 8, 16),
        (12, (4, 20), 8, 16),
        (40, (24,), 16, 48),
        (100, (24,), 23, 120),
    ],
)
def test_a_look_judges_what_came_since_the_last_one(
    made: Made, at: float, looks: tuple[float, ...], window_h: float, back: float
) -> None:
    week = made(at, looks, mode="apply", drawn=len(looks) == 1 and at > 24)
    decision, _, come_back_at = decided(week)
    assert decision is Decision.SOAK
    assert come_back_at is not None and parse(come_back_at) == hours(back)
    assert week.window.seconds / 3600 == pytest.approx(window_h)
    assert week.window.end == week.run.now


@pytest.mark.slow
def test_a_look_that_saw_nothing_is_no_look(made: Made) -> None:
    week = made(9, (), blind=(4.5,), drawn=True)
    assert week.run.checks["cadence.day1_04h"].found == "missed"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("at", "looks", "slot", "said"),
    [
        (8.5, (), "day1_04h", "in this look's window"),
        (146, (), "day4_24h", "judged by no look"),
    ],
)
def test_a_missed_look_says_whether_its_hours_are_judged(
    made: Made, at: float, looks: tuple[float, ...], slot: str, said: str
) -> None:
    found = made(at, looks).run.checks[f"cadence.{slot}"]
    assert found.found == "missed"
    assert said in found.reason


@pytest.mark.slow
@pytest.mark.usefixtures("painted")
def test_an_infinite_cost_is_no_pass(made: Made) -> None:
    blind = {"value": float("inf"), "low": float("inf"), "high": float("inf"), "n": 0}
    week = made(4, (), seen=evidence(cost_per_vpr=blind), drawn=True)
    assert week.run.checks["metric.cost"].verdict is Verdict.NO_DATA


@pytest.mark.slow
def test_made_due_and_missed_looks_are_checks(made: Made) -> None:
    week = made(20.5, (4, 12.5))
    states = {id: one.found for id, one in week.run.checks.items() if id.startswith("cadence.")}
    assert states == {
        "cadence.day1_04h": "done",
        "cadence.day1_08h": "missed",
        "cadence.day1_12h": "done",
        "cadence.day1_16h": "missed",
        "cadence.day1_20h": "done",
    }
    assert not any(one.required for id, one in week.run.checks.items() if id.startswith("cadence."))


@pytest.mark.slow
@pytest.mark.usefixtures("painted")
def test_all_seven_key_metrics_are_checks(made: Made) -> None:
    checks = made(4, drawn=True).run.checks
    wanted = ("success_rate", "submit_latency", "generation_time", "queue_depth", "dlq", "lambda_errors", "cost")
    assert {f"metric.{gate}" for gate in wanted} <= set(checks)
    assert all(checks[f"metric.{gate}"].ok for gate in wanted)


@pytest.mark.slow
def test_few_samples_are_no_reason_to_worry_but_a_failure_is(made: Made) -> None:
    assert decided(made(4, seen=evidence(n=20, bad=0), drawn=True))[0] is Decision.SOAK


@pytest.mark.slow
@pytest.mark.parametrize("at", [4, 168])
def test_a_failure_holds_and_never_rolls_back(made: Made, at: float) -> None:
    week = made(at, mode="apply", seen=evidence(bad=900), drawn=at < 24)
    decision, reason, _ = decided(week)
    assert decision is Decision.HOLD
    assert "no way back" in reason
    assert week.outcome is not None and week.outcome.scenario is None
    assert week.run.checks["metric.success_rate"].verdict is Verdict.FAIL


@pytest.mark.slow
def test_the_end_of_the_week_promotes_and_names_what_was_missed(made: Made) -> None:
    looks = (4, 8, 12, 16, 20, 24, 36, 48, 60, 72, 96, 120)
    decision, reason, come_back_at = decided(made(168.1, looks, mode="apply", drawn=True))
    assert (decision, come_back_at) == (Decision.PROMOTE, None)
    assert "every gate passes" in reason and reason.rstrip(".").endswith("missed: day 6, 24 h")


def test_a_plan_never_closes_the_week(made: Made) -> None:
    assert decided(made(168.1))[0] is Decision.PLANNED


def test_what_a_day_cannot_decide_is_not_waved_through(made: Made) -> None:
    decision, reason, come_back_at = decided(made(168, mode="apply", seen=evidence(n=120, bad=1)))
    assert decision is Decision.SOAK, reason
    assert "Success rate" in reason or "success rate" in reason
    assert come_back_at is not None and parse(come_back_at) == hours(192)


def test_short_of_a_target_the_week_goes_on_for_a_day(made: Made) -> None:
    decision, reason, come_back_at = decided(made(168, mode="apply", seen=evidence(n=5000, bad=70)))
    assert decision is Decision.SOAK, reason
    assert come_back_at is not None and parse(come_back_at) == hours(192)


@pytest.mark.slow
@pytest.mark.parametrize(
    "seen",
    [
        evidence(generation_time={"value": None, "upper": None, "low": None, "n": None}),
        {name: one for name, one in evidence().items() if name != "dlq_depth"},
    ],
    ids=["no generation time", "the DLQ was not asked"],
)
def test_without_data_the_week_does_not_end(made: Made, seen: dict[str, Evidence]) -> None:
    assert decided(made(168, mode="apply", seen=seen, drawn=True))[0] is Decision.HOLD


@pytest.mark.slow
def test_before_phase_3_is_accepted_there_is_no_week(made: Made) -> None:
    week = made(4, accepted=False, drawn=True)
    assert decided(week)[0] is Decision.HOLD
    assert not week.run.checks["cadence.start"].ok
    assert week.run.case is None, "nothing is judged that a replay could make again otherwise"


def test_an_altered_look_is_none(made: Made, tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    seal(archive, NOTEBOOK, hours(4), "SOAK")
    (ref,) = archive.records(notebook=NOTEBOOK)
    path = ref.folder / "record.json"
    path.write_text(path.read_text().replace('"SOAK"', '"PROMOTE"'))
    assert made(9).run.checks["cadence.day1_04h"].found == "missed"


@pytest.mark.slow
def test_every_gate_is_drawn_with_its_limits_and_with_what_each_look_judged(made: Made) -> None:
    week = made(8)
    told = str(week.charts())
    for gate in PARAMS.policy.gates:
        assert f"{gate.title} (" in told, gate.id
    for title, limits in {
        "Success rate (%)": "target > 99 %, alert < 98 %, collapse < 90 %",
        "P95 submit latency (s)": "target < 3 s, alert > 5 s",
        "P95 VPR generation time (s)": "target < 90 s, alert > 120 s",
        "Queue depth (messages)": "target < 10, alert > 50",
        "DLQ depth (messages)": "target <= 0, alert >= 1",
        "Lambda errors (each of submit, worker, status) (%)": "target < 1 %, alert > 5 %",
        "Cost per VPR (USD)": "target < $0.01, alert > $0.05",
    }.items():
        assert limits in told.partition(title)[2].partition("\n")[0], title


def test_a_rare_count_of_a_day_is_shown_with_its_interval(made: Made) -> None:
    week = made(4)
    # Garwood 1936: 6 events, 2.20 to 13.06.
    assert str(week._figure("jobs_failed", "Sum", 1.0, [2.0, 4.0]).text) == "6 (2-13)"  # type: ignore[attr-defined]
    assert week._figure("jobs_completed", "Sum", 1.0, [2000.0, 1000.0]) == "3,000"
    assert week._figure("async_latency", "p95", 0.001, [312.0]) == "0.312"
    assert week._figure("jobs_failed", "Sum", 1.0, []) == "–", "no data is not zero"
