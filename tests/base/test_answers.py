"""An answer of AWS that lacks something: one sentence that names it, wherever it is read."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from runbook_lib.base.answers import told
from runbook_lib.base.aws import Aws, aws_errors
from runbook_lib.base.errors import AwsError, RunbookError, Unreadable

WHOLE = {"Items": [{"Name": "a", "Tags": []}], "Sizes": [1, 2], "At": None}


@pytest.mark.parametrize(
    ("read", "missing"),
    [
        (lambda found: found["Size"], "without 'Size'"),
        (lambda found: found["Items"][0]["Size"], "without 'Size'"),
        (lambda found: found["Items"][1], "a list of 1 is too short"),
        (lambda found: found["Items"][0]["Tags"][0], "a list of 0 is too short"),
        (lambda found: found["Sizes"][-3], "a list of 2 is too short"),
    ],
)
def test_what_is_missing_is_named_with_its_question(read: Callable[[Any], Any], missing: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read(told(WHOLE, "ListItems"))
    assert str(caught.value).startswith(f"AWS's answer to ListItems cannot be read ({missing}); does a proxy")
    assert isinstance(caught.value, AwsError)
    assert isinstance(caught.value, LookupError)


def test_it_is_the_same_answer_for_whoever_asks_as_of_any_dictionary() -> None:
    found = told(WHOLE, "ListItems")
    assert found == WHOLE == copy.deepcopy(found) == json.loads(json.dumps(found))
    assert found.get("Size") is None
    assert "Size" not in found
    assert found["Sizes"][:1] == [1]
    assert told("text", "ListItems") == "text"


def test_the_question_of_a_step_is_named_too() -> None:
    said = r"^looking \(x:ListItems\): AWS's answer to ListItems cannot"
    with pytest.raises(RunbookError, match=said), aws_errors("looking (x:ListItems)"):
        told(WHOLE, "ListItems")["Size"]


def test_clients_answer_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", lambda *_: {"Topics": [{}]})
    client = Aws("us-east-1", "http://127.0.0.1:9").client("sns")
    with pytest.raises(Unreadable, match=r"answer to ListTopics cannot be read \(without 'TopicArn'\)"):
        client.list_topics()["Topics"][0]["TopicArn"]


@pytest.mark.parametrize(
    ("length", "service", "ask", "wrong"),
    [
        ("0", "sqs", lambda sqs: sqs.receive_message(QueueUrl="http://x/q"), True),
        ("2", "sqs", lambda sqs: sqs.receive_message(QueueUrl="http://x/q"), False),
        ("0", "sqs", lambda sqs: sqs.delete_message(QueueUrl="http://x/q", ReceiptHandle="r"), False),
        ("0", "appconfig", lambda appconfig: appconfig.list_applications(), True),
        ("0", "appconfig", lambda appconfig: appconfig.delete_application(ApplicationId="abcdefg"), False),
        ("0", "cloudwatch", lambda cloudwatch: cloudwatch.describe_alarms(), True),
    ],
)
def test_no_byte_at_all_is_no_empty_list(
    monkeypatch: pytest.MonkeyPatch, length: str, service: str, ask: Callable[[Any], Any], wrong: bool
) -> None:
    """A queue with three dead letters was said to be empty, and exported as such."""
    answer = {"ResponseMetadata": {"HTTPHeaders": {"content-length": length}}}
    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", lambda *_: answer)
    client = Aws("us-east-1", "http://127.0.0.1:9").client(service)
    if wrong:
        with pytest.raises(Unreadable, match=r"answer to \w+ cannot be read \(it is empty\)"):
            ask(client)
    else:
        assert ask(client) == answer


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (b'{"error": "no such route"}', True),
        (b'{"message": "hello"}', True),
        (b"{}", False),
        (b'{"Messages": null}', False),
        (b'{"Messages": [], "more": 1}', False),
    ],
)
def test_what_another_service_says_is_no_empty_list(
    monkeypatch: pytest.MonkeyPatch, body: bytes, *, wrong: bool
) -> None:
    answer = AWSResponse("http://x/q", 200, {"content-length": str(len(body))}, None)
    answer._content = body
    monkeypatch.setattr("runbook_lib.base.patience.Patient.send", lambda *_: answer)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    client = Aws("us-east-1", "http://127.0.0.1:9").client("sqs")
    if wrong:
        with pytest.raises(Unreadable, match=r"answer to ReceiveMessage cannot be read \(it has no part"):
            client.receive_message(QueueUrl="http://127.0.0.1:9/q")
    else:
        assert not client.receive_message(QueueUrl="http://127.0.0.1:9/q").get("Messages")


@pytest.mark.parametrize(
    ("service", "ask"),
    [
        ("cloudwatch", lambda one: one.describe_alarms()),
        ("appconfig", lambda one: one.list_applications()),
        ("lambda", lambda one: one.list_event_source_mappings()),
    ],
)
@pytest.mark.parametrize("body", [b'{"error": "no such route"}', b"<html>sign in</html>", b"", b"[]"])
def test_nothing_else_than_aws_says_that_there_is_no_alarm(
    monkeypatch: pytest.MonkeyPatch, service: str, ask: Callable[[Any], Any], body: bytes
) -> None:
    """botocore speaks JSON with a service whose model names another protocol first; a web page meant no alarm."""
    answer = AWSResponse("http://x/", 200, {"content-length": str(len(body))}, None)
    answer._content = body
    monkeypatch.setattr("botocore.httpsession.URLLib3Session.send", lambda *_: answer)
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with pytest.raises(AwsError), aws_errors("asking"):
        ask(Aws("us-east-1", "http://127.0.0.1:9").client(service))
