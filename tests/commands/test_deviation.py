"""`runbook deviation list|undo|adopt`, and the reminder of `runbook status`, on the embedded AWS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from runbook_lib.base.errors import AwsError, Refused, UsageError
from runbook_lib.cli.app import app
from runbook_lib.commands.deviation import undo
from runbook_lib.commands.status import rollout_status
from runbook_lib.judge.incidents.deviation import Deviation
from runbook_lib.observe.resources import billing, workers
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import only
from runbook_lib.rollout import deviations
from tests.e2e import wire
from tests.rollbacks import APPLY, FILE, START, Place, reason, verdicts

RESERVED, BILLING = "inventory.worker.reserved_concurrency", "inventory.table.billing"
MAXIMUM = "inventory.event_source.maximum_concurrency"


class Killed(BaseException):
    """As SIGKILL: nothing of ours runs after it."""


def kill(*_: Any, **__: Any) -> None:
    raise Killed


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws(START) as embedded, only(embedded.env):
        yield embedded


@pytest.fixture
def place(aws: EmbeddedAws, tmp_path: Path) -> Iterator[Place]:
    here = Place(aws, tmp_path, "rollback_2_queue_backlog", "healthy")
    assert verdicts(here.run(**APPLY, reason="practice"))["rollback_2.workers"] == "PASS"
    yield here
    found = workers.read_workers(aws.client("lambda"), here.params)
    aws.client("lambda").update_event_source_mapping(UUID=found.mapping, ScalingConfig={"MaximumConcurrency": 5})
    aws.client("lambda").put_function_concurrency(FunctionName=found.function, ReservedConcurrentExecutions=5)


def values(place: Place, **more: Any) -> dict[str, Any]:
    flat = place.flat(**more)
    return {key: flat[key] for key in flat if key != "env"}


def call(place: Place, *words: str) -> Result:
    sets = [f"--set={key}={value}" for key, value in values(place).items() if isinstance(value, str) and value]
    sets = [one for one in sets if not one.startswith(("--set=mode", "--set=confirm", "--set=region"))]
    done = CliRunner().invoke(app, ["deviation", *words, "--params", str(FILE), *sets], env={"COLUMNS": "200"})
    if isinstance(done.exception, Exception):
        raise done.exception
    return done


def test_undo_says_what_it_would_do_does_it_and_closes_the_deviation(place: Place) -> None:
    would = undo(FILE, values(place), RESERVED)
    assert not would.applied
    assert "10 -> 5 workers" in would.sentence
    done = undo(FILE, values(place, **APPLY), RESERVED)
    assert "has 5 workers again" in done.sentence
    assert workers.read_workers(place.aws.client("lambda"), place.params).facts() == {"reserved": 5, "maximum": 5}
    assert not deviations.open_deviations(place.archive, "prod")
    record = place.archive.load(place.archive.records(notebook="deviation")[-1])
    assert [change.intent["after"] for change in record.changes] == [{"maximum": 5}, {"reserved": 5}]
    with pytest.raises(UsageError, match="it is not open; none is open"):
        undo(FILE, values(place, **APPLY), RESERVED)


def test_an_undo_that_is_refused_in_the_middle_is_completed_by_the_next(place: Place) -> None:
    """The maximum is put back, the reserve is not: the record says both, and the deviation stays open till it is."""
    client = place.aws.client("lambda")
    denied = wire.wire(wire.denied, 1, 1000, wire.calls("PutFunctionConcurrency"))
    with denied, pytest.raises(AwsError, match="AccessDenied"):
        undo(FILE, values(place, **APPLY), RESERVED)
    assert workers.read_workers(client, place.params).facts() == {"reserved": 10, "maximum": 5}
    assert RESERVED in deviations.open_deviations(place.archive, "prod")
    undo(FILE, values(place, **APPLY), RESERVED)
    assert workers.read_workers(client, place.params).facts() == {"reserved": 5, "maximum": 5}
    assert not deviations.open_deviations(place.archive, "prod")
    failed, done = (place.archive.load(ref) for ref in place.archive.records(notebook="deviation"))
    assert (failed.status, done.status, done.previous) == ("failed", "completed", failed.hash)
    assert [one.outcome["ok"] for one in (*failed.changes, *done.changes) if one.outcome] == [True, False, True]


def test_an_undo_that_is_killed_before_its_last_word_says_it_the_next_time(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as meddled, pytest.raises(Killed):
        meddled.setattr(deviations, "close", kill)
        undo(FILE, values(place, **APPLY), RESERVED)
    assert RESERVED in deviations.open_deviations(place.archive, "prod")
    undo(FILE, values(place, **APPLY), RESERVED)
    assert not deviations.open_deviations(place.archive, "prod")
    last = place.archive.load(place.archive.records(notebook="deviation")[-1])
    assert (last.status, last.changes) == ("completed", ()), "what is back already is not written again"


def test_an_undo_that_is_not_confirmed_changes_nothing_and_leaves_a_record(place: Place) -> None:
    with pytest.raises(UsageError, match="confirm is ''"):
        undo(FILE, values(place, mode="apply"), RESERVED)
    assert RESERVED in deviations.open_deviations(place.archive, "prod")
    record = place.archive.load(place.archive.records(notebook="deviation")[-1])
    assert (record.status, record.changes) == ("failed", ())


def test_the_list_names_them_and_adopting_needs_a_name(place: Place) -> None:
    said = json.loads(call(place, "list", "--json").stdout)
    assert {one["check"] for one in said["deviations"]} == {RESERVED, "inventory.event_source.maximum_concurrency"}
    assert "5 -> 10" in call(place, "list").stdout
    with pytest.raises(UsageError, match="--by is empty"):
        call(place, "adopt", RESERVED)
    assert "by the code now, says Ada" in call(place, "adopt", RESERVED, "--by", "Ada").stdout
    assert RESERVED not in deviations.open_deviations(place.archive, "prod")


@pytest.mark.parametrize(("adopted", "left"), [(RESERVED, MAXIMUM), (MAXIMUM, RESERVED)])
@pytest.mark.parametrize("mode", ["plan", "apply"])
def test_an_undo_does_not_overrule_what_a_person_adopted(place: Place, adopted: str, left: str, mode: str) -> None:
    call(place, "adopt", adopted, "--by", "Ada")
    with pytest.raises(UsageError, match=r"was adopted into the code by Ada at .*: adopt this one too"):
        undo(FILE, values(place, **{**APPLY, "mode": mode}), left)
    assert workers.read_workers(place.aws.client("lambda"), place.params).facts() == {"reserved": 10, "maximum": 10}
    assert list(deviations.open_deviations(place.archive, "prod")) == [left]
    call(place, "adopt", left, "--by", "Ada")
    assert not deviations.open_deviations(place.archive, "prod")


def test_status_reminds_until_then(place: Place) -> None:
    seen = rollout_status(FILE, values(place))
    assert {one["check"] for one in seen.as_dict()["deviations"]} >= {RESERVED}
    assert any(f"runbook deviation undo {RESERVED}" in one for one in seen.reminders())


def test_a_table_goes_back_to_on_demand(aws: EmbeddedAws, tmp_path: Path) -> None:
    here = Place(aws, tmp_path, "rollback_3_dynamodb_throttling", "throttling_table")
    here.pass_time(minutes=60)
    here.run(**APPLY)
    done = undo(FILE, values(here, **APPLY), BILLING)
    assert "PAY_PER_REQUEST again" in done.sentence
    assert billing.read_billing(aws.client("dynamodb"), here.params).mode == "PAY_PER_REQUEST"
    assert not deviations.open_deviations(here.archive, "prod")


@pytest.fixture
def provisioned(aws: EmbeddedAws, tmp_path: Path) -> Iterator[Place]:
    """Production whose jobs table has units of its own, before anything happens."""
    here = Place(aws, tmp_path, "rollback_3_dynamodb_throttling", "throttling_table")
    client, table = aws.client("dynamodb"), here.params.name("table")
    index = {"IndexName": here.params.name("gsi"), "ProvisionedThroughput": throughput(30, 40)}
    client.update_table(
        TableName=table,
        BillingMode="PROVISIONED",
        ProvisionedThroughput=throughput(10, 20),
        GlobalSecondaryIndexUpdates=[{"Update": index}],
    )
    yield here
    client.update_table(TableName=table, BillingMode="PAY_PER_REQUEST")


def throughput(read: int, write: int) -> dict[str, int]:
    return {"ReadCapacityUnits": read, "WriteCapacityUnits": write}


def test_a_table_that_was_provisioned_goes_back_to_its_own_units(provisioned: Place) -> None:
    here, dynamodb = provisioned, provisioned.aws.client("dynamodb")
    own = billing.read_billing(dynamodb, here.params).units
    here.pass_time(minutes=60)
    here.run()
    assert "4 decreases a day" in here.namespace["incident"].planned.text(), "the way back's limit is said before"
    raised = here.run(**APPLY)
    assert raised.decision == "SOAK", reason(raised)
    assert all(one.write >= 100 for one in billing.read_billing(dynamodb, here.params).units.values())
    (row,) = deviations.rows(deviations.open_deviations(here.archive, "prod"))
    assert "10 read / 20 write" in row["setting"]
    would = undo(FILE, values(here), BILLING)
    assert "-> 10 read / 20 write" in would.sentence and "-> 30 read / 40 write" in would.sentence
    done = undo(FILE, values(here, **APPLY), BILLING)
    found = billing.read_billing(dynamodb, here.params)
    assert (found.mode, found.units) == ("PROVISIONED", own)
    assert "10 read / 20 write" in done.sentence
    assert not deviations.open_deviations(here.archive, "prod")
    (ref,) = here.archive.records(notebook="deviation")
    (change,) = here.archive.load(ref).changes
    assert change.outcome is not None and change.outcome["ok"] is True
    with pytest.raises(UsageError, match="it is not open"):
        undo(FILE, values(here, **APPLY), BILLING)


def test_killed_between_the_word_and_the_capacity_of_a_provisioned_table_it_is_not_taken_for_done(
    provisioned: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, dynamodb = provisioned, provisioned.aws.client("dynamodb")
    here.pass_time(minutes=60)
    with monkeypatch.context() as meddled, pytest.raises(Killed):
        meddled.setattr("runbook_lib.act.billing.apply", kill)
        here.run(**APPLY)
    assert BILLING in deviations.open_deviations(here.archive, "prod")
    here.pass_time(minutes=2)
    completed = here.run(**APPLY)
    assert all(one.write >= 100 for one in billing.read_billing(dynamodb, here.params).units.values()), reason(
        completed
    )
    assert (completed.decision, verdicts(completed)["rollback_3.time_to_effect"]) == ("SOAK", "PASS")
    undo(FILE, values(here, **APPLY), BILLING)
    assert [one.write for one in billing.read_billing(dynamodb, here.params).units.values()] == [20, 40]


def test_what_an_older_record_does_not_tell_is_said(provisioned: Place) -> None:
    one = Deviation(
        check=BILLING,
        title="Jobs table: billing",
        was="PROVISIONED",
        value="PROVISIONED",
        by="ana",
        at="2025-06-16T09:00:00+00:00",
        why="throttled",
        incident="rollback_3 run 1",
    )
    deviations.open_all(provisioned.archive, provisioned.params, [one], by="ana", at=one.at, arn="arn")
    with pytest.raises(UsageError, match="does not say which units it had"):
        undo(FILE, values(provisioned, **APPLY), BILLING)


def test_a_table_that_is_updating_is_left_alone(
    aws: EmbeddedAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Place(aws, tmp_path, "rollback_3_dynamodb_throttling", "throttling_table")
    here.pass_time(minutes=60)
    here.run(**APPLY)
    real = billing.read_billing
    monkeypatch.setattr(billing, "read_billing", lambda *a: real(*a).model_copy(update={"status": "UPDATING"}))
    with pytest.raises(Refused, match="is UPDATING"):
        undo(FILE, values(here, **APPLY), BILLING)
    monkeypatch.undo()
    undo(FILE, values(here, **APPLY), BILLING)
