"""The knobs that the simulated service obeys, read from the embedded AWS as the real service would meet them.

Flags through AppConfig's data plane, as clients read them (so AppConfig's own rollback is seen, and this is not the
code by which the runbook reads them back); the workers from the Lambda's reserved concurrency; the billing mode from
the table.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runbook_lib.errors import AwsError
from runbook_lib.params import Params

UNRESERVED_WORKERS = 1000
"""Concurrency of a function that nothing was reserved for: the account's pool."""


@dataclass(frozen=True)
class Knobs:
    """What is in force at one moment."""

    percent: float
    switch_on: bool
    workers: int
    billing_mode: str = "PAY_PER_REQUEST"

    @property
    def share(self) -> float:
        """Share of requests sent to the async route, 0 to 1."""
        return self.percent / 100 if self.switch_on else 0.0


class _Flag:
    """One flag as a client holds it: a session, and the last document it was given."""

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
            AwsError: what is deployed is no flag document.
        """
        if self._token is None:
            self._token = self._client.start_configuration_session(**self._where)["InitialConfigurationToken"]
        try:
            answer = self._client.get_latest_configuration(ConfigurationToken=self._token)
        except self._client.exceptions.BadRequestException:
            # The token is older than AppConfig keeps one: a client that slept starts again.
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


def reader(client: Callable[[str], Any], params: Params) -> Callable[[], Knobs]:
    """A function that reads the knobs in force.

    Args:
        client: gives the boto3 client of a service.
    """
    traffic = params.service.traffic
    data = client("appconfigdata")

    def flag(environment: str, profile: str) -> _Flag:
        application = traffic.application.format(env=params.env)
        return _Flag(data, application, environment.format(env=params.env), profile, traffic.flag)

    dial = flag(traffic.dial_environment, traffic.dial_profile)
    switch = flag(traffic.switch_environment, traffic.switch_profile)

    def read() -> Knobs:
        dialled = dial.read()
        reserved = client("lambda").get_function_concurrency(FunctionName=params.name("worker"))
        table = client("dynamodb").describe_table(TableName=params.name("table"))["Table"]
        return Knobs(
            percent=float(dialled.get("percent", 0)) if dialled.get("enabled") else 0.0,
            switch_on=bool(switch.read().get("enabled")),
            workers=int(reserved.get("ReservedConcurrentExecutions", UNRESERVED_WORKERS)),
            billing_mode=table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
        )

    return read
