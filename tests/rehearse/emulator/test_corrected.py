"""An item whose time to live has passed is gone when virtual time has gone on; every other one stays."""

from __future__ import annotations

import datetime as dt

import pytest

from runbook_lib.params.load import load_file, params_dir, read_yaml
from runbook_lib.rehearse.emulator.corrected import EVERY_S, expired
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.sandbox.deploy import deploy


def test_only_numbers_before_now_are_expired() -> None:
    items = {
        "old": {"": {"ttl": {"N": "99"}}, "b": {"ttl": {"N": "100"}}},
        "new": {"": {"ttl": {"N": "101"}}},
        "none": {"": {"job_id": {"S": "none"}}},
        "text": {"": {"ttl": {"S": "1"}}},
    }
    assert list(expired(items, "ttl", 100.0)) == [("old", "")]
    assert list(expired(items, "other", 100.0)) == []


@pytest.mark.emulator
def test_an_expired_item_goes_as_time_goes() -> None:
    folder = params_dir()
    params = load_file(folder / "prod.yaml", read_yaml(folder / "rehearsal.yaml"))
    with EmbeddedAws() as aws:
        deploy(aws, params)
        table, dynamodb, start = params.name("table"), aws.client("dynamodb"), aws.now()

        def put(job: str, **ttl: dt.datetime) -> None:
            numbers = {name: {"N": str(int(at.timestamp()))} for name, at in ttl.items()}
            dynamodb.put_item(TableName=table, Item={"job_id": {"S": job}, "idempotency_key": {"S": job}, **numbers})

        put("short", ttl=start + dt.timedelta(hours=1))
        put("long", ttl=start + dt.timedelta(days=2))
        put("for ever")
        aws.move_to(start + dt.timedelta(seconds=EVERY_S * 2))
        found = dynamodb.scan(TableName=table)
        assert sorted(item["job_id"]["S"] for item in found["Items"]) == ["for ever", "long"]
        indexed = dynamodb.scan(TableName=table, IndexName="idempotency-key-index")
        assert sorted(item["job_id"]["S"] for item in indexed["Items"]) == ["for ever", "long"]
