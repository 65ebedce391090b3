"""A question whose answer was spoilt on the way is asked again; an order never is, and not for ever."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook_lib.base import asked_again, patience, telling
from runbook_lib.base.aws import Aws, aws_errors
from runbook_lib.base.errors import AwsError
from runbook_lib.params.load import project_root

ID = {"x-amzn-requestid": "1f"}
SPOILT: dict[str, tuple[int, dict[str, str], bytes]] = {
    "a web page": (200, {"content-type": "text/html"}, b"<html>sign in</html>"),
    "nothing": (200, {}, b""),
    "null": (200, ID, b"null"),
    "a list": (200, ID, b"[]"),
    "bytes": (200, ID, b"\xff\x00\xfe"),
    "another service": (200, {}, b'{"error": "no such route"}'),
    "a page not found": (404, {"content-type": "text/html"}, b"<html>no</html>"),
    "half a refusal": (404, ID, b'{"__type": "ResourceNotFound", "mess'),
    "a redirect": (302, {"location": "http://127.0.0.1:1/login"}, b""),
    "a teapot": (418, {}, b'{"message": "no", "__type": "Teapot"}'),
    "a refusal of a proxy": (403, {}, b'{"message": "no", "__type": "AccessDeniedException"}'),
}
REFUSED = (403, ID, b'{"message": "no", "__type": "AccessDeniedException"}')
ASK: dict[str, tuple[str, Callable[[Any], Any], bytes]] = {
    "ListApplications": ("appconfig", lambda one: one.list_applications(), b'{"Items": []}'),
    "DescribeTable": ("dynamodb", lambda one: one.describe_table(TableName="t-t"), b'{"Table": {}}'),
    "Scan": ("dynamodb", lambda one: one.scan(TableName="t-t"), b'{"Items": []}'),
    "FilterLogEvents": ("logs", lambda one: one.filter_log_events(logGroupName="g"), b'{"events": []}'),
}
ORDER: dict[str, tuple[str, Callable[[Any], Any], bytes]] = {
    "StopDeployment": (
        "appconfig",
        lambda one: one.stop_deployment(ApplicationId="a", EnvironmentId="b", DeploymentNumber=1),
        b'{"DeploymentNumber": 1}',
    ),
    "PutItem": ("dynamodb", lambda one: one.put_item(TableName="t-t", Item={"a": {"S": "b"}}), b"{}"),
    "ReceiveMessage": ("sqs", lambda one: one.receive_message(QueueUrl="http://127.0.0.1:9/q"), b"{}"),
    "SendMessage": (
        "sqs",
        lambda one: one.send_message(QueueUrl="http://127.0.0.1:9/q", MessageBody="x"),
        b'{"MessageId": "1"}',
    ),
}
"""A message that was received is hidden, whatever became of the answer."""


@pytest.fixture(autouse=True)
def _signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Callable[[Iterator[tuple[int, dict[str, str], bytes]]], list[int]]:
    """Answers in the place of AWS; returns the list that grows by one with each question."""

    def plug(answers: Iterator[tuple[int, dict[str, str], bytes]]) -> list[int]:
        asked = list[int]()

        def send(*_: Any) -> AWSResponse:
            code, headers, body = next(answers)
            asked.append(code)
            answer = AWSResponse("http://x/", code, {**headers, "content-length": str(len(body))}, None)
            answer._content = body
            return answer

        monkeypatch.setattr("botocore.httpsession.URLLib3Session.send", send)
        return asked

    return plug


def ever(one: tuple[int, dict[str, str], bytes]) -> Iterator[tuple[int, dict[str, str], bytes]]:
    while True:
        yield one


@pytest.mark.parametrize("how", SPOILT)
@pytest.mark.parametrize("asked", [*ASK, *ORDER])
def test_a_spoilt_answer_to_a_question_is_asked_for_again(wire: Any, how: str, asked: str) -> None:
    service, ask, good = {**ASK, **ORDER}[asked]
    client = Aws("us-east-1", "http://127.0.0.1:9").client(service)
    times = wire(iter([SPOILT[how], SPOILT[how], (200, ID, good)]))
    try:
        ask(client)
    except Exception:
        assert asked in ORDER
    assert len(times) == (3 if asked in ASK else 1)


def test_who_asks_is_told_so_after_one_web_page(wire: Any) -> None:
    """People were told that nobody had been told."""
    inside = b"<Arn>arn:aws:iam::1:user/ada</Arn><Account>1</Account>"
    said = b"<r><GetCallerIdentityResult>" + inside + b"</GetCallerIdentityResult></r>"
    wire(iter([SPOILT["a web page"], (200, {**ID, "date": "Tue, 03 Nov 2026 09:01:00 GMT"}, said)]))
    assert Aws("us-east-1", "http://127.0.0.1:9").identity().account == "1"


@pytest.mark.parametrize("asked", ASK)
def test_a_refusal_of_aws_is_its_answer(wire: Any, asked: str) -> None:
    service, ask, _ = ASK[asked]
    client = Aws("us-east-1", "http://127.0.0.1:9").client(service)
    times = wire(ever(REFUSED))
    with pytest.raises(AwsError, match="AccessDenied"), aws_errors("asking"):
        ask(client)
    assert len(times) == 1


def test_what_is_not_there_is_not_spoilt(wire: Any) -> None:
    """A refusal of HEAD has no body that could say so."""
    client = Aws("us-east-1", "http://127.0.0.1:9").client("s3")
    times = wire(ever((404, {"x-amz-request-id": "1f"}, b"")))
    with pytest.raises(AwsError, match="404"), aws_errors("asking"):
        client.head_object(Bucket="b", Key="k")
    assert len(times) == 1


def test_what_is_as_whoever_asks_knows_it_is_not_spoilt(wire: Any) -> None:
    """With an archive in a bucket each command waited 15 s, and said that S3 gives no good answer."""
    client = Aws("us-east-1", "http://127.0.0.1:9").client("s3")
    times = wire(ever((304, {"x-amz-request-id": "1f", "etag": '"e"'}, b"")))
    with pytest.raises(ClientError, match="304"):
        client.get_object(Bucket="b", Key="k", IfNoneMatch='"e"')
    assert len(times) == 1


NAMED = b"<EncodingType>url</EncodingType><Contents><Key>env%3Ddev/a%20b</Key></Contents>"
CODED = b"<ListBucketResult>" + NAMED + b"</ListBucketResult>"


@pytest.mark.parametrize("spoilt", range(3))
def test_an_answer_is_read_alike_whatever_came_before_it(wire: Any, spoilt: int) -> None:
    """botocore writes into a request: a list that was asked for again had other names, which nothing has."""
    client = Aws("us-east-1", "http://127.0.0.1:9").client("s3")
    wire(iter([*[SPOILT["a page not found"]] * spoilt, (200, ID, CODED)]))
    assert [one["Key"] for one in client.list_objects_v2(Bucket="b")["Contents"]] == ["env=dev/a b"]


def own_time(patched: pytest.MonkeyPatch, clock: list[float]) -> None:
    """Has this thread live by `clock`. What another test has left in the background sleeps as before: its naps made
    minutes of this clock.
    """
    here, sleep, now = threading.get_ident(), time.sleep, time.monotonic

    def nap(seconds: float) -> None:
        if threading.get_ident() != here:
            sleep(seconds)
        else:
            clock[0] += seconds

    patched.setattr(time, "sleep", nap)
    patched.setattr(time, "monotonic", lambda: clock[0] if threading.get_ident() == here else now())


def test_all_questions_of_a_command_share_the_time(wire: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a portal an inventory of sixty questions ends as fast as one of six."""
    clock = [0.0]
    monkeypatch.setattr(patience, "AGAIN_S", (0.5, 1.0, 2.0))
    aws = Aws("us-east-1", "http://127.0.0.1:9")
    aws._spoilt = patience.Silence(patience.AGAIN_MOST_S, lambda: clock[0])
    own_time(monkeypatch, clock)
    times = wire(ever(SPOILT["a web page"]))
    for asked in [*ASK] * 15:
        service, ask, _ = ASK[asked]
        with pytest.raises(AwsError, match="not from AWS"), aws_errors("asking"):
            ask(aws.client(service))
    assert clock[0] <= patience.AGAIN_MOST_S
    assert len(times) < 60 + 4 * patience.AGAIN_MOST_S


@given(
    st.sampled_from(sorted(SPOILT)),
    st.lists(st.tuples(st.sampled_from(sorted(ASK)), st.floats(0.01, 1.9)), min_size=1, max_size=12),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
def test_nobody_waits_long_without_a_word(how: str, questions: list[tuple[str, float]]) -> None:
    """Behind a login page a watch stood for 16 s without a line, and then failed."""
    clock, took, told = [100.0], [0.0], list[tuple[float, str]]()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(telling, "tellers", [lambda text: told.append((clock[0], text))])
        patched.setattr(patience, "_trouble", telling.Trouble(lambda: clock[0]))
        patched.setattr(patience, "_slowness", telling.Slowness(lambda: clock[0]))
        aws = Aws("us-east-1", "http://127.0.0.1:9")
        aws._spoilt = patience.Silence(patience.AGAIN_MOST_S, lambda: clock[0])
        clients = {asked: aws.client(ASK[asked][0]) for asked, _ in questions}
        own_time(patched, clock)

        def send(*_: Any) -> AWSResponse:
            clock[0] += took[0]
            code, headers, body = SPOILT[how]
            answer = AWSResponse("http://x/", code, {**headers, "content-length": str(len(body))}, None)
            answer._content = body
            return answer

        patched.setattr("botocore.httpsession.URLLib3Session.send", send)
        for asked, took[0] in questions:
            with pytest.raises(AwsError), aws_errors("asking"):
                ASK[asked][1](clients[asked])
    times = [100.0, *(at for at, _ in told), clock[0]]
    assert times[1] - times[0] <= telling.TELL_AFTER_S + 2 * 1.9
    assert all(after - before <= telling.EACH_S + 2 * 1.9 for before, after in itertools.pairwise(times))
    for _, text in told:
        assert "is not from AWS, or not whole; asked again, try " in text or "AWS answers slowly" in text


VERBS = (
    "Create",
    "Put",
    "Update",
    "Delete",
    "Start",
    "Stop",
    "Send",
    "Publish",
    "Receive",
    "Invoke",
    "Set",
    "TestInvoke",
)


@given(st.sampled_from(VERBS), st.text(max_size=12))
def test_what_changes_something_is_no_question(verb: str, rest: str) -> None:
    assert not asked_again.is_question(f"{verb}{rest}")


def test_all_that_a_reader_may_call_is_asked_again() -> None:
    """By the policy of the role that changes nothing; only receiving hides a message."""
    policy = json.loads((project_root() / "iam" / "read-only.json").read_text())
    allowed = {action.partition(":")[2] for one in policy["Statement"] for action in one["Action"]}
    assert {one for one in allowed if not asked_again.is_question(one)} <= {"ReceiveMessage", "GET"}
