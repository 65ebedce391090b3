"""Which resource a change is about, and which values only the deployment knows."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.judge.incidents.diff import Change, Diff, Property
from runbook_lib.judge.incidents.mending import Mended, Place, Wanted, concerns, mended, value

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


FIFO = "AWS::SQS::Queue"
WANTED = Wanted(
    kind="setting",
    places=((QUEUE, ("VisibilityTimeout",)), (Place(FIFO, logical="jobs", beside=True), ("Redrive", "max"))),
    title="the wait",
    expected="660",
    holds=lambda value: None if value == "?" else value == 660,
)
EXISTS = Wanted(kind="exists", places=((QUEUE, ()),), settings=(WANTED,))
GONE = Wanted(kind="gone", places=((QUEUE, ()),))


def prop(*path: str, old: str | None = None, new: str | None = None, removed: bool = False) -> Property:
    return Property(path=path, old=old, new=new, removed=removed)


def diff_of(action: str, *properties: Property, **more: Any) -> Diff:
    given = {"action": action, "type": FIFO, "logical_id": "VprJobsQueue0A1B2C3D", "label": "VprJobsQueue"}
    return Diff(kind="cdk", changes=(Change.model_validate({**given, "properties": properties, **more}),))


NAMED = "AWS::SQS::Queue VprJobsQueue"
WAIT = ("VisibilityTimeout",)
SETS = f"the diff sets VisibilityTimeout of {NAMED} to"
HIDDEN = f"the diff changes VisibilityTimeout of {NAMED}, but does not show the new value in full"


@pytest.mark.parametrize(
    ("wanted", "diff", "ok", "words"),
    [
        (None, diff_of("add"), False, "the diff does not name it"),
        (GONE, Diff(), False, "the diff has an unknown format, so nothing can be read from it"),
        (GONE, Diff(kind="cdk"), False, "the diff does not name it"),
        (GONE, Diff(kind="cdk", stacks=("a", "b")), False, "the diff is about a, b, not s"),
        (GONE, Diff(kind="cdk", stacks=("a", "s")), False, "the diff does not name it"),
        (GONE, diff_of("remove"), True, f"the diff removes {NAMED}"),
        (GONE, diff_of("remove", stack="s"), True, f"the diff removes {NAMED}"),
        (GONE, diff_of("remove", stack="t"), False, "the diff does not name it"),
        (GONE, diff_of("remove", type="AWS::SNS::Topic"), False, "the diff does not name it"),
        (GONE, diff_of("remove", label="Other", logical_id="X"), False, "the diff does not name it"),
        (GONE, diff_of("orphan"), False, f"the diff takes {NAMED} out of the stack, and leaves it in AWS"),
        (GONE, diff_of("add"), False, "the diff does not name it"),
        (GONE, diff_of("modify"), False, "the diff does not name it"),
        (EXISTS, diff_of("add"), True, f"the diff creates {NAMED}"),
        (EXISTS, diff_of("add", label=""), True, "the diff creates AWS::SQS::Queue VprJobsQueue0A1B2C3D"),
        (EXISTS, diff_of("modify"), False, "the diff does not name it"),
        (EXISTS, diff_of("remove"), False, "the diff does not name it"),
        (EXISTS, diff_of("add", after={"VisibilityTimeout": 660}), True, f"the diff creates {NAMED}"),
        (EXISTS, diff_of("add", after={"VisibilityTimeout": "?"}), True, f"the diff creates {NAMED}"),
        (EXISTS, diff_of("add", after={"VisibilityTimeout": "${Token}"}), True, f"the diff creates {NAMED}"),
        (
            EXISTS,
            diff_of("add", after={"VisibilityTimeout": 30}),
            False,
            f"the diff creates {NAMED} with the wait 30, expects 660",
        ),
        # A resource that exists already cannot be created again.
        (WANTED, diff_of("add", after={"VisibilityTimeout": 660}), False, "the diff does not name it"),
        (WANTED, diff_of("remove"), False, f"the diff removes {NAMED}"),
        (WANTED, diff_of("orphan"), False, f"the diff removes {NAMED}"),
        (WANTED, diff_of("modify"), False, "the diff does not name it"),
        (WANTED, diff_of("modify", prop("DelaySeconds", new="660")), False, "the diff does not name it"),
        (WANTED, diff_of("modify", prop(*WAIT, old="1", new="660")), True, f"{SETS} 660"),
        (WANTED, diff_of("modify", prop(*WAIT, old="1", new="30")), False, f"{SETS} 30"),
        (
            WANTED,
            diff_of("modify", prop(*WAIT, old="1", removed=True)),
            False,
            f"the diff takes VisibilityTimeout of {NAMED} away",
        ),
        (WANTED, diff_of("modify", prop(*WAIT)), True, HIDDEN),
        (WANTED, diff_of("modify", prop(*WAIT, new="?")), True, HIDDEN),
        (WANTED, diff_of("modify", prop(*WAIT, new='{"Ref":"A"}')), True, HIDDEN),
        (WANTED, diff_of("modify", prop(*WAIT), after={"VisibilityTimeout": 30}), False, f"{SETS} 30"),
        (WANTED, diff_of("modify", prop(*WAIT, new="x" * 60)), False, f"{SETS} {'x' * 60}"),
        (WANTED, diff_of("modify", prop(*WAIT, new="x" * 61)), False, f"{SETS} {'x' * 57}..."),
        # Below the setting: what is taken away there takes nothing of it away.
        (WANTED, diff_of("modify", prop(*WAIT, "Fn::If", old="1", new="660")), True, HIDDEN),
        (WANTED, diff_of("modify", prop(*WAIT, "Fn::If", removed=True)), True, HIDDEN),
        # The worst that is said counts, in whatever order.
        (WANTED, diff_of("modify", prop(*WAIT, new="660"), prop(*WAIT, new="30")), False, f"{SETS} 30"),
    ],
)
def test_what_a_diff_does_about_a_check_to_the_letter(wanted: Wanted | None, diff: Diff, ok: bool, words: str) -> None:
    assert mended(wanted, diff, "s") == Mended(ok, words)


BESIDE = {"label": "jobs", "logical_id": "J"}


@pytest.mark.parametrize(
    ("diff", "ok", "words"),
    [
        (diff_of("add", **BESIDE), True, "the diff creates AWS::SQS::Queue jobs"),
        (diff_of("add", **BESIDE, after={"Redrive": {"max": 660}}), True, "the diff creates AWS::SQS::Queue jobs"),
        (diff_of("add", **BESIDE, after={"Redrive": {"max": "?"}}), True, "the diff creates AWS::SQS::Queue jobs"),
        (diff_of("add", **BESIDE, after={"Redrive": "x"}), True, "the diff creates AWS::SQS::Queue jobs"),
        (
            diff_of("add", **BESIDE, after={"Redrive": {"max": 3}}),
            False,
            "the diff creates AWS::SQS::Queue jobs with Redrive.max 3",
        ),
        # A whole block: the setting is touched only where its part of the block changes.
        (
            diff_of("modify", prop("Redrive", old='{"max":3}', new='{"max":660,"a":1}'), **BESIDE),
            True,
            "the diff sets Redrive.max of AWS::SQS::Queue jobs to 660",
        ),
        (
            diff_of("modify", prop("Redrive", old='{"max":3}', new='{"max":3,"a":1}'), **BESIDE),
            False,
            "the diff does not name it",
        ),
        (
            diff_of("modify", prop("Redrive", old='{"max":660}', new='{"a":1}'), **BESIDE),
            False,
            "the diff takes Redrive.max of AWS::SQS::Queue jobs away",
        ),
        (
            diff_of("modify", prop("Redrive", old='{"max":660}', removed=True), **BESIDE),
            False,
            "the diff takes Redrive.max of AWS::SQS::Queue jobs away",
        ),
        (
            diff_of("modify", prop("Redrive", new='{"max":4}'), **BESIDE),
            False,
            "the diff sets Redrive.max of AWS::SQS::Queue jobs to 4",
        ),
        (
            diff_of("modify", prop("Redrive", new="no block"), **BESIDE),
            True,
            "the diff changes Redrive.max of AWS::SQS::Queue jobs, but does not show the new value in full",
        ),
        (
            diff_of("modify", prop("Redrive", new="[660]"), **BESIDE),
            True,
            "the diff changes Redrive.max of AWS::SQS::Queue jobs, but does not show the new value in full",
        ),
        (diff_of("modify", prop("Redrive", "min", new="660"), **BESIDE), False, "the diff does not name it"),
    ],
)
def test_a_setting_in_a_resource_of_its_own_or_in_a_block(diff: Diff, ok: bool, words: str) -> None:
    assert mended(WANTED, diff, "") == Mended(ok, words)


def test_one_wrong_change_of_several_counts() -> None:
    changes = (*diff_of("modify", prop(*WAIT, new="660")).changes, *diff_of("remove").changes)
    for order in (changes, changes[::-1]):
        assert mended(WANTED, Diff(kind="cdk", changes=order), "s").words == f"the diff removes {NAMED}"


@pytest.mark.parametrize(
    ("place", "change", "so"),
    [
        ({"names": ("jobs",)}, {"physical_id": "jobs"}, True),
        ({"names": ("jobs",)}, {"physical_id": "arn:aws:sqs:x:0:jobs"}, True),
        ({"names": ("jobs",)}, {"physical_id": "jobs/other"}, False),
        ({"names": ("jobs",)}, {"physical_id": "jobs-2"}, False),
        ({"names": ("jobs",), "begins": True}, {"physical_id": "x/jobs-2"}, True),
        ({"names": ("a", "jobs")}, {"after": {"QueueName": "jobs"}}, True),
        ({"names": ("jobs",)}, {"after": {"Queue": "jobs"}}, False),
        ({"names": ("Jobs-Queue",), "begins": True}, {"label": "App/JobsQueueMain"}, True),
        ({"names": ("Jobs-Queue",)}, {"label": "App/JobsQueueMain"}, False),
        ({"names": ("Jobs-Queue",), "begins": True}, {"label": "App/MyJobsQueue"}, False),
        # Its own name is another: only where the id is the name, it is another resource.
        ({"keys": ("main",)}, {"label": "Main", "physical_id": "other"}, True),
        ({"keys": ("main",), "named": True}, {"label": "Main", "physical_id": "other"}, False),
        ({"keys": ("main",), "named": True}, {"label": "Main"}, True),
        ({"keys": ("main",)}, {"label": "App/M-a_i.n/X"}, True),
        ({"keys": ("main",)}, {"logical_id": "Main0A1B2C3D"}, True),
        ({"keys": ("main",)}, {"logical_id": "Main0A1B2C3"}, False),
        ({"logical": "m.*n"}, {"label": "Main"}, True),
        ({"logical": "m.*i"}, {"label": "Main"}, False),
        ({"route": ("exports", "POST")}, {"after": {"RouteKey": "POST /exports"}}, True),
        ({"route": ("exports", "POST")}, {"after": {"RouteKey": "GET /exports"}, "label": "exports/POST"}, False),
        ({"route": ("a", "b", "POST")}, {"after": {"RouteKey": "POST /a/b"}}, True),
    ],
)
def test_which_resource_a_change_is_about(place: dict[str, Any], change: dict[str, Any], so: bool) -> None:
    made = Change.model_validate({"action": "modify", "type": FIFO, "logical_id": "Q", **change})
    assert concerns(made, Place(FIFO, **place)) is so
