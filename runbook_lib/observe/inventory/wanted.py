"""What each check of the inventory expects of a template: the type, the property and the value, for `judge.mending`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from runbook_lib.base.template import filled
from runbook_lib.judge.incidents.mending import Place, Wanted, plain
from runbook_lib.observe.asking import Place as Account
from runbook_lib.observe.inventory.calls import Spot
from runbook_lib.observe.inventory.rules import Inventory, Setting, declared, fields, holds, resolved, shown
from runbook_lib.observe.inventory.several import of_all
from runbook_lib.observe.inventory.storage import GO_BY_ID
from runbook_lib.params.load import Params

_OF_A_ROUTE = (
    "AWS::ApiGateway::Method",
    "AWS::ApiGatewayV2::Route",
    "AWS::ApiGatewayV2::Integration",
    "AWS::Lambda::Permission",
)
_TTL = "{job_ttl_variable}"


def wanted(params: Params, step: str) -> dict[str, Wanted]:
    """What every check of the inventory at `step` expects of a template, by check id."""
    known = of_all(params)
    account = Account(_nobody(), params, step)
    found: dict[str, Wanted] = {}
    for id, resource in known.resources.items():
        spot = Spot(account, id, resource)
        types = resource.made_as or ((resource.type,) if resource.type else ())
        places = tuple((_place(spot, one, known), ()) for one in types)
        values = fields(params, resource, step)
        settings = {name: _setting(spot, name, rule, types, known, values) for name, rule in resource.settings.items()}
        found[f"inventory.{id}.gone"] = Wanted("gone", places, resource.title)
        found[f"inventory.{id}.exists"] = Wanted("exists", places, resource.title, settings=tuple(settings.values()))
        found |= {f"inventory.{id}.{name}": one for name, one in settings.items() if one.places}
    return found


def _nobody() -> Any:
    """Stands in for AWS and asks nothing."""
    return None


def _setting(
    spot: Spot, name: str, rule: Setting, types: tuple[str, ...], known: Inventory, values: Mapping[str, Any]
) -> Wanted:
    places = []
    variable = spot.params.service.job_ttl_variable
    for said in rule.property:
        if _TTL in said and not variable:
            continue  # no template sets it
        type, _, path = said.rpartition(" ")
        for one in (type,) if type else types:
            foreign = bool(type) and type not in types
            place = _place(spot, one, known, name if foreign else "", rule.logical)
            places.append((place, tuple(path.replace(_TTL, variable).split("."))))
    value = resolved(declared(rule), values)
    return Wanted(
        "setting",
        tuple(places),
        name.replace("_", " "),
        rule.expected or shown(value, rule.unit),
        partial(told_holds, rule, value),
    )


def _place(spot: Spot, type: str, known: Inventory, setting: str = "", logical: str = "") -> Place:
    """The place in a diff that would name a resource, or another resource that carries a setting of it."""
    resource, params, naming = spot.resource, spot.params, known.naming
    if resource.route and type in _OF_A_ROUTE:
        parts = getattr(params.service.api.routes, resource.route).strip("/").split("/")
        return Place(type, route=(*parts, resource.method), beside=bool(setting))
    name = spot.name
    if setting and hasattr(params.service.traffic, setting):
        name = filled(getattr(params.service.traffic, setting), {"env": params.env})
    elif setting and type.endswith("::Stage"):
        name = params.service.api.stage
    return Place(
        type,
        names=(name,),
        begins=resource.kind == "bucket",
        named=type in (naming.types.keys() | naming.own.keys()) and type not in GO_BY_ID,
        logical=logical or resource.logical,
        keys=keys(name, params.env, plain(naming.project)),
        beside=bool(setting),
    )


def keys(name: str, env: str, project: str) -> tuple[str, ...]:
    """Forms of a name with and without the project in front and the environment at the end."""
    whole = plain(name)
    short = name.removesuffix(f"-{env}")
    both = [whole, plain(short), whole.removeprefix(project), plain(short).removeprefix(project)]
    return tuple(dict.fromkeys(one for one in both if one))


def told_holds(rule: Setting, value: Any, told: Any) -> bool | None:
    """Whether the value of a property in a template is what the setting expects.

    Args:
        value: what the rule expects, its fields filled in.
        told: number, boolean, text, list or block.

    Returns:
        None where the two cannot be compared.
    """
    if isinstance(told, list) and rule.at_least is not None:
        told = len(told)
    word = str(told).lower() if isinstance(told, bool) else str(told)
    mapped = rule.as_told.get(word, rule.as_told.get("*"))
    if mapped is not None:
        return holds(rule, value, mapped)
    listed = isinstance(told, (dict, list)) or bool(rule.includes) or isinstance(value, list)
    # A boolean cannot be compared with a word.
    if listed or isinstance(told, bool) != (rule.holds is not None):
        return None
    if isinstance(value, str) and isinstance(told, str):
        return value in re.split("[/:]", told)
    return holds(rule, value, told)
