"""Evidence about money, case by case: a healthy soak, and what each test spoils in it."""

from __future__ import annotations

import datetime as dt
import math

import pytest

from runbook_lib.judge.model import Evidence
from runbook_lib.judge.terms import Verdict
from runbook_lib.observe.evidence.questions import label
from runbook_lib.params.contract_inside import Tokens
from tests.observe.conftest import LIVE, MINUTE, Soak


def test_cost_adds_up_and_shows_the_tokens_beside_it(day: Soak) -> None:
    found = day.evidence()["cost_per_vpr"]
    assert found.n == 300 and found.value == pytest.approx(found.extra["infrastructure"])
    assert found.value == pytest.approx(0.0013, abs=0.0008), "docs/domain.md: about $0.0013"
    assert found.extra["llm"] == pytest.approx(7500 * 3e-6 + 2200 * 15e-6)
    assert math.fsum(line["usd"] for line in found.extra["lines"]) == pytest.approx(found.extra["usd"])
    assert found.extra["usd"] == pytest.approx(300 * (found.extra["infrastructure"] + found.extra["llm"]))


def test_the_memory_of_the_worker_comes_from_its_live_configuration(day: Soak) -> None:
    cheap = day.evidence()["cost_per_vpr"].value
    day.live["memory_mb"] = {**LIVE["memory_mb"], "worker": 4096}  # type: ignore[dict-item]
    dear = day.evidence()["cost_per_vpr"].value
    assert cheap and dear and dear > 3 * cheap
    day.live["memory_mb"] = {"submit": 256, "status": 256}
    assert day.evidence()["cost_per_vpr"].value is None
    assert "the memory of worker" in day.evidence()["cost_per_vpr"].notes[0]


def test_cost_without_a_success_is_infinite(day: Soak) -> None:
    assert day.segment
    day.segment = day.segment.model_copy(update={"completed": 0, "failed": 300})
    found = day.evidence()["cost_per_vpr"]
    assert found.value == math.inf and found.n == 0 and found.extra["infinite"] is True
    assert day.verdicts()["cost"] is Verdict.FAIL
    again = Evidence.model_validate_json(found.model_dump_json())
    assert again.value == math.inf


def told_by(day: Soak, teller: str) -> None:
    """The tokens are told by somebody else than the table."""
    service = day.params.service
    contract = service.contract.model_copy(update={"tokens": Tokens.model_validate({"told_by": teller})})
    day.params = day.params.model_copy(update={"service": service.model_copy(update={"contract": contract})})
    assert day.segment
    day.segment = day.segment.model_copy(update={"input_tokens": 0, "output_tokens": 0, "untold": 300})


def test_tokens_that_only_the_metrics_tell_cost_what_they_cost(day: Soak) -> None:
    by_table = day.evidence()["cost_per_vpr"].extra["llm"]
    told_by(day, "kpi")
    assert day.evidence()["cost_per_vpr"].extra["llm"] == pytest.approx(by_table)


def test_tokens_that_nobody_tells_are_no_figure_and_never_zero(day: Soak) -> None:
    """Not even where metrics of those names have points: the contract says that they are not the tokens."""
    told_by(day, "none")
    found = day.evidence()["cost_per_vpr"]
    assert found.extra["llm"] is None
    assert any("what the LLM costs is not known" in note for note in found.notes)


CONFIGURED = {
    "functions": {
        "worker": {"memory_mb": 1024, "architecture": "x86_64"},
        "sync": {"memory_mb": 512, "architecture": "x86_64"},
    },
    "table": {"mode": "PAY_PER_REQUEST", "write_units": 0, "read_units": 0, "since": None},
    "report_days": 7.0,
    "unread": [],
}


def lines(found: Evidence) -> dict[str, float]:
    """USD by item."""
    usd: dict[str, float] = {}
    for line in found.extra["lines"]:
        usd[line["item"]] = usd.get(line["item"], 0.0) + line["usd"]
    return usd


def test_the_cost_has_an_interval_over_the_hours(day: Soak) -> None:
    heavy = [(at, value * (1 + at.hour % 3)) for at, value in day.values[label("worker_duration")]]
    day.values[label("worker_duration")] = heavy
    found = day.evidence()["cost_per_vpr"]
    assert found.low is not None and found.value is not None and found.high is not None
    assert 0 < found.low < found.value < found.high
    assert found.extra["method"] == "delta method over 24 periods"
    day.drop("jobs_completed")
    assert day.evidence()["cost_per_vpr"].low is None, "without the KPIs nobody knows the hours' successes"


def test_what_is_fixed_is_apart(day: Soak) -> None:
    extra = day.evidence()["cost_per_vpr"].extra
    assert extra["fixed"] + extra["variable"] == pytest.approx(extra["infrastructure"])
    # 15 empty receives in each of 288 five minutes, and eight KPI metrics for 24 of a month's 730 hours.
    assert extra["fixed"] * 300 == pytest.approx(15 * 288 * 0.4e-6 + 8 * 0.3 * 24 / 730)


def test_the_scope_of_the_gate_is_the_policys(day: Soak) -> None:
    policy = day.params.policy.model_copy(update={"cost_scope": "total"})
    day.params = day.params.model_copy(update={"policy": policy})
    found = day.evidence()["cost_per_vpr"]
    assert found.value == pytest.approx(found.extra["infrastructure"] + found.extra["llm"])
    assert day.verdicts()["cost"] is Verdict.FAIL, "the tokens are several cents"


def test_the_architecture_and_the_billing_mode_are_the_configured_ones(day: Soak) -> None:
    day.live["configured"] = CONFIGURED
    usual = lines(day.evidence()["cost_per_vpr"])
    arm = {**CONFIGURED["functions"], "worker": {"memory_mb": 1024, "architecture": "arm64"}}  # type: ignore[dict-item]
    table = {"mode": "PROVISIONED", "write_units": 200, "read_units": 200, "since": None}
    day.live["configured"] = {**CONFIGURED, "functions": arm, "table": table}
    found = lines(day.evidence()["cost_per_vpr"])
    assert found["lambda.gb_seconds.arm64"] == pytest.approx(300 * 45 * 0.0000133334)
    assert found["lambda.gb_seconds.x86_64"] < usual["lambda.gb_seconds.x86_64"] / 50
    assert found["dynamodb.write_capacity"] == pytest.approx(200 * 24 * 0.00065)
    assert usual["dynamodb.write_units"] > 0 and not found["dynamodb.write_units"]


def test_reports_that_are_never_expired_are_kept_longer(day: Soak) -> None:
    day.live["configured"] = CONFIGURED
    week = lines(day.evidence()["cost_per_vpr"])["s3.storage"]
    day.live["configured"] = {**CONFIGURED, "report_days": None}
    assert lines(day.evidence()["cost_per_vpr"])["s3.storage"] == pytest.approx(week * (730 / 24) / 7)


def test_tokens_of_failed_and_crashed_runs_are_paid(day: Soak) -> None:
    assert day.segment
    each = day.evidence()["cost_per_vpr"].extra["llm"]
    finished = {"input_tokens": 280 * 7500, "output_tokens": 280 * 2200}
    day.segment = day.segment.model_copy(update={"completed": 280, "failed": 20, **finished})
    day.values[label("worker_errors")] = [(day.window.start + MINUTE, 10.0)]
    found = day.evidence()["cost_per_vpr"]
    assert found.extra["llm"] == pytest.approx(each * 310 / 280)
    assert any("30 runs called the LLM and left no count" in note for note in found.notes)
    limited = {"LLMError: <n> rate_limit_error: too many requests at a time": 20}
    day.segment = day.segment.model_copy(update={"errors": limited})
    assert day.evidence()["cost_per_vpr"].extra["llm"] == pytest.approx(each * 290 / 280), "refused calls cost nothing"


def test_what_could_not_be_read_is_said(day: Soak) -> None:
    day.live["configured"] = {**CONFIGURED, "unread": ["reading the billing mode: AWS answered AccessDenied"]}
    notes = day.evidence()["cost_per_vpr"].notes
    assert any("AccessDenied" in note for note in notes)
    assert any("logs have no metric" in note for note in notes)
    day.live.pop("configured")
    assert any(note.startswith("the bill assumes") for note in day.evidence()["cost_per_vpr"].notes)


def test_each_part_of_the_window_is_billed_by_its_own_mode(day: Soak) -> None:
    """Rollback 3 provisioned after 18 of 24 hours, and recorded when."""
    table = {"mode": "PROVISIONED", "write_units": 200, "read_units": 200, "since": "2026-11-11T04:00:00Z"}
    day.live["configured"] = {**CONFIGURED, "table": table}
    found = lines(day.evidence()["cost_per_vpr"])
    day.live["configured"] = CONFIGURED
    usual = lines(day.evidence()["cost_per_vpr"])
    assert found["dynamodb.write_capacity"] == pytest.approx(200 * 6 * 0.00065)
    assert found["dynamodb.write_units"] == pytest.approx(usual["dynamodb.write_units"] * 18 / 24, rel=0.01)
    table["since"] = "2026-11-01T00:00:00Z"
    day.live["configured"] = {**CONFIGURED, "table": table}
    assert lines(day.evidence()["cost_per_vpr"])["dynamodb.write_capacity"] == pytest.approx(200 * 24 * 0.00065)
    day.live["configured"] = {**CONFIGURED, "table": {**table, "since": None}}
    assert any("nobody recorded when" in note for note in day.evidence()["cost_per_vpr"].notes)


@pytest.mark.parametrize("metric", ["table_writes", "gsi_reads", "queue_empty_receives", "worker_log_bytes"])
def test_a_bill_of_answers_that_are_not_whole_never_passes(day: Soak, metric: str) -> None:
    day.status[label(metric)] = "PartialData"
    assert day.evidence()["cost_per_vpr"].partial
    assert day.verdicts()["cost"] is not Verdict.PASS


def test_requests_of_our_own_are_said(day: Soak) -> None:
    assert day.segment
    day.segment = day.segment.model_copy(update={"probes": 12})
    assert any("12 requests of our own" in note for note in day.evidence()["cost_per_vpr"].notes)


def test_a_change_of_the_billing_mode_within_the_window_is_said(day: Soak) -> None:
    table = {**CONFIGURED["table"], "since": "2026-11-10T20:00:00Z"}  # type: ignore[dict-item]
    day.live["configured"] = {**CONFIGURED, "table": table}
    assert any("went on demand at 2026-11-10 20:00 UTC" in note for note in day.evidence()["cost_per_vpr"].notes)


def test_the_synchronous_side_pays_for_what_nobody_waited_for(day: Soak) -> None:
    day.live["configured"] = CONFIGURED
    at = day.window.start + MINUTE
    for name, value in {
        "sync_requests": 100,
        "sync_5xx": 96,
        "sync_fn_invocations": 100,
        "sync_fn_duration": 4.5e6,
        "vpr_generated": 90,
        "vpr_cost_usd": 4.5,
    }.items():
        day.values[label(name)] = [(at, float(value))]
    found = day.evidence()["cost_per_vpr_sync"]
    assert found.n == 4 and found.extra["llm"] == pytest.approx(4.5 / 90 * 100 / 4), "ten were cut off, and paid for"
    assert found.extra["infrastructure"] > 100 * 45 * 0.5 * 0.0000166667 / 4
    day.values[label("sync_5xx")] = [(at, 100.0)]
    assert day.evidence()["cost_per_vpr_sync"].value == math.inf
    day.drop("sync_fn_invocations")
    assert day.evidence()["cost_per_vpr_sync"].notes == ("no data for Synchronous Lambda: invocations",)


def test_the_runbooks_own_bill_is_counted_from_its_own_questions(day: Soak) -> None:
    found = day.evidence()["cost_per_vpr"]
    own = {line["item"]: line["quantity"] for line in found.extra["runbook"]}
    assert own["cloudwatch.metrics_asked"] == sum(len(call["queries"]) for call in day.answers().raw)
    made = [alarm for alarm in day.params.policy.alarms if alarm.owner == "runbook"]
    assert own["cloudwatch.alarm_metrics"] >= len(made) * 24 / 730 * 0.99
    assert own["cloudwatch.dashboards"] == pytest.approx(24 / 730)


def test_prices_that_are_too_old_are_told(day: Soak) -> None:
    assert day.evidence()["cost_per_vpr"].extra["stale"] is None
    old = day.params.prices.model_copy(update={"date": dt.date(2025, 1, 1)})
    day.params = day.params.model_copy(update={"prices": old})
    assert "2025-01-01" in day.evidence()["cost_per_vpr"].extra["stale"]
