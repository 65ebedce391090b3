"""The homes other than AppConfig as a `Home` (`homes.py`): Parameter Store, a weighted alias, a stage's canary.

A raise writes each step into the parameter, if its version is the one that was read, then makes AWS follow, if AWS's
state is the one that was read (`RevisionId`). If AWS refuses, the step is taken back. A lowering has the other order:
users are safe before anything else.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from botocore.exceptions import ClientError

from runbook_lib.act.guard import Guard, at_end
from runbook_lib.act.traffic.off import RegisterOff, lower
from runbook_lib.act.traffic.register import Overtaken, Register
from runbook_lib.act.traffic.shift import DialStep, ShiftPlan, number, refuse_if_turned, whose
from runbook_lib.act.traffic.switch import Turned, said
from runbook_lib.base.aws import aws_errors
from runbook_lib.base.aws_errors import code_of, perhaps_done
from runbook_lib.base.errors import AwsError, Refused, Unreadable
from runbook_lib.observe.asking import Clients
from runbook_lib.observe.traffic.in_force import InForce
from runbook_lib.observe.traffic.ledger import Entry, standing
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.observe.traffic.weight import NEAR, read_traffic, state_of
from runbook_lib.params.load import Params

STALE = ("PreconditionFailedException", "ConflictException")
"""Lambda: the alias has changed since it was read. API Gateway: somebody else is changing the stage."""


class RegisteredTraffic:
    """One weight whose steps are listed in a parameter."""

    def __init__(self, aws: Clients, guard: Guard, params: Params, register: Register) -> None:
        self._aws = aws
        self._guard = guard
        self._params = params
        self._register = register

    def read(self) -> TrafficState:
        """See `Home.read`."""
        return read_traffic(self._aws, self._params, routes=False)

    def apply(self, plan: ShiftPlan) -> TrafficState:
        """See `Home.apply`."""
        self._guard.authorise(plan.raises)
        if plan.blockers:
            raise Refused(plan.blockers[0], nothing_changed=True)
        for step in plan.steps:
            self._raise(plan, step) if plan.raises else self._lower(plan, step)
        return at_end(plan.told, self.read, self._register.by_hand) if plan.steps else self.read()

    def switch_off(self, description: str, decided_at: dt.datetime | None = None) -> Turned:
        """See `Home.switch_off`."""
        return RegisterOff(self._guard, self._register).off(description, decided_at)

    def _raise(self, plan: ShiftPlan, step: DialStep) -> None:
        found, now = self._register.entries(), self._register.in_force()
        self._refuse_if_changed(plan, state_of(found, now))

        def do() -> int:
            written = self._written(found, step.after, plan.description)
            self._told(step, written, found, now, plan)
            return written[-1]

        change = self._change(plan, step, do)
        if not change.ok:
            raise Refused(
                f"the weight did not stay at {step.after:g} % (it reads back as {change.told}); look, and plan "
                "again; switch off if needed"
            )

    def _lower(self, plan: ShiftPlan, step: DialStep) -> None:
        newest = self._register.newest()

        def do() -> int:
            enabled = newest.enabled if newest else True
            doing = f"bringing the weight to {step.after:g} %"
            return lower(self._register, self._guard, doing, step.after, step.after, enabled, plan.description)

        change = self._change(plan, step, do)
        if not change.ok:
            raise AwsError(
                f"the dial was brought to {step.after:g} %, yet it reads back as {change.told}; by hand: "
                f"{self._register.by_hand}"
            )

    def _change(self, plan: ShiftPlan, step: DialStep, do: Any) -> Any:
        """Makes one change through the guard; it promises the weight in force, too, if the switch is on or goes on."""
        after = {"percent": step.after, "description": plan.description}
        if plan.switch_on or plan.raises:
            after["in_force"] = step.after
        with aws_errors(f"setting the weight to {step.after:g} %"):
            return self._guard.change(
                f"dial {step.before:g} % -> {step.after:g} %",
                before={"percent": step.before, "deployment": plan.latest},
                after=after,
                undo=plan.undo,
                by_hand=self._register.by_hand,
                do=do,
                read_back=self._seen,
                raises=plan.raises,
            )

    def _written(self, found: list[Entry], percent: float, description: str) -> tuple[int, ...]:
        """Writes the step into the parameter, if nobody has written one since `found` was read; returns its numbers."""
        try:
            return self._register.write_after(found[0] if found else None, percent, True, description)
        except Overtaken as error:
            raise Refused(f"somebody else moved the weight meanwhile: {error}; look, and plan again") from None

    def _told(
        self, step: DialStep, written: tuple[int, ...], found: list[Entry], now: InForce | None, plan: ShiftPlan
    ) -> None:
        """Makes AWS follow the step, if nobody changed its state since it was read; else takes the step back."""
        try:
            self._register.put(step.after, now.token if now else None)
        except Exception as error:
            follows = self._follows(step.after)
            stale = isinstance(error, Overtaken) or (isinstance(error, ClientError) and code_of(error) in STALE)
            where = now.where if now else "the weight"
            if follows is None and (stale or perhaps_done(error)):  # a weight in force has its step
                if stale:
                    raise Unreadable(f"{where} was changed meanwhile, by somebody else or by this step; look") from None
                raise
            if follows:
                return
            before = next(iter(standing(found)), None)
            percent, enabled = (before.percent, before.enabled) if before else (0.0, True)
            try:
                for one in written:
                    self._register.write(percent, enabled, f"step {one} is taken back: {plan.description}", one)
            except Exception as second:
                told = f"{said(error)}; and step {written[-1]} could not be taken back: {said(second)}"
                raise AwsError(f"{told}; no weight was moved by it; look, and plan again") from error
            if stale:
                raise Refused(
                    f"somebody else changed {where} meanwhile; nothing was moved; look, and plan again"
                ) from None
            raise

    def _follows(self, percent: float) -> bool | None:
        """Whether that weight is in force after an error: AWS has set it, its answer was lost, and asked once more by
        botocore it refused what it had changed itself. None: that cannot be told.
        """
        try:
            now = self._register.in_force()
        except Exception:  # the error that led here is raised
            return None
        return now is not None and abs(now.percent - percent) <= NEAR

    def _seen(self) -> dict[str, Any]:
        """Facts for the journal: the newest step, and the weight in force."""
        newest, now = self._register.newest(), self._register.in_force()
        seen: dict[str, Any] = {"deployment": newest.number if newest else None, "percent": None, "enabled": True}
        if newest is not None:
            seen |= {"percent": newest.percent, "enabled": newest.enabled, "description": newest.description}
        return {**seen, "in_force": now.percent if now else newest.weight if newest else 0.0}

    def _refuse_if_changed(self, plan: ShiftPlan, state: TrafficState) -> None:
        if number(state.dial_deployment) != plan.latest or state.dial_percent != plan.before:
            raise Refused(
                f"the weight changed since the plan was made: it is at {state.dial_percent:g} % by "
                f"{whose(state.dial_deployment)}; look, and plan again",
                nothing_changed=True,
            )
        refuse_if_turned(plan, state)
