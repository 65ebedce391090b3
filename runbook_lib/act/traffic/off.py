"""Turns the new side off in any home of the weight, repeatedly. Light: `runbook rollback 1` loads it first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runbook_lib.act.guard import Guard
from runbook_lib.act.traffic import flags
from runbook_lib.act.traffic.flag_store import PAUSE_S, FlagStore
from runbook_lib.act.traffic.register import Register
from runbook_lib.act.traffic.switch import Switch, Trying, Turned
from runbook_lib.base.aws import aws_errors
from runbook_lib.base.errors import AwsError, Refused
from runbook_lib.observe.traffic.flag_ids import NotDeployed
from runbook_lib.observe.traffic.in_force import AnotherRelease, Client
from runbook_lib.observe.traffic.ledger import Entry

if TYPE_CHECKING:
    from runbook_lib.params.load import Params


def off(client: Client, guard: Guard, params: Params, about: str, decided_at: dt.datetime | None = None) -> Turned:
    """Turns the new side off and reads it back.

    Args:
        client: gives the boto3 client of a service.
        about: description of the step.
        decided_at: when the decision was made, by AWS's clock, if that was before this call.

    Raises:
        Refused, UsageError: not authorised (`Guard.authorise`), or the alias serves another release and not this one.
        AwsError: not off in time, or AWS will never allow it; with the command that does it by hand.
    """
    if params.service.traffic.kind == "appconfig":
        return Switch(guard, params, FlagStore(client("appconfig"), params)).off(about, decided_at)
    return RegisterOff(guard, Register(client, params)).off(about, decided_at)


WRITING = "writing down that the new side is off"


class RegisterOff:
    """Turns off a home other than AppConfig: first what AWS does, then the step in the parameter."""

    def __init__(self, guard: Guard, register: Register) -> None:
        self._guard = guard
        self._register = register

    def off(self, description: str, decided_at: dt.datetime | None = None) -> Turned:
        """See `off`."""
        self._guard.authorise(raises=False)
        register, newest = self._register, None
        before: dict[str, Any] = {"enabled": None}
        try:
            newest = register.newest()
            now = register.in_force()
            weight = now.percent if now else newest.weight if newest else 0.0
            # A split without a step is off only by chance: somebody who starts it would not know of the rollback.
            if not weight and (now is None if newest is None else not newest.enabled):
                told = f"the new side is off already, by {whose(newest)}; nothing was changed"
                self._guard.note("note", text=told)
                return Turned(False, told, newest.number if newest else 0)
            before = {"enabled": True, "percent": weight, "step": newest.number if newest else 0}
        except NotDeployed:
            raise
        except AnotherRelease as error:
            if not error.serves:  # to point the alias at this release's stable version would undo the other one
                raise Refused(f"{error}; this one gets nothing", nothing_changed=True) from None
            self._guard.warn(f"{error}; switching off all the same")
        except AwsError as error:
            self._guard.warn(f"{error}; switching off all the same")
        percent = newest.percent if newest else 0.0
        written: list[int] = []

        def do() -> None:
            doing = "taking the new side off"
            if number := lower(register, self._guard, doing, 0, percent, False, description):
                written.append(number)

        with aws_errors("taking the new side off"):
            change = self._guard.change(
                "switch off",
                before=before,
                after={"in_force": 0.0},
                facts={"decided_at": decided_at.isoformat()} if decided_at else {},
                undo="a new attempt of the phase: it turns the switch on at dial 0, with all conditions of a raise",
                by_hand=register.by_hand,
                do=do,
                read_back=self._facts,
                raises=False,
            )
        if not change.ok:
            raise AwsError(f"it was turned off, yet it reads back as {change.told}; by hand: {register.by_hand}")
        poll = register.params.service.traffic.client_poll_s
        told = f"the new side is off; it gets nothing within {poll} s"
        return Turned(True, told, written[-1] if written else 0)

    def _facts(self) -> dict[str, Any]:
        newest, now = self._register.newest(), self._register.in_force()
        seen: dict[str, Any] = {"deployment": newest.number if newest else None}
        if newest is not None:
            seen |= {"enabled": newest.enabled, "percent": newest.percent, "description": newest.description}
        return {**seen, "in_force": now.percent if now else newest.weight if newest else 0.0}


def lower(
    register: Register, guard: Guard, doing: str, weight: float, percent: float, enabled: bool, description: str
) -> int:
    """Makes AWS send `weight` percent to the new side, then writes the step down, each tried for a while.

    Returns:
        The step's number; 0: it could not be written down, and where AWS splits by itself the weight is lowered all
        the same.

    Raises:
        AwsError: not within `PATIENCE_S`, or AWS will never allow it; with the command that does it by hand.
    """
    _insist(register, guard, doing, lambda: register.put(weight, None))
    try:
        return int(_insist(register, guard, WRITING, lambda: register.write(percent, enabled, description)))
    except AwsError as error:
        if not register.acts:  # the parameter is the weight itself
            raise
        guard.warn(f"{error}; {'the weight is lowered' if enabled else 'the new side is off'} all the same")
        return 0


def _insist(register: Register, guard: Guard, doing: str, do: Callable[[], Any]) -> Any:
    """Repeats `do` until it works, patience ends, or AWS will never allow it."""
    trying = Trying(doing, guard, register.monotonic, lambda: f"by hand: {register.by_hand}")
    while True:
        try:
            return do()
        except Exception as error:  # throttling, a lost connection: only time or a clear refusal ends this
            trying.failed(error)
        register.sleep(PAUSE_S)


def whose(step: Entry | None) -> str:
    """A step in words: number, time, who made it."""
    if step is None:
        return "no step: none was ever made"
    return flags.told(f"step {step.number}", step.at, step.description)


AFTER = (
    "the synchronous endpoint is what users get now, and it is itself broken: find the cause, fix forward; "
    "bring the dial to 0 before the switch is turned on again"
)
"""The state and the next steps once async is off."""


def new_side(traffic: Any) -> str:
    """The side that gets the weight's share, by `traffic` in service.yaml: `async`, `version 7`, `the canary`."""
    if traffic.kind == "lambda-alias":
        return f"version {traffic.version}"
    return "the canary" if traffic.kind == "rest-canary" else "async"


def is_off(traffic: Any) -> str:
    """What people read once the new side is off: that it is, and what users get."""
    then = {
        "lambda-alias": "version {0.stable} is what is called",
        "rest-canary": "the stage's own deployment serves all requests",
    }.get(traffic.kind, "the synchronous endpoint takes all requests")
    return f"{new_side(traffic)} is off; {then.format(traffic)}"


def is_not_off(traffic: Any, *, unread: bool = False) -> str:
    """What people read where the new side could not be turned off, or (`unread`) was, and nobody could see it."""
    if unread:
        return f"it is NOT known whether {new_side(traffic)} is off; a person is needed now"
    return f"{new_side(traffic)} could NOT be turned off; a person is needed now"


def after_off(traffic: Any) -> str:
    """The state and the next steps once the new side is off."""
    if traffic.kind == "lambda-alias":
        return (
            f"version {traffic.stable} is what is called now: find the cause in version {traffic.version}, publish the "
            "mended code as a version of its own and release that"
        )
    if traffic.kind == "rest-canary":
        return (
            "the stage's own deployment serves all requests now, and what it leads to is what users had before: find "
            "the cause, fix forward; bring the dial to 0 before the switch is turned on again"
        )
    return AFTER


def then_off(traffic: Any) -> str:
    """The next steps in the record of the rollback."""
    mended = "mend it and redeploy from dev on; then raise `attempt` and shift again"
    if traffic.kind == "lambda-alias":
        mended = "publish the mended code as a version of its own, and release that (`runbook release`)"
    return f"find the cause (failures and dead letters are in this record), {mended}"
