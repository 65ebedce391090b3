"""The API in front, REST or HTTP: the one place that finds it, its stage, its routes, and the Lambda behind each."""

from __future__ import annotations

import re
from typing import Any

from runbook_lib.base.errors import AwsError
from runbook_lib.observe.asking import Absent, Clients, Place, pages
from runbook_lib.params.load import Params

Routes = dict[tuple[str, str], dict[str, Any]]
"""Routes by method and path; `ANY` is a method too."""


_FUNCTION = re.compile(r":function:([^:/]+)")


def is_http(params: Params) -> bool:
    """Whether the API in front is an HTTP API."""
    return params.service.api.kind == "http"


def api_of(place: Place) -> dict[str, Any]:
    """Finds the API (`id` and `name`) by the id of `names.api_id`, else by the name of `names.api`.

    Raises:
        Absent: there is none.
        AwsError: several have the name, and nothing tells which is meant.
    """
    params = place.params

    def ask() -> dict[str, Any]:
        wanted, id = params.name("api"), params.service.name("api_id", params.env)
        if is_http(params):
            listed = pages(place.client("apigatewayv2"), "get_apis", "Items")
            known = [{"id": one["ApiId"], "name": one["Name"]} for one in listed]
        else:
            listed = pages(place.client("apigateway"), "get_rest_apis", "items", limit=500)
            known = [{"id": one["id"], "name": one["name"]} for one in listed]
        named = [one for one in known if (one["id"] == id if id else one["name"] == wanted)]
        if len(named) > 1:
            ids = ", ".join(sorted(one["id"] for one in named))
            said = f"{len(named)} {params.service.api.kind.upper()} APIs are called '{wanted}' ({ids})"
            which = f"names.api_id: {{{params.env}: {named[0]['id']}}}"
            raise AwsError(f"{said}; say in service.yaml which is meant, {which}")
        return named[0] if named else {}

    found: dict[str, Any] = place.once("api", ask)
    if not found:
        raise Absent
    return found


def stage_of(place: Place) -> dict[str, Any]:
    """The stage as AWS answers it; Absent if there is none."""
    params = place.params
    id, name = api_of(place)["id"], params.service.api.stage

    def ask() -> dict[str, Any]:
        answer: dict[str, Any]
        if is_http(params):
            answer = place.client("apigatewayv2").get_stage(ApiId=id, StageName=name)
        else:
            answer = place.client("apigateway").get_stage(restApiId=id, stageName=name)
        return answer

    found: dict[str, Any] = place.once("stage", ask)
    return found


def routes(place: Place) -> Routes:
    """Every route of the API, in one form for both kinds."""
    id = api_of(place)["id"]
    found: Routes = place.once("routes", lambda: routes_of(place, id, http=is_http(place.params)))
    return found


def routes_of(aws: Clients, id: str, *, http: bool) -> Routes:
    """Every route of the API with this id, in one form for both kinds.

    Raises:
        ClientError, BotoCoreError: botocore's own.
    """
    return (_http_routes if http else _rest_routes)(aws, id)


def _rest_routes(place: Clients, id: str) -> Routes:
    listed = pages(place.client("apigateway"), "get_resources", "items", restApiId=id, embed=["methods"], limit=500)
    return {
        (method, resource["path"]): one
        for resource in listed
        for method, one in (resource.get("resourceMethods") or {}).items()
    }


def _http_routes(place: Clients, id: str) -> Routes:
    client = place.client("apigatewayv2")
    made = {one["IntegrationId"]: one for one in pages(client, "get_integrations", "Items", ApiId=id)}
    found: Routes = {}
    for route in pages(client, "get_routes", "Items", ApiId=id):
        method, _, path = route["RouteKey"].partition(" ")
        integration = made.get(route.get("Target", "").rpartition("/")[2], {})
        found[method, path] = {**route, "methodIntegration": integration}
    return found


def function_of(route: dict[str, Any]) -> str:
    """Name of the Lambda behind a route; for another integration, its address or type."""
    integration = route.get("methodIntegration") or {}
    uri = str(integration.get("uri") or integration.get("IntegrationUri") or "")
    named = _FUNCTION.search(uri)
    return named[1] if named else uri or str(integration.get("type") or integration.get("IntegrationType") or "nothing")
