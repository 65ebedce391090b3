"""The calls that set the weight in homes other than AppConfig: a parameter's next version, an alias, a stage's canary.

No decisions here, and light: `runbook rollback 1` loads it before anything else. `observe/traffic/in_force.py` reads
what AWS does at the moment, for the same kinds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

from runbook_lib.act.traffic.flags import MAX_DESCRIPTION
from runbook_lib.observe.traffic.in_force import READERS, Client, InForce, api_id
from runbook_lib.observe.traffic.ledger import Entry, encoded, entries, name_of, standing

if TYPE_CHECKING:
    from runbook_lib.params.load import Params
    from runbook_lib.params.traffic import AliasHome


class Overtaken(Exception):
    """Somebody else wrote between our read and our write."""


def set_alias(client: Client, params: Params, percent: float, token: str | None) -> None:
    """Sets the new version's share of the alias's calls; with `token`, only if nobody changed the alias since."""
    home = cast("AliasHome", params.service.traffic)
    weights = {home.version: percent / 100} if 0 < percent < 100 else {}
    client("lambda").update_alias(
        FunctionName=params.name(home.function),
        Name=home.alias,
        FunctionVersion=home.version if percent >= 100 else home.stable,
        RoutingConfig={"AdditionalVersionWeights": weights},
        **({"RevisionId": token} if token else {}),
    )


def set_canary(client: Client, params: Params, percent: float, token: str | None) -> None:
    """Sets the canary's share of the stage's requests. API Gateway has no condition: `token` is compared before."""
    gateway, stage = client("apigateway"), params.service.api.stage
    if token is not None and READERS["rest-canary"](client, params).token != token:
        raise Overtaken(f"stage {stage} was updated meanwhile")
    gateway.update_stage(
        restApiId=api_id(gateway, params),
        stageName=stage,
        patchOperations=[{"op": "replace", "path": "/canarySettings/percentTraffic", "value": f"{percent:g}"}],
    )


def alias_by_hand(params: Params) -> str:
    """The command that removes the new version from the alias."""
    home = cast("AliasHome", params.service.traffic)
    return (
        f"aws lambda update-alias --region {params.region} --function-name {params.name(home.function)} "
        f"--name {home.alias} --function-version {home.stable} --routing-config AdditionalVersionWeights={{}}"
    )


def canary_by_hand(params: Params) -> str:
    """The command that takes all requests from the canary."""
    return (
        f"aws apigateway update-stage --region {params.region} --rest-api-id API_ID --stage-name "
        f"{params.service.api.stage} --patch-operations op=replace,path=/canarySettings/percentTraffic,value=0"
    )


def parameter_by_hand(params: Params) -> str:
    """The command that writes `off` into the parameter that clients read."""
    return (
        f"aws ssm put-parameter --region {params.region} --name {name_of(params)} --overwrite "
        f"--value '{encoded(0, False)}'"
    )


SETTERS: Mapping[str, Callable[[Client, Params, float, str | None], None]] = {
    "lambda-alias": set_alias,
    "rest-canary": set_canary,
}
BY_HAND: Mapping[str, Callable[[Params], str]] = {
    "ssm": parameter_by_hand,
    "lambda-alias": alias_by_hand,
    "rest-canary": canary_by_hand,
}
"""Command by hand for each `kind` of home; a home without a setter is its parameter."""


class Register:
    """One weight in a home other than AppConfig. It raises botocore's own errors: the caller knows what it did."""

    def __init__(
        self,
        client: Client,
        params: Params,
        *,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.client = client
        self.params = params
        self.sleep = sleep
        self.monotonic = monotonic
        self.kind: str = params.service.traffic.kind

    @property
    def acts(self) -> bool:
        """Whether AWS splits the traffic, and the parameter only lists the steps."""
        return self.kind in SETTERS

    @property
    def by_hand(self) -> str:
        """The command that turns the new side off without the runbook."""
        return BY_HAND[self.kind](self.params)

    def entries(self, *, lenient: bool = False) -> list[Entry]:
        """All versions of the parameter, newest first; `lenient` as in `ledger.entries`."""
        return entries(self.client("ssm"), self.params, lenient=lenient)

    def newest(self) -> Entry | None:
        """The newest step that came into force; None: there is none. A step without a weight is one to 0."""
        return next(iter(standing(self.entries(lenient=True))), None)

    def in_force(self) -> InForce | None:
        """The split that AWS makes now; None: the parameter is the weight itself."""
        reader = READERS.get(self.kind)
        return reader(self.client, self.params) if reader else None

    def write(self, percent: float, enabled: bool, description: str, cancels: int | None = None) -> int:
        """Writes the parameter's next version and returns its number."""
        answer = self.client("ssm").put_parameter(
            Name=name_of(self.params),
            Value=encoded(percent, enabled, cancels),
            Type="String",
            Overwrite=True,
            Description=description[:MAX_DESCRIPTION],
        )
        return int(answer["Version"])

    def write_after(self, latest: Entry | None, percent: float, enabled: bool, description: str) -> tuple[int, ...]:
        """`write`, if `latest` is still the newest version. Parameter Store has no condition, so the number of the new
        version tells; if somebody was faster, their value is restored.

        Returns:
            The numbers of its versions, oldest first: more than one where an answer was lost and botocore asked again.

        Raises:
            Overtaken: somebody else wrote meanwhile.
        """
        since = latest.number if latest else 0
        try:
            number = self.write(percent, enabled, description)
        except Exception:  # it may have been written, and the answer lost: the history tells
            if mine := self._mine(self._later(since), percent, enabled, description):
                return mine
            raise
        if number == since + 1:
            return (number,)
        later = self._later(since)
        mine = self._mine(later, percent, enabled, description)
        theirs = next((one for one in later if one.number not in mine), None)
        if theirs is None and mine:
            return mine
        if theirs is not None:
            for one in mine:
                self.write(theirs.percent, theirs.enabled, theirs.description, one)
        which = theirs.number if theirs else number - 1
        raise Overtaken(f"version {which} of {name_of(self.params)} was written meanwhile, and is in force again")

    def _later(self, since: int) -> list[Entry]:
        """The versions after that one, newest first."""
        return [one for one in self.entries(lenient=True) if one.number > since]

    @staticmethod
    def _mine(later: list[Entry], percent: float, enabled: bool, description: str) -> tuple[int, ...]:
        wanted = (percent, enabled, description[:MAX_DESCRIPTION])
        return tuple(one.number for one in reversed(later) if (one.percent, one.enabled, one.description) == wanted)

    def put(self, percent: float, token: str | None) -> None:
        """Makes AWS send that share to the new side; does nothing if the parameter is the weight itself.

        Raises:
            Overtaken: a `token` was given, and somebody changed the split since.
        """
        if setter := SETTERS.get(self.kind):
            setter(self.client, self.params, percent, token)
