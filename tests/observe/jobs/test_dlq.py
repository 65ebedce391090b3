"""Which job a dead letter is about."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from runbook_lib.base.errors import AwsError
from runbook_lib.observe.jobs.dlq import job_of, letters
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

    def receive_message(self, **_: Any) -> dict[str, Any]:
        found, self.left = self.left, []
        return {"Messages": found}

    def change_message_visibility_batch(self, **_: Any) -> None:
        raise ClientError({"Error": {"Code": self.code, "Message": "no"}}, "ChangeMessageVisibilityBatch")


def test_who_may_only_read_sees_the_letters_and_any_other_refusal_is_said() -> None:
    params = load_file(params_dir() / "prod.yaml")
    found = letters(Queue("AccessDenied"), params)
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
    found = {one.dlq: one.message_id for one in letters(Queues(), params)}
    assert found == {name: f"m-{name}" for name in (params.name("dlq"), params.name("dlq_2"))}
