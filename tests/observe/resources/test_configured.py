"""How what is paid for is configured; what cannot be read is said and holds nothing up."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from runbook_lib.base.errors import ArchiveError
from runbook_lib.observe.resources import configured
from runbook_lib.params.load import Params

MADE = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
BUCKET = "careervp-prod-vpr-results-use1-abc"
SIZES = {"submit": 256, "worker": 1024, "status": 256, "generator": 512}


class Aws:
    """Stubbed clients by service; every answer is one that the test has put there."""

    def __init__(self) -> None:
        keys = {"region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}
        self.clients: dict[str, Any] = {name: boto3.client(name, **keys) for name in ("lambda", "dynamodb", "s3")}
        self.stubs = {name: Stubber(client) for name, client in self.clients.items()}
        for stub in self.stubs.values():
            stub.activate()

    def __call__(self, name: str) -> Any:
        return self.clients[name]

    def functions(self, *gone: str) -> None:
        for name, mb in SIZES.items():
            if name in gone:
                self.stubs["lambda"].add_client_error("get_function_configuration", "ResourceNotFoundException")
                continue
            arm = {"Architectures": ["arm64"]} if name == "worker" else {}
            wanted = {"FunctionName": f"careervp-vpr-{name}-lambda-prod"}
            self.stubs["lambda"].add_response("get_function_configuration", {"MemorySize": mb, **arm}, wanted)

    def table(self, summary: dict[str, Any] | None, units: int = 0) -> None:
        given = {"ProvisionedThroughput": {"ReadCapacityUnits": units, "WriteCapacityUnits": units}}
        index = {"IndexName": "idempotency-key-index", **given}
        table = {"CreationDateTime": MADE, **given, "GlobalSecondaryIndexes": [index]}
        self.stubs["dynamodb"].add_response(
            "describe_table", {"Table": table | ({"BillingModeSummary": summary} if summary else {})}
        )

    def bucket(self, days: int | None) -> None:
        self.stubs["s3"].add_response("list_buckets", {"Buckets": [{"Name": BUCKET}, {"Name": "other"}]})
        if days is None:
            self.stubs["s3"].add_client_error("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration")
        else:
            rule = {"Status": "Enabled", "Prefix": "", "Expiration": {"Days": days}}
            self.stubs["s3"].add_response("get_bucket_lifecycle_configuration", {"Rules": [rule]})


@pytest.fixture
def aws() -> Aws:
    return Aws()


def test_memory_architecture_billing_mode_and_lifecycle(aws: Aws, params: Params) -> None:
    aws.functions()
    aws.table({"BillingMode": "PAY_PER_REQUEST", "LastUpdateToPayPerRequestDateTime": MADE})
    aws.bucket(7)
    found = configured.read(aws, params)
    assert found["functions"]["worker"] == {"memory_mb": 1024, "architecture": "arm64"}
    assert found["functions"]["sync"] == {"memory_mb": 512, "architecture": "x86_64"}
    assert found["table"] == {"mode": "PAY_PER_REQUEST", "write_units": 0, "read_units": 0, "since": None}
    assert found["report_days"] == 7.0 and found["unread"] == []
    assert json.loads(json.dumps(found)) == found


def test_a_provisioned_table_counts_its_index(aws: Aws, params: Params) -> None:
    aws.functions()
    aws.table(None, units=100)
    aws.bucket(7)
    found = configured.read(aws, params)["table"]
    assert (found["mode"], found["write_units"], found["read_units"]) == ("PROVISIONED", 200, 200)


def test_since_when_a_table_is_provisioned_is_asked_of_who_knows(aws: Aws, params: Params) -> None:
    def broken() -> str:
        raise ArchiveError("the archive is damaged")

    for known, expected in ((lambda: "2026-11-05T00:00:00Z", "2026-11-05T00:00:00Z"), (broken, None)):
        aws.functions()
        aws.table(None, units=100)
        aws.bucket(7)
        found = configured.read(aws, params, known)
        assert found["table"]["since"] == expected
    assert found["unread"] == ["the archive is damaged"], "and it holds nothing up"
    aws.functions()
    aws.table({"BillingMode": "PAY_PER_REQUEST"})
    aws.bucket(7)
    assert configured.read(aws, params, broken)["unread"] == [], "not asked where the table is on demand"


def test_when_a_table_went_back_to_on_demand(aws: Aws, params: Params) -> None:
    aws.functions()
    back = MADE + dt.timedelta(days=3)
    aws.table({"BillingMode": "PAY_PER_REQUEST", "LastUpdateToPayPerRequestDateTime": back})
    aws.bucket(None)
    found = configured.read(aws, params)
    assert found["table"]["since"] == "2026-11-04T00:00:00Z"
    assert found["report_days"] is None, "never expired, and that is not the default"


def test_what_is_not_there_is_left_out_and_what_is_refused_is_said(aws: Aws, params: Params) -> None:
    aws.functions("generator")
    aws.stubs["dynamodb"].add_client_error("describe_table", "AccessDeniedException", "not you")
    aws.stubs["s3"].add_response("list_buckets", {"Buckets": []})
    found = configured.read(aws, params)
    assert "sync" not in found["functions"] and "table" not in found and "report_days" not in found
    assert len(found["unread"]) == 2
    assert "AccessDeniedException" in found["unread"][0] and "there are 0 buckets" in found["unread"][1]
