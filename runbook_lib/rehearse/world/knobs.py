"""The knobs of the simulated service, read from the embedded AWS as the real service would see them.

The weight comes through AppConfig's data plane or from Parameter Store, as for clients (so AppConfig's own rollback is
seen, and the code differs from that of the runbook's read-back); the targets of routes come from API Gateway; the
workers from the Lambda's reserved concurrency; the billing mode from the table. If the new resources are not
deployed, nothing goes to async.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runbook_lib.base.errors import AwsError
from runbook_lib.base.template import filled
from runbook_lib.observe.asking import Place
from runbook_lib.observe.traffic.in_force import canary
from runbook_lib.observe.traffic.routes import function_of, is_http, routes
from runbook_lib.params.load import Params
from runbook_lib.params.traffic import CanaryHome, SsmHome

UNRESERVED_WORKERS = 1000
"""Concurrency of a function without a reservation: the account's pool."""


@dataclass(frozen=True)
class Knobs:
    """The knobs in force at one moment."""

    percent: float
    switch_on: bool
    workers: int
    billing_mode: str = "PAY_PER_REQUEST"
    table_units: float | None = None
    """Provisioned write units of the table; None: on demand."""
    index_units: float | None = None
    """Provisioned write units of the idempotency index; None: on demand."""
    deployed: bool = True
    """Whether the worker exists, and with it queue and table."""
    migrated: bool = False
    """Whether the synchronous route leads to the submit Lambda."""
    temporary: bool = True
    """Whether the temporary route exists."""

    @property
    def share(self) -> float:
        """Share of requests that clients send to the temporary route, 0 to 1."""
        return self.percent / 100 if self.switch_on else 0.0


class _Flag:
    """One flag as a client holds it: a session, and the last document."""

    def __init__(self, client: Any, application: str, environment: str, profile: str, flag: str) -> None:
        self._client, self._flag = client, flag
        self._where = {
            "ApplicationIdentifier": application,
            "EnvironmentIdentifier": environment,
            "ConfigurationProfileIdentifier": profile,
        }
        self._token: str | None = None
        self._held: dict[str, Any] = {}

    def read(self) -> dict[str, Any]:
        """The flag's attributes; empty if nothing was ever deployed.

        Raises:
            AwsError: the deployed document is no flag document.
        """
        try:
            if self._token is None:
                self._token = self._client.start_configuration_session(**self._where)["InitialConfigurationToken"]
        except self._client.exceptions.ResourceNotFoundException:
            return {}
        try:
            answer = self._client.get_latest_configuration(ConfigurationToken=self._token)
        except self._client.exceptions.BadRequestException:
            # AppConfig has dropped the old token: a client that slept starts again.
            self._token = None
            return self.read()
        self._token = answer["NextPollConfigurationToken"]
        if content := answer["Configuration"].read():
            try:
                held = json.loads(content)
                self._held = dict(held.get(self._flag, {}))
            except (ValueError, AttributeError, TypeError):
                where = self._where["ConfigurationProfileIdentifier"]
                raise AwsError(f"AppConfig profile '{where}' holds no feature flags: {content[:80]!r}") from None
        return self._held


class _Parameter:
    """The weight for a client that reads a parameter; the parameter also has the switch."""

    def __init__(self, client: Any, name: str) -> None:
        self._client, self._name = client, name

    def read(self) -> dict[str, Any]:
        """The content of the parameter; empty if nothing was ever written."""
        try:
            held: dict[str, Any] = json.loads(self._client.get_parameter(Name=self._name)["Parameter"]["Value"])
        except self._client.exceptions.ParameterNotFound:
            return {}
        return held


class _Paths:
    """The targets of the API's paths, asked of API Gateway as it is now."""

    def __init__(self, client: Callable[[str], Any], params: Params) -> None:
        self._clients, self._name, self._id, self._params = client, params.name("api"), "", params

    def client(self, service: str) -> Any:
        """The boto3 client of a service."""
        return self._clients(service)

    def read(self) -> dict[str, str]:
        """Address of the integration behind the submitting method, by path."""
        if is_http(self._params):
            there = routes(Place(self, self._params, step=""))
            methods = {path: method for method, path in there if method != "GET"}
            return {path: function_of(there[method, path]) for path, method in methods.items()}
        rest = self.client("apigateway")
        if not self._id:
            found = rest.get_rest_apis(limit=500)["items"]
            self._id = next((one["id"] for one in found if one["name"] == self._name), "")
        listed = rest.get_resources(restApiId=self._id, embed=["methods"], limit=500)["items"]
        service = self._params.service
        of = {service.api.routes.sync: service.methods["sync"]}
        submit = service.methods["submit"]
        posts = {one["path"]: (one.get("resourceMethods") or {}).get(of.get(one["path"], submit)) for one in listed}
        return {path: post.get("methodIntegration", {}).get("uri", "") for path, post in posts.items() if post}


def reader(client: Callable[[str], Any], params: Params) -> Callable[[], Knobs]:
    """A function that reads the knobs in force.

    Args:
        client: gives the boto3 client of a service.
    """
    dial, switch = _weights(client, params)
    paths = _Paths(client, params)

    def read() -> Knobs:
        functions = client("lambda")
        try:
            reserved = functions.get_function_concurrency(FunctionName=params.name("worker"))
        except functions.exceptions.ResourceNotFoundException:
            return Knobs(0.0, False, params.service.workers, deployed=False, temporary=False)
        table = client("dynamodb").describe_table(TableName=params.name("table"))["Table"]
        mode = table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
        indexes = {one["IndexName"]: one for one in table.get("GlobalSecondaryIndexes", [])}
        index = indexes.get(params.name("gsi"), {})
        dialled, leads_to = dial.read(), paths.read()
        paths_of = params.service.api.routes
        return Knobs(
            percent=float(dialled.get("percent", 0)) if dialled.get("enabled") else 0.0,
            switch_on=bool(switch.read().get("enabled")),
            workers=int(reserved.get("ReservedConcurrentExecutions", UNRESERVED_WORKERS)),
            billing_mode=mode,
            table_units=_units(table) if mode == "PROVISIONED" else None,
            index_units=_units(index) if mode == "PROVISIONED" else None,
            migrated=params.name("submit") in leads_to.get(paths_of.sync, ""),
            temporary=paths_of.submit in leads_to,
        )

    return read


@dataclass(frozen=True)
class _Canary:
    """The share of a stage's canary, which the world acts on in place of the embedded AWS (docs/emulator.md)."""

    client: Callable[[str], Any]
    params: Params

    def read(self) -> dict[str, Any]:
        return {"enabled": True, "percent": canary(self.client, self.params).percent}


_Weight = _Flag | _Parameter | _Canary


def _weights(client: Callable[[str], Any], params: Params) -> tuple[_Weight, _Weight]:
    """Dial and switch, as clients read them; a parameter is both, and so is a canary, which AWS acts on. An alias is
    refused: it splits the calls of one function, not the users.
    """
    home = params.service.traffic
    if isinstance(home, CanaryHome):
        return _Canary(client, params), _Canary(client, params)
    if isinstance(home, SsmHome):
        both = _Parameter(client("ssm"), filled(home.parameter, {"env": params.env}))
        return both, both
    traffic, data = params.service.appconfig, client("appconfigdata")

    def flag(environment: str, profile: str) -> _Flag:
        application = filled(traffic.application, {"env": params.env})
        return _Flag(data, application, filled(environment, {"env": params.env}), profile, traffic.flag)

    return flag(traffic.dial_environment, traffic.dial_profile), flag(
        traffic.switch_environment, traffic.switch_profile
    )


def _units(part: dict[str, Any]) -> float:
    """Provisioned write units of a table or an index; 0 if there are none."""
    return float(part.get("ProvisionedThroughput", {}).get("WriteCapacityUnits", 0))
