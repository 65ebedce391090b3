"""The traffic split as AWS reports it: dial, switch, what the synchronous route leads to, the weight in force, and
since when.

It has two flags in one AppConfig application (docs/domain.md, "Traffic split"): a request goes to async if the switch
is on and random < dial. From the migration on every request does, because the synchronous route itself leads to the
submit Lambda (trap 11).
"""

from __future__ import annotations

import datetime as dt
import json
import math
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

from runbook_lib.base.answers import PORTAL
from runbook_lib.base.aws import aws_errors
from runbook_lib.base.aws_errors import spoilt
from runbook_lib.base.errors import AwsError, Unreadable
from runbook_lib.base.patience import again
from runbook_lib.base.window import iso, parse
from runbook_lib.judge.terms import Frozen
from runbook_lib.observe.asking import Absent, Clients, Place
from runbook_lib.observe.traffic.flag_ids import IN_FORCE, Handles, Misnamed, NotDeployed, handles, listed
from runbook_lib.observe.traffic.routes import function_of, routes
from runbook_lib.params.load import Params

__all__ = ["Deployment", "Event", "Handles", "NotDeployed", "TrafficState", "handles", "read_state"]

WITHOUT_ROUTES = ("lambda-alias", "rest-canary")
"""Homes of the weight where clients call the same route for either side."""
HISTORY = 50
"""At most this many deployments are read in detail, newest first."""
OVER = ("COMPLETE", "ROLLED_BACK", "REVERTED")
"""States of a deployment that is over; it may still change from one of them to another."""
_over: WeakKeyDictionary[Any, dict[tuple[Any, ...], dict[str, Any]]] = WeakKeyDictionary()
"""Deployments that are over, as each client was told of them: a notebook reads the state many times."""
_flags: WeakKeyDictionary[Any, dict[tuple[str, str, str, str], dict[str, Any]]] = WeakKeyDictionary()
"""Values of flags by application, profile, version and flag, as each client was told: a version is written once."""
_handles: WeakKeyDictionary[Any, dict[tuple[str, str], tuple[float, Handles]]] = WeakKeyDictionary()
"""AppConfig's ids of what the parameters name, as each client was told, and when (this machine's seconds)."""
MOMENT_S = 30.0
"""Seconds for which AppConfig's ids are kept: those of one look and one shift, not of a watch."""


class Event(Frozen):
    """One line of a deployment's event log."""

    type: str
    triggered_by: str
    description: str
    at: str | None = None


class Deployment(Frozen):
    """One deployment. `percent` is the dial's, `enabled` the switch's; times are ISO 8601 UTC; events newest first."""

    number: int
    state: str
    percent: float | None = None
    enabled: bool | None = None
    version: str = ""
    description: str = ""
    strategy: str = ""
    started_at: str | None = None
    completed_at: str | None = None
    bake_minutes: float = 0.0
    events: tuple[Event, ...] = ()

    @property
    def in_force(self) -> bool:
        """Whether clients get its version, as long as no later one is in force."""
        return self.state in IN_FORCE

    @property
    def taken_back_at(self) -> str | None:
        """When it was rolled back or reverted; None if it was not."""
        over = [event.at for event in self.events if event.type in ("ROLLBACK_COMPLETED", "REVERT_COMPLETED")]
        return None if self.in_force else next((at for at in over if at), self.completed_at)

    @property
    def taken_back_by(self) -> str | None:
        """Who took it back: `CLOUDWATCH_ALARM` for AppConfig's own rollback, `USER` for a person; None: nobody."""
        kinds = ("ROLLBACK_STARTED", "ROLLBACK_COMPLETED", "REVERT_COMPLETED")
        return next((event.triggered_by for event in self.events if event.type in kinds), None)


class TrafficState(Frozen):
    """Dial and switch, and what follows from them. JSON-able."""

    dial_percent: float
    """Percent in force: a deployment that was taken back gives way to the version before it."""
    switch_on: bool
    weight: float
    """Percent of requests that go to async: all from the migration on; before, the dial if the switch is on, else 0."""
    migrated: bool = False
    """Whether the synchronous route leads to the submit Lambda, so that dial and switch have no effect any more."""
    temporary_route: bool = True
    """Whether the temporary route exists."""
    dial_deployment: Deployment | None = None
    """The newest deployment of the dial, in whatever state."""
    switch_deployment: Deployment | None = None
    history: tuple[Deployment, ...] = ()
    """The dial's deployments, newest first."""
    migrated_since: str | None = None
    """Since when everything has been asynchronous, where it is known (from the archive; AWS does not say)."""
    dial_since: str | None = None
    """Since when the dial's percent has been set; clients follow within their polling interval."""
    switch_since: str | None = None
    monitors: tuple[str, ...] = ()
    """ARNs of the alarms that watch the dial's environment."""

    @property
    def only_old_clients(self) -> bool:
        """Whether only clients that do not follow the flags call the synchronous route now."""
        return self.weight == 100 and not self.migrated

    @property
    def since(self) -> str | None:
        """Since when the weight has been set, ISO 8601 UTC."""
        if self.migrated and self.migrated_since:
            return self.migrated_since
        return max((at for at in (self.dial_since, self.switch_since) if at), default=None)

    def before_renewal(self, within_s: float) -> str | None:
        """Since when the dial has had its percent, if its bake was renewed; None: the newest shift is no renewal.

        A renewal sets the dial to 0 for at most `within_s` seconds (the clients' polling), so that no client sees it.
        """
        found = None
        for newest, zero, before in zip(self.history, self.history[1:], self.history[2:], strict=False):
            if found is not None and newest.started_at != found:
                continue
            same = newest.in_force and newest.percent and newest.percent == before.percent and not zero.percent
            if not same or not (newest.started_at and zero.started_at and before.started_at):
                break
            if (parse(newest.started_at) - parse(zero.started_at)).total_seconds() > within_s or not before.in_force:
                break
            found = before.started_at
        return found

    @property
    def busy(self) -> bool:
        """Whether a deployment of the dial is under way, during which AppConfig takes no other."""
        return self.dial_deployment is not None and self.dial_deployment.state not in (
            "COMPLETE",
            "ROLLED_BACK",
            "REVERTED",
        )


def routing(aws: Clients, params: Params) -> tuple[bool, bool]:
    """Whether the synchronous route leads to the submit Lambda, and whether the temporary route exists.

    Where AWS itself splits the traffic (`WITHOUT_ROUTES`), no route is ever moved, so AWS is not asked.

    Raises:
        AwsError: API Gateway refused, or there is no such API.
    """
    if params.service.traffic.kind in WITHOUT_ROUTES:
        return False, True
    api = params.service.api.routes
    with aws_errors("reading what the routes lead to (apigateway:GET)"):
        try:
            found = routes(Place(aws, params, "async"))
        except Absent:
            raise AwsError(f"there is no API '{params.name('api')}' ({params.service.api.kind})") from None

    def at(name: str, path: str) -> dict[str, Any] | None:
        return found.get((params.service.methods[name], path)) or found.get(("ANY", path))

    sync = at("sync", api.sync)
    return sync is not None and function_of(sync) == params.name("submit"), at("submit", api.submit) is not None


def as_routed(params: Params, state: TrafficState) -> Params:
    """The parameters with the routes that are in force.

    From the migration on jobs are submitted at the synchronous route. The name of the synchronous route then means the
    temporary one, which has to fall silent.
    """
    if not state.migrated:
        return params
    service = params.service
    routes = service.api.routes
    swapped = routes.model_copy(update={"submit": routes.sync, "sync": routes.submit})
    api = service.api.model_copy(update={"routes": swapped})
    contract = service.contract.with_methods(submit=service.contract.sync.method, sync=service.contract.submit.method)
    return params.model_copy(update={"service": service.model_copy(update={"api": api, "contract": contract})})


def read_state(appconfig: Any, params: Params, aws: Clients | None = None) -> TrafficState:
    """Dial and switch as they are now, and what the synchronous route leads to.

    Args:
        aws: for the routes; without it the migration counts as not made.

    Raises:
        NotDeployed: AppConfig has no such application.
        AwsError: AppConfig or API Gateway refused, has nothing of that name, or holds a flag that cannot be read.
    """
    known = _known(appconfig, params)
    migrated, temporary = routing(aws, params) if aws is not None else (False, True)
    flag = params.service.appconfig.flag
    with aws_errors("reading the traffic flags (appconfig:ListDeployments, GetDeployment)"):
        dial = list(_deployments(appconfig, known, known.dial_environment, known.dial_profile, flag, dial=True))
        switch = list(_deployments(appconfig, known, known.switch_environment, known.switch_profile, flag, dial=False))
        environment = appconfig.get_environment(ApplicationId=known.application, EnvironmentId=known.dial_environment)
    dial_now, dial_since = _in_force(dial)
    switch_now, switch_since = _in_force(switch)
    # Without a deployment clients find no flag, and go to the synchronous route.
    percent = dial_now.percent or 0.0 if dial_now else 0.0
    on = bool(switch_now and switch_now.enabled)
    return TrafficState(
        dial_percent=percent,
        switch_on=on,
        weight=100.0 if migrated else percent if on else 0.0,
        migrated=migrated,
        temporary_route=temporary,
        dial_deployment=dial[0] if dial else None,
        switch_deployment=switch[0] if switch else None,
        history=tuple(dial),
        dial_since=dial_since,
        switch_since=switch_since,
        monitors=tuple(monitor["AlarmArn"] for monitor in environment.get("Monitors", [])),
    )


def _known(appconfig: Any, params: Params) -> Handles:
    kept, names = _handles.setdefault(appconfig, {}), (params.env, params.service.appconfig.model_dump_json())
    told_at, found = kept.get(names, (-math.inf, None))
    if found is None or time.monotonic() - told_at > MOMENT_S:
        found = handles(appconfig, params)
        kept[names] = time.monotonic(), found
    return found


def _in_force(history: list[Deployment]) -> tuple[Deployment | None, str | None]:
    """The deployment whose version clients get, and since when: its start, or the time a later one was taken back."""
    since: str | None = None
    for deployment in history:
        if deployment.in_force:
            return deployment, since or deployment.started_at
        since = since or deployment.taken_back_at
    return None, since


def _deployments(
    appconfig: Any, known: Handles, environment: str, profile: str, flag: str, *, dial: bool
) -> Iterator[Deployment]:
    where = {"ApplicationId": known.application, "EnvironmentId": environment}
    values: dict[str, dict[str, Any]] = {}
    for number, summary in listed(appconfig, where, HISTORY).items():
        found = _told(appconfig, where, number, summary)
        if found["ConfigurationProfileId"] != profile:
            continue
        version = str(found.get("ConfigurationVersion", ""))
        if version not in values:
            values[version] = _flag(appconfig, known.application, profile, version, flag)
        value = values[version]
        yield Deployment(
            number=number,
            state=found["State"],
            percent=_percent(value, version) if dial else None,
            enabled=None if dial else bool(value.get("enabled")),
            version=version,
            description=found.get("Description") or "",
            strategy=known.strategies.get(found.get("DeploymentStrategyId", ""), found.get("DeploymentStrategyId", "")),
            started_at=_at(found.get("StartedAt")),
            completed_at=_at(found.get("CompletedAt")),
            bake_minutes=float(found.get("FinalBakeTimeInMinutes") or 0),
            events=tuple(_event(event) for event in found.get("EventLog", [])),
        )


def _told(appconfig: Any, where: dict[str, str], number: int, summary: dict[str, Any]) -> dict[str, Any]:
    """All that AppConfig says of a deployment; a finished one is asked for once per client.

    One that is reverted later is listed in another state then, so it is asked for again.
    """
    known = _over.setdefault(appconfig, {})
    key = where["EnvironmentId"], number, summary.get("State"), summary.get("CompletedAt")
    if key in known:
        return known[key]
    found: dict[str, Any] = appconfig.get_deployment(**where, DeploymentNumber=number)
    if summary.get("State") in OVER:
        known[key] = found
    return found


def _flag(appconfig: Any, application: str, profile: str, version: str, flag: str) -> dict[str, Any]:
    known, key = _flags.setdefault(appconfig, {}), (application, profile, version, flag)
    if key not in known:  # one odd answer is not yet an odd flag
        known[key] = again(lambda: _read(appconfig, application, profile, version, flag), spoilt)
    return known[key]


def _read(appconfig: Any, application: str, profile: str, version: str, flag: str) -> dict[str, Any]:
    answer = appconfig.get_hosted_configuration_version(
        ApplicationId=application, ConfigurationProfileId=profile, VersionNumber=int(version)
    )
    value, there = None, list[str]()
    try:
        document = json.loads(answer["Content"].read())
    except (ValueError, RecursionError):
        told = f"version {version} of the flag '{flag}' cannot be read: what came is no JSON"
        raise Unreadable(f"{told}; {PORTAL}") from None
    with suppress(KeyError, TypeError, AttributeError):
        values = document["values"]
        there = [name for name, one in values.items() if isinstance(one, dict)]
        value = values[flag]
    if value is None and there:
        raise Misnamed(
            f"version {version} has no flag '{flag}' (service.yaml, traffic.flag), and has {', '.join(there[:3])}",
            "flag",
        )
    if not isinstance(value, dict) or not isinstance(value.get("enabled", False), bool):
        raise Unreadable(
            f"version {version} of the flag '{flag}' is not a feature-flag document; deploy the rollout's flags again"
        )
    return value


def _percent(value: dict[str, Any], version: str) -> float:
    try:
        percent = float(value["percent"]) if value.get("enabled", True) else 0.0
    except (KeyError, TypeError, ValueError):
        percent = -1.0
    if not 0 <= percent <= 100:
        raise AwsError(f"version {version} of the dial has percent {value.get('percent')!r}, expects 0 to 100")
    return percent


def _at(when: dt.datetime | None) -> str | None:
    return iso(when) if when else None


def _event(event: dict[str, Any]) -> Event:
    return Event(
        type=event.get("EventType", ""),
        triggered_by=event.get("TriggeredBy", ""),
        description=event.get("Description", ""),
        at=_at(event.get("OccurredAt")),
    )
