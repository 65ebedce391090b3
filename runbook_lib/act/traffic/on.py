"""What turning async on says and refuses, whatever the home of the weight."""

from __future__ import annotations

from typing import Any

from runbook_lib.act.guard import Change, Guard
from runbook_lib.act.traffic.shift import number, whose
from runbook_lib.act.traffic.switch import Turned
from runbook_lib.base.errors import AwsError, Refused
from runbook_lib.observe.traffic.state import TrafficState


def on_already(state: TrafficState, guard: Guard) -> Turned | None:
    """The result where the switch is on before the call; None where it is off, with the dial at 0.

    Raises:
        Refused: the dial is not at 0.
    """
    if state.switch_on:
        said = f"the switch is on already, by {whose(state.switch_deployment)}; nothing was changed"
        guard.note("note", text=said)
        return Turned(False, said, number(state.switch_deployment))
    if state.dial_percent != 0:
        raise Refused(
            f"the dial is at {state.dial_percent:g} %, which the switch would put in force again: "
            "bring the dial to 0 first",
            nothing_changed=True,
        )
    return None


def turned_on(change: Change[Any], deployment: int) -> Turned:
    """The result of the change that turned the switch on.

    Raises:
        AwsError: the switch does not read back as on.
    """
    if not change.ok:
        raise AwsError(f"the switch was turned on, yet it reads back as {dict(change.seen)}; look before going on")
    return Turned(True, "the switch is on, the dial at 0: nothing moves yet", deployment)
