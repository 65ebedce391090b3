"""The traffic split as AWS reports it: dial, switch, what the synchronous route leads to, the weight in force, and
since when.

It has two flags in one AppConfig application (docs/domain.md, "Traffic split"): a request goes to async if the switch
is on and random < dial. From the migration on every request does, because the synchronous route itself leads to the
submit Lambda (trap 11).
"""

from __future__ import annotations

import math
import time
from typing import Any
from weakref import WeakKeyDictionary

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.errors import AwsError
from runbook_lib.base.window import parse
from runbook_lib.judge.terms import Frozen
from runbook_lib.observe.asking import Absent, Clients, Place
from runbook_lib.observe.traffic.deployments import Deployment, Event, history, standing
from runbook_lib.observe.traffic.flag_ids import Handles, NotDeployed, handles
from runbook_lib.observe.traffic.reach import KNOWN, OVER
from runbook_lib.observe.traffic.routes import function_of, routes
from runbook_lib.params.load import Params

__all__ = ["Deployment", "Event", "Handles", "NotDeployed", "TrafficState", "handles", "read_state"]

WITHOUT_ROUTES = ("lambda-alias", "rest-canary")
"""Homes of the weight where clients call the same route for either side."""
_handles: WeakKeyDictionary[Any, dict[tuple[str, str], tuple[float, Handles]]] = WeakKeyDictionary()
"""AppConfig's ids of what the parameters name, as each client was told, and when (this machine's seconds)."""
MOMENT_S = 30.0
"""Seconds for which AppConfig's ids are kept: those of one look and one shift, not of a watch."""


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
    """The newest deployment of the switch, in whatever state."""
    switch_by: Deployment | None = None
    """The switch's deployment that is in force; None: an absent flag is off."""
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
    def turned_by(self) -> Deployment | None:
        """The deployment to name for the switch: the one in force, else the newest."""
        return self.switch_by or self.switch_deployment

    @property
    def switch_known(self) -> bool:
        """Whether AppConfig's answer leaves no doubt about the switch."""
        return self.switch_by is None or self.switch_by.state in KNOWN

    @property
    def is_off(self) -> bool:
        """Whether the switch is off for every client."""
        return not self.switch_on and self.switch_known

    @property
    def under_way(self) -> tuple[str, ...]:
        """What some clients have and others do not, in words: of the switch, then of the dial."""
        said = []
        if (switch := self.switch_deployment) and switch.partial:
            goes = "on" if switch.enabled else "off"
            said.append(f"the switch goes {goes} by deployment {switch.number}: {switch.how_far}")
        if (dial := self.dial_deployment) and dial.partial:
            said.append(f"the dial goes to {dial.percent or 0:g} % by deployment {dial.number}: {dial.how_far}")
        return tuple(said)

    @property
    def words(self) -> str:
        """Weight, dial and switch in one line, with what is under way."""
        told = in_words(self.weight, self.dial_percent, "on" if self.switch_on else "off")
        return "; ".join([told, *self.under_way])

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
        return self.dial_deployment is not None and self.dial_deployment.state not in OVER


def in_words(weight: float, dial: float, switch: str) -> str:
    """Weight, dial and switch in one line."""
    return f"weight in force {weight:g} % (dial {dial:g} %, switch {switch})"


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
        dial = history(appconfig, known, known.dial_environment, known.dial_profile, flag, dial=True)
        switch = history(appconfig, known, known.switch_environment, known.switch_profile, flag, dial=False)
        environment = appconfig.get_environment(ApplicationId=known.application, EnvironmentId=known.dial_environment)
    dial_now, dial_since = standing(dial)
    switch_now, switch_since = standing(switch)
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
        switch_by=switch_now,
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
