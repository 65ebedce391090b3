"""The inventory's questions about what is in front of the functions: throttles, usage plans, WAF, concurrency.
`read_limits` gives the same answers as `Limits`, for the peak of a coming phase.

REST (API Gateway API reference, GetStage): `methodSettings` holds `*/*` for the stage, and `path/METHOD` for a route,
its slashes written as they are or as `~1`. HTTP (GetStage of v2): `DefaultRouteSettings`, and `RouteSettings` by route
key. A rate or burst below 0 turns the throttle off. Only REST APIs have usage plans, API keys and web ACLs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.errors import AwsError
from runbook_lib.judge.planning.door import ROUTES, DoorPlan, Limits, Throttle
from runbook_lib.observe.asking import Absent, Clients, Place, pages
from runbook_lib.observe.inventory.access_log import access_logs
from runbook_lib.observe.inventory.api import method_keys
from runbook_lib.observe.inventory.calls import Call, Spot
from runbook_lib.observe.inventory.rules import Said
from runbook_lib.observe.traffic.routes import api_of, is_http, routes, stage_of
from runbook_lib.params.load import Params


def _path(params: Params, route: str) -> str:
    return str(getattr(params.service.api.routes, route))


def _number(value: Any) -> float | None:
    """A rate or a burst as a number; None, also for a value below 0: there is no limit."""
    return None if value is None or float(value) < 0 else float(value)


def _rest_throttle(settings: Mapping[str, Any]) -> Throttle:
    return Throttle(
        rate=_number(settings.get("throttlingRateLimit")), burst=_number(settings.get("throttlingBurstLimit"))
    )


def _http_throttle(settings: Mapping[str, Any]) -> Throttle:
    return Throttle(
        rate=_number(settings.get("ThrottlingRateLimit")), burst=_number(settings.get("ThrottlingBurstLimit"))
    )


def stage_throttle(stage: Mapping[str, Any], *, http: bool) -> Throttle:
    """The throttle of each route that has none of its own."""
    if http:
        return _http_throttle(stage.get("DefaultRouteSettings") or {})
    return _rest_throttle((stage.get("methodSettings") or {}).get("*/*", {}))


def route_throttle(stage: Mapping[str, Any], path: str, method: str, *, http: bool) -> Throttle | None:
    """A route's own throttle, which overrides the stage's; None where it has none."""
    if http:
        found = _http_throttle((stage.get("RouteSettings") or {}).get(f"{method} {path}", {}))
        return None if found == Throttle() else found
    settings = stage.get("methodSettings") or {}
    own = next((settings[key] for key in method_keys(path, method) if key in settings), None)
    if own is None or not {"throttlingRateLimit", "throttlingBurstLimit"} & set(own):
        return None
    return _rest_throttle(own)


def _open(throttle: Throttle) -> bool:
    """Whether the throttle lets any request through."""
    return throttle.rate != 0 and throttle.burst != 0


def _said(throttle: Throttle, where: str) -> Said:
    if throttle == Throttle():
        return Said(True, f"no throttle of {where} is set, so the account's is in force")
    return Said(_open(throttle), f"{where}: {throttle.words}")


def _account(place: Place) -> Throttle:
    """The account's throttle for all its APIs in the region."""

    def ask() -> dict[str, Any]:
        found: dict[str, Any] = place.client("apigateway").get_account()
        return found

    settings = place.once("gateway account", ask).get("throttleSettings") or {}
    if not settings:
        raise AwsError("AWS shows no throttle of the account")
    return Throttle(rate=_number(settings.get("rateLimit")), burst=_number(settings.get("burstLimit")))


def _plans(place: Place) -> tuple[DoorPlan, ...]:
    """The usage plans that contain the stage."""
    params = place.params
    if is_http(params):
        return ()
    id, stage = api_of(place)["id"], params.service.api.stage
    listed = place.once("usage plans", lambda: pages(place.client("apigateway"), "get_usage_plans", "items", limit=500))
    found = []
    for plan in listed:
        mine = [one for one in plan.get("apiStages") or () if (one.get("apiId"), one.get("stage")) == (id, stage)]
        if not mine:
            continue
        quota, own = plan.get("quota") or {}, mine[0].get("throttle") or {}
        found.append(
            DoorPlan(
                name=plan.get("name") or plan["id"],
                throttle=_plan_throttle(plan.get("throttle") or {}),
                routes={
                    name: _plan_throttle(own[key])
                    for name in ROUTES
                    for key in (f"{_path(params, name)}/{params.service.methods[name]}",)
                    if key in own
                },
                quota=quota.get("limit"),
                period=quota.get("period", "DAY"),
            )
        )
    return tuple(found)


def _plan_throttle(said: Mapping[str, Any]) -> Throttle:
    return Throttle(rate=_number(said.get("rateLimit")), burst=_number(said.get("burstLimit")))


def _keyed(place: Place) -> tuple[str, ...]:
    """Routes of the service that require an API key; usage plans bind no others."""
    if is_http(place.params):
        return ()
    there = routes(place)
    wanted = {name: there.get((place.params.service.methods[name], _path(place.params, name))) for name in ROUTES}
    return tuple(name for name, one in wanted.items() if one and one.get("apiKeyRequired"))


def _usage(spot: Spot) -> Said:
    """Whether every usage plan of the stage lets a day's traffic through (`baseline.requests_per_day`, with polls)."""
    plans, keyed, params = _plans(spot.place), _keyed(spot.place), spot.params
    if is_http(params) or not plans:
        return Said(True, "no usage plan contains the stage")
    if not keyed:
        return Said(True, f"{'; '.join(one.words for one in plans)}; no route asks for an API key, so none binds")
    baseline, poll_s = params.policy.baseline, params.service.poll_every_s
    a_day = baseline.requests_per_day * (1 + ("status" in keyed) * baseline.generation_s / poll_s)
    shut = [one for one in plans if not _open(one.throttle) or not all(map(_open, one.routes.values()))]
    small = [one for one in plans if one.per_day is not None and one.per_day < a_day]
    told = "; ".join(one.words for one in plans)
    if shut or small:
        told += f": {'it lets nothing through' if shut else f'a day brings {a_day:,.0f} requests'}"
    return Said(not shut and not small, told)


def _waf(stage: Mapping[str, Any]) -> Said:
    acl = str(stage.get("webAclArn") or "")
    name = acl.split("/")[-2] if acl.count("/") > 1 else acl
    return Said(bool(acl), f"web ACL {name}: what it blocks is 403 at the gateway" if acl else "no web ACL")


def _own_throttle(spot: Spot) -> Said:
    resource, stage, http = spot.resource, stage_of(spot.place), is_http(spot.params)
    own = route_throttle(stage, _path(spot.params, resource.route), resource.method, http=http)
    return Said(True, "no own throttle, so the stage's is in force") if own is None else _said(own, "its own throttle")


_NO_STAGE = Said(False, "there is no such stage")
_STAGE = "reading the API's stage (apigateway:GET on the stage)"
DOOR = (
    Call(
        _STAGE,
        lambda spot: (stage_of(spot.place), is_http(spot.params)),
        {
            "throttle": lambda seen: (
                _said(stage_throttle(seen[0], http=seen[1]), "each route of the stage") if seen else _NO_STAGE
            ),
            "waf": lambda seen: _waf(seen[0]) if seen else _NO_STAGE,
        },
        absent=(),
    ),
    Call(_STAGE, access_logs, {"access_logs": lambda said: said}, absent=_NO_STAGE),
    Call(
        "reading the usage plans (apigateway:GET on /usageplans)",
        _usage,
        {"usage_plans": lambda said: said},
        absent=Said(True, "no usage plan contains the stage"),
    ),
    Call(
        "reading the account's throttle (apigateway:GET on /account)",
        lambda spot: _account(spot.place),
        {"account_throttle": lambda found: _said(found, "all APIs of the account")},
    ),
)
"""Calls about the API, after its other ones."""
ROUTE_DOOR = (Call(_STAGE, _own_throttle, {"throttle": lambda said: said}, absent=_NO_STAGE),)
"""Calls about a route."""


def _reserved(place: Place, name: str) -> int | None:
    """The reserved concurrency of a function; None: it has no reserve. Absent: there is no such function."""

    def ask() -> int | None:
        try:
            said = place.client("lambda").get_function_concurrency(FunctionName=name)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                raise Absent from None
            raise
        found = said.get("ReservedConcurrentExecutions")
        return None if found is None else int(found)

    found: int | None = place.once(f"reserve {name}", ask)
    return found


def _unreserved(place: Place) -> int:
    def ask() -> int:
        limits = place.client("lambda").get_account_settings()["AccountLimit"]
        return int(limits["UnreservedConcurrentExecutions"])

    found: int = place.once("unreserved", ask)
    return found


def _concurrency(spot: Spot) -> Said:
    """How many executions of the function may run at once: its reserve, else what the account has unreserved."""
    reserve = _reserved(spot.place, spot.name)
    if reserve is not None:
        return Said(reserve, f"{reserve} reserved executions")
    left = _unreserved(spot.place)
    return Said(left, f"no reserve: {left:,} unreserved executions of the account, shared with every other function")


def _provisioned(spot: Spot) -> Said:
    """Executions that are kept warm; they use up the reserve, or the account's unreserved ones."""
    client = spot.client("lambda")
    try:
        found = pages(
            client, "list_provisioned_concurrency_configs", "ProvisionedConcurrencyConfigs", FunctionName=spot.name
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ProvisionedConcurrencyConfigNotFoundException":
            raise
        found = []
    total = sum(int(one.get("RequestedProvisionedConcurrentExecutions", 0)) for one in found)
    return Said(total, f"{total} provisioned executions" if total else "no provisioned executions")


CONCURRENCY = (
    Call(
        "reading a function's concurrency (lambda:GetFunctionConcurrency, lambda:GetAccountSettings)",
        _concurrency,
        {"concurrency": lambda said: said},
    ),
    Call(
        "reading a function's provisioned concurrency (lambda:ListProvisionedConcurrencyConfigs)",
        _provisioned,
        {"provisioned": lambda said: said},
        absent=Said(0, "no provisioned executions"),
    ),
)
"""Calls about a function behind the API."""


def read_limits(aws: Clients, params: Params) -> Limits:
    """Every limit in front of the functions; one that AWS refuses to tell is in `unseen` and affects no other."""
    place, unseen = Place(aws, params, "async"), dict[str, str]()

    def seen(ask: Callable[[], Any], nothing: Any, doing: str, *ids: str) -> Any:
        try:
            with aws_errors(doing):
                return ask()
        except Absent:
            unseen.update(dict.fromkeys(ids, f"there is no API '{params.name('api')}', or not its stage"))
        except AwsError as error:
            unseen.update(dict.fromkeys(ids, str(error)))
        return nothing

    http = is_http(params)
    gateway = ("stage", *(f"route_{name}" for name in ROUTES))
    stage = seen(lambda: stage_of(place), {}, _STAGE, *gateway)
    mine = [name for name in ROUTES if _path(params, name)]
    own = {name: route_throttle(stage, _path(params, name), params.service.methods[name], http=http) for name in mine}
    reserved: dict[str, int | None] = {}
    for name in (*(one for one in ROUTES if params.named(one)), "worker"):
        id = "workers" if name == "worker" else f"lambda_{name}"
        ask = partial(_reserve_or_none, place, params.name(name))
        reserved[name] = seen(ask, None, CONCURRENCY[0].doing, id)
    return Limits(
        stage=stage_throttle(stage, http=http),
        routes={name: one for name, one in own.items() if one is not None},
        account=seen(lambda: _account(place), Throttle(), DOOR[3].doing, "account"),
        plans=seen(lambda: _plans(place), (), DOOR[2].doing, "usage_plans"),
        keyed=seen(lambda: _keyed(place), (), "reading the API's routes (apigateway:GET)", "usage_plans"),
        reserved=reserved,
        unreserved=seen(lambda: _unreserved(place), None, CONCURRENCY[0].doing, "lambda_pool"),
        unseen=unseen,
    )


def _reserve_or_none(place: Place, name: str) -> int | None:
    """The reserved concurrency of a function; None also where it is not deployed yet."""
    try:
        return _reserved(place, name)
    except Absent:
        return None
