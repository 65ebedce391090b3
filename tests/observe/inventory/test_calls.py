"""One question of the inventory: whatever AWS answers, it blinds its own settings and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.aws import Aws
from runbook_lib.judge.terms import Verdict
from runbook_lib.observe.asking import Place
from runbook_lib.observe.inventory.api import ROUTE
from runbook_lib.observe.inventory.calls import Call, Spot, asked, there
from runbook_lib.observe.inventory.inspect import CALLS, inspect, rules
from runbook_lib.observe.inventory.rules import Trouble, fields, judged
from runbook_lib.observe.inventory.storage import QUEUE
from runbook_lib.params.load import Params, load_file, params_dir

PARAMS = load_file(params_dir() / "prod.yaml")
QUEUE_ARN = "arn:aws:sqs:us-east-1:000000000103:careervp-vpr-jobs-queue-prod"
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just("arn:aws:x"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["Items", "name", "Policy"]), inner),
    max_leaves=4,
)


class Answers:
    """Clients that answer every call with one thing."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def client(self, service: str) -> Any:
        return self

    def get_paginator(self, operation: str) -> Any:
        return self

    def paginate(self, **_: Any) -> Any:
        return [self.answer]

    def __getattr__(self, name: str) -> Any:
        return lambda **_: self.answer


@pytest.mark.parametrize("kind", ["rest", "http"])
@given(answer=ANYTHING)
def test_an_answer_of_any_shape_leaves_an_inventory(kind: str, answer: Any) -> None:
    api = PARAMS.service.api.model_copy(update={"kind": kind})
    params = PARAMS.model_copy(update={"service": PARAMS.service.model_copy(update={"api": api})})
    checks = inspect(Answers(answer), params)
    assert {one.id.split(".")[1] for one in checks} >= {id for id, one in rules(params).resources.items() if one.exists}


@pytest.mark.parametrize(
    "error", [RuntimeError("x"), KeyError("a"), NotImplementedError(), RecursionError(), OSError("\x1b[2J")]
)
def test_a_question_that_breaks_costs_its_own_settings(error: Exception) -> None:
    def breaks(_: Any) -> Any:
        raise error

    spot = Spot(Place(Aws("us-east-1"), PARAMS, "async"), "queue", rules(PARAMS).resources["queue"])
    for call in (Call("asking", breaks, {"exists": there, "x": there}), Call("asking", there, {"x": breaks})):
        found = asked(call, spot)["x"]
        assert isinstance(found, Trouble) and "cannot be read" in found.sentence and "\x1b" not in found.sentence


def _check(id: str, name: str, found: Any) -> Any:
    resource = rules(PARAMS).resources[id]
    return judged(id, f"{id}.{name}", resource, resource.settings[name], found, fields(PARAMS, resource, "async"))


@pytest.mark.parametrize("id", ["submit", "worker", "status"])
@pytest.mark.parametrize(("days", "ok"), [(1, False), (7, False), (14, True), (30, True), (None, False)])
def test_logs_are_kept_for_the_rollout_and_not_for_ever(id: str, days: int | None, ok: bool) -> None:
    one = _check(id, "log_retention", days)
    assert one.verdict is (Verdict.PASS if ok else Verdict.FAIL)
    assert ok or "at least 14 days" in one.reason


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ("arn:aws:sqs:us-east-1:000000000103:careervp-vpr-jobs-dlq-prod", ""),
        ("arn:aws:sqs:us-east-1:000000000103:somebody-elses-dlq", "dead letters go to somebody-elses-dlq, expects"),
        ("arn:aws:sqs:eu-west-1:000000000103:careervp-vpr-jobs-dlq-prod", "go to arn:aws:sqs:eu-west-1:"),
        ("", "dead letters go nowhere (there is no redrive policy)"),
    ],
)
def test_another_dead_letter_queue_is_not_none(policy: str, says: str) -> None:
    attributes = {"QueueArn": QUEUE_ARN, "RedrivePolicy": json.dumps({"deadLetterTargetArn": policy}) if policy else ""}
    (call,) = QUEUE
    one = _check("queue", "redrive_target", call.reads["redrive_target"](attributes))
    assert one.ok is (not says) and says in one.reason
    assert "nowhere" in one.reason or "without it" not in one.reason


def _may(params: Params, source: str) -> bool:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "apigateway.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Condition": {"ArnLike": {"AWS:SourceArn": f"arn:aws:execute-api:us-east-1:{params.account_id}:abc/{source}"}},
    }
    place = Place(Answers({"Policy": json.dumps({"Statement": [statement]})}), params, "async")
    place.once("api", lambda: {"id": "abc", "name": "x"})
    found = asked(ROUTE[1], Spot(place, "route_status", rules(params).resources["route_status"]))["permission"]
    return bool(found.value)


@pytest.mark.parametrize(
    ("kind", "source", "ok"),
    [
        ("http", "*/GET/api/vpr/status/{job_id}", True),
        ("http", "*/*/api/vpr/status/{job_id}", True),
        ("http", "*/*", True),
        ("http", "*/GET/api/vpr/status/*", True),
        ("http", "*/GET/api/vpr/other/{job_id}", False),
        ("rest", "*/GET/api/vpr/status/*", True),
        ("rest", "*/GET/api/vpr/status/{job_id}", False),
    ],
)
def test_a_route_with_a_parameter_is_called_as_its_kind_of_api_calls(kind: str, source: str, ok: bool) -> None:
    api = PARAMS.service.api.model_copy(update={"kind": kind})
    params = PARAMS.model_copy(update={"service": PARAMS.service.model_copy(update={"api": api})})
    source = source.replace("api/vpr/status/{job_id}", params.service.api.routes.status.lstrip("/"))
    source = source.replace("api/vpr/status/*", params.service.api.routes.status.lstrip("/").replace("{job_id}", "*"))
    assert _may(params, source) is ok


def test_every_kind_of_resource_is_asked_about() -> None:
    assert {one.kind for one in rules(PARAMS).resources.values()} <= set(CALLS)
