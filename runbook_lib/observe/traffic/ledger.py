"""The weight in a parameter of Parameter Store: each version is one step. Light, because a rollback loads it first.

For the home `ssm` the parameter is the weight itself, which clients read: `{"enabled": true, "percent": 10}`. For the
others it is the list of steps, because neither an alias nor a stage has a history of its own.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.errors import AwsError
from runbook_lib.base.foreign import head
from runbook_lib.base.template import filled

if TYPE_CHECKING:
    from runbook_lib.params.load import Params
    from runbook_lib.params.traffic import RegisterHome


@dataclass(frozen=True)
class Entry:
    """One version of the parameter."""

    number: int
    percent: float
    enabled: bool
    description: str = ""
    at: dt.datetime | None = None
    cancels: int | None = None
    """Number of the step that this one takes back, because it never came into force."""

    @property
    def weight(self) -> float:
        """Percent that this version puts in force: 0 where it is not enabled."""
        return self.percent if self.enabled else 0.0


def name_of(params: Params) -> str:
    """The parameter's name in this environment."""
    home = cast("RegisterHome", params.service.traffic)
    return filled(home.parameter, {"env": params.env})


def encoded(percent: float, enabled: bool, cancels: int | None = None) -> str:
    """The parameter's value for a weight.

    >>> encoded(10.0, True)
    '{"enabled": true, "percent": 10}'
    """
    said = {"enabled": enabled, "percent": int(percent) if float(percent).is_integer() else percent}
    return json.dumps(said | ({"cancels": cancels} if cancels is not None else {}), sort_keys=True)


def decoded(number: int, value: str, description: str = "", at: dt.datetime | None = None) -> Entry:
    """Parses one version of the parameter.

    Raises:
        ValueError: it is no valid weight.
    """
    said = json.loads(value)
    if not isinstance(said, dict):
        raise ValueError("no object")
    percent, enabled, cancels = said.get("percent"), said.get("enabled", True), said.get("cancels")
    if isinstance(percent, bool) or not isinstance(percent, int | float) or not 0 <= percent <= 100:
        raise ValueError(f"percent is {percent!r}")
    if not isinstance(enabled, bool):
        raise ValueError(f"enabled is {enabled!r}")
    return Entry(number, float(percent), enabled, description, at, cancels if isinstance(cancels, int) else None)


def entries(ssm: Any, params: Params, *, lenient: bool = False) -> list[Entry]:
    """All versions that Parameter Store keeps (the last hundred), newest first; empty: there is no such parameter.

    An older version without a valid weight counts as a step to 0 by an unknown hand.

    Args:
        lenient: whether the newest version counts like this too, instead of raising.

    Raises:
        AwsError: Parameter Store refused, or the newest version is no valid weight.
    """
    name, found = name_of(params), list[Entry]()
    with aws_errors(f"reading the weight in parameter {name} (ssm:GetParameterHistory)"):
        try:
            pages = list(ssm.get_paginator("get_parameter_history").paginate(Name=name))
        except ssm.exceptions.ParameterNotFound:
            return []
    items = [item for page in pages for item in page["Parameters"]]
    newest = max((int(item["Version"]) for item in items), default=0)
    for item in items:
        number, value = int(item["Version"]), str(item.get("Value", ""))
        try:
            found.append(decoded(number, value, item.get("Description") or "", item.get("LastModifiedDate")))
        except ValueError as error:
            told = f"version {number} of parameter {name} is {head(value, 60)!r}, expects {encoded(10, True)} ({error})"
            if number == newest and not lenient:
                raise AwsError(f"{told}; write the weight that is in force into it") from None
            found.append(Entry(number, 0.0, True, told, item.get("LastModifiedDate")))
    return sorted(found, key=lambda one: one.number, reverse=True)


def standing(found: list[Entry]) -> list[Entry]:
    """The entries that came into force: without cancelled steps and those that cancelled them."""
    cancelled = {one.cancels for one in found}
    return [one for one in found if one.cancels is None and one.number not in cancelled]
