"""The limits in front of the functions as AWS tells them: both kinds of API, both spellings, nothing invented."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.judge.planning.door import DoorPlan, Throttle
from runbook_lib.observe.asking import Place
from runbook_lib.observe.inventory.access_log import FACTS, access_logs, missing_facts
from runbook_lib.observe.inventory.api import method_keys
from runbook_lib.observe.inventory.calls import Spot
from runbook_lib.observe.inventory.door import read_limits, route_throttle, stage_throttle
from runbook_lib.observe.inventory.inspect import rules
from runbook_lib.params.load import Params
from runbook_lib.rehearse.sandbox.template import access_log_format

RATE = st.floats(0, 1e5) | st.none()
PATHS = ("/api/vpr", "/api/vpr-async", "/api/vpr/status/{job_id}")


@given(RATE, RATE, st.sampled_from(PATHS), st.integers(0, 3))
def test_a_routes_own_throttle_overrides_however_its_key_is_written(
    rate: float | None, burst: float | None, path: str, spelling: int
) -> None:
    said = {"throttlingRateLimit": rate, "throttlingBurstLimit": burst}
    said = {key: value for key, value in said.items() if value is not None}
    stage = {"methodSettings": {"*/*": {"throttlingRateLimit": 7.0}, method_keys(path, "POST")[spelling]: said}}
    own = route_throttle(stage, path, "POST", http=False)
    assert own == (Throttle(rate=rate, burst=burst) if said else None)
    assert stage_throttle(stage, http=False) == Throttle(rate=7.0)
    other = next(one for one in PATHS if one != path)
    assert route_throttle(stage, other, "POST", http=False) is None


@given(RATE, RATE)
def test_an_http_api_says_the_same_in_its_own_words(rate: float | None, burst: float | None) -> None:
    said = {"ThrottlingRateLimit": rate, "ThrottlingBurstLimit": burst}
    said = {key: value for key, value in said.items() if value is not None}
    stage = {"DefaultRouteSettings": said, "RouteSettings": {"POST /api/vpr": said}}
    assert stage_throttle(stage, http=True) == Throttle(rate=rate, burst=burst)
    assert route_throttle(stage, "/api/vpr", "POST", http=True) == (Throttle(rate=rate, burst=burst) if said else None)
    assert route_throttle(stage, "/api/vpr-async", "POST", http=True) is None


@given(st.floats(max_value=-0.001, min_value=-10))
def test_a_negative_throttle_is_none(off: float) -> None:
    assert stage_throttle({"methodSettings": {"*/*": {"throttlingRateLimit": off}}}, http=False) == Throttle()


def test_the_sandboxs_format_has_every_fact(params: Params) -> None:
    assert missing_facts(access_log_format(params), params) == []


@given(lost=st.sets(st.sampled_from(sorted(FACTS)), min_size=1))
def test_a_fact_that_the_format_leaves_out_is_named(lost: set[str]) -> None:
    params = _params()
    written = json.loads(access_log_format(params))
    kept = {key: value for key, value in written.items() if key not in lost}
    said = missing_facts(json.dumps(kept), params)
    assert {one.partition('"')[2].partition('"')[0] for one in said} == lost


@pytest.mark.parametrize(
    "format",
    [
        '{"status": $context.status, "response_type": "$context.error.responseType", "method": "$context.httpMethod", '
        '"path": "$context.routeKey", "time": $context.requestTimeEpoch, "more": "$context.identity.sourceIp"}',
    ],
)
def test_numbers_without_quotes_and_route_keys_are_understood(params: Params, format: str) -> None:
    assert missing_facts(format, params) == []


@pytest.mark.parametrize("format", ["", "$context.status $context.httpMethod", "[]", "{", '{"status": "200"}'])
def test_another_format_lacks_every_fact(params: Params, format: str) -> None:
    assert len(missing_facts(format, params)) == len(FACTS)


def _params() -> Params:
    from runbook_lib.params.load import load_file, params_dir

    return load_file(params_dir() / "prod.yaml")


@pytest.mark.parametrize(("period", "a_day"), [("DAY", 310), ("WEEK", 310 / 7), ("MONTH", 10)])
def test_a_quota_a_day(period: Any, a_day: float) -> None:
    assert DoorPlan(name="p", quota=310, period=period).per_day == pytest.approx(a_day)


class Gateway:
    """API Gateway and Lambda with the answers given, or the errors."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers

    def client(self, _: str) -> Gateway:
        return self

    def get_paginator(self, operation: str) -> Any:
        answer = self._told(operation)
        return type("Pages", (), {"paginate": lambda *_, **__: [answer]})()

    def _told(self, operation: str) -> Any:
        answer = self.answers[operation]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def __getattr__(self, operation: str) -> Any:
        return lambda **_: self._told(operation)


def _answers(params: Params) -> dict[str, Any]:
    return {
        "get_rest_apis": {"items": [{"id": "a1", "name": params.name("api")}]},
        "get_stage": {
            "stageName": "prod",
            "methodSettings": {
                "*/*": {"throttlingRateLimit": 2.0, "throttlingBurstLimit": 10},
                "~1api~1vpr-async/POST": {"throttlingRateLimit": 1.0, "throttlingBurstLimit": 4},
            },
        },
        "get_account": {"throttleSettings": {"rateLimit": 10000.0, "burstLimit": 5000}},
        "get_resources": {"items": [{"path": "/api/vpr", "resourceMethods": {"POST": {"apiKeyRequired": True}}}]},
        "get_usage_plans": {
            "items": [
                {"id": "p0", "apiStages": [{"apiId": "other", "stage": "prod"}], "throttle": {"rateLimit": 0.0}},
                {
                    "id": "p1",
                    "apiStages": [
                        {"apiId": "a1", "stage": "prod", "throttle": {"/api/vpr/POST": {"rateLimit": 3.0}}},
                    ],
                    "quota": {"limit": 700, "period": "WEEK"},
                },
            ]
        },
        "get_function_concurrency": {"ReservedConcurrentExecutions": 5},
        "get_account_settings": {"AccountLimit": {"UnreservedConcurrentExecutions": 100}},
    }


def test_every_limit_is_read(params: Params) -> None:
    seen = read_limits(Gateway(_answers(params)), params)
    assert seen.stage == Throttle(rate=2, burst=10)
    assert seen.routes == {"submit": Throttle(rate=1, burst=4)}
    assert seen.plans == (DoorPlan(name="p1", routes={"sync": Throttle(rate=3)}, quota=700, period="WEEK"),)
    assert (seen.keyed, seen.unreserved, seen.unseen) == (("sync",), 100, {})
    assert set(seen.reserved.values()) == {5}


@pytest.mark.parametrize(
    ("operation", "blind"),
    [
        ("get_stage", {"stage", "route_sync", "route_submit", "route_status"}),
        ("get_account", {"account"}),
        ("get_usage_plans", {"usage_plans"}),
        ("get_resources", {"usage_plans"}),
        ("get_function_concurrency", {"lambda_sync", "lambda_submit", "lambda_status", "workers"}),
        ("get_account_settings", {"lambda_pool"}),
        ("get_rest_apis", {"stage", "route_sync", "route_submit", "route_status", "usage_plans"}),
    ],
)
def test_a_refusal_blinds_that_limit_alone(params: Params, operation: str, blind: set[str]) -> None:
    from botocore.exceptions import ClientError

    refused = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, operation)
    seen = read_limits(Gateway(_answers(params) | {operation: refused}), params)
    assert set(seen.unseen) == blind
    assert all("AccessDenied" in why for why in seen.unseen.values())


def test_without_the_api_its_limits_are_unseen(params: Params) -> None:
    seen = read_limits(Gateway(_answers(params) | {"get_rest_apis": {"items": []}}), params)
    assert {"stage", "usage_plans"} <= set(seen.unseen)
    assert all(params.name("api") in why for why in seen.unseen.values())


@pytest.mark.parametrize(
    ("named", "ok"), [("/aws/apigateway/theirs", True), ("/aws/apigateway/other", False), ("", True)]
)
def test_the_group_that_service_yaml_names(params: Params, named: str, ok: bool) -> None:
    names = {key: value for key, value in params.service.names.items() if key != "access_log"}
    names |= {"access_log": named} if named else {}
    mine = params.model_copy(update={"service": params.service.model_copy(update={"names": names})})
    settings = {
        "destinationArn": "arn:aws:logs:us-east-1:1:log-group:/aws/apigateway/theirs:*",
        "format": access_log_format(params),
    }
    answers = _answers(mine)
    answers["get_stage"] = {**answers["get_stage"], "accessLogSettings": settings}
    spot = Spot(Place(Gateway(answers), mine, "async"), "api", rules(mine).resources["api"])
    assert access_logs(spot).value is ok
