"""Whether the API's stage writes access logs, where to, and with which facts. `jobs/access_log.py` reads the logs."""

from __future__ import annotations

import json
import re

from runbook_lib.observe.inventory.calls import Spot
from runbook_lib.observe.inventory.rules import Said
from runbook_lib.observe.traffic.routes import stage_of
from runbook_lib.params.load import Params

FACTS = {
    "status": ("$context.status",),
    "response_type": ("$context.error.responseType",),
    "method": ("$context.httpMethod",),
    "path": ("$context.resourcePath", "$context.routeKey"),
    "time": ("$context.requestTimeEpoch",),
}
"""Variables of the gateway that may fill each fact of an access log line; one of them suffices."""
OPTIONAL = {"client": ("$context.identity.userAgent",)}
"""Variables for the facts that no gate needs."""


def access_logs(spot: Spot) -> Said:
    """Whether the stage writes access logs to the group of service.yaml, with every fact that is read from them."""
    params, stage = spot.params, stage_of(spot.place)
    settings = stage.get("accessLogSettings") or stage.get("AccessLogSettings") or {}
    destination = str(settings.get("destinationArn") or settings.get("DestinationArn") or "")
    if not destination:
        return Said(False, "the stage writes no access logs")
    group = destination.removesuffix(":*").rpartition(":log-group:")[2]
    # Where service.yaml names no group, nothing reads the log, so any group will do.
    wanted = params.name("access_log") if params.named("access_log") else group
    lacking = missing_facts(str(settings.get("format") or settings.get("Format") or ""), params)
    wrong = [f"they go to {group or destination}, not to {wanted}"] if group != wanted else []
    wrong += [f"their format lacks {', '.join(lacking)}"] if lacking else []
    return Said(not wrong, "; ".join(wrong) or f"access logs in {group}, with every fact")


def missing_facts(format: str, params: Params) -> list[str]:
    """Facts that an access log format does not write under the keys of `api.access_log_fields`, each in words.

    >>> from runbook_lib.params.load import load_file, params_dir
    >>> missing_facts('{"status": "$context.status"}', load_file(params_dir() / "prod.yaml"))[0]
    '"response_type": $context.error.responseType'
    """
    fields = params.service.api.access_log_fields.model_dump()
    # A number may have no quotes around it, which is no JSON until it is filled in.
    quoted = re.sub(r"(:\s*)(\$context[\w.]+)", r'\1"\2"', format)
    try:
        written = json.loads(quoted)
    except ValueError:
        written = None
    if not isinstance(written, dict):
        return [f'"{fields[fact]}": {sources[0]} (the format is not JSON)' for fact, sources in FACTS.items()]
    return [
        f'"{fields[fact]}": {" or ".join(sources)}'
        for fact, sources in FACTS.items()
        if str(written.get(fields[fact], "")) not in sources
    ]
