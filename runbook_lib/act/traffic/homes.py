"""The homes of the weight behind one interface: read, apply a plan, off, on. Callers name no home.

`shift.py::plan_shift`, a pure function, makes the plan. Before a raise this is compared: in AppConfig the number
of the latest deployment, in `ssm` the parameter's version, of an alias its RevisionId, of a stage its time of update.
"""

from __future__ import annotations

import datetime as dt
from typing import Protocol

from runbook_lib.act.guard import Guard
from runbook_lib.act.traffic.dial import AppConfigTraffic
from runbook_lib.act.traffic.register import Register
from runbook_lib.act.traffic.registered import RegisteredTraffic
from runbook_lib.act.traffic.shift import ShiftPlan
from runbook_lib.act.traffic.switch import Turned
from runbook_lib.observe.asking import Clients
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.params.load import Params


class Home(Protocol):
    """One home of the weight."""

    def read(self) -> TrafficState:
        """The state as AWS reports it now; changes are read back with it.

        Raises:
            NotDeployed: the home does not exist.
            AwsError: AWS does not answer, or its answer cannot be interpreted.
        """
        ...

    def apply(self, plan: ShiftPlan) -> TrafficState:
        """Carries a plan out, each step with its intent and outcome; a raise only if nothing changed since the plan.

        A raise turns the switch on if it is off.

        Raises:
            Refused: not authorised, blocked, changed since the plan, or taken back at once.
            AwsError: AWS refused for another reason, or a lowering did not succeed in time.
        """
        ...

    def switch_off(self, description: str, decided_at: dt.datetime | None = None) -> Turned:
        """Stops all requests to the new side, whatever is in the way; the dial stays as it is.

        Raises:
            AwsError: not off in time, or AWS will never allow it; with the command that does it by hand.
        """
        ...


def home_of(aws: Clients, guard: Guard, params: Params) -> Home:
    """The home that `traffic.kind` of service.yaml names."""
    if params.service.traffic.kind == "appconfig":
        return AppConfigTraffic(aws.client("appconfig"), guard, params)
    return RegisteredTraffic(aws, guard, params, Register(aws.client, params))
