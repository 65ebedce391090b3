"""The API in front: which of several it is, its address, and the id that an HTTP API's metrics go by."""

from __future__ import annotations

import ast
import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.aws import Identity
from runbook_lib.base.errors import AwsError
from runbook_lib.observe import api_address
from runbook_lib.observe.api_address import address, identified, reached
from runbook_lib.observe.asking import Place
from runbook_lib.observe.metrics.catalogue import address as metric_address
from runbook_lib.observe.traffic.routes import api_of
from runbook_lib.params.load import Params

NAME = "careervp-core-api-prod"


class Apis:
    """An AWS that has these APIs, by id, and nothing else."""

    def __init__(self, apis: dict[str, str]) -> None:
        self.apis = apis
        self.endpoint = None

    def client(self, service: str) -> Any:
        assert service in ("apigateway", "apigatewayv2")
        return self

    def get_paginator(self, operation: str) -> Any:
        self.key = "Items" if operation == "get_apis" else "items"
        return self

    def paginate(self, **_: Any) -> Any:
        names = ("ApiId", "Name") if self.key == "Items" else ("id", "name")
        yield {self.key: [dict(zip(names, one, strict=True)) for one in self.apis.items()]}


def http(params: Params, **names: Any) -> Params:
    service = params.service
    api = service.api.model_copy(update={"kind": "http", "stage": "$default"})
    return params.model_copy(
        update={"service": service.model_copy(update={"api": api, "names": {**service.names, **names}})}
    )


@pytest.mark.parametrize("kind", ["rest", "http"])
def test_of_several_apis_of_one_name_none_is_taken_at_random(params: Params, kind: str) -> None:
    wanted = params if kind == "rest" else http(params)
    aws = Apis({"aaaa1111": NAME, "bbbb2222": NAME, "cccc3333": "another"})
    with pytest.raises(AwsError, match=r"2 (REST|HTTP) APIs are called .* \(aaaa1111, bbbb2222\).*names.api_id"):
        api_of(Place(aws, wanted, step=""))
    names = {**wanted.service.names, "api_id": {"prod": "bbbb2222"}}
    told = wanted.model_copy(update={"service": wanted.service.model_copy(update={"names": names})})
    assert api_of(Place(aws, told, step=""))["id"] == "bbbb2222"


def test_the_default_stage_has_no_part_of_its_own_in_an_address(params: Params) -> None:
    """API Gateway developer guide, "Stages for HTTP APIs": `$default` is served from the base of the API's URL."""
    assert address(http(params), None, "a1b2").endswith("a1b2.execute-api.us-east-1.amazonaws.com")
    assert address(params, None, "a1b2").endswith(".amazonaws.com/prod")
    flat = params.flat.model_copy(update={"api_url": "{endpoint}/restapis/{api_id}/{stage}/_user_request_"})
    small = http(params).model_copy(update={"flat": flat})
    assert address(small, "http://127.0.0.1:1", "a1") == "http://127.0.0.1:1/restapis/a1/$default/_user_request_"


def test_an_http_api_known_by_its_name_has_metrics(params: Params) -> None:
    aws = Apis({"aaaa1111": NAME, "cccc3333": "another"})
    found = identified(aws, http(params))
    dimensions = metric_address(found.metric("sync_requests"), found)["Dimensions"]
    assert {"Name": "ApiId", "Value": "aaaa1111"} in dimensions
    assert found.service.names["api_id"] == {"prod": "aaaa1111"}, "of this environment alone"


def test_what_is_known_or_not_there_stays(params: Params) -> None:
    said = http(params, api_id={"prod": "dddd4444"})
    for one in (params, said):
        assert identified(Apis({}), one) is one
    absent = http(params, api_id={"dev": "eeee5555"})
    assert identified(Apis({}), absent) is absent


AT_HAND = {
    "kill_switch.py": "what an incident waits for: it turns a switch off, and reads no metric",
    "rollback.py": "tells people, with parameters that may be bare",
    "account.py": "the doctor asks for clock, credentials and account one by one, and then for the API",
}
"""Modules of `commands/` that go to AWS by themselves, and why."""


def test_every_command_comes_to_aws_with_its_api_known() -> None:
    """`identified` was called by notebooks and `runbook cost` alone: to other commands an HTTP API had no metrics."""
    alone = set()
    for file in (Path(api_address.__file__).parents[1] / "commands").rglob("*.py"):
        code = file.read_text()
        for node in ast.walk(ast.parse(code)) if "runbook_lib.base.aws" in code else ():
            if isinstance(node, ast.ImportFrom) and node.module == "runbook_lib.base.aws":
                alone |= {file.name for name in node.names if name.name in ("caller", "connect", "require_account")}
    assert alone == AT_HAND.keys()


def test_an_incident_does_not_wait_for_an_api(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    aws, who = Apis({"aaaa1111": NAME, "bbbb2222": NAME}), Identity("1", "arn", dt.datetime.now(dt.UTC))
    monkeypatch.setattr(api_address, "caller", lambda *_, **__: (aws, who))
    one = http(params)
    assert reached(one, incident=True) == (one, aws, who)
    with pytest.raises(AwsError, match="2 HTTP APIs"):
        reached(one)
    del aws.apis["bbbb2222"]
    assert reached(one)[0].name("api_id") == "aaaa1111"
