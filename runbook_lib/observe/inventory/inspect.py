"""The inventory: every resource and every setting that must hold, verified against AWS.

What must hold is data (`params/inventory.yaml`). Tables of calls ask AWS (`storage.py`, `functions.py`, `api.py`,
`door.py`), and one function compares the two (`rules.py`). Check ids are `inventory.<resource>.<setting>`.

The number of checks follows from `params/inventory.yaml` and the step alone, but for one case: a resource that does not
exist is ONE failing `inventory.<resource>.exists`, and its settings are not looked at (`facts["skipped"]` lists them).
A call that AWS refuses makes its own settings NO_DATA, with the sentence, and no others.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from runbook_lib.base.errors import UsageError
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.incidents.deviation import Deviation
from runbook_lib.observe.asking import Clients, Place
from runbook_lib.observe.inventory.api import API, ROUTE, integration_hash
from runbook_lib.observe.inventory.calls import Call, Spot, asked
from runbook_lib.observe.inventory.door import CONCURRENCY, DOOR, ROUTE_DOOR
from runbook_lib.observe.inventory.functions import EVENT_SOURCE, FUNCTION, METRIC_FILTER, WORKER
from runbook_lib.observe.inventory.rules import (
    STEPS,
    Inventory,
    Naming,
    Setting,
    Trouble,
    deviating,
    existence,
    fields,
    judged,
)
from runbook_lib.observe.inventory.several import of_all
from runbook_lib.observe.inventory.storage import ALARM, BUCKET, FLAGS, KPI, QUEUE, STACK, TABLE, TOPIC
from runbook_lib.observe.inventory.wanted import wanted
from runbook_lib.params.load import Params

__all__ = ["inspect", "integration_hash", "rules", "wanted"]
CALLS: dict[str, tuple[Call, ...]] = {
    "alarm": ALARM,
    "api": (*API, *DOOR),
    "bucket": BUCKET,
    "event_source": EVENT_SOURCE,
    "flags": FLAGS,
    "function": (*FUNCTION, *CONCURRENCY),
    "kpi": KPI,
    "metric_filter": METRIC_FILTER,
    "queue": QUEUE,
    "route": (*ROUTE, *ROUTE_DOOR),
    "stack": STACK,
    "table": TABLE,
    "topic": TOPIC,
    "worker": WORKER,
}
_SERVICES = (
    "apigateway",
    "appconfig",
    "cloudformation",
    "cloudwatch",
    "dynamodb",
    "iam",
    "lambda",
    "logs",
    "s3",
    "sns",
    "sqs",
)
_THREADS = 8


def rules(params: Params) -> Inventory:
    """`params/inventory.yaml`.

    Raises:
        UsageError: it is missing or wrong; the sentence names key and value.
    """
    return of_all(params)


def inspect(
    aws: Clients, params: Params, step: str = "async", deviations: Mapping[str, Deviation] | None = None
) -> list[Check]:
    """Every resource and setting that must hold at `step` of the infrastructure, one check each.

    Args:
        step: variant of the infrastructure: baseline, async, migrate, remove_temporary or remove_sync.
        deviations: open ones by check id: a FAIL with the recorded value becomes an advisory reminder.

    Raises:
        UsageError: `step` is none of these, or `params/inventory.yaml` is wrong.
        AwsError: no client can be made (credentials missing, an unknown profile).
    """
    if step not in STEPS:
        raise UsageError(f"step is '{step}', expects one of {', '.join(STEPS)}")
    known, place = rules(params), Place(aws, params, step)
    for service in (*_SERVICES, *(("apigatewayv2",) if params.service.api.kind == "http" else ())):
        place.client(service)  # before the threads: boto3 makes clients one at a time
    spots = [
        Spot(place, id, resource)
        for id, resource in known.resources.items()
        if step in resource.steps or step in resource.gone
    ]
    for spot in spots:
        if spot.resource.kind not in CALLS:
            raise UsageError(
                f"params/inventory.yaml: resource '{spot.id}' is of kind '{spot.resource.kind}', expects one of "
                f"{', '.join(CALLS)}"
            )
    with ThreadPoolExecutor(_THREADS) as pool:
        seen = list(pool.map(_look, spots))
    found = [one for spot, facts in zip(spots, seen, strict=True) for one in _checks(spot, facts, known.naming)]
    return [deviating(one, deviations or {}) for one in found]


def _look(spot: Spot) -> dict[str, Any]:
    """What AWS says about one resource: settings by name. A resource that does not exist gets no further questions."""
    facts: dict[str, Any] = {}
    calls = CALLS[spot.resource.kind]
    if spot.place.step in spot.resource.gone:
        calls = calls[:1]
    for call in calls:
        facts |= {key: value for key, value in asked(call, spot).items() if key not in facts}
        if facts.get("exists") is False:
            break
    return facts


def _checks(spot: Spot, facts: dict[str, Any], naming: Naming) -> list[Check]:
    resource, gone = spot.resource, spot.place.step in spot.resource.gone
    settings = list(resource.settings) + (["name"] if resource.type else [])
    there = facts.get("exists", Trouble("AWS was not asked"))
    place = spot.label(facts.get("name"))
    made = []
    if resource.exists:
        made.append(existence(place, spot.id, resource, there, gone=gone, skipped=settings))
    if gone or there is False:
        return made
    if resource.type:
        made.append(_named(spot, facts.get("name"), naming))
    known = fields(spot.params, resource, spot.place.step)
    for setting, rule in resource.settings.items():
        found = facts.get(setting, Trouble(f"nothing was asked about '{setting}' (params/inventory.yaml)"))
        made.append(_judged(place, f"{spot.id}.{setting}", spot, rule, found, known))
    return made


def _judged(place: str, id: str, spot: Spot, rule: Setting, found: Any, known: Mapping[str, Any]) -> Check:
    """One setting as a check; a value that cannot be compared counts as not seen."""
    try:
        return judged(place, id, spot.resource, rule, found, known)
    except (TypeError, ValueError) as error:
        strange = Trouble(f"AWS's answer cannot be compared ({type(error).__name__}: {error})")
        return judged(place, id, spot.resource, rule, strange, known)


def _named(spot: Spot, name: Any, naming: Naming) -> Check:
    """The check that a resource's name in AWS follows the naming rule."""
    id, title = f"inventory.{spot.id}.name", f"{spot.resource.title}: name"
    expected = naming.told if spot.resource.type not in naming.own else "its own pattern"
    if not isinstance(name, str):
        why = name.sentence if isinstance(name, Trouble) else "AWS does not say"
        return check(id, title, None, f"{spot.name}: the name could not be seen: {why}", expected=expected)
    ok = naming.fits(spot.resource.type, name, spot.params.env)
    reason = f"{name} follows the naming rule"
    if not ok:
        reason = f"{name} breaks the naming rule {expected} (kebab-case, no unresolved token); rename it and deploy"
    return check(id, title, ok, reason, expected=expected, found=name, resource=spot.name)
