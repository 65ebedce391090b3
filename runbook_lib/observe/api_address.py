"""The address of the API's stage, for whoever sends requests to it."""

from __future__ import annotations

from runbook_lib.base.aws import Aws, aws_errors
from runbook_lib.base.errors import AwsError
from runbook_lib.base.template import filled
from runbook_lib.observe.asking import Absent, Place
from runbook_lib.observe.traffic.routes import api_of
from runbook_lib.params.load import Params

LEAST_WAIT_S = 15.0
"""The least that the sandbox is given, whatever its time scale: processes start in real time."""


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
    place = {"endpoint": aws.endpoint, "api_id": id, "region": params.region, "env": params.env}
    return filled(params.api_url, {**place, "stage": params.service.api.stage})
