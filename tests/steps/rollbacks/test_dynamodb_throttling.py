"""Rollback 3 cell by cell on the embedded AWS: capacity is what ends the throttling, or async goes off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.act import billing as act
from runbook_lib.observe.resources import billing
from runbook_lib.observe.resources.billing import Billing
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import only
from runbook_lib.rehearse.world.scenario import Scenario, load
from runbook_lib.rollout import deviations
from tests.rollbacks import APPLY, START, Place, reason, verdicts

NOTEBOOK = "rollback_3_dynamodb_throttling"
BILLING = "inventory.table.billing"
Made = Callable[..., Place]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Made]:
    with EmbeddedAws(START) as aws, only(aws.env):
        yield lambda scenario="throttling_table": Place(aws, tmp_path, NOTEBOOK, scenario)


def needing(units: float) -> Scenario:
    base = load("throttling_table")
    return base.model_copy(update={"behaviour": base.behaviour.model_copy(update={"units_needed": units})})


def billed(place: Place) -> Billing:
    return billing.read_billing(place.aws.client("dynamodb"), place.params)


@pytest.mark.parametrize("scenario", ["throttling_table", "throttling_index"])
def test_planned_provisioned_watched_and_kept(place: Made, scenario: str) -> None:
    here = place(scenario)
    here.pass_time(minutes=60)
    planned = here.run()
    assert (planned.decision, planned.changes) == ("PLANNED", ())
    assert billed(here).mode == "PAY_PER_REQUEST"
    made = here.run(**APPLY)
    assert (made.decision, verdicts(made)["rollback_3.time_to_effect"]) == ("SOAK", "PASS")
    found = billed(here)
    assert (found.mode, found.active) == ("PROVISIONED", True)
    assert all(one.read >= 100 and one.write >= 100 for one in found.units.values())
    assert set(found.units) == {here.params.name("table"), here.params.name("gsi")}
    assert deviations.open_deviations(here.archive, "prod")[BILLING].was == "PAY_PER_REQUEST"
    here.pass_time(minutes=20)
    early = here.run(**APPLY)
    assert (early.decision, early.changes) == ("SOAK", ())
    assert verdicts(early)["rollback_3.watch"] == "INCONCLUSIVE"
    here.pass_time(minutes=20)
    over = here.run(**APPLY)
    drawn = str(here.namespace["incident"].charts())
    assert "Throttle events (events / 5 min)" in drawn and "last 0" in drawn, (
        "none is a bar of 0, not a line that goes on"
    )
    assert "alert >= 10" in drawn and "of 6,000 provisioned" in drawn
    assert (over.decision, verdicts(over)["rollback_3.watch"]) == ("PROMOTE", "PASS")
    assert billed(here).mode == "PROVISIONED", "resolved, so it is kept"
    assert "adopt" in (over.outcome or {})["next"]
    assert "post-mortem.md" in over.files


def test_capacity_that_does_not_end_it_falls_through_to_scenario_1(place: Made) -> None:
    here = place(needing(5000))
    here.pass_time(minutes=60)
    assert here.run(**APPLY).decision == "SOAK"
    here.pass_time(minutes=20)
    looked = here.run()
    assert (looked.decision, (looked.outcome or {})["scenario"]) == ("ROLLBACK", "rollback_1")
    assert "still throttled with the new capacity" in reason(looked)
    fell = here.run(**APPLY)
    assert (fell.decision, verdicts(fell)["rollback_3.fell_back"]) == ("ROLLBACK", "PASS")
    here.world.obey()
    assert here.world.knobs.share == 0


def test_without_throttle_events_it_is_refused_and_a_reason_does_not_help(place: Made) -> None:
    here = place("submit_5xx")
    here.pass_time(minutes=60)
    assert "no symptom was seen" in reason(here.run())
    assert "no throttle events" in reason(here.run(**APPLY, reason="it must be the table"))
    assert billed(here).mode == "PAY_PER_REQUEST"
    assert not deviations.open_deviations(here.archive, "prod")


def test_the_limit_on_the_way_back_is_in_the_plan(place: Made) -> None:
    here = place()
    here.pass_time(minutes=60)
    here.run()
    text = here.namespace["incident"].planned.text()
    assert "4 times in 24 h at most" in text
    assert "may be a cut" in text


class _Killed(BaseException):
    """As SIGKILL: nothing of ours runs after it."""


@pytest.mark.parametrize("after", ["open_all", "update_table"])
def test_killed_in_the_middle_the_next_run_goes_on_with_the_same_clock(
    place: Made, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    here = place()
    here.pass_time(minutes=60)
    module, real = (deviations, deviations.open_all) if after == "open_all" else (act, act.wait)

    def killed(*args: Any, **kwargs: Any) -> Any:
        real(*args, **kwargs)
        raise _Killed

    with monkeypatch.context() as meddled, pytest.raises(_Killed):
        meddled.setattr(module, real.__name__, killed)
        here.run(**APPLY)
    decided = deviations.open_deviations(here.archive, "prod")[BILLING].at
    here.pass_time(minutes=3)
    done = here.run(**APPLY)
    assert billed(here).mode == "PROVISIONED"
    assert done.incident is not None
    assert done.incident["decided_at"] == decided
    assert done.decision == "SOAK"
    assert len(deviations.said(here.archive, "prod")[0]) == 1


def test_two_operators_the_second_is_refused(place: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    here = place()
    here.pass_time(minutes=60)
    client, real = here.aws.client("dynamodb"), deviations.open_all
    throughput = {"ReadCapacityUnits": 20, "WriteCapacityUnits": 20}

    def meanwhile(*args: Any, **kwargs: Any) -> Any:
        update = {"Update": {"IndexName": here.params.name("gsi"), "ProvisionedThroughput": throughput}}
        client.update_table(
            TableName=here.params.name("table"),
            BillingMode="PROVISIONED",
            ProvisionedThroughput=throughput,
            GlobalSecondaryIndexUpdates=[update],
        )
        return real(*args, **kwargs)

    monkeypatch.setattr(deviations, "open_all", meanwhile)
    assert "was changed since the plan was made" in reason(here.run(**APPLY))
    assert billed(here).units[here.params.name("table")].write == 20
    assert not deviations.open_deviations(here.archive, "prod")


def test_still_updating_is_said_and_the_next_run_goes_on(place: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    here = place()
    here.pass_time(minutes=60)
    real = billing.read_billing
    slow = [True]

    def updating(*args: Any) -> Billing:
        found = real(*args)
        late = slow[0] and found.mode == "PROVISIONED"
        return found.model_copy(update={"status": "UPDATING"}) if late else found

    monkeypatch.setattr(billing, "read_billing", updating)
    monkeypatch.setattr(act, "read_billing", updating)
    wait = act.wait
    monkeypatch.setattr(act, "wait", lambda *a, **k: wait(*a, **{**k, "wait_s": 0.0}))
    asked = here.run(**APPLY)
    assert (asked.decision, verdicts(asked)["rollback_3.capacity"]) == ("SOAK", "INCONCLUSIVE")
    slow[0] = False
    here.pass_time(minutes=4)
    done = here.run(**APPLY)
    assert done.incident is not None
    assert verdicts(done)["rollback_3.time_to_effect"] == "PASS"
    assert "rollback_3.notified" not in verdicts(asked)
    assert [change.intent["told"].rpartition(": ")[2] for change in done.changes] == ["more capacity"]
    assert not [change for change in done.changes if change.intent["what"].startswith("capacity")]
