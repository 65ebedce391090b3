"""Which shift is under way, by AWS's history: the release, the phase and the attempt that raised the dial last.

A look judges, and acts on, this one alone: what ended an earlier attempt says nothing of the one that is in force.
"""

from __future__ import annotations

from dataclasses import dataclass

from runbook_lib.base.errors import Overtaken
from runbook_lib.observe.traffic.state import Deployment, TrafficState
from runbook_lib.params.load import Params
from runbook_lib.rollout import hints
from runbook_lib.rollout.moment import tags


@dataclass(frozen=True)
class Shift:
    """Who raised the dial, as the description of the deployment says."""

    release: str
    notebook: str
    attempt: int

    def __str__(self) -> str:
        return f"attempt {self.attempt} of {self.notebook} (release {self.release})"


def newest(state: TrafficState) -> Shift | None:
    """The shift that is under way, or was last; None: no notebook has raised the dial."""
    return next((shift for one in state.history if (shift := _shift(one)) is not None), None)


def attempt_of(state: TrafficState, params: Params, notebook: str) -> int:
    """The newest attempt of a phase that has raised the dial; 0: none has."""
    return max((one.attempt for one in _of(state, params.release) if one.notebook == notebook), default=0)


def overtaken(state: TrafficState, params: Params, notebook: str) -> Overtaken | None:
    """Why a phase must not be judged by these parameters: another shift followed its own. None: it may be.

    A later phase of the same release is no reason: the moment of this one says that it is over.
    """
    last, mine = newest(state), Shift(params.release, notebook, params.attempt)
    if last is None or last == mine or state.migrated:
        return None
    tried = attempt_of(state, params, notebook)
    if tried > params.attempt:
        there = Shift(params.release, notebook, tried)
        again = hints.run(params, notebook, attempt=tried)
        told = f"the newest shift of this phase is {there}, not attempt {params.attempt}: --set attempt={tried}"
        return Overtaken(f"{told} (`{again}`)", tried)
    order = list(params.policy.phases)
    later = last.notebook in order and notebook in order and order.index(last.notebook) > order.index(notebook)
    if mine not in (_shift(one) for one in state.history) or (later and last.release == params.release):
        return None
    shown = hints.status(params_of(last, params), params.env)
    return Overtaken(f"{last} has moved the weight since {mine}: `{shown}` shows it", 0)


def other_release(state: TrafficState, params: Params) -> Shift | None:
    """The shift of another release whose weight is in force; None: there is none."""
    last = newest(state)
    return last if last and last.release != params.release and state.weight and not state.migrated else None


def not_watched(state: TrafficState, params: Params) -> Overtaken | None:
    """Why there is no watching a phase that has not begun: another release is under way. None: there is nothing yet."""
    other = other_release(state, params)
    if other is None:
        return None
    shown = hints.status(params_of(other, params), params.env)
    return Overtaken(f"{other} is under way, and nothing of release {params.release}: `{shown}` shows it", 0)


def params_of(shift: Shift, params: Params) -> Params:
    """The parameters for the release of a shift in the same environment."""
    return params.model_copy(update={"flat": params.flat.model_copy(update={"release": shift.release})})


def _of(state: TrafficState, release: str) -> list[Shift]:
    found = (_shift(one) for one in state.history)
    return [one for one in found if one is not None and one.release == release]


def _shift(deployment: Deployment) -> Shift | None:
    """The shift that a deployment made; None: it set the dial to 0, or its description does not say whose it is."""
    said = tags(deployment)
    if not deployment.percent or not {"release", "notebook"} <= set(said) or not said.get("attempt", "").isdecimal():
        return None
    return Shift(said["release"], said["notebook"], int(said["attempt"]))
