"""What the contract says once, the inventory goes by: how the jobs table calls its attributes, and which it has not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from runbook_lib.observe.inventory.calls import Spot
from runbook_lib.observe.inventory.several import of_all
from runbook_lib.observe.inventory.wanted import wanted
from runbook_lib.params.load import Params, load_file, params_dir
from runbook_lib.rehearse.sandbox.template import build
from tests.elsewhere import HOMES, params_of

DELIVERED = load_file(params_dir() / "prod.yaml")


def called(**names: str) -> Params:
    contract = DELIVERED.service.contract
    table = contract.table.model_copy(update=names)
    service = DELIVERED.service.model_copy(update={"contract": contract.model_copy(update={"table": table})})
    return DELIVERED.model_copy(update={"service": service})


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({}, (["job_id HASH"], ["job_id S", "idempotency_key S"], ["idempotency_key HASH"], "ttl")),
        (
            {"job_id": "ticket", "idempotency_key": "ref", "ttl": "gone"},
            (["ticket HASH"], ["ticket S", "ref S"], ["ref HASH"], "gone"),
        ),
        ({"idempotency_key": "", "ttl": ""}, (["job_id HASH"], ["job_id S"], None, None)),
    ],
)
def test_the_tables_attributes_are_called_as_the_contract_says(
    names: dict[str, str], expected: tuple[object, ...]
) -> None:
    params = called(**names)
    settings = of_all(params).resources["table"].settings
    told = [settings.get(one) for one in ("key_schema", "attributes", "index_key", "ttl")]
    assert (
        *(one and list(one.equals or one.includes) for one in told[:3]),  # type: ignore[call-overload]
        told[3] and told[3].equals,
    ) == expected
    assert not [one for one in settings if one.startswith("index")] or names.get("idempotency_key") != ""
    assert "{table." not in str(settings)
    assert {one for one in wanted(params, "async") if one.startswith("inventory.table.")} >= {
        "inventory.table.exists",
        "inventory.table.key_schema",
    }
    key = build(params)["Resources"]["Table"]["Properties"]["KeySchema"][0]["AttributeName"]
    assert f"{key} HASH" in str(settings["key_schema"].equals), "the sandbox makes what the inventory expects"


@pytest.mark.parametrize(("submit", "sync"), [("PUT", "POST"), ("POST", "PATCH")])
def test_a_routes_method_is_the_contracts(submit: str, sync: str) -> None:
    """A service that takes submissions by PUT was told that POST of that path is missing."""
    contract = DELIVERED.service.contract.with_methods(submit=submit, sync=sync)  # type: ignore[arg-type]
    service = DELIVERED.service.model_copy(update={"contract": contract})
    params = DELIVERED.model_copy(update={"service": service})
    routes = {one.route: one.method for one in of_all(params).resources.values() if one.route}
    assert routes == {"submit": submit, "sync": sync, "status": "GET"}
    assert service.asked("submit") == f"{submit} {service.api.routes.submit}"


@pytest.mark.parametrize("kind", sorted(HOMES))
def test_flags_are_of_the_home_that_has_them_and_every_resource_has_a_name_without(kind: str) -> None:
    """02 of a rollout by parameter ended in an error: the diff was asked about flags that it has not."""
    params = params_of(kind)
    found = of_all(params).resources
    assert "flags" in of_all(DELIVERED).resources and "flags" not in found
    place: Any = SimpleNamespace(params=params)
    assert all(Spot(place, id, one).name for id, one in found.items())
