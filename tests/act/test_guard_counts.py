"""The guards' counts of a phase: in force before the weight moves, left to the stack where the policy says so."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from runbook_lib.act.alarms import counts, put_in_force
from runbook_lib.act.guard import Guard
from runbook_lib.base.errors import Refused
from runbook_lib.observe.alarms.compared import plan
from runbook_lib.observe.alarms.declared import guard_findings, realise
from runbook_lib.params.load import Params
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import params_of
from runbook_lib.rehearse.sandbox.deploy import deploy

pytestmark = pytest.mark.emulator
FIRST, SECOND = "06_phase1_10_percent", "07_phase2_50_percent"


@pytest.fixture(scope="module")
def params() -> Params:
    found = params_of("prod", "counts")
    return found.model_copy(update={"flat": found.flat.model_copy(update={"mode": "apply", "confirm": "prod"})})


@pytest.fixture(scope="module")
def aws(params: Params) -> Iterator[EmbeddedAws]:
    with EmbeddedAws(dt.datetime(2025, 6, 16, 3, tzinfo=dt.UTC)) as made:
        deploy(made, params)
        made.move_to(made.now() + dt.timedelta(minutes=20))
        yield made


@pytest.fixture(autouse=True)
def of_the_first_phase(aws: EmbeddedAws, params: Params) -> None:
    for alarm in params.policy.alarms:
        if alarm.guard:
            aws.client("cloudwatch").put_metric_alarm(**realise(alarm, params))


def guard(aws: EmbeddedAws, params: Params, told: list[Any]) -> Guard:
    def append(event: str, **data: Any) -> None:
        told.append((event, data))

    identity = SimpleNamespace(account=params.account_id, arn="arn:aws:iam::000000000000:user/x", now=aws.now())
    return Guard(params, identity, SimpleNamespace(append=append, append_or_stderr=append))  # type: ignore[arg-type]


def findings(aws: EmbeddedAws, params: Params, phase: str) -> list[Any]:
    return guard_findings(aws.client, params, phase)


def test_the_template_deploys_the_guards_of_the_first_phase(aws: EmbeddedAws, params: Params) -> None:
    assert counts(aws, params, FIRST).ok
    assert [one.sentence for one in findings(aws, params, FIRST) if not one.ok] == []


def test_a_shift_puts_its_guards_in_force_and_records_the_way_back(aws: EmbeddedAws, params: Params) -> None:
    before = [one for one in findings(aws, params, SECOND) if not one.ok]
    assert len(before) == 3
    assert all(one.mends and "counts 4 in 90 min, which is for 06" in one.sentence for one in before)
    told: list[Any] = []
    assert put_in_force(aws, guard(aws, params, told), params, SECOND).ok
    assert [event for event, _ in told] == ["intent", "outcome"]
    assert "Threshold 4, Period 5400" in told[0][1]["by_hand"]
    assert told[1][1]["ok"]
    assert [one.sentence for one in findings(aws, params, SECOND) if not one.ok] == []
    assert all(one.same for one in plan(aws, params) if one.alarm.guard), "04 takes the count of any phase as declared"
    again: list[Any] = []
    assert put_in_force(aws, guard(aws, params, again), params, SECOND).ok
    assert again == [], "twice is harmless"


def test_another_difference_than_the_count_is_not_mended(aws: EmbeddedAws, params: Params) -> None:
    alarm = next(one for one in params.policy.alarms if one.phases)
    aws.client("cloudwatch").put_metric_alarm(**{**realise(alarm, params), "TreatMissingData": "breaching"})
    (wrong,) = [one for one in findings(aws, params, FIRST) if not one.ok]
    assert not wrong.mends
    assert "breaching" in wrong.sentence


def test_what_the_policy_leaves_to_the_stack_is_refused_with_its_template(aws: EmbeddedAws, params: Params) -> None:
    strict = params.model_copy(update={"policy": params.policy.model_copy(update={"guards_of_a_stack": "refuse"})})
    found, told = counts(aws, strict, SECOND), list[Any]()
    assert len(found.templates) == 3
    assert '"Threshold": 5' in next(iter(found.templates.values()))
    with pytest.raises(Refused, match="deploy the template with the counts of 07"):
        put_in_force(aws, guard(aws, strict, told), strict, SECOND)
    assert told == []
    assert not counts(aws, strict, SECOND).ok, "nothing was written"
    assert counts(aws, strict, FIRST).refusal == ""


def test_plan_mode_writes_nothing(aws: EmbeddedAws, params: Params) -> None:
    only_plan = params.model_copy(update={"flat": params.flat.model_copy(update={"mode": "plan"})})
    with pytest.raises(Refused, match="mode is 'plan'"):
        put_in_force(aws, guard(aws, only_plan, []), only_plan, SECOND)
    assert counts(aws, params, FIRST).ok


def test_a_later_step_of_the_infrastructure_leaves_the_counts_in_force(aws: EmbeddedAws, params: Params) -> None:
    """CloudFormation does not touch a property that its template did not change; the migration comes after 100 %."""
    assert put_in_force(aws, guard(aws, params, []), params, "08_phase3_100_percent").ok
    deploy(aws, params, "migrate")
    assert counts(aws, params, "08_phase3_100_percent").ok
