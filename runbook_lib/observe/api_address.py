"""The address of the API's stage, for requests to it."""

from __future__ import annotations

from runbook_lib.base.aws import Aws, Identity, aws_errors, caller
from runbook_lib.base.errors import AwsError
from runbook_lib.base.template import filled
from runbook_lib.observe.asking import Absent, Clients, Place
from runbook_lib.observe.traffic.routes import api_of, is_http
from runbook_lib.params.load import Params

LEAST_WAIT_S = 15.0
"""Least seconds to wait in the sandbox at any time scale: processes start in real time."""


def stage_url(aws: Aws, params: Params) -> str:
    """Address of the API's stage.

    Raises:
        AwsError: there is no such API.
    """
    kind, name = params.service.api.kind, params.name("api")
    try:
        with aws_errors("looking up the API (apigateway:GET)"):
            id = api_of(Place(aws, params, step=""))["id"]
    except Absent:
        by = f"{name}', or with the id of names.api_id" if params.named("api_id") else f"{name}'"
        raise AwsError(f"there is no {kind.upper()} API called '{by}; deploy first") from None
    return address(params, aws.endpoint, id)


def address(params: Params, endpoint: str | None, api_id: str) -> str:
    """`api_url`, filled in. The stage `$default` of an HTTP API does not appear in the address."""
    stage, template = params.service.api.stage, params.api_url
    if stage == "$default":
        template = template.removesuffix("/{stage}")
    place = {"endpoint": endpoint or "", "api_id": api_id, "region": params.region, "env": params.env}
    return filled(template, {**place, "stage": stage})


def identified(aws: Clients, params: Params) -> Params:
    """The parameters with the id of the HTTP API, looked up by its name: its metrics go by the id.

    Unchanged for a REST API, where `names.api_id` gives the id, and where there is no such API (yet).

    Raises:
        AwsError: several APIs have the name, or AWS cannot be asked.
    """
    if not is_http(params) or params.named("api_id"):
        return params
    try:
        with aws_errors("looking up the API (apigateway:GET)"):
            id = api_of(Place(aws, params, step=""))["id"]
    except Absent:
        return params
    return with_api(params, id)


def reached(params: Params, *, quick: bool = False, incident: bool = False) -> tuple[Params, Aws, Identity]:
    """Connects a command to AWS: the parameters with the API's id, clients, and the caller's identity.

    Args:
        quick: as in `runbook_lib/base/aws.py::connect`.
        incident: whether to go on without the API's id where it cannot be looked up.

    Raises:
        UsageError: the account is another one.
        AwsError: AWS cannot be asked, or several APIs have the name.
    """
    aws, identity = caller(params, quick=quick)
    try:
        return identified(aws, params), aws, identity
    except AwsError:
        if not incident:
            raise
    return params, aws, identity


def with_api(params: Params, id: str) -> Params:
    """The parameters with the id of this environment's API."""
    said = params.service.names.get("api_id")
    names = {**params.service.names, "api_id": {**(said if isinstance(said, dict) else {}), params.env: id}}
    return params.model_copy(update={"service": params.service.model_copy(update={"names": names})})


def unasked(params: Params) -> Params:
    """The parameters for what asks no AWS: an HTTP API that each run finds by its name has a made-up id."""
    return with_api(params, "found-by-its-name") if is_http(params) and not params.named("api_id") else params
