"""A dead letter and back, on the embedded AWS: all the way, and every way in which it gets stuck leaves no trace."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from runbook_lib.act import dlq_drill as room
from runbook_lib.act.dlq_drill import Trip, round_trip
from runbook_lib.act.guard import Guard
from runbook_lib.base.errors import AwsError, Refused
from runbook_lib.params.load import Params
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import overlaid
from runbook_lib.rehearse.sandbox.deploy import Sandbox, deploy

WAIT_S = 15.0


class Journal:
    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def append(self, event: str, **data: Any) -> None:
        self.events.append({"event": event, **data})

    append_or_stderr = append

    def whats(self) -> list[str]:
        return [one["what"] for one in self.events if one["event"] == "intent"]


class Stage:
    def __init__(self, aws: EmbeddedAws) -> None:
        from runbook_lib.params.load import load

        self.aws = aws
        self.params: Params = load({**overlaid("dev", "x"), "mode": "apply", "confirm": "dev"})
        self.box: Sandbox = deploy(aws, self.params)
        self.journal = Journal()

    def guard(self, params: Params | None = None) -> Guard:
        params = params or self.params
        identity = SimpleNamespace(account=params.account_id, arn="arn:test", now=self.aws.now())
        self.journal = Journal()
        return Guard(params, identity, self.journal)

    def trip(self, wait_s: float = WAIT_S, params: Params | None = None) -> Trip:
        params = params or self.params
        return round_trip(self.aws, self.guard(params), params, wait_s=wait_s)  # type: ignore[arg-type]

    def waiting(self, queue: str = "DlqUrl") -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.aws.client("sqs").get_queue_attributes(QueueUrl=self.box.outputs[queue], AttributeNames=names)
        return sum(int(value) for value in found["Attributes"].values())

    def items(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.aws.client("dynamodb").scan(TableName=self.box.outputs["TableName"])["Items"]
        return found


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with EmbeddedAws() as aws:
        yield Stage(aws)


@pytest.mark.emulator
def test_all_the_way_and_twice(stage: Stage) -> None:
    told: list[str] = []
    trip = round_trip(stage.aws, stage.guard(), stage.params, wait_s=WAIT_S, out=told.append)  # type: ignore[arg-type]
    assert trip.ok, trip.sentence
    assert trip.sentence.startswith("sent, seen by its alarm, redriven, completed and cleaned up in ")
    assert stage.journal.whats() == [
        "send a probe job to careervp-vpr-jobs-dlq-dev",
        "redrive the probe job to careervp-vpr-jobs-queue-dev",
        "delete the probe job's item from careervp-jobs-table-dev",
    ]
    assert [one["ok"] for one in stage.journal.events if one["event"] == "outcome"] == [True] * 3
    assert (stage.waiting(), stage.items()) == (0, [])
    assert all(line.startswith("waiting for ") for line in told), "the alarm may have been quicker than the first look"

    again = stage.trip()
    assert again.ok, again.sentence
    assert "in ALARM already, from a message before" in again.sentence


@pytest.mark.emulator
def test_a_wait_says_what_for_and_how_long_at_most(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_EVERY_S", 0.0)
    told: list[str] = []
    answers = iter([False, False, True])
    probe = room._Probe(stage.aws, stage.guard(), stage.params, WAIT_S, told.append)  # type: ignore[arg-type]
    assert probe._until(lambda: next(answers), "its alarm")
    assert told == ["waiting for its alarm: 0 s of at most 15 s"] * 2


@pytest.mark.emulator
@pytest.mark.parametrize("body", ["not json", json.dumps({"job_id": "somebody's"})])
def test_somebody_elses_message_is_left_alone(stage: Stage, body: str) -> None:
    sqs, url = stage.aws.client("sqs"), stage.box.outputs["DlqUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=body)
    try:
        with pytest.raises(Refused, match="careervp-vpr-jobs-dlq-dev holds 1 message: look at them"):
            stage.trip()
        assert stage.journal.whats() == []
        assert stage.waiting() == 1
    finally:
        sqs.purge_queue(QueueUrl=url)


@pytest.mark.emulator
@pytest.mark.parametrize("body", ["not json", "[1]", json.dumps({"job_id": "somebody's"})])
def test_a_message_that_comes_meanwhile_is_let_go_again(stage: Stage, body: str) -> None:
    sqs, url = stage.aws.client("sqs"), stage.box.outputs["DlqUrl"]
    probe = room._Probe(stage.aws, stage.guard(), stage.params, WAIT_S, lambda _: None)  # type: ignore[arg-type]
    sqs.send_message(QueueUrl=url, MessageBody=body)
    sqs.send_message(QueueUrl=url, MessageBody=probe.body)
    try:
        taken: list[str] = []
        assert probe._taken("take it", lambda message: taken.append(message["Body"]))
        assert taken == [probe.body]
        seen = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
        assert body in [one["Body"] for one in seen], "visible to others at once"
    finally:
        sqs.purge_queue(QueueUrl=url)


@pytest.mark.emulator
def test_a_plan_sends_nothing(stage: Stage) -> None:
    flat = stage.params.flat.model_copy(update={"mode": "plan"})
    with pytest.raises(Refused, match="mode is 'plan'"):
        stage.trip(params=stage.params.model_copy(update={"flat": flat}))
    assert (stage.waiting(), stage.items()) == (0, [])


def _alarms(params: Params, **update: Any) -> Params:
    """With the DLQ's alarm changed; without it where nothing is said."""
    alarms = tuple(
        one.model_copy(update=update) if one.metric == "dlq_visible" else one
        for one in params.policy.alarms
        if update or one.metric != "dlq_visible"
    )
    return params.model_copy(update={"policy": params.policy.model_copy(update={"alarms": alarms})})


@pytest.mark.emulator
@pytest.mark.parametrize("update", [{}, {"name": "careervp-there-is-none-alarm-{env}"}])
def test_no_alarm_is_said(stage: Stage, update: dict[str, Any]) -> None:
    trip = stage.trip(params=_alarms(stage.params, **update))
    assert (trip.ok, trip.alarmed, trip.completed, trip.cleaned) == (False, None, True, True)
    assert trip.sentence == "the dead-letter queue has no alarm"
    assert (stage.waiting(), stage.items()) == (0, [])


@pytest.mark.emulator
def test_an_alarm_that_stays_silent_is_said_and_the_probe_is_taken_back(stage: Stage) -> None:
    """An alarm on another queue, as after a renaming: it never gets this message."""
    deaf = "careervp-vpr-queue-depth-guard-{env}"
    trip = stage.trip(wait_s=3, params=_alarms(stage.params, name=deaf))
    assert (trip.ok, trip.alarmed, trip.redriven, trip.cleaned) == (False, False, True, True)
    assert trip.sentence == "its alarm did not go to ALARM"
    assert (stage.waiting(), stage.items()) == (0, [])


@pytest.mark.emulator
def test_a_worker_that_does_not_work_is_said_and_the_job_stays_marked(stage: Stage) -> None:
    client = stage.aws.client("lambda")
    (source,) = client.list_event_source_mappings(FunctionName=stage.params.name("worker"))["EventSourceMappings"]
    client.update_event_source_mapping(UUID=source["UUID"], Enabled=False)
    time.sleep(0.3)
    try:
        trip = stage.trip(wait_s=2)
        assert (trip.ok, trip.redriven, trip.completed, trip.cleaned) == (False, True, False, False)
        assert trip.sentence == "the redriven job did not complete"
        (item,) = stage.items()
        assert item["source"] == {"S": "probe:dlq"}, "no user's figure counts it"
        assert int(item["ttl"]["N"]) > stage.aws.now().timestamp()
    finally:
        stage.aws.client("sqs").purge_queue(QueueUrl=stage.box.outputs["QueueUrl"])
        client.update_event_source_mapping(UUID=source["UUID"], Enabled=True)
        for item in stage.items():
            key = {"job_id": item["job_id"]}
            stage.aws.client("dynamodb").delete_item(TableName=stage.box.outputs["TableName"], Key=key)


@pytest.mark.emulator
def test_when_aws_refuses_on_the_way_the_probe_is_taken_out(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_EVERY_S", 0.01)

    def refuse(**_: Any) -> None:
        from botocore.exceptions import ClientError

        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "SendMessage")

    probe = room._Probe(stage.aws, stage.guard(), stage.params, WAIT_S, lambda _: None)  # type: ignore[arg-type]
    monkeypatch.setattr(probe, "_redrive", refuse)
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError):
        probe.travel()
    assert (stage.waiting(), stage.items()) == (0, [])
    assert stage.journal.whats()[-2:] == [
        "delete the probe job from careervp-vpr-jobs-dlq-dev",
        "delete the probe job's item from careervp-jobs-table-dev",
    ]


@pytest.mark.emulator
def test_a_missing_queue_is_one_sentence(stage: Stage) -> None:
    names = {**stage.params.service.names, "dlq": "careervp-no-such-dlq-{env}"}
    service = stage.params.service.model_copy(update={"names": names})
    with pytest.raises(AwsError, match=r"dead-letter queue and back .*NonExistentQueue"):
        stage.trip(params=stage.params.model_copy(update={"service": service}))


ALL = {"seen": True, "alarmed": True, "before": "OK", "redriven": True, "completed": True, "cleaned": True}


@pytest.mark.parametrize(
    ("stuck", "words"),
    [
        ({"seen": False}, "never showed"),
        ({"alarmed": None}, "has no alarm"),
        ({"alarmed": False}, "did not go to ALARM"),
        ({"redriven": False}, "could not be redriven"),
        ({"completed": False}, "did not complete"),
        ({"cleaned": False}, "could not be removed"),
    ],
)
def test_the_first_thing_that_went_wrong_is_named(stuck: dict[str, Any], words: str) -> None:
    trip = Trip(**{**ALL, **stuck}, seconds=1.0)
    assert not trip.ok
    assert words in trip.sentence


def test_a_trip_without_fault() -> None:
    assert Trip(**ALL, seconds=2.34).sentence == "sent, seen by its alarm, redriven, completed and cleaned up in 2.3 s"
