"""A stack's resources as the names of service.yaml: on the embedded AWS, and by lists of resources."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from runbook_lib.base.aws import Aws
from runbook_lib.base.errors import UsageError
from runbook_lib.commands.init import there
from runbook_lib.commands.init.answers import Said, of_flags
from runbook_lib.commands.init.folder import planned, write
from runbook_lib.commands.init.from_stack import (
    Resource,
    _alarms,
    _api,
    _assigned,
    _left,
    _prefix,
    _routes,
    _table,
    look,
)
from runbook_lib.params.load import load_file, params_dir
from runbook_lib.params.service import Service
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.sandbox.deploy import Sandbox


@pytest.fixture
def aws(embedded: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Aws:
    for name, value in embedded.env.items():
        monkeypatch.setenv(name, value)
    return Aws("us-east-1")


def test_the_sandboxs_stack_tells_the_names_of_service_yaml(aws: Aws, sandbox: Sandbox) -> None:
    service: Service = load_file(params_dir() / "prod.yaml").service
    answers = of_flags("careervp")
    left = look(answers, sandbox.params.name("stack"), "prod", aws)
    found = {key: said.value for key, said in answers.names.items()}
    wanted = {key: str(value) for key, value in service.names.items() if key not in ("drill_queue", "bucket_prefix")}
    assert found | {"bucket_prefix": ""} == wanted | {"bucket_prefix": ""}
    assert sandbox.params.name("bucket_prefix").startswith(found["bucket_prefix"].replace("{env}", "prod"))
    assert answers.accounts == {"prod": Said("000000000000", "found")}
    assert (answers.kind.value, answers.stage.value) == (service.api.kind, service.api.stage)
    assert answers.routes == {
        key: Said(value, "found") for key, value in service.api.routes.model_dump().items() if key != "result"
    }
    traffic = {key: said.value for key, said in answers.traffic.items()}
    assert traffic["application"] == service.traffic.application
    assert traffic["switch_profile"] == service.traffic.switch_profile
    assert all(getattr(service.traffic, key) == value for key, value in traffic.items())
    wanted = {key: getattr(service.contract.table, key) for key in ("job_id", "idempotency_key", "ttl")}
    assert answers.table == {key: Said(value, "found") for key, value in wanted.items()}
    assert left == []


def test_the_tables_attributes_are_those_of_its_keys_and_of_its_ttl(tmp_path: Path) -> None:
    key = [{"AttributeName": "export_id", "KeyType": "HASH"}]
    index = {"IndexName": "by-request", "KeySchema": [{"AttributeName": "request", "KeyType": "HASH"}]}
    dynamo = SimpleNamespace(
        describe_table=lambda **_: {"Table": {"KeySchema": key, "GlobalSecondaryIndexes": [index]}},
        describe_time_to_live=lambda **_: {"TimeToLiveDescription": {"AttributeName": "expires"}},
    )
    answers = of_flags("orders")
    table = Resource("AWS::DynamoDB::Table", "Jobs", "orders-prod")
    _table(answers, [table], "prod", SimpleNamespace(client=lambda _: dynamo))  # type: ignore[arg-type]
    answers.complete()
    write(tmp_path, planned(answers))
    text = (tmp_path / "params" / "service.yaml").read_text()
    said = yaml.safe_load(text)["contract"]
    assert {name: said["table"][name] for name in ("job_id", "idempotency_key", "ttl")} == {
        "job_id": "export_id",
        "idempotency_key": "request",
        "ttl": "expires",
    }
    assert said["submit"]["job_id"] == "job_id", "the contract of HTTP is another thing"
    again = of_flags("orders")
    there.add(tmp_path, again)
    assert again.table == answers.table
    key.append({"AttributeName": "at", "KeyType": "RANGE"})
    answers = of_flags("orders")
    _table(answers, [table], "prod", SimpleNamespace(client=lambda _: dynamo))  # type: ignore[arg-type]
    assert "job_id" not in answers.table


def test_there_is_no_such_stack(aws: Aws) -> None:
    with pytest.raises(UsageError, match="there is no stack 'nowhere' in us-east-1"):
        look(of_flags("orders"), "nowhere", "prod", aws)


def assigned(*found: tuple[str, str]) -> tuple[dict[str, str], list[str]]:
    answers: Any = SimpleNamespace(names={})
    answers.add = lambda _, key, value, source: answers.names.update(
        {key: value if source == "found" else f"? {value}"}
    )
    left = _assigned(answers, [Resource(f"AWS::{type}", "", name) for type, name in found], "qa")
    return answers.names, [one.physical for one in left]


def test_a_dead_letter_queue_is_not_the_queue_whatever_comes_first() -> None:
    queues = (("SQS::Queue", "https://sqs/1/orders-dead-letters"), ("SQS::Queue", "https://sqs/1/orders-work"))
    for order in (queues, queues[::-1]):
        assert assigned(*order)[0] == {"dlq": "orders-dead-letters", "queue": "? orders-work"}


@pytest.mark.parametrize(
    ("type", "key", "name"),
    [
        ("Lambda::Function", "sync", "orders-async-dispatcher-prod"),
        ("Lambda::Function", "sync", "OrdersAsyncSubmit"),
        ("Lambda::Function", "sync", "orders-resync-prod"),
        ("Lambda::Function", "worker", "orders-preprocess-prod"),
        ("S3::Bucket", "bucket_prefix", "orders-access-logs"),
        ("S3::Bucket", "bucket_prefix", "orders-report-logs"),
    ],
)
def test_a_word_inside_another_word_says_nothing(type: str, key: str, name: str) -> None:
    names, left = assigned((type, name))
    assert key not in names and left in ([], [name])


@pytest.mark.parametrize("name", ["orders-sync-prod", "OrdersSyncFunction", "orders_legacy", "orders-report-generator"])
def test_a_whole_word_says_which_it_is(name: str) -> None:
    assert assigned(("Lambda::Function", name))[0] == {"sync": name}


def test_of_two_that_no_word_tells_apart_none_is_taken() -> None:
    queues = [("SQS::Queue", f"https://sqs/1/{name}") for name in ("orders-created-dlq", "mails", "orders-created")]
    assert assigned(*queues) == ({"dlq": "orders-created-dlq"}, [address for _, address in queues[1:]])


def test_what_is_none_of_them_is_left_and_a_function_is_never_guessed() -> None:
    found = assigned(
        ("Lambda::Function", "OrdersConsumer"),
        ("Lambda::Function", "Thumbnails"),
        ("DynamoDB::Table", "orders"),
        ("IAM::Role", "any"),
    )
    assert found == ({"worker": "OrdersConsumer", "table": "? orders"}, ["Thumbnails"])


@pytest.mark.parametrize(
    ("bucket", "prefix"),
    [
        ("orders-results-1x2y3z4a5b6c", "orders-results-"),
        ("orders-results", "orders-results"),
        ("orders-prod-results-use1-ab12cd", "orders-{env}-results-use1-"),
    ],
)
def test_the_beginning_of_a_buckets_name(bucket: str, prefix: str) -> None:
    assert _prefix(bucket, "prod") == prefix


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        ({"POST /orders": "orders-submit-prod", "GET /orders/{id}": "orders-status-prod"}, {"submit": "/orders"}),
        ({"GET /orders/{id}": "orders-status-prod", "GET /orders/{id}/file": "orders-status-prod"}, {}),
        ({"POST /a": "orders-submit-prod", "POST /b": "orders-submit-prod"}, {}),
        ({"ANY /{proxy+}": "orders-submit-prod", "GET /orders": "orders-status-prod"}, {}),
        ({"POST /orders": "orders-other-prod"}, {}),
    ],
)
def test_a_path_is_taken_where_it_alone_leads_to_the_function(paths: dict[str, str], found: dict[str, str]) -> None:
    answers = of_flags("orders", names=["submit=orders-submit-{env}", "status=orders-status-{env}"])
    made = [{"IntegrationId": name, "IntegrationUri": f"arn:aws:lambda:x:1:function:{name}"} for name in paths.values()]
    routes = [{"RouteKey": key, "Target": f"integrations/{name}"} for key, name in paths.items()]
    told = {"get_integrations": made, "get_routes": routes}
    gateway = SimpleNamespace(
        get_paginator=lambda call: SimpleNamespace(paginate=lambda **_: [{"Items": told[call]}]),
    )
    api = Resource("AWS::ApiGatewayV2::Api", "Api", "a1")
    _routes(answers, [api], "prod", SimpleNamespace(client=lambda _: gateway))  # type: ignore[arg-type]
    wanted = found | ({"status": "/orders/{id}"} if "GET /orders/{id}" in paths else {})
    assert {key: said.value for key, said in answers.routes.items()} == wanted


@pytest.mark.parametrize(("name", "by_id"), [("orders-http-prod", False), ("orders-http", True)])
def test_an_http_api_goes_by_its_id_only_where_its_name_is_that_of_every_environment(name: str, by_id: bool) -> None:
    answers = of_flags("orders")
    told = [{"Items": [{"ApiId": "a1", "Name": name}]}]
    gateway = SimpleNamespace(get_paginator=lambda _: SimpleNamespace(paginate=lambda **_: told))
    api = Resource("AWS::ApiGatewayV2::Api", "Api", "a1")
    _api(answers, [api], "prod", SimpleNamespace(client=lambda _: gateway))  # type: ignore[arg-type]
    assert answers.names["api"].value == ("orders-http" if by_id else "orders-http-{env}")
    assert ("api_id" in answers.names) is by_id


def test_a_guard_is_not_the_alarm_of_the_same_metric_and_a_second_run_finds_the_same() -> None:
    """The stack of two workers: its alarm on errors is metric math, and 04 makes it."""
    answers = of_flags("invoice-press")
    guard = Resource("AWS::CloudWatch::Alarm", "GuardWorkerErrors", "invoice-press-worker-crashes-guard-qa")
    _alarms(answers, [guard], "qa")
    assert {id: said.value for id, said in answers.alarms.items()} == {
        "guard_worker_errors": "invoice-press-worker-crashes-guard-{env}"
    }


@pytest.mark.parametrize(
    ("type", "asked", "hint"),
    [
        ("Lambda::Function", False, True),
        ("SQS::Queue", False, True),
        ("SNS::Topic", False, False),
        ("Lambda::Function", True, False),
    ],
)
def test_what_may_be_a_further_workers_is_told_where_to_go(type: str, asked: bool, hint: bool) -> None:
    said = _left(Resource(f"AWS::{type}", "Worker2", "press-mail"), asked=asked)
    assert ("`workers` in params/service.yaml" in said) is hint
