"""Scenario 2 of a service with two workers is about the one whose queue is deep, and stays with the one it raised."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from runbook_lib.params.load import load_file, params_dir
from runbook_lib.steps.rollbacks import queue_backlog_seen

PARAMS = load_file(params_dir().parent / "examples" / "orders-export" / "params" / "prod.yaml")
FIRST, SECOND = PARAMS.service.crew


@pytest.mark.parametrize(
    ("depths", "open_", "closed", "expected"),
    [
        ((0, 0), None, None, FIRST),
        ((5, 400), None, None, SECOND),
        ((400, 5), SECOND, None, SECOND),
        ((0, 0), None, SECOND, SECOND),
        ((400, 0), None, SECOND, FIRST),
    ],
)
def test_the_worker(
    monkeypatch: pytest.MonkeyPatch, depths: tuple[int, int], open_: Any, closed: Any, expected: Any
) -> None:
    by_queue = dict(zip((PARAMS.name("queue"), PARAMS.name("queue_2")), depths, strict=True))
    sqs = SimpleNamespace(
        get_queue_url=lambda QueueName: {"QueueUrl": QueueName},
        get_queue_attributes=lambda QueueUrl, AttributeNames: {"Attributes": {AttributeNames[0]: by_queue[QueueUrl]}},
    )
    run = SimpleNamespace(params=PARAMS, notebook="n", archive=None, aws=SimpleNamespace(client=lambda _: sqs))
    was = (
        [SimpleNamespace(deviation=SimpleNamespace(notebook="n", check=queue_backlog_seen.reserved(closed)))]
        if closed
        else []
    )
    monkeypatch.setattr(queue_backlog_seen.deviations, "said", lambda *_: (was, ()))
    monkeypatch.setattr(
        queue_backlog_seen.deviations,
        "open_deviations",
        lambda *_: {queue_backlog_seen.reserved(open_): 1} if open_ else {},
    )
    assert queue_backlog_seen.chosen(run) == expected  # type: ignore[arg-type]


def test_the_checks_of_the_inventory_are_those_of_the_worker() -> None:
    assert queue_backlog_seen.worker_settings(FIRST) == (
        "inventory.worker.reserved_concurrency",
        "inventory.event_source.maximum_concurrency",
    )
    assert queue_backlog_seen.reserved(SECOND) == "inventory.worker_2.reserved_concurrency"
