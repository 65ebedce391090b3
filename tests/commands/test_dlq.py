"""The dead-letter queue on the embedded AWS: listed without being consumed, exported, driven again, nothing lost."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import typer
from botocore.exceptions import ClientError

from runbook_lib.act import dead_letters as act
from runbook_lib.base.errors import AwsError, Refused, UsageError
from runbook_lib.cli import dlq as cli_dlq
from runbook_lib.commands import dlq as dead_letters
from runbook_lib.observe.jobs import dlq
from runbook_lib.params.load import load_file
from runbook_lib.record.archive import Archive
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import only
from runbook_lib.rehearse.sandbox.deploy import deploy
from tests.disk import full_disk
from tests.e2e import wire
from tests.project import own_project

pytestmark = pytest.mark.emulator
ROOT = Path(__file__).resolve().parents[2]
APPLY = {"mode": "apply", "confirm": "prod"}
SECRET = "sk-live0123456789abcdef"


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as embedded, only(embedded.env):
        yield embedded


@pytest.fixture
def file(tmp_path: Path, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, both queues empty, and no worker attached: what is sent stays to be seen."""
    path = own_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    params = load_file(path)
    deploy(aws, params)
    client = aws.client("lambda")
    for source in client.list_event_source_mappings(FunctionName=params.name("worker"))["EventSourceMappings"]:
        client.update_event_source_mapping(UUID=source["UUID"], Enabled=False)
    for queue in ("dlq", "queue"):
        aws.client("sqs").purge_queue(QueueUrl=url(aws, path, queue))
    return path


def url(aws: EmbeddedAws, file: Path, queue: str) -> str:
    return str(aws.client("sqs").get_queue_url(QueueName=load_file(file).name(queue))["QueueUrl"])


def depth(aws: EmbeddedAws, file: Path, queue: str) -> int:
    names = ["ApproximateNumberOfMessages"]
    found = aws.client("sqs").get_queue_attributes(QueueUrl=url(aws, file, queue), AttributeNames=names)
    return int(found["Attributes"][names[0]])


@pytest.fixture
def send(aws: EmbeddedAws, file: Path) -> Callable[..., str]:
    """Puts a message of a job into the DLQ, and the job into the table."""

    def put(status: str | None = "FAILED") -> str:
        job = str(uuid.uuid4())
        body = json.dumps({"job_id": job, "payload": {"application_id": "a", "api_key": SECRET}})
        aws.client("sqs").send_message(QueueUrl=url(aws, file, "dlq"), MessageBody=body)
        if status:
            item = {"job_id": job, "status": status, "error": f"LLMError: key {SECRET} refused", "created_at": "2026"}
            aws.client("dynamodb").put_item(
                TableName=load_file(file).name("table"), Item={key: {"S": value} for key, value in item.items()}
            )
        return job

    return put


def bodies(aws: EmbeddedAws, file: Path, queue: str) -> list[str]:
    """Jobs of the messages of a queue; they are hidden then."""
    found = [one for batch in dlq.waiting(aws.client("sqs"), url(aws, file, queue), 0) for one in batch]
    return sorted(str(dlq.job_of(one["Body"], "job_id")) for one in found)


def test_listing_hides_nothing_and_shows_no_secret(aws: EmbeddedAws, file: Path, send: Any) -> None:
    jobs = [send() for _ in range(23)]
    gone = send(None)
    for _ in range(2):
        found = dead_letters.listed(file, {}).letters
        assert sorted(one.job_id or "" for one in found) == sorted([*jobs, gone])
        assert depth(aws, file, "dlq") == 24
    assert SECRET not in json.dumps([one.model_dump(mode="json") for one in found])
    by_job = {one.job_id: one for one in found}
    assert (by_job[jobs[0]].status, by_job[gone].status) == ("FAILED", None)
    assert "refused" in (by_job[jobs[0]].error or "")


def test_an_empty_queue_and_a_foreign_message(aws: EmbeddedAws, file: Path) -> None:
    assert dead_letters.listed(file, {}) == dlq.Found([], dlq.Rest())
    aws.client("sqs").send_message(QueueUrl=url(aws, file, "dlq"), MessageBody="not ours")
    (one,) = dead_letters.listed(file, {}).letters
    assert (one.job_id, one.body) == (None, "not ours")


def test_export_writes_each_with_the_hash_of_the_whole(file: Path, send: Any, tmp_path: Path) -> None:
    job, out = send(), tmp_path / "dead.jsonl"
    assert len(dead_letters.export(file, {}, out).letters) == 1
    (line,) = [json.loads(line) for line in out.read_text().splitlines()]
    assert line["job_id"] == job and len(line["sha256"]) == 64
    assert SECRET not in out.read_text()
    with pytest.raises(UsageError, match="exists already"):
        dead_letters.export(file, {}, out)
    with pytest.raises(UsageError, match="cannot be written"):
        dead_letters.export(file, {}, tmp_path / "nowhere" / "dead.jsonl")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(UsageError, match="No space left"):
        patch.setattr(os, "fsync", Mock(side_effect=OSError(28, "No space left on device")))
        dead_letters.export(file, {}, tmp_path / "full.jsonl")
    assert [one.name for one in tmp_path.glob("*full*")] == [], "half a file would be in the way the next time"


def test_a_plan_drives_nothing(aws: EmbeddedAws, file: Path, send: Any) -> None:
    job, done = send(), send("COMPLETED")
    told = dead_letters.redrive(file, {}, (), 10)
    assert (told.applied, told.jobs, told.record) == (False, (job,), None)
    assert (depth(aws, file, "dlq"), depth(aws, file, "queue")) == (2, 0)
    assert done not in told.jobs


def test_driven_again_in_the_record_and_what_is_done_or_foreign_stays(aws: EmbeddedAws, file: Path, send: Any) -> None:
    jobs, done = [send() for _ in range(12)], send("COMPLETED")
    aws.client("sqs").send_message(QueueUrl=url(aws, file, "dlq"), MessageBody="not ours")
    told = dead_letters.redrive(file, {**APPLY, "reason": "the key is mended"}, (), 1000)
    assert sorted(told.jobs) == sorted(jobs)
    failed = " (12 of a job that is FAILED: nothing comes of it if the worker skips those)"
    assert told.sentence == f"12 messages redriven{failed}; 1 left, whose job is done; 1 left, not of this service"
    assert (depth(aws, file, "dlq"), depth(aws, file, "queue")) == (2, 12)
    assert bodies(aws, file, "queue") == sorted(jobs)
    archive = Archive(Path("archive"))
    (ref,) = archive.records(notebook="dlq")
    archive.verify(ref)
    record = archive.load(ref)
    assert (record.status, record.reason) == ("completed", "the key is mended")
    assert sorted(job for change in record.changes for job in change.outcome["read_back"]["jobs"]) == sorted(jobs)
    assert done not in str(record.changes)
    again = dead_letters.redrive(file, APPLY, (), 1000)
    assert again.jobs == ()


def ended(command: Callable[[], None]) -> int:
    """The exit code of a command."""
    try:
        command()
    except typer.Exit as end:
        return end.exit_code
    return 0


def test_what_another_look_hides_is_told_and_no_command_ends_well(
    aws: EmbeddedAws, file: Path, send: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A look that broke leaves all hidden: the next one said "no dead letters in the queue" and exported nothing."""
    jobs, out = [send() for _ in range(3)], tmp_path / "dead.jsonl"
    hide = {"QueueUrl": url(aws, file, "dlq"), "VisibilityTimeout": 60}
    aws.client("sqs").receive_message(**hide, MaxNumberOfMessages=2)
    assert ended(lambda: cli_dlq.list_(file, json_=True)) == 1
    told = capsys.readouterr()
    assert len(json.loads(told.out)) == 1 and "1 of 3 dead letters listed; 2 messages hidden" in told.err
    aws.client("sqs").receive_message(**hide, MaxNumberOfMessages=1)
    assert ended(lambda: cli_dlq.list_(file)) == 1
    assert "none of 3 dead letters listed; 3 messages hidden" in capsys.readouterr().err
    assert ended(lambda: cli_dlq.export(out, file)) == 1
    assert "none of 3 messages written" in capsys.readouterr().err and not out.exists()
    assert ended(lambda: cli_dlq.redrive(file, job=[jobs[0]], most=10)) == 1
    said = capsys.readouterr().out
    assert "3 messages hidden" in said and "no message of such a job" not in said
    assert ended(lambda: cli_dlq.redrive(file, most=10, apply=True, confirm="prod", json_=True)) == 1
    done = json.loads(capsys.readouterr().out)
    assert (done["jobs"], done["hidden"], done["not_looked_at"]) == ([], 3, 0) and "3 messages hidden" in done[
        "sentence"
    ]


def test_what_is_beyond_the_limit_is_told(
    file: Path,
    send: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """1,000 of 1,500 messages were told as all, by each of the commands."""
    for _ in range(12):
        send()
    monkeypatch.setattr(dead_letters, "ALL", 10)
    monkeypatch.setattr(dead_letters, "MOST", 10)
    monkeypatch.setattr(act, "MOST", 10)
    out = tmp_path / "dead.jsonl"
    assert ended(lambda: cli_dlq.export(out, file)) == 1
    assert "10 of 12 messages written" in capsys.readouterr().err and len(out.read_text().splitlines()) == 10
    plan = dead_letters.redrive(file, {}, (), 4)
    assert "; 6 would be left, beyond --max; 2 messages not looked at" in plan.sentence
    done = dead_letters.redrive(file, APPLY, (), 10)
    assert done.sentence.endswith("; 2 messages not looked at") and (len(done.jobs), done.not_looked_at) == (10, 2)
    assert ended(lambda: cli_dlq.redrive(file, most=500)) == 0
    assert "apply would redrive 2 messages" in capsys.readouterr().out


ATTRIBUTES = {
    "tenant": {"DataType": "String", "StringValue": "acme"},
    "priority": {"DataType": "Number", "StringValue": "7"},
    "blob": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    "api_key": {"DataType": "String", "StringValue": SECRET},
}
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


def test_a_message_keeps_all_that_it_carries(aws: EmbeddedAws, file: Path, tmp_path: Path) -> None:
    sqs, job, long = aws.client("sqs"), str(uuid.uuid4()), "x" * 2000
    sqs.send_message(
        QueueUrl=url(aws, file, "dlq"),
        MessageBody=json.dumps({"job_id": job, "text": long}),
        MessageAttributes=ATTRIBUTES,
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": TRACE}},
    )
    assert len(dead_letters.export(file, {}, tmp_path / "dead.jsonl").letters) == 1
    line = json.loads((tmp_path / "dead.jsonl").read_text())
    assert long in line["body"] and line["trace"] == TRACE and SECRET not in str(line)
    assert (line["attributes"]["tenant"], line["attributes"]["priority"], line["attributes"]["blob"]) == (
        "acme",
        "7",
        "AP8=",
    )
    assert dead_letters.redrive(file, APPLY, (), 10).jobs == (job,)
    (back,) = sqs.receive_message(
        QueueUrl=url(aws, file, "queue"), AttributeNames=["All"], MessageAttributeNames=["All"]
    )["Messages"]
    assert back["MessageAttributes"] == ATTRIBUTES
    assert back["Attributes"]["AWSTraceHeader"] == TRACE


def test_a_job_that_the_worker_skips_is_left_and_said_to_be_skipped(aws: EmbeddedAws, file: Path, send: Any) -> None:
    service = file.parent / "service.yaml"
    service.write_text(service.read_text().replace("worker_skips: []", "worker_skips: [FAILED]"))
    send()
    other = send("PROCESSING")
    planned = dead_letters.redrive(file, {}, (), 10)
    assert planned.jobs == (other,) and "1 would be left, whose job is in a state that the worker skips" in str(planned)
    told = dead_letters.redrive(file, APPLY, (), 10)
    assert told.jobs == (other,)
    assert told.sentence.startswith("1 message redriven; 1 left, whose job is in a state that the worker skips")
    assert (depth(aws, file, "dlq"), depth(aws, file, "queue")) == (1, 1)


def test_only_the_jobs_that_are_asked_for_and_so_many_at_most(aws: EmbeddedAws, file: Path, send: Any) -> None:
    jobs = [send() for _ in range(5)]
    told = dead_letters.redrive(file, APPLY, [jobs[3]], 1000)
    assert told.jobs == (jobs[3],) and "4 left, not asked for" in told.sentence
    two = dead_letters.redrive(file, APPLY, (), 2)
    assert (len(two.jobs), two.sentence) == (
        2,
        "2 messages redriven (2 of a job that is FAILED: nothing comes of it if the worker skips those); "
        "2 left, beyond --max",
    )
    assert depth(aws, file, "dlq") == 2


def test_a_job_that_is_not_there_is_named(aws: EmbeddedAws, file: Path, send: Any) -> None:
    job = send()
    for values in ({}, APPLY):
        told = dead_letters.redrive(file, values, [job, "mistyped"], 1000)
        assert (told.jobs, told.absent) == ((job,), ("mistyped",))
        assert told.sentence.endswith("no message of such a job is in the queue: mistyped")


@pytest.mark.parametrize("apply", [False, True])
def test_a_job_that_is_not_there_ends_with_1(
    aws: EmbeddedAws, file: Path, send: Any, capsys: pytest.CaptureFixture[str], apply: bool
) -> None:
    """A mistyped `--job` ended with 0: nothing was redriven, and a job of CI was green."""
    send()
    assert ended(lambda: cli_dlq.redrive(file, job=["mistyped"], most=10, apply=apply, confirm="prod")) == 1
    assert "no message of such a job is in the queue: mistyped" in capsys.readouterr().out
    assert depth(aws, file, "dlq") == 1


def test_the_list_tells_a_message_of_nobody_from_a_job(
    aws: EmbeddedAws, file: Path, send: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    job = send()
    aws.client("sqs").send_message(QueueUrl=url(aws, file, "dlq"), MessageBody="not ours")
    cli_dlq.list_(file)
    told = capsys.readouterr().out
    assert f"{job}: FAILED, sent 20" in told and "refused" in told
    assert "no message of this service, sent 20" in told and told.count("the job says nothing") == 0


def test_without_the_confirmation_nothing_is_driven(aws: EmbeddedAws, file: Path, send: Any) -> None:
    send()
    with pytest.raises(UsageError, match="confirm is ''"):
        dead_letters.redrive(file, {"mode": "apply"}, (), 10)
    assert (depth(aws, file, "dlq"), depth(aws, file, "queue")) == (1, 0)


def test_a_refusal_in_the_middle_loses_nothing_and_running_again_completes(
    aws: EmbeddedAws, file: Path, send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from botocore.client import BaseClient

    jobs, real, calls = [send() for _ in range(4)], BaseClient._make_api_call, []

    def refusing(self: Any, operation: str, arguments: Any) -> Any:
        calls.append(operation)
        if operation == "SendMessage" and calls.count("SendMessage") == 3:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, operation)
        return real(self, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", refusing)
    with pytest.raises(AwsError, match="AccessDenied"):
        dead_letters.redrive(file, APPLY, (), 1000)
    monkeypatch.undo()
    monkeypatch.chdir(file.parents[1])
    assert (depth(aws, file, "dlq"), depth(aws, file, "queue")) == (2, 2)
    archive = Archive(Path("archive"))
    record = archive.load(archive.records(notebook="dlq")[-1])
    assert record.status == "failed"
    sent = record.changes[0].outcome["read_back"]["jobs"]  # type: ignore[index]
    again = dead_letters.redrive(file, APPLY, (), 1000)
    assert sorted([*sent, *again.jobs]) == sorted(jobs)
    assert (depth(aws, file, "dlq"), depth(aws, file, "queue")) == (0, 4)


def test_an_interrupted_redrive_notes_what_moved_and_shows_the_rest_again(
    aws: EmbeddedAws, file: Path, send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, real, calls = [send() for _ in range(4)], act._delete, list[str]()

    def then_interrupted(sqs: Any, dlq: str, handle: str) -> None:
        calls.append(handle)
        if len(calls) == 3:
            raise KeyboardInterrupt
        real(sqs, dlq, handle)

    monkeypatch.setattr(act, "_delete", then_interrupted)
    with pytest.raises(KeyboardInterrupt):
        dead_letters.redrive(file, APPLY, (), 1000)
    assert (depth(aws, file, "dlq"), depth(aws, file, "queue")) == (2, 3)
    archive = Archive(Path("archive"))
    record = archive.load(archive.records(notebook="dlq")[-1])
    (note,) = record.notes
    moved, doubt = note.removeprefix("interrupted; 2 of 4 moved: ").split("; in doubt: ")
    left = set(bodies(aws, file, "dlq"))
    assert record.status == "cancelled" and set(moved.split(", ")) == set(jobs) - left
    assert doubt in left & set(bodies(aws, file, "queue"))


ONCE = (wire.throttled, wire.server_error, wire.unreached, wire.lost, wire.too_late)


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Botocore waits up to seconds before it tries again, which shows nothing more."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.01)


@pytest.mark.usefixtures("no_patience")
@pytest.mark.parametrize("fault", ONCE, ids=lambda fault: fault.__name__)
def test_sending_and_deleting_that_meet_trouble_once_lose_nothing(
    aws: EmbeddedAws, file: Path, send: Any, fault: wire.Fault
) -> None:
    """Where the answer to a message was lost it is sent twice: a report too many, as SQS itself may deliver one."""
    jobs = [send() for _ in range(3)]
    with wire.each_once(fault, wire.calls("SendMessage", "DeleteMessage")) as met:
        told = dead_letters.redrive(file, APPLY, (), 1000)
    assert len(met) == 6
    assert sorted(told.jobs) == sorted(jobs)
    (record,) = records()
    assert (record.status, record.changes[0].outcome["ok"]) == ("completed", True)  # type: ignore[index]
    twice = 2 if fault in (wire.lost, wire.too_late) else 1
    assert (depth(aws, file, "dlq"), bodies(aws, file, "queue")) == (0, sorted(jobs * twice))
    assert dead_letters.redrive(file, APPLY, (), 1000).jobs == ()


@pytest.mark.usefixtures("no_patience")
@pytest.mark.parametrize("operation", ["SendMessage", "DeleteMessage"])
def test_what_is_neither_here_nor_there_is_named_in_the_record(
    aws: EmbeddedAws, file: Path, send: Any, operation: str
) -> None:
    """No answer at all to the second of three: nobody knows of it, and the record says of which."""
    jobs = [send() for _ in range(3)]
    with wire.wire(wire.too_late, 2, 1000, wire.calls(operation)), pytest.raises(AwsError, match="does not answer"):
        dead_letters.redrive(file, APPLY, (), 1000)
    (record,) = records()
    outcome: Any = record.changes[0].outcome
    assert (record.status, outcome["ok"]) == ("failed", False)
    (sent,), (doubt,) = outcome["read_back"]["jobs"], outcome["read_back"]["in_doubt"]
    assert sent != doubt
    queued = bodies(aws, file, "queue")
    assert set(queued) == {sent, doubt}
    left = set(jobs) - ({sent} if operation == "SendMessage" else {sent, doubt})
    again = dead_letters.redrive(file, APPLY, (), 1000)
    assert set(again.jobs) == left
    assert {sent, doubt, *again.jobs} == set(jobs), "nothing is lost"
    assert [one.status for one in records()] == ["failed", "completed"]


@pytest.mark.usefixtures("no_patience")
def test_what_cannot_be_shown_again_at_once_takes_nothing_back(aws: EmbeddedAws, file: Path, send: Any) -> None:
    job, done = send(), send("COMPLETED")
    with wire.wire(wire.denied, 1, 1000, wire.calls("ChangeMessageVisibilityBatch")):
        told = dead_letters.redrive(file, APPLY, (), 1000)
    assert told.jobs == (job,)
    (record,) = records()
    assert record.status == "completed" and done not in str(record.changes)
    assert any("shows again in 60 s" in warning for warning in record.warnings)


def test_without_room_for_the_intent_nothing_is_sent(aws: EmbeddedAws, file: Path, send: Any) -> None:
    job = send()
    with full_disk(Path("archive").absolute(), "intent", only=True), pytest.raises(Refused, match="No space left"):
        dead_letters.redrive(file, APPLY, (), 1000)
    assert (depth(aws, file, "dlq"), depth(aws, file, "queue")) == (1, 0), "it shows again at once"
    (record,) = records()
    assert (record.status, record.changes) == ("failed", ())
    assert dead_letters.redrive(file, APPLY, (), 1000).jobs == (job,)


KILLED = """
import sys
from pathlib import Path
from runbook_lib.commands import dlq as dead_letters
from tests.e2e import wire

wire.install(getattr(wire, sys.argv[1]), int(sys.argv[2]), hits=wire.calls(sys.argv[3]))
dead_letters.redrive(Path(sys.argv[4]), {"mode": "apply", "confirm": "prod"}, (), 1000)
"""


@pytest.mark.parametrize(
    ("how", "nth", "operation", "left"),
    [
        ("killed_before", 1, "SendMessage", 3),
        ("killed_after", 2, "SendMessage", 2),
        ("killed_after", 3, "DeleteMessage", 0),
    ],
)
def test_killed_between_intent_and_outcome_nothing_is_lost(
    aws: EmbeddedAws, file: Path, send: Any, how: str, nth: int, operation: str, left: int
) -> None:
    jobs = [send() for _ in range(3)]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, how, str(nth), operation, str(file)],
        env={**os.environ, **aws.env, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    aws.move_to(aws.now() + dt.timedelta(seconds=dlq.HIDDEN_S + 1))  # what it had received shows again by itself
    again = dead_letters.redrive(file, APPLY, (), 1000)
    died, done = records()
    assert (died.status, done.status, done.previous) == ("died", "completed", died.hash)
    assert [change.open for change in died.changes] == [True]
    assert sorted(died.changes[0].intent["before"]["jobs"]) == sorted(jobs), "who could be concerned"
    queued = bodies(aws, file, "queue")
    assert (depth(aws, file, "dlq"), set(queued)) == (0, set(jobs))
    assert len(queued) == 3 + ((how, operation) == ("killed_after", "SendMessage")), "one twice at most"
    assert len(again.jobs) == left


def records() -> list[Any]:
    """Of the chain, each verified; nothing is left unsealed."""
    archive = Archive(Path("archive"))
    refs = archive.records(notebook="dlq")
    for ref in refs:
        archive.verify(ref)
    assert [path.name for path in archive.staging.glob("*")] == []
    return [archive.load(ref) for ref in refs]


def test_an_id_is_on_its_line_and_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    done = dead_letters.Driven(False, "plan", ("job \r\nOK: all fine", f"postgres:{'//'}u:Hunter2secret9@h/d"), None)
    assert done.jobs[0] == "job OK: all fine"
    assert "Hunter2secret9" not in json.dumps(done.as_dict())
