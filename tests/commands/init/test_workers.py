"""The workers of a stack: told by event sources and redrive policies, written as a list, read again from the folder."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.aws import Aws
from runbook_lib.base.errors import UsageError
from runbook_lib.commands.init import from_stack, there, workers
from runbook_lib.commands.init.answers import CONCURRENCY, Said, of_flags
from runbook_lib.commands.init.folder import planned, write
from runbook_lib.commands.init.workers import Fed, in_order, sorted_out
from runbook_lib.params.load import load_file

PRINT = Fed("press-print-qa", "press-sheets-qa", "press-lost-qa", 4)
MAIL = Fed("press-mail-qa", "press-letters-qa", "press-lost-letters-qa")


class Account:
    """Lambda, SQS and CloudFormation of one stack, as far as `init` asks them."""

    def __init__(self, fed: list[Fed], submit: str = "", others: tuple[tuple[str, str], ...] = ()) -> None:
        self.fed, self.submit, self.region = fed, submit, "us-east-1"
        self.functions = list(dict.fromkeys(one.function for one in fed)) + ["press-submit-qa"] * bool(submit)
        queues = {name for one in fed for name in (one.queue, one.dlq) if name}
        self.listed = [("AWS::Lambda::Function", one) for one in self.functions]
        self.listed += [("AWS::SQS::Queue", f"https://sqs/1/{one}") for one in sorted(queues)]
        self.listed += list(others)

    def client(self, _: str) -> Any:
        return self

    def identity(self) -> Any:
        return SimpleNamespace(account="000000000103")

    def get_paginator(self, operation: str) -> Any:
        return SimpleNamespace(paginate=lambda **request: [getattr(self, operation)(**request)])

    def list_stack_resources(self, **_: Any) -> dict[str, Any]:
        rows = [{"ResourceType": type, "LogicalResourceId": "", "PhysicalResourceId": id} for type, id in self.listed]
        return {"StackResourceSummaries": rows}

    def list_event_source_mappings(self, FunctionName: str) -> dict[str, Any]:
        mine = [one for one in self.fed if one.function == FunctionName]
        table = {"EventSourceArn": "arn:aws:dynamodb:us-east-1:1:table/press/stream/1"}
        made = [
            {
                "EventSourceArn": f"arn:aws:sqs:us-east-1:1:{one.queue}",
                "ScalingConfig": {"MaximumConcurrency": one.concurrency} if one.concurrency else {},
            }
            for one in mine
        ]
        return {"EventSourceMappings": [table, *made]}

    def get_queue_url(self, QueueName: str) -> dict[str, str]:
        return {"QueueUrl": QueueName}

    def get_queue_attributes(self, QueueUrl: str, **_: Any) -> dict[str, Any]:
        dlq = next(one.dlq for one in self.fed if one.queue == QueueUrl)
        policy = {"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:1:{dlq}", "maxReceiveCount": 3}
        return {"Attributes": {"RedrivePolicy": json.dumps(policy)}} if dlq else {}

    def get_function_concurrency(self, FunctionName: str) -> dict[str, Any]:
        return {}

    def get_function_configuration(self, FunctionName: str) -> dict[str, Any]:
        return {"Environment": {"Variables": {"QUEUE": f"https://sqs.us-east-1.amazonaws.com/1/{self.submit}"}}}


def init(account: Account, root: Path, **flags: Any) -> tuple[Any, list[str], set[str]]:
    """`runbook init --from-stack`: the answers, what was left, and the states of the files."""
    own = {"qa": "development", "live": "production"}
    answers = of_flags("press", environments=cast("Any", own), **flags)
    left = from_stack.look(answers, "press-stack-qa", "qa", cast("Aws", account))
    there.add(root, answers)
    answers.complete()
    return answers, left, {one.state for one in write(root, planned(answers)) if one.path == "params/service.yaml"}


def test_several_workers_are_found_and_written_as_the_list_that_the_parameters_have(tmp_path: Path) -> None:
    answers, left, states = init(Account([MAIL, PRINT], submit="press-sheets-qa"), tmp_path)
    assert (left, states) == ([], {"written"})
    text = (tmp_path / "params" / "service.yaml").read_text()
    said = yaml.safe_load(text)
    first = {
        "function": "press-print-{env}",
        "queue": "press-sheets-{env}",
        "dlq": "press-lost-{env}",
        "concurrency": 4,
    }
    assert said["workers"][0] == first, "the submit function sends to its queue"
    assert said["workers"][1]["dlq"] == "press-lost-letters-{env}" and len(said["workers"]) == 2
    assert not {"worker", "queue", "dlq"} & set(said["names"])
    params = load_file(tmp_path / "params" / "live.yaml")
    assert params.name("worker_2") == "press-mail-live"
    assert [one.concurrency for one in params.service.crew] == [4, int(CONCURRENCY)]
    rows = {what: (source, value) for source, what, value in answers.told()}
    assert rows["workers[1].queue"] == ("found", "press-letters-{env}")
    assert rows["workers[1].concurrency"] == ("guessed", CONCURRENCY)


@pytest.mark.slow
@pytest.mark.parametrize("fed", [[PRINT], [PRINT, MAIL]])
def test_a_second_init_changes_nothing_with_the_stack_and_without_it(tmp_path: Path, fed: list[Fed]) -> None:
    first = init(Account(fed), tmp_path)[0]
    assert init(Account(fed), tmp_path)[2] == {"as it was"}
    offline = of_flags("press", environments=first.environments)
    there.add(tmp_path, offline)
    offline.complete()
    assert {one.state for one in write(tmp_path, planned(offline))} == {"as it was"}
    assert (offline.names, offline.concurrency) == (first.names, first.concurrency)


def test_a_list_and_a_number_that_a_person_wrote_are_kept(tmp_path: Path) -> None:
    init(Account([PRINT]), tmp_path)
    file = tmp_path / "params" / "service.yaml"
    text = file.read_text()
    for kept in ("workers: 7", "workers:\n  - {function: p, queue: q, dlq: d, concurrency: 2}"):
        names = r"(?m)^  (worker|queue|dlq): .*\n" if "function" in kept else "$^"
        file.write_text(re.sub(names, "", text.replace("workers: 4   # found", kept)))
        answers = of_flags("press")
        there.add(tmp_path, answers)
        assert answers.concurrency["worker"] == Said("7" if kept.endswith("7") else "2", "said")


@pytest.mark.parametrize("fed", [[PRINT], [Fed("press-print-qa", "press-sheets-qa")]])
def test_one_worker_is_told_by_its_event_source_whatever_it_is_called(tmp_path: Path, fed: list[Fed]) -> None:
    answers, _, _ = init(Account(fed), tmp_path)
    assert answers.names["worker"] == Said("press-print-{env}", "found")
    assert answers.names["queue"] == Said("press-sheets-{env}", "found")
    assert (answers.names["dlq"].source == "found") is bool(fed[0].dlq)


@pytest.mark.slow
def test_what_a_person_says_is_first_or_the_event_sources_do_not_count(tmp_path: Path) -> None:
    account = Account([PRINT, MAIL])
    answers, left, _ = init(account, tmp_path / "a", names=["worker=press-print-{env}"])
    assert answers.names["worker_2"].value == "press-mail-{env}" and left == []
    answers, left, _ = init(account, tmp_path / "b", names=["worker=other-{env}"])
    assert answers.names["worker"] == Said("other-{env}", "said") and "worker_2" not in answers.names
    assert any("--name says another worker or queue" in one for one in left)


def test_several_workers_are_said_by_flags(tmp_path: Path) -> None:
    answers = of_flags("press", names=["worker=a-{env}", "worker_2=b-{env}"])
    answers.complete()
    write(tmp_path, planned(answers))
    said = yaml.safe_load((tmp_path / "params" / "service.yaml").read_text())["workers"]
    assert [one["function"] for one in said] == ["a-{env}", "b-{env}"]
    assert said[1]["queue"] == "press-jobs-2-queue-{env}"
    with pytest.raises(UsageError, match="no 'worker_10' here"):
        of_flags("press", names=["worker_10=a"])


def test_what_is_no_worker_is_said_and_why() -> None:
    janitor = Fed("press-janitor-qa", PRINT.dlq)
    second, bare = Fed(PRINT.function, "press-urgent-qa", "press-lost-qa"), Fed("press-thumbs-qa", "press-thumbs-qa")
    found, said = sorted_out([PRINT, janitor, second, MAIL, bare])
    assert found == [PRINT, MAIL]
    assert [one.split()[0] for one in said] == ["press-janitor-qa", PRINT.function, "press-thumbs-qa"]
    assert "the dead-letter queue of press-sheets-qa" in said[0] and "one queue" in said[1]
    assert "has no dead-letter queue: give it one" in said[2]
    many = [Fed(f"f{n}", f"q{n}", f"d{n}") for n in range(11)]
    assert len(sorted_out(many)[0]) == 9 and len(sorted_out(many)[1]) == 2


def test_event_sources_that_cannot_be_read_leave_the_words_and_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Account([Fed("press-worker-qa", "press-jobs-qa", "press-dlq-qa")])

    def refused(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ListEventSourceMappings")

    monkeypatch.setattr(account, "list_event_source_mappings", refused)
    answers, left, _ = init(account, tmp_path)
    assert answers.names["worker"].value == "press-worker-{env}"
    assert left[0].startswith("the workers are guessed by their names: reading the event sources of press-worker-qa")
    assert "lambda:ListEventSourceMappings" in left[0]


@given(st.permutations([PRINT, MAIL, Fed("press-worker-qa", "press-w-qa", "press-w-dlq-qa")]), st.booleans())
def test_which_worker_is_first_does_not_depend_on_the_stacks_order(found: list[Fed], submits: bool) -> None:
    first = in_order(found, MAIL.queue if submits else "", {"press-worker-qa"})[0]
    assert first.function == (MAIL.function if submits else "press-worker-qa")


def test_a_stream_is_no_queue_and_a_stopped_worker_is_not_one_of_no_jobs() -> None:
    account = Account([Fed("press-print-qa", "press-sheets-qa", "", 0)])
    (one,) = workers.ask(cast("Aws", account), ["press-print-qa"])
    assert one.concurrency is None
