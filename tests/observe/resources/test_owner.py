"""Who owns a resource: AWS's own look-up, and the scan where an emulator does not understand it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from runbook_lib.base.errors import AwsError
from runbook_lib.observe.resources.owner import Owner, owner, owners

DASHBOARD, ALARM, QUEUE = "AWS::CloudWatch::Dashboard", "AWS::CloudWatch::Alarm", "AWS::SQS::Queue"
TEMPLATE = {
    "Resources": {
        "Board": {"Type": DASHBOARD, "Properties": {"DashboardName": "owned", "DashboardBody": '{"widgets": []}'}},
        "Jobs": {"Type": QUEUE, "Properties": {"QueueName": "owned-queue"}},
    }
}


class Clients:
    """Hands out the one client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def client(self, service: str) -> Any:
        assert service == "cloudformation"
        return self._client


@pytest.fixture(params=["embedded", "moto"])
def cloudformation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    if request.param == "embedded":
        client = request.getfixturevalue("embedded").client("cloudformation")
        yield from deployed(client)
        return
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with mock_aws(), warnings.catch_warnings(action="ignore"):
        yield from deployed(boto3.client("cloudformation", region_name="us-east-1"))


def deployed(client: Any) -> Iterator[Any]:
    client.create_stack(StackName="owner-test", TemplateBody=json.dumps(TEMPLATE))
    client.get_waiter("stack_create_complete").wait(StackName="owner-test", WaiterConfig={"Delay": 0})
    yield client
    client.delete_stack(StackName="owner-test")


@pytest.mark.slow
def test_the_stack_and_its_word_for_the_resource(cloudformation: Any) -> None:
    found = owner(Clients(cloudformation), "owned", DASHBOARD)
    assert found == Owner(stack="owner-test", logical_id="Board")
    assert str(found) == "Board of stack owner-test"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), [("stray", DASHBOARD), ("owned", ALARM)])
def test_nobody_owns_it(cloudformation: Any, name: str, kind: str) -> None:
    assert owner(Clients(cloudformation), name, kind) is None


def test_a_deleted_stack_owns_nothing(cloudformation: Any) -> None:
    cloudformation.delete_stack(StackName="owner-test")
    assert owners(Clients(cloudformation), ["owned", "stray"], DASHBOARD) == {}
    cloudformation.create_stack(StackName="owner-test", TemplateBody=json.dumps(TEMPLATE))


def resource(name: str, id: str, kind: str = ALARM, status: str = "CREATE_COMPLETE") -> dict[str, Any]:
    return {
        "StackName": "s1",
        "LogicalResourceId": id,
        "PhysicalResourceId": name,
        "ResourceType": kind,
        "ResourceStatus": status,
        "Timestamp": "2026-01-01T00:00:00Z",
    }


@pytest.fixture
def stubbed() -> Iterator[tuple[Clients, Stubber]]:
    keys = {"region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}
    client = boto3.client("cloudformation", **keys)
    with Stubber(client) as stub:
        yield Clients(client), stub
        stub.assert_no_pending_responses()


def test_aws_answers_for_the_whole_stack_in_one_call(stubbed: tuple[Clients, Stubber]) -> None:
    """The second name is in the first answer; the third is in no stack, which AWS says by its name: no scan."""
    clients, stub = stubbed
    answer = [resource("one", "A1"), resource("two", "A2"), resource("one", "D1", DASHBOARD)]
    stub.add_response("describe_stack_resources", {"StackResources": answer}, {"PhysicalResourceId": "one"})
    stub.add_client_error("describe_stack_resources", "ValidationError", "Stack for stray does not exist")
    found = owners(clients, ["one", "two", "stray", "one"], ALARM)
    assert found == {"one": Owner(stack="s1", logical_id="A1"), "two": Owner(stack="s1", logical_id="A2")}


def test_what_a_stack_gave_up_is_not_its_own(stubbed: tuple[Clients, Stubber]) -> None:
    clients, stub = stubbed
    answer = [resource("one", "A1", status="DELETE_SKIPPED"), resource("two", "A2", status="DELETE_COMPLETE")]
    stub.add_response("describe_stack_resources", {"StackResources": answer})
    assert owner(clients, "one", ALARM) is None


@pytest.mark.parametrize(
    ("code", "said"), [("ValidationError", "Stack [] does not exist"), ("AccessDenied", "not authorized")]
)
def test_a_question_that_is_not_understood_or_not_allowed_is_asked_of_the_stacks(
    stubbed: tuple[Clients, Stubber], code: str, said: str
) -> None:
    clients, stub = stubbed
    stub.add_client_error("describe_stack_resources", code, said)
    stacks = [{"StackName": "s0", "CreationTime": "2026-01-01T00:00:00Z", "StackStatus": "CREATE_COMPLETE"}] * 2
    stub.add_response("list_stacks", {"StackSummaries": stacks})
    stub.add_response(
        "list_stack_resources",
        {"StackResourceSummaries": [{**_summary(resource("one", "A1"))}]},
        {"StackName": "s0"},
    )
    assert owner(clients, "one", ALARM) == Owner(stack="s0", logical_id="A1")


def _summary(one: dict[str, Any]) -> dict[str, Any]:
    renamed = {key: value for key, value in one.items() if key not in ("StackName", "Timestamp")}
    return {**renamed, "LastUpdatedTimestamp": one["Timestamp"]}


def test_a_refusal_is_a_sentence_and_not_nobody(stubbed: tuple[Clients, Stubber]) -> None:
    clients, stub = stubbed
    stub.add_client_error("describe_stack_resources", "ValidationError", "not allowed")
    with pytest.raises(AwsError, match=r"asking who owns one \(cloudformation.*AWS answered ValidationError"):
        owner(clients, "one", ALARM)


def test_who_may_not_list_the_stacks_either_is_told_so(stubbed: tuple[Clients, Stubber]) -> None:
    clients, stub = stubbed
    for call in ("describe_stack_resources", "list_stacks"):
        stub.add_client_error(call, "AccessDenied", "not allowed")
    with pytest.raises(AwsError, match=r"looking through the stacks .*AWS answered AccessDenied to ListStacks"):
        owner(clients, "one", ALARM)


def test_neither_emulator_looks_up_by_name(cloudformation: Any) -> None:
    """Names the gap that the scan is there for: an upgrade that mends it is noticed."""
    with pytest.raises(ClientError, match=r"Stack (\[\]|with id None) does not exist"):
        cloudformation.describe_stack_resources(PhysicalResourceId="owned")
