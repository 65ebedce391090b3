"""Reads the traffic split in any home of the weight (`act/traffic/homes.py` changes it).

AppConfig lists its deployments (`state.py`). The other homes keep their steps in a parameter (`ledger.py`), and the
alias or the stage tells the weight in force (`in_force.py`). Where the two differ, somebody else has moved it, and the
state has a step without an author.
"""

from __future__ import annotations

from collections.abc import Sequence

from runbook_lib.base.window import iso
from runbook_lib.observe.asking import Clients
from runbook_lib.observe.traffic.flag_ids import NotDeployed
from runbook_lib.observe.traffic.in_force import READERS, InForce
from runbook_lib.observe.traffic.ledger import Entry, entries, name_of, standing
from runbook_lib.observe.traffic.state import Deployment, TrafficState, read_state, routing
from runbook_lib.params.load import Params
from runbook_lib.params.traffic import AppConfigHome

__all__ = ["NotDeployed", "TrafficState", "read_or_nothing", "read_traffic", "state_of"]

NEAR = 0.005
"""Percent points within which two weights are the same."""


def read_traffic(aws: Clients, params: Params, *, routes: bool = True) -> TrafficState:
    """Reads the present weight, since when it is in force, and its steps.

    Args:
        routes: whether to ask what the synchronous route leads to; if not, the migration counts as not made.

    Raises:
        NotDeployed: the home of the weight does not exist.
        AwsError: AWS refused, has nothing of that name, or holds a weight that cannot be read.
    """
    home = params.service.traffic
    if isinstance(home, AppConfigHome):
        return read_state(aws.client("appconfig"), params, aws if routes else None)
    reader = READERS.get(home.kind)
    now = reader(aws.client, params) if reader else None
    found = entries(aws.client("ssm"), params)
    if not found and now is None:
        made = f"""aws ssm put-parameter --name {name_of(params)} --type String --value '{ZERO}'"""
        raise NotDeployed(
            f"there is no parameter {name_of(params)} (service.yaml, traffic); create it at 0 % first: {made}"
        )
    state = state_of(found, now)
    if routes:
        migrated, temporary = routing(aws, params)
        weight = 100.0 if migrated else state.weight
        state = state.model_copy(update={"migrated": migrated, "temporary_route": temporary, "weight": weight})
    return state


ZERO = '{"enabled": true, "percent": 0}'
"""A weight of 0 %, as a parameter holds it."""


def read_or_nothing(aws: Clients, params: Params) -> tuple[TrafficState, bool]:
    """Reads the state, and whether the home is deployed. If not, nothing goes to the new side, and the routes are not
    asked for, because there may be no API yet.

    Raises:
        NotDeployed: there is no such alias, which no deployment of new resources makes: it is there before a release.
        AwsError: as `read_traffic`.
    """
    try:
        return read_traffic(aws, params), True
    except NotDeployed:
        if params.service.traffic.kind == "lambda-alias":
            raise
        return TrafficState(dial_percent=0, switch_on=False, weight=0, temporary_route=False), False


def state_of(found: Sequence[Entry], now: InForce | None) -> TrafficState:
    """The state that follows from the steps. Pure.

    Args:
        found: all versions of the parameter, newest first.
        now: the weight that AWS applies now; None: the parameter itself is the weight.
    """
    steps = standing(list(found))
    dial, switch = list[Deployment](), list[Deployment]()
    for place, one in enumerate(steps):
        before = steps[place + 1] if place + 1 < len(steps) else None
        turned = before is not None and one.enabled != before.enabled
        if not turned or (before is not None and one.percent != before.percent):
            dial.append(_deployment(one, dial=True))
        if turned or before is None:
            switch.append(_deployment(one, dial=False))
    newest = steps[0] if steps else None
    on, percent = (newest.enabled, newest.percent) if newest else (True, 0.0)
    weight = percent if on else 0.0
    if now is not None and abs(now.percent - weight) > NEAR:
        said = f"{now.where} is at {now.percent:g} %, and no step says so"
        foreign = Deployment(number=_last(found) + 1, state="COMPLETE", percent=now.percent, description=said)
        dial.insert(0, foreign)
        on, percent, weight = on or now.percent > 0, now.percent, now.percent
    return TrafficState(
        dial_percent=percent,
        switch_on=on,
        weight=weight,
        dial_deployment=dial[0] if dial else None,
        switch_deployment=switch[0] if switch else None,
        switch_by=switch[0] if switch else None,
        history=tuple(dial),
        dial_since=dial[0].started_at if dial else None,
        switch_since=switch[0].started_at if switch else None,
    )


def _last(found: Sequence[Entry]) -> int:
    return max((one.number for one in found), default=0)


def _deployment(one: Entry, *, dial: bool) -> Deployment:
    at = iso(one.at) if one.at else None
    return Deployment(
        number=one.number,
        state="COMPLETE",
        percent=one.percent if dial else None,
        enabled=None if dial else one.enabled,
        version=str(one.number),
        description=one.description,
        started_at=at,
        completed_at=at,
    )
