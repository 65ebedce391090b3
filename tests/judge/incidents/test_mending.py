"""Which resource a change is about, and which values only the deployment knows."""

from __future__ import annotations

import pytest

from runbook_lib.judge.incidents.diff import Change
from runbook_lib.judge.incidents.mending import Place, concerns, value

METHOD = "AWS::ApiGateway::Method"
SYNC, SUBMIT, STATUS = ("api", "vpr", "POST"), ("api", "vpr-async", "POST"), ("api", "vpr", "status", "{job_id}", "GET")


@pytest.mark.parametrize(
    ("label", "logical_id", "routes"),
    [
        ("CareervpApi/Default/api/vpr/POST", "CareervpApiapivprPOST6B6C6D6E", {SYNC}),
        ("CareervpApi/Default/api/vpr-async/POST", "CareervpApiapivprasyncPOST6B6C6D6E", {SUBMIT}),
        ("CareervpApi/Default/api/vpr/status/{job_id}/GET", "CareervpApiapivprstatusjobidGET6B6C6D6E", {STATUS}),
        ("CareervpApi/Default/v2/api/vpr/POST", "CareervpApiv2apivprPOST6B6C6D6E", set()),
        ("CareervpApi/Default/api/vpr/GET", "CareervpApiapivprGET6B6C6D6E", set()),
        ("CareervpApi/Default/api/vpr/POST/ApiPermission.Vpr", "X", {SYNC}),
        ("Http/POST--api--vpr", "HttpPOSTapivpr6B6C6D6E", {SYNC}),
        ("Http/POST--api--vpr-async/SubmitIntegration", "X", {SUBMIT}),
        ("api/vpr/POST", "SyncMethod", {SYNC}),
        # A change set tells no path.
        ("", "CareervpApiapivprPOST6B6C6D6E", {SYNC}),
        ("", "CareervpApiapivprasyncPOST6B6C6D6E", {SUBMIT}),
        ("", "CareervpApiapivprasyncPOSTApiPermissionVpr6B6C6D6E", {SUBMIT}),
        ("", "CareervpApiv2apivprPOST6B6C6D6E", set()),
        ("", "SubmitMethod", set()),
    ],
)
def test_a_route_by_its_path(label: str, logical_id: str, routes: set[tuple[str, ...]]) -> None:
    change = Change(action="modify", type=METHOD, logical_id=logical_id, label=label)
    assert {route for route in (SYNC, SUBMIT, STATUS) if concerns(change, Place(METHOD, route=route))} == routes


QUEUE = Place(
    "AWS::SQS::Queue",
    names=("careervp-vpr-jobs-queue-prod",),
    named=True,
    logical="(vpr)?jobsqueue",
    keys=("careervpvprjobsqueueprod", "vprjobsqueue"),
)


@pytest.mark.parametrize(
    ("change", "so"),
    [
        ({"physical_id": "https://sqs/0/careervp-vpr-jobs-queue-prod"}, True),
        ({"physical_id": "https://sqs/0/careervp-vpr-jobs-queue-dev", "label": "VprJobsQueue"}, False),
        ({"after": {"QueueName": "careervp-vpr-jobs-queue-prod"}}, True),
        ({"after": {"QueueName": "other"}, "label": "VprJobsQueue"}, False),
        ({"label": "Vpr/JobsQueue"}, True),
        ({"logical_id": "VprJobsQueue0A1B2C3D"}, True),
        ({"label": "VprJobsQueueDlq", "logical_id": "VprJobsQueueDlq0A1B2C3D"}, False),
        ({}, False),
    ],
)
def test_a_name_counts_more_than_what_the_code_calls_it(change: dict[str, object], so: bool) -> None:
    made = Change.model_validate({"action": "modify", "type": "AWS::SQS::Queue", "logical_id": "Q", **change})
    assert concerns(made, QUEUE) is so


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ("660", 660),
        ("true", True),
        ("ttl", "ttl"),
        (None, None),
        (7, 7),
        ({"a": 1}, {"a": 1}),
        ('{"Ref":"Dlq"}', None),
        ("${Token[x]}", None),
        ('{"Fn::GetAtt":["A","Arn"]}', None),
        ({"Ref": "A"}, None),
        ("{{resolve:ssm:x}}", None),
        ("{{changeSet:KNOWN_AFTER_APPLY}}", None),
        ("arn:aws:iam::0:role/x...", None),
        ("[redacted]", None),
    ],
)
def test_a_value_that_only_the_deployment_knows_is_not_told(told: object, read: object) -> None:
    assert value(told) == read
