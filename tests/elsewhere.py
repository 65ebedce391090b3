"""Parameter Store, Lambda's aliases and a stage's canary in memory, as far as the weight needs them, with their checks.

Their answers are held against the embedded AWS in `tests/act/traffic/test_register.py`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError
from pydantic import TypeAdapter

from runbook_lib.act.guard import Guard
from runbook_lib.act.traffic.homes import Home
from runbook_lib.act.traffic.register import Register
from runbook_lib.act.traffic.registered import RegisteredTraffic
from runbook_lib.params.load import Params, load_file
from runbook_lib.params.traffic import Traffic

ROOT = Path(__file__).resolve().parents[1]
T0 = dt.datetime(2026, 11, 10, 12, tzinfo=dt.UTC)
HOMES: dict[str, dict[str, str]] = {
    "ssm": {},
    "lambda-alias": {"function": "worker", "alias": "live", "version": "7", "stable": "6"},
    "rest-canary": {"deployment": "abc123"},
}


def params_of(kind: str, **flat: Any) -> Params:
    """Production's parameters in apply mode, with another home of the weight."""
    made = load_file(ROOT / "params" / "prod.yaml", {"mode": "apply", "confirm": "prod", **flat})
    home = TypeAdapter(Traffic).validate_python({"kind": kind, "parameter": "/ours/{env}/weight", **HOMES[kind]})
    return made.model_copy(update={"service": made.service.model_copy(update={"traffic": home})})


class NotFound(ClientError):
    def __init__(self, operation: str, code: str = "ParameterNotFound") -> None:
        super().__init__({"Error": {"Code": code, "Message": "no"}}, operation)


class Elsewhere:
    """One account: `client(service)`; `before[operation]` happens before a call, `clock` moves by a minute a write.

    The first answer to each operation in `lost` is lost on its way, after AWS has done it: botocore asks again.
    """

    exceptions = SimpleNamespace(ParameterNotFound=NotFound)

    def __init__(self) -> None:
        self.lost: list[str] = []
        self.versions: list[dict[str, Any]] = []
        self.alias: dict[str, Any] = {"FunctionVersion": "6", "RevisionId": "r1"}
        self.stage: dict[str, Any] = {"canarySettings": {"deploymentId": "abc123", "percentTraffic": 0.0}}
        self.calls: list[str] = []
        self.before: dict[str, Callable[[], None]] = {}

    def client(self, _: str) -> Any:
        return self

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name == "lost" or name not in self.lost:
            return found

        def asked_twice(**given: Any) -> Any:
            self.lost.remove(name)
            found(**given)
            return found(**given)

        return asked_twice

    def get_paginator(self, operation: str) -> Any:
        return SimpleNamespace(paginate=lambda **request: [getattr(self, operation)(**request)])

    def _called(self, operation: str) -> None:
        self.calls.append(operation)
        self.before.pop(operation, lambda: None)()

    def get_parameter_history(self, Name: str) -> dict[str, Any]:
        self._called("get_parameter_history")
        if not self.versions:
            raise NotFound("GetParameterHistory")
        return {"Parameters": self.versions}

    def put_parameter(self, Name: str, Value: str, Type: str, Overwrite: bool, Description: str) -> dict[str, Any]:
        self._called("put_parameter")
        number = len(self.versions) + 1
        at = T0 + dt.timedelta(minutes=number)
        self.versions.append({"Version": number, "Value": Value, "Description": Description, "LastModifiedDate": at})
        return {"Version": number}

    def get_alias(self, FunctionName: str, Name: str) -> dict[str, Any]:
        self._called("get_alias")
        if not self.alias:
            raise NotFound("GetAlias", "ResourceNotFoundException")
        return self.alias

    def update_alias(self, FunctionName: str, Name: str, RevisionId: str | None = None, **changed: Any) -> None:
        self._called("update_alias")
        if RevisionId not in (None, self.alias["RevisionId"]):
            raise NotFound("UpdateAlias", "PreconditionFailedException")
        self.alias = {**changed, "RevisionId": f"r{len(self.calls)}"}

    def get_rest_apis(self, **_: Any) -> dict[str, Any]:
        return {"items": [{"name": "careervp-core-api-prod", "id": "api1"}]}

    def get_stage(self, restApiId: str, stageName: str) -> dict[str, Any]:
        self._called("get_stage")
        return self.stage

    def update_stage(self, restApiId: str, stageName: str, patchOperations: list[dict[str, str]]) -> None:
        self._called("update_stage")
        canary = {**self.stage["canarySettings"], "percentTraffic": float(patchOperations[0]["value"])}
        self.stage = {"canarySettings": canary, "lastUpdatedDate": f"u{len(self.calls)}"}

    def get_resources(self, **_: Any) -> dict[str, Any]:
        return {"items": []}


class Place:
    """One home of the weight in memory, with a journal."""

    def __init__(self, kind: str, aws: Any = None, **flat: Any) -> None:
        self.aws = aws or Elsewhere()
        self.params = params_of(kind, **flat)
        self.events: list[tuple[str, dict[str, Any]]] = []
        caller = SimpleNamespace(account=self.params.account_id, arn="arn:aws:iam::000000000103:user/ann", now=T0)
        self.guard = Guard(self.params, caller, self)
        self.clock = 0.0
        register = Register(self.aws.client, self.params, sleep=self._sleep, monotonic=lambda: self.clock)
        self.home: Home = RegisteredTraffic(self.aws, self.guard, self.params, register)
        self.register = register

    def _sleep(self, seconds: float) -> None:
        self.clock += seconds

    def append(self, event: str, **data: Any) -> None:
        self.events.append((event, data))

    append_or_stderr = append

    def intents(self) -> list[str]:
        return [data["what"] for event, data in self.events if event == "intent"]
