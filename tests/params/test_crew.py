"""A list of workers is normalised when it is read, and what is declared about the first is declared about each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.errors import UsageError
from runbook_lib.base.project import read_yaml
from runbook_lib.observe.api_address import with_api
from runbook_lib.observe.dashboard.declared import declared
from runbook_lib.observe.inventory.inspect import rules
from runbook_lib.observe.metrics.catalogue import address
from runbook_lib.params.load import Params, load_file, params_dir, validated
from runbook_lib.params.permissions import policy
from runbook_lib.params.posts import Post, posts
from runbook_lib.params.service import Service

EXAMPLE = params_dir().parent / "examples" / "orders-export" / "params"
RAW = read_yaml(EXAMPLE / "service.yaml")


def example() -> Params:
    return load_file(EXAMPLE / "prod.yaml")


def service(**changed: Any) -> Service:
    return validated(Service, {**RAW, **changed}, "params/service.yaml", Path("params/service.yaml"))


def test_a_list_of_workers_becomes_names_and_a_number_stays_one() -> None:
    params = example()
    assert [post.keys for post in params.service.crew] == [
        ("worker", "queue", "dlq"),
        ("worker_2", "queue_2", "dlq_2"),
    ]
    assert params.name("queue_2") == "prod-orders-export-deliver-queue"
    assert (params.service.workers, params.service.more_workers) == (5, (5,))
    again = Service.model_validate(params.service.model_dump())  # as a record is replayed
    assert again == params.service
    assert load_file(params_dir() / "prod.yaml").service.crew == (Post(1, 5),)


WORKER = {"function": "f", "queue": "q", "dlq": "d", "concurrency": 1}


@pytest.mark.parametrize(
    ("workers", "said"),
    [
        ([], "workers has 0 entries, expects 1 to 9"),
        (["f"], r"workers\[0\] is 'f', expects"),
        ([{**WORKER, "dlqs": "x"}], r"workers\[0\].dlqs is not known; did you mean 'dlq'"),
        ([WORKER, {**WORKER, "dlq": None}], r"workers\[1\].dlq is missing"),
        ([{**WORKER, "concurrency": True}], r"workers\[0\].concurrency is True, expects a whole number above 0"),
    ],
)
def test_what_is_no_worker_is_one_sentence(workers: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        service(workers=workers)


def test_a_worker_is_named_once() -> None:
    with pytest.raises(UsageError, match=r"names.queue and workers\[0\].queue name two resources"):
        service(names={**RAW["names"], "queue": "another"})


def test_metrics_alarms_widgets_resources_and_rights_are_those_of_every_worker() -> None:
    params = with_api(example(), "a1b2c3")
    deliver = "prod-orders-export-deliver"
    where = address(params.metric("worker_2_errors"), params)
    assert where["Dimensions"] == [{"Name": "FunctionName", "Value": f"{deliver}-fn"}]
    alarms = {alarm.id: alarm for alarm in params.policy.alarms}
    assert alarms["dlq_2"].metric == "dlq_2_visible"
    assert alarms["dlq_2"].name != alarms["dlq"].name
    assert alarms["dlq_2"].owner == "runbook"
    assert alarms["worker_2_errors"].metrics == {"errors": "worker_2_errors", "invocations": "worker_2_invocations"}
    assert sum(alarm.guard for alarm in alarms.values()) <= 5
    assert "queue_2_visible" in {metric for one in declared(params).widgets for metric, _ in one.asked}
    found = rules(params).resources
    assert {"queue_2", "dlq_2", "worker_2", "event_source_2", "failed_jobs_filter_2"} <= found.keys()
    assert found["queue_2"].settings["redrive_target"].equals == "{name.dlq_2}"
    assert found["worker_2"].settings["reserved_concurrency"].equals == "{workers_2}"
    for role in ("read-only", "operator"):
        assert f":{deliver}-queue" in str(policy(role, params))


@pytest.mark.parametrize("many", [1, 2, 9])
def test_no_two_workers_share_a_key_or_an_id(many: int) -> None:
    crew = posts(1, (1,) * (many - 1))
    for ids in ([key for post in crew for key in post.keys], [post.id("worker_errors") for post in crew]):
        assert len(set(ids)) == len(ids)
