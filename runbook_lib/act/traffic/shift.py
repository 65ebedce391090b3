"""The plan of a shift of the weight, as data; `act/traffic/dial.py` carries it out.

A plan can be shown, recorded, and refused if the state has changed since the plan.
"""

from __future__ import annotations

from typing import Literal

from runbook_lib.act.traffic.flags import MAX_DESCRIPTION, describe, made_by, told
from runbook_lib.base.errors import Refused, UsageError
from runbook_lib.base.template import filled
from runbook_lib.judge.terms import Frozen
from runbook_lib.observe.traffic.reach import BUSY
from runbook_lib.observe.traffic.state import Deployment, TrafficState
from runbook_lib.params.load import Params
from runbook_lib.params.traffic import AppConfigHome

__all__ = ["DialStep", "ShiftPlan", "describe", "plan_shift"]

UNGUARDED = (
    "nothing takes this weight back by itself: let `runbook watch --auto-rollback` look while it soaks, and have the "
    "guards' composite alarm call somebody"
)
MAX_BAKE_H = 24.0
"""Longest bake in hours: AppConfig bakes for at most 1,440 minutes."""


class DialStep(Frozen):
    """One call to AWS."""

    action: Literal["stop", "deploy", "switch on"]
    before: float
    """Percent before the step."""
    after: float
    """Percent in force after the step."""
    strategy: str | None = None
    why: str


class ShiftPlan(Frozen):
    """The steps of a shift, and the state that they depend on."""

    kind: str
    before: float
    percent: float
    switch_on: bool
    latest: int
    """Number of the dial's latest deployment when the plan was made; 0: none."""
    latest_state: str
    switch_latest: int
    soak_hours: float
    description: str
    steps: tuple[DialStep, ...]
    blockers: tuple[str, ...] = ()
    """Why the plan cannot be applied now; empty: it can."""
    notes: tuple[str, ...] = ()
    undo: str

    @property
    def raises(self) -> bool:
        """Whether it may give users async who had none: every plan that ends above 0, for it goes through 0."""
        return self.percent > 0

    @property
    def told(self) -> str:
        """What it does, in one phrase."""
        return f"dial {self.before:g} % -> {self.percent:g} %"

    def text(self) -> str:
        """The plan as text for a terminal."""
        lines = [self.told if self.steps else f"dial is at {self.before:g} %: nothing to do"]
        for place, step in enumerate(self.steps, 1):
            how = f" ({step.strategy})" if step.strategy else ""
            lines.append(f"  {place}. {step.action} {step.before:g} % -> {step.after:g} %{how}: {step.why}")
        lines += [f"  note: {note}" for note in self.notes]
        lines += [f"  blocked: {blocker}" for blocker in self.blockers]
        return "\n".join([*lines, f"  undo: {self.undo}"])


def plan_shift(
    state: TrafficState, percent: float, params: Params, *, soak_hours: float, description: str
) -> ShiftPlan:
    """The steps from `state` to the dial at `percent`, as the home of the weight takes them. Pure.

    In AppConfig every shift goes through 0 and bakes, so that AppConfig's own rollback (to the previous version) ends
    at 0. Elsewhere nothing takes a weight back by itself, and a shift is one step.

    Raises:
        UsageError: `percent` or `description` is out of bounds.
    """
    if not 0 <= percent <= 100:
        raise UsageError(f"percent is {percent:g}, expects 0 to 100")
    if len(description) > MAX_DESCRIPTION:
        raise UsageError(
            f"the deployment's description has {len(description)} characters, AppConfig takes {MAX_DESCRIPTION}"
        )
    home, latest = params.service.traffic, state.dial_deployment
    over_0 = isinstance(home, AppConfigHome)
    steps = _over_0(state, percent, params, soak_hours) if over_0 else _directly(state, percent)
    return ShiftPlan(
        kind=home.kind,
        before=state.dial_percent,
        percent=percent,
        switch_on=state.switch_on,
        latest=number(latest),
        latest_state=latest.state if latest else "",
        switch_latest=number(state.switch_deployment),
        soak_hours=soak_hours,
        description=description,
        steps=tuple(steps),
        blockers=_blockers(state, percent),
        notes=(_notes(soak_hours) if over_0 else (UNGUARDED,)) if percent > 0 else (),
        undo="turn the switch off (at once, whatever bakes or fires), then the dial to 0",
    )


def _directly(state: TrafficState, percent: float) -> list[DialStep]:
    """One step; none if the value is set already, since setting it again would only restart the soak."""
    if percent == state.dial_percent and (state.switch_on or not percent):
        return []
    why = "the weight, which nothing takes back by itself" if percent else "the dial to 0, in calm"
    if percent and not state.switch_on:
        why = f"{why}; with it the switch goes on, which is off by {whose(state.turned_by)}"
    return [DialStep(action="deploy", before=state.dial_percent, after=percent, why=why)]


def _over_0(state: TrafficState, percent: float, params: Params, soak_hours: float) -> list[DialStep]:
    traffic = params.service.appconfig
    immediate, soak = (filled(one, {"env": params.env}) for one in (traffic.immediate_strategy, traffic.soak_strategy))
    latest = state.dial_deployment
    at = state.dial_percent
    steps: list[DialStep] = []
    if latest is not None and busy(latest):
        back = next((each.percent or 0.0 for each in state.history[1:] if each.in_force), 0.0)
        why = f"deployment {latest.number} is {latest.state}, and AppConfig takes one at a time"
        steps.append(DialStep(action="stop", before=at, after=back, why=why))
        at = back
    if percent > 0:
        why = "step over 0, so that AppConfig's own rollback lands on 0"
        steps.append(DialStep(action="deploy", before=at, after=0, strategy=immediate, why=why))
        if not state.switch_on:  # not before: at a dial above 0 it would set that weight at once
            why = f"it is off by {whose(state.turned_by)}; at dial 0 nothing moves yet"
            steps.append(DialStep(action="switch on", before=0, after=0, strategy=immediate, why=why))
        why = f"the weight, watched by the guard alarms for {min(soak_hours, MAX_BAKE_H):g} h"
        steps.append(DialStep(action="deploy", before=0, after=percent, strategy=soak, why=why))
    elif steps or at > 0:
        steps.append(DialStep(action="deploy", before=at, after=0, strategy=immediate, why="the dial to 0, in calm"))
    return steps


def _blockers(state: TrafficState, percent: float) -> tuple[str, ...]:
    if percent > 0 and state.migrated:
        return (
            "the synchronous route is asynchronous already, so no weight above 0 may be set any more: it would send "
            "clients to the temporary route, which is to go",
        )
    off = None if state.switch_on else state.turned_by
    if percent > 0 and not state.switch_on and not made_by(off.description if off else ""):
        return (
            f"the switch is off by {whose(off)}, which is not a rollback of this runbook: whoever turned it off turns "
            "it on, at dial 0",
        )
    switch = state.switch_deployment
    if percent > 0 and switch is not None and switch.partial:
        return (f"{state.under_way[0]}; wait until that is over",)
    return ()


def _notes(soak_hours: float) -> tuple[str, ...]:
    if soak_hours > MAX_BAKE_H:
        return (
            f"AppConfig watches for {MAX_BAKE_H:g} h at most: renew the bake before hour {MAX_BAKE_H:g} "
            f"of the {soak_hours:g} h soak",
        )
    return ()


def number(deployment: Deployment | None) -> int:
    """Number of a deployment; 0 for none, which AppConfig's compare-and-set also uses for none."""
    return deployment.number if deployment else 0


def busy(deployment: Deployment | None) -> bool:
    """Whether the deployment blocks others in its environment."""
    return deployment is not None and deployment.state in BUSY


def whose(deployment: Deployment | None) -> str:
    """A deployment in words: number, time, who made it."""
    if deployment is None:
        return "no deployment"
    return told(f"deployment {deployment.number}", deployment.started_at, deployment.description, deployment.state)


def refuse_if_turned(plan: ShiftPlan, state: TrafficState) -> None:
    """Compares the switch with the one that the plan has read.

    Raises:
        Refused: somebody has turned it since.
    """
    if number(state.switch_deployment) != plan.switch_latest or state.switch_on != plan.switch_on:
        raise Refused(
            f"the switch was turned {'on' if state.switch_on else 'off'} since the plan was made, by "
            f"{whose(state.switch_deployment)}; look, and plan again",
            nothing_changed=True,
        )
