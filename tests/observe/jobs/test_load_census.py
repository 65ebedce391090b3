"""What became of the submitted jobs: pages of keys, throttling, the bucket, and how long the end is waited for."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from runbook_lib.base.errors import AwsError
from runbook_lib.observe.jobs import load_census
from runbook_lib.observe.jobs.load_census import PAGE, census, settled
from runbook_lib.params.load import Params
from runbook_lib.rehearse.play.stage import params_of

AT = dt.datetime(2026, 11, 24, 3, tzinfo=dt.UTC)


def item(id: str, status: str = "COMPLETED") -> dict[str, Any]:
    done = {"completed_at": {"S": "2026-11-24T03:00:46.500Z"}, "result_key": {"S": f"results/{id}.json"}}
    return {
        "job_id": {"S": id},
        "status": {"S": status},
        "created_at": {"S": "2026-11-24T03:00:00.000Z"},
        "started_at": {"S": "2026-11-24T03:00:01.500Z"},
        **(done if status == "COMPLETED" else {}),
    }


class FakeAws:
    """A table, a bucket and a queue."""

    def __init__(self, ids: list[str], buckets: int = 1) -> None:
        self.items = {id: item(id) for id in ids}
        self.stored = {f"results/{id}.json" for id in ids}
        self.buckets, self.asked, self.refuse, self.listed = buckets, list[int](), 0, list[str]()
        self.depths: list[int] = []

    def client(self, _: str) -> FakeAws:
        return self

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
        (table, wanted), *_ = RequestItems.items()
        keys = wanted["Keys"]
        self.asked.append(len(keys))
        assert len(keys) <= PAGE
        if self.refuse:
            self.refuse -= 1
            half = len(keys) // 2
            return {"Responses": {table: self._found(keys[:half])}, "UnprocessedKeys": {table: {"Keys": keys[half:]}}}
        return {"Responses": {table: self._found(keys)}, "UnprocessedKeys": {}}

    def _found(self, keys: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [self.items[key["job_id"]["S"]] for key in keys if key["job_id"]["S"] in self.items]

    def list_buckets(self) -> dict[str, Any]:
        names = [f"careervp-staging-vpr-results-use1-{n}" for n in range(self.buckets)]
        return {"Buckets": [{"Name": name} for name in [*names, "another"]]}

    def get_paginator(self, _: str) -> FakeAws:
        return self

    def paginate(self, Bucket: str, Prefix: str) -> Any:
        self.listed.append(Prefix)
        for key in [*sorted(self.stored), "results/somebody-else.json"]:
            yield {"Contents": [{"Key": key, "LastModified": AT + dt.timedelta(seconds=47)}]}
        yield {}

    # What `live.read` asks.
    def get_queue_url(self, QueueName: str) -> dict[str, str]:
        return {"QueueUrl": QueueName}

    def get_queue_attributes(self, QueueUrl: str, AttributeNames: list[str]) -> dict[str, Any]:
        depth = "0" if "dlq" in QueueUrl or not self.depths else str(self.depths.pop(0))
        return {"Attributes": {"ApproximateNumberOfMessages": depth, "ApproximateNumberOfMessagesNotVisible": "0"}}

    def get_function_configuration(self, FunctionName: str) -> dict[str, int]:
        return {"MemorySize": 256, "Timeout": 10}


@pytest.fixture
def params() -> Params:
    return params_of("staging", "x")


def test_every_id_is_asked_for_and_every_report_looked_up(params: Params) -> None:
    ids = [f"job-{n}" for n in range(2 * PAGE + 5)]
    aws: Any = FakeAws(ids)
    jobs = census(aws, params, ids)
    assert (set(jobs), aws.asked, aws.listed) == (set(ids), [PAGE, PAGE, 5], ["results/"])
    one = jobs["job-7"]
    start = AT.timestamp()
    assert (one.created, one.started, one.completed, one.stored) == (start, start + 1.5, start + 46.5, start + 47)


def test_what_is_not_there_is_not_made_up(params: Params) -> None:
    aws: Any = FakeAws(["a", "b", "c"])
    del aws.items["a"]
    aws.stored.remove("results/b.json")
    aws.items["c"] = item("c", "PENDING")
    jobs = census(aws, params, ["a", "b", "c"])
    assert set(jobs) == {"b", "c"}
    assert jobs["b"].stored is None and jobs["b"].finished
    assert jobs["c"].completed is None and not jobs["c"].finished


def test_a_time_that_is_none_is_no_time(params: Params) -> None:
    aws: Any = FakeAws(["a"])
    aws.items["a"] |= {"started_at": {"NULL": True}, "completed_at": {"S": "1764000000.5"}}
    one = census(aws, params, ["a"])["a"]
    assert (one.created, one.started, one.completed) == (AT.timestamp(), None, None)


def test_a_result_without_a_folder_is_found(params: Params) -> None:
    aws: Any = FakeAws(["a"])
    aws.items["a"]["result_key"], aws.stored = {"S": "a.json"}, {"a.json"}
    assert census(aws, params, ["a"])["a"].stored and aws.listed == [""]


@pytest.mark.parametrize(("source", "probe"), [("probe:load-1", True), ("probe:load-2", False), ("probe:", False)])
def test_a_mark_is_the_runs_own(params: Params, source: str, probe: bool) -> None:
    aws: Any = FakeAws(["a"])
    aws.items["a"]["source"] = {"S": source}
    assert census(aws, params, ["a"], "load-1")["a"].probe == probe


def test_keys_left_unprocessed_are_asked_for_again(params: Params) -> None:
    ids = [f"job-{n}" for n in range(8)]
    aws: Any = FakeAws(ids)
    aws.refuse = 2
    assert set(census(aws, params, ids)) == set(ids)
    assert aws.asked == [8, 4, 2]


def test_a_table_that_goes_on_refusing_is_an_error(params: Params) -> None:
    aws: Any = FakeAws(["a"])
    aws.refuse = 1000
    with pytest.raises(AwsError, match="throttled"):
        census(aws, params, ["a"])


@pytest.mark.parametrize("buckets", [0, 2])
def test_which_bucket_is_not_guessed(buckets: int, params: Params) -> None:
    aws: Any = FakeAws(["a"], buckets)
    with pytest.raises(AwsError, match=f"there are {buckets} buckets"):
        census(aws, params, ["a"])


class Clock:
    """Time that passes only by sleeping; after `seconds` something happens."""

    def __init__(self, seconds: float = 1e9, then: Any = None) -> None:
        self.now, self.seconds, self.then = 0.0, seconds, then

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now >= self.seconds and self.then is not None:
            self.then, then = None, self.then
            then()


def wait(aws: Any, params: Params, clock: Clock, limit_s: float = 1000.0) -> Any:
    said: list[str] = []
    jobs = settled(aws, params, ["a", "b"], limit_s=limit_s, poll_s=5, out=said.append, sleep=clock.sleep, clock=clock)
    return jobs, said


def test_finished_jobs_are_not_waited_for(params: Params) -> None:
    clock = Clock()
    jobs, said = wait(FakeAws(["a", "b"]), params, clock)
    assert (clock.now, set(jobs), said) == (0, {"a", "b"}, ["2 of 2 jobs finished"])


def test_jobs_that_go_on_after_the_users_gave_up_are_waited_for(params: Params) -> None:
    aws: Any = FakeAws(["a", "b"])
    aws.items["b"], aws.depths = item("b", "PENDING"), [1] * 1000
    clock = Clock(600, lambda: aws.items.update(b=item("b")))
    jobs, said = wait(aws, params, clock)
    assert clock.now == 600 and jobs["b"].finished
    assert said[0] == "1 of 2 jobs finished" and said[-1] == "2 of 2 jobs finished"


def test_waiting_ends_with_the_time_given(params: Params) -> None:
    aws: Any = FakeAws(["a", "b"])
    aws.items["b"], aws.depths = item("b", "PROCESSING"), [1] * 1000
    clock = Clock()
    jobs, _ = wait(aws, params, clock, limit_s=60)
    assert clock.now == 60 and not jobs["b"].finished


def test_an_empty_queue_brings_nothing_more(params: Params) -> None:
    """A job that was lost on its way is not waited for to the end of the time."""
    aws: Any = FakeAws(["a", "b"])
    del aws.items["b"]
    aws.depths = [1, 0, 1]  # approximate: one look at 0 proves nothing
    clock = Clock()
    jobs, _ = wait(aws, params, clock)
    assert clock.now == 5 * (3 + load_census.EMPTY_LOOKS) and set(jobs) == {"a"}
