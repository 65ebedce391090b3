"""The sandbox's handlers speak any contract, and the runbook understands them by it: smoke test, status, census.

In this process, on moto: the handlers are called as the gateway would, and the worker as the queue would.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from runbook_lib.act.requests.http_call import Answer
from runbook_lib.act.requests.smoke import SmokeStep, smoke
from runbook_lib.base.json_body import filled_body
from runbook_lib.base.template import filled
from runbook_lib.base.window import Window
from runbook_lib.observe.jobs.behind import Behind
from runbook_lib.observe.jobs.census import take
from runbook_lib.observe.jobs.segment import Segment
from runbook_lib.observe.metrics.catalogue import address
from runbook_lib.params.contract import Contract
from runbook_lib.params.load import Params, load_file, params_dir
from runbook_lib.rehearse.sandbox.spoken import environment, failed_jobs
from runbook_lib.rehearse.world.targets import targets
from tests.contracts import REAL_SERVICE, contracts
from tests.rehearse.sandbox.test_handlers import CREATED, ENV, Backend

PRODUCTION = load_file(params_dir() / "prod.yaml")
CREATED_AT = dt.datetime.fromtimestamp(CREATED, dt.UTC)


def with_contract(contract: Contract) -> Params:
    """Production's parameters with another contract, and the names of the backend."""
    names = {**PRODUCTION.service.names, "table": "jobs", "bucket_prefix": "results"}
    service = PRODUCTION.service.model_copy(update={"contract": contract, "names": names})
    return PRODUCTION.model_copy(update={"service": service})


class Service(Backend):
    """The whole service, called as its gateway and its queue call it."""

    def __init__(self, contract: Contract) -> None:
        super().__init__(with_contract(contract))
        self.functions = {name: self.load(name) for name in ("submit", "worker", "status", "sync")}

    def client(self, service: str) -> Any:
        return boto3.client(service)

    def send(self, method: str, url: str, headers: Mapping[str, str], body: object) -> Answer:
        """A request, as the gateway hands it over."""
        contract, routes = self.params.service.contract, self.params.service.api.routes
        if not url.startswith("https://api/"):
            path = urlsplit(url).path.strip("/")
            found = boto3.client("s3").get_object(Bucket="results", Key=self.keys()[path.rpartition("/")[2]])
            return Answer(200, json.loads(found["Body"].read()))
        path = url.removeprefix("https://api")
        event: dict[str, Any] = {
            "headers": dict(headers),
            "body": json.dumps(body),
            "requestContext": {"requestTimeEpoch": int(CREATED * 1000)},
        }
        for name, route, allowed in (
            ("sync", routes.sync, contract.sync.method),
            ("submit", routes.submit, contract.submit.method),
            ("status", contract.result.path or "/nowhere", "GET"),
            ("status", routes.status, contract.status.method),
        ):
            wanted = re.fullmatch(re.sub(r"\{\w+\}", "([^/]+)", route), path)
            if wanted and method == allowed:
                event |= {"resource": route, "pathParameters": dict(enumerate(wanted.groups()))}
                answer = self.functions[name].handler(event, None)
                self.work()
                return Answer(answer["statusCode"], json.loads(answer["body"]))
        return Answer(403, {"message": "Missing Authentication Token"})

    def keys(self) -> dict[str, str]:
        """The results that there are, by the last part of their keys."""
        found = boto3.client("s3").list_objects_v2(Bucket="results").get("Contents", [])
        return {one["Key"].rpartition("/")[2]: one["Key"] for one in found}

    def work(self) -> None:
        """The worker takes what waits."""
        for message in boto3.client("sqs").receive_message(QueueUrl=self.queue).get("Messages", []):
            first = {"ApproximateFirstReceiveTimestamp": str(int((CREATED + 2) * 1000))}
            self.functions["worker"].handler({"Records": [{"body": message["Body"], "attributes": first}]}, None)
            boto3.client("sqs").delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])

    def smoked(self, told: Contract) -> list[SmokeStep]:
        """The smoke test by a contract, which is the service's own or not."""
        behind = Behind(self, with_contract(told))
        routes = self.params.service.api.routes
        return smoke(
            "https://api", probe_id="p", deadline_s=0.05, routes=routes, contract=told, behind=behind, send=self.send
        )

    def user(self) -> Answer:
        """A submission of a user: no mark."""
        contract = self.params.service.contract
        said = {"uuid": "1", "now": "n", "probe": "user"}
        body = filled_body(json.loads(json.dumps(contract.submit.valid).replace(contract.probe.prefix, "u")), said)
        headers = {name: filled(text, said) for name, text in contract.submit.headers.items()}
        url = "https://api" + self.params.service.api.routes.submit
        return self.send(contract.submit.method, url, headers, body)

    def census(self) -> Segment:
        window = Window(CREATED_AT - dt.timedelta(minutes=5), CREATED_AT + dt.timedelta(minutes=5))
        return take(boto3.client("dynamodb"), self.params, window, CREATED_AT + dt.timedelta(hours=1))


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {**ENV, "QUEUE_URL": "", "CONTRACT": ""}.items():
        monkeypatch.setenv(name, value)
    yield


@pytest.mark.slow
@pytest.mark.usefixtures("aws")
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(contracts())
def test_any_contract_is_spoken_and_understood(contract: Contract) -> None:
    with mock_aws():
        service = Service(contract)
        steps = service.smoked(contract)
        assert all(step.ok for step in steps), [(step.name, step.detail) for step in steps if not step.ok]
        assert service.user().status in contract.submit.accepted.codes
        found = service.census()
        assert (found.n, found.completed, found.probes, found.probes_bad) == (1, 1, 1, 0)
        told = contract.tokens.told_by == "table"
        assert (found.input_tokens, found.untold) == ((7500, 0) if told else (0, 1))


@pytest.mark.slow
@pytest.mark.usefixtures("aws")
def test_the_real_service_passes_with_its_contract_told_and_is_named_without() -> None:
    """Status always 200 PENDING, the bare document, no token usage: one key after the other says what is to be told."""
    with mock_aws():
        real = Contract.model_validate(REAL_SERVICE)
        service = Service(real)
        assert [step.detail for step in service.smoked(real) if not step.ok] == []
        untold = {step.id: step.detail for step in service.smoked(Contract()) if not step.ok}
        assert set(untold) == {"poll", "download", "unknown"}
        said = '200 {"status": "PENDING"}: no answer that contract.status of service.yaml knows ('
        told = Contract().status.told()
        assert untold["poll"] == f"{said}{told}); does the route never say more? then say `told_by: table`"
        service.user()
        found = service.census()
        assert (found.completed, found.input_tokens, found.untold) == (1, 0, 1)


@pytest.mark.slow
@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("told", "step", "said"),
    [
        ({"probe": {"arrives_in": "origin"}}, "mark", "'origin' of the job is missing (the item has completed_at, "),
        ({"probe": {"prefix": "synthetic"}}, "mark", "is 'probe:p', expects 'synthetic…' (contract.probe)"),
        ({"table": {"job_id": "id"}}, "mark", "looking up a job in jobs"),
        ({"submit": {"job_id": "data.id"}}, "submit", "no job id at 'data.id' (contract.submit.job_id)"),
        ({"submit": {"accepted": {"codes": (201,)}}}, "submit", "expects 201 (contract.submit.accepted)"),
        ({"submit": {"repeated": {"codes": (409,)}}}, "duplicate", "expects 409 (contract.submit.repeated)"),
        ({"submit": {"refused": {"codes": (422,)}}}, "invalid", "expects 422 (contract.submit.refused)"),
        ({"result": {"required": ("summary",)}}, "download", "it has nothing at 'summary' (contract.result.required)"),
        ({"result": {"link": "url"}}, "download", "no link to download"),
        ({"status": {"unknown": {"codes": (410,)}}}, "unknown", "expects 410 (contract.status.unknown)"),
        ({"sync": {"codes": (504,)}}, "sync", "200"),
    ],
)
def test_a_contract_that_does_not_fit_is_named_by_its_key(told: dict[str, Any], step: str, said: str) -> None:
    with mock_aws():
        service = Service(Contract())
        failed = {one.id: one.detail for one in service.smoked(Contract.model_validate(told)) if not one.ok}
        assert said in failed[step]


@given(contracts(), st.sampled_from(("submit", "worker", "status", "sync")))
def test_a_functions_variables_fit_into_lambdas(contract: Contract, function: str) -> None:
    """4 kB in all (AWS Lambda Developer Guide, quotas), some hundred of which are the names of resources."""
    assert len(environment(with_contract(contract), function)) < 3000


KPIS = {
    "jobs_created": {"namespace": "orders_{env}", "metric": "Made", "dimensions": {"env": "{env}", "fn": "{submit}"}},
    "jobs_failed": {"metric": "Broken", "dimensions": {"service": "{kpi_service}"}},
    "input_tokens": {"dimensions": {}},
}


def test_who_publishes_a_metric_and_who_asks_for_it_name_one_place() -> None:
    """The world, the handlers' logs and the metric filter, each against the runbook's own address."""
    params = with_contract(
        Contract.model_validate({"kpi": KPIS, "submit": {"method": "PUT"}, "sync": {"method": "PUT"}})
    )
    asked = {id: address(params.metric(id), params) for id in ("jobs_created", "jobs_failed", "async_requests")}
    assert asked["jobs_created"] == {
        "Namespace": "orders_prod",
        "MetricName": "Made",
        "Dimensions": [{"Name": "env", "Value": "prod"}, {"Name": "fn", "Value": params.name("submit")}],
    }
    made = {(one.signal, *sorted(one.dimensions)): one for one in targets(params)}
    for id in ("jobs_created", "jobs_failed"):
        one = next(each for each in made.values() if each.signal == id)
        where = {"Namespace": one.namespace, "MetricName": one.name}
        assert where == {key: asked[id][key] for key in where}
        assert sorted(one.dimensions) == [(each["Name"], each["Value"]) for each in asked[id]["Dimensions"]]
    by_route = tuple(sorted((each["Name"], each["Value"]) for each in asked["async_requests"]["Dimensions"]))
    assert ("Method", "PUT") in by_route and ("submit_count", *by_route) in made
    filtered = failed_jobs(params)["MetricTransformations"][0]
    assert (filtered["MetricNamespace"], filtered["MetricName"]) == (params.service.kpi_namespace, "Broken")
    assert json.loads(environment(params, "submit"))["kpi"] == [
        ["orders_prod", "Made", {"env": "prod", "fn": params.name("submit")}]
    ]


def test_tokens_that_nobody_tells_are_not_published_either() -> None:
    silent = with_contract(Contract.model_validate({"tokens": {"told_by": "none"}}))
    assert len(json.loads(environment(silent, "worker"))["kpi"]) == 1
    assert len(json.loads(environment(PRODUCTION, "worker"))["kpi"]) == 3
