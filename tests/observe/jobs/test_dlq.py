"""Which job a dead letter is about."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from runbook_lib.base.errors import AwsError
from runbook_lib.observe.jobs.dlq import Found, Letter, Rest, job_of, letters
from runbook_lib.params.load import load_file, params_dir


@pytest.mark.parametrize(
    ("body", "job"),
    [
        ('{"job_id": "a"}', "a"),
        ('{"job_id": 7}', "7"),
        ('{"job_id": true}', None),
        ('{"job_id": ""}', None),
        ("[]", None),
        ("no JSON", None),
        ("[" * 200_000, None),
    ],
)
def test_an_id_may_be_a_number(body: str, job: str | None) -> None:
    assert job_of(body, "job_id") == job


class Queue:
    """A dead-letter queue with one message, which AWS does not let be shown again."""

    def __init__(self, code: str) -> None:
        self.code, self.left = code, [{"MessageId": "m1", "ReceiptHandle": "r1", "Body": "no job"}]

    def client(self, _: str) -> Any:
        return self

    def get_queue_url(self, **_: Any) -> dict[str, Any]:
        return {"QueueUrl": "u"}

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        return {"Attributes": {"ApproximateNumberOfMessages": "1"}}

    def receive_message(self, **_: Any) -> dict[str, Any]:
        found, self.left = self.left, []
        return {"Messages": found}

    def change_message_visibility_batch(self, **_: Any) -> None:
        raise ClientError({"Error": {"Code": self.code, "Message": "no"}}, "ChangeMessageVisibilityBatch")


@pytest.mark.parametrize("id", ["", "a" * 2049, "é" * 1025, "\ud800", "9" * 5000])
def test_what_cannot_be_a_key_of_the_table_is_no_job(id: str) -> None:
    """One such letter made the queue unreadable: DynamoDB refuses the whole request."""
    assert job_of(json.dumps({"job_id": id}), "job_id") is None
    assert job_of(json.dumps({"job_id": "a" * 2048}), "job_id") == "a" * 2048


def test_who_may_only_read_sees_the_letters_and_any_other_refusal_is_said() -> None:
    params = load_file(params_dir() / "prod.yaml")
    found = letters(Queue("AccessDenied"), params).letters
    assert [one.message_id for one in found] == ["m1"]
    with pytest.raises(AwsError, match="QueueDoesNotExist to ChangeMessageVisibilityBatch"):
        letters(Queue("QueueDoesNotExist"), params)


class Queues(Queue):
    """Two dead-letter queues with a message each."""

    def __init__(self) -> None:
        super().__init__("AccessDenied")
        self.of: dict[str, list[dict[str, Any]]] = {}

    def get_queue_url(self, **asked: Any) -> dict[str, Any]:
        name = asked["QueueName"]
        self.of[name] = [{"MessageId": f"m-{name}", "ReceiptHandle": "r", "Body": "no job"}]
        return {"QueueUrl": name}

    def receive_message(self, **asked: Any) -> dict[str, Any]:
        found, self.of[asked["QueueUrl"]] = self.of[asked["QueueUrl"]], []
        return {"Messages": found}


def test_the_letters_of_every_worker_are_listed_with_their_queue() -> None:
    params = load_file(params_dir().parent / "examples" / "orders-export" / "params" / "prod.yaml")
    found = {one.dlq: one.message_id for one in letters(Queues(), params).letters}
    assert found == {name: f"m-{name}" for name in (params.name("dlq"), params.name("dlq_2"))}


class Odd(Queue):
    """A letter whose job has a status and an error that are no texts."""

    def receive_message(self, **asked: Any) -> dict[str, Any]:
        found = super().receive_message(**asked)
        return {"Messages": [one | {"Body": '{"job_id": "j"}'} for one in found["Messages"]]}

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
        item = {"job_id": {"S": "j"}, "status": {"N": "1"}, "error": {"M": {"code": {"N": "7"}}}}
        return {"Responses": {name: [item] for name in RequestItems}}


def test_a_status_that_is_no_text_is_shown_as_one() -> None:
    (found,) = letters(Odd("AccessDenied"), load_file(params_dir() / "prod.yaml")).letters
    assert (found.status, found.error) == ("1.0", "{'code': 7.0}")


@pytest.mark.parametrize("id", [f"postgres:{'//'}u:Hunter2secret9@h/d", "job Bearer Hunter2secret9abcdefghijk"])
def test_what_a_sender_writes_as_an_id_is_written_without_secrets_and_stays_to_look_for_the_job(id: str) -> None:
    letter = Letter(
        message_id="m", job_id=id, sent_at=None, receives=1, bytes=1, sha256="", body="", group=id, trace=id
    )
    assert letter.job_id == id
    assert "Hunter2secret9" not in letter.model_dump_json()


@pytest.mark.parametrize(
    ("job", "status", "what"),
    [
        (None, None, ("m1", "no message of this service")),
        ("j1", None, ("j1", "no such job")),
        ("j1", "FAILED", ("j1", "FAILED")),
    ],
)
def test_a_letter_is_called_the_same_in_the_list_and_in_a_post_mortem(
    job: str | None, status: str | None, what: tuple[str, str]
) -> None:
    """A post-mortem said `job None, no such job` of a message that is none of the service's."""
    given: dict[str, Any] = {"sent_at": None, "receives": 1, "bytes": 1, "sha256": "", "body": ""}
    assert Letter(message_id="m1", job_id=job, status=status, **given).what == what


class Full(Queue):
    """A dead-letter queue with many messages, some of which somebody else has received."""

    def __init__(self, seen: int, hidden: int) -> None:
        super().__init__("AccessDenied")
        self.counts = {"ApproximateNumberOfMessages": str(seen), "ApproximateNumberOfMessagesNotVisible": str(hidden)}
        self.left = [{"MessageId": f"m{n}", "ReceiptHandle": "r", "Body": "no job"} for n in range(seen)]

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        return {"Attributes": self.counts}

    def receive_message(self, **_: Any) -> dict[str, Any]:
        found, self.left = self.left[:10], self.left[10:]
        return {"Messages": found}


@pytest.mark.parametrize(
    ("seen", "hidden", "got", "rest"),
    [
        (0, 0, 0, Rest()),
        (15, 0, 15, Rest()),
        (30, 0, 20, Rest(not_looked_at=10)),
        (0, 500, 0, Rest(hidden=500)),
        (7, 43, 7, Rest(hidden=43)),
    ],
)
def test_what_a_look_did_not_get_is_counted(seen: int, hidden: int, got: int, rest: Rest) -> None:
    """A list of 1,000 was told as all 1,500; a queue whose 500 messages were hidden by another look, as empty."""
    found = letters(Full(seen, hidden), load_file(params_dir() / "prod.yaml"), limit=20)
    assert (len(found.letters), found.rest, found.number) == (got, rest, seen + hidden)


def test_more_than_sqs_counted_is_no_rest() -> None:
    """SQS's number is approximate."""
    assert not Rest.of(3, 5, 1000) and Rest.of(3, 5, 1000).told() == ""


def test_the_rest_is_told_with_its_reason_and_never_as_an_empty_queue() -> None:
    assert Found([], Rest()).told("message") == "no messages"
    assert Found([], Rest(hidden=1500)).told("message") == "none of 1,500 messages"
    told = Rest(hidden=2, not_looked_at=1).told()
    assert "2 messages hidden, by another look for 60 s at most" in told and "1 message not looked at" in told
    assert Rest(hidden=2) + Rest(1, 1) == Rest(3, 1)
