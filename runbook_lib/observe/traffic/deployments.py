"""The deployments of one flag, as AppConfig tells them, and which of them is in force."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

from runbook_lib.base.answers import PORTAL
from runbook_lib.base.aws_errors import spoilt
from runbook_lib.base.errors import AwsError, Unreadable
from runbook_lib.base.foreign import one_line
from runbook_lib.base.patience import again
from runbook_lib.base.window import iso
from runbook_lib.judge.terms import Frozen
from runbook_lib.observe.traffic.flag_ids import Handles, Misnamed, listed
from runbook_lib.observe.traffic.reach import OVER, TAKEN_BACK, all_have_it, in_force, some_have_it

HISTORY = 50
"""At most this many deployments are read in detail, newest first, if one of them has reached all clients."""
_BACK = ("ROLLBACK_STARTED", "ROLLBACK_COMPLETED", "REVERT_COMPLETED")
"""Events of a deployment that is taken back."""
_over: WeakKeyDictionary[Any, dict[tuple[Any, ...], dict[str, Any]]] = WeakKeyDictionary()
"""Deployments that are over, as each client was told of them: a notebook reads the state many times."""
_flags: WeakKeyDictionary[Any, dict[tuple[str, str, str, str], dict[str, Any]]] = WeakKeyDictionary()
"""Values of flags by application, profile, version and flag, as each client was told: a version is written once."""


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
    reached: float = 100.0
    """Percent of the clients for which AppConfig says that the version is available."""

    @property
    def in_force(self) -> bool:
        """Whether clients may get its version, as long as no later one has reached all."""
        return self.state not in TAKEN_BACK

    @property
    def partial(self) -> bool:
        """Whether some clients may get its version, and some an older one."""
        return some_have_it(self.state, self.reached)

    @property
    def goes_back(self) -> bool:
        """Whether it was taken back, or is being taken back."""
        return self.state in (*TAKEN_BACK, "ROLLING_BACK")

    @property
    def taken_back_at(self) -> str | None:
        """When it was rolled back or reverted, or when that began; None if it was not."""
        over = [event.at for event in self.events if event.type in _BACK]
        return next((at for at in over if at), self.completed_at) if self.goes_back else None

    @property
    def how_far(self) -> str:
        """Who has it, in words, while it is `partial`."""
        words = {
            "DEPLOYING": f"{self.reached:g} % of the clients have it",
            "VALIDATING": "no client has it yet",
            "ROLLING_BACK": "AppConfig is taking it back",
        }
        return words.get(self.state, f"its state, {one_line(self.state)}, is not known")

    @property
    def taken_back_by(self) -> str | None:
        """Who took it back: `CLOUDWATCH_ALARM` for AppConfig's own rollback, `USER` for a person; None: nobody."""
        return next((event.triggered_by for event in self.events if event.type in _BACK), None)


def standing(history: list[Deployment]) -> tuple[Deployment | None, str | None]:
    """The deployment in force, and since when: its start, or the time a later one was taken back."""
    found = in_force(history, lambda one: (one.state, one.reached, one.percent or float(bool(one.enabled))))
    later = history[: history.index(found)] if found else history
    back = next((one.taken_back_at for one in later if one.taken_back_at), None)
    return found, back or (found.started_at if found else None)


def history(
    appconfig: Any, known: Handles, environment: str, profile: str, flag: str, *, dial: bool
) -> list[Deployment]:
    """The newest deployments of a flag; all of them, if none of these has reached every client."""
    asked = appconfig, known, environment, profile, flag
    newest = list(_deployments(*asked, dial=dial, most=HISTORY))
    if any(all_have_it(one.state, one.reached) for one in newest):
        return newest
    return list(_deployments(*asked, dial=dial, most=None))


def _deployments(
    appconfig: Any, known: Handles, environment: str, profile: str, flag: str, *, dial: bool, most: int | None
) -> Iterator[Deployment]:
    where = {"ApplicationId": known.application, "EnvironmentId": environment}
    values: dict[str, dict[str, Any]] = {}
    for number, summary in listed(appconfig, where, most).items():
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
            reached=float(found.get("PercentageComplete") or 0),
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
