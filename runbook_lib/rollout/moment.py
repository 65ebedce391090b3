"""The moment of a phase, from the state of the traffic alone: pure functions.

The description of a deployment names its release, notebook and attempt (`act.traffic.describe`).
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, replace
from typing import Literal

from runbook_lib.act.traffic import flags
from runbook_lib.base.window import iso, parse, when
from runbook_lib.judge.model import Look
from runbook_lib.observe.traffic.state import Deployment, TrafficState
from runbook_lib.params.load import Params
from runbook_lib.params.phases import Phase

Name = Literal["before", "during", "after", "taken_back", "void", "over", "migrating"]
"""`over`: a later phase has moved on; `migrating`: the synchronous route is asynchronous, and its soak has not
begun."""


@dataclass(frozen=True)
class Moment:
    """Where a phase stands at `now`."""

    name: Name
    words: str
    """The moment as a sentence."""
    percent: float
    """Weight in force now, 0..100."""
    shift_at: dt.datetime | None = None
    """When the weight was set."""
    effective_at: dt.datetime | None = None
    """When the last client has read the weight: `shift_at` plus the clients' polling interval."""
    taken_back_at: dt.datetime | None = None
    by_itself: bool = False
    """Whether AppConfig took it back by itself."""
    alarm: str | None = None
    look: Look | None = None
    """The declared look that is due; None: none is."""
    look_number: int = 0
    """Number of the due look, from 1; 0: none is due."""
    last_look: bool = False
    come_back_at: dt.datetime | None = None
    """When the next declared look can be decided, with its data settled; None: there is none."""
    baking: bool = False
    bake_is_over: bool = False
    """Whether AppConfig's bake is over, so that it no longer watches; the bake can be renewed."""
    looks: tuple[Look, ...] = ()
    """All declared looks of this soak."""

    def window_end(self, now: dt.datetime) -> dt.datetime:
        """End of the judged time: a due look judges exactly its hours, so that looking again changes nothing."""
        if self.look is not None and self.effective_at is not None:
            return self.effective_at + dt.timedelta(hours=self.look.hours)
        return self.taken_back_at or now


def settle(params: Params) -> dt.timedelta:
    """Time after the end of a window until its metrics have arrived and its last jobs are over."""
    return dt.timedelta(seconds=max(params.policy.metric_delay_s, params.service.job_deadline_s))


def tags(deployment: Deployment) -> dict[str, str]:
    """The `key=value` words of a deployment's description."""
    return flags.tags(deployment.description or "")


def which(state: TrafficState, params: Params, notebook: str, phase: Phase, now: dt.datetime) -> Moment:
    """The moment of `phase` at `now`.

    Args:
        state: dial, switch and their deployments, newest first.
        now: AWS's clock or `as_of`, UTC.
    """
    if state.migrated:
        return _migrated(state, params, phase)
    mine = [deployment for deployment in state.history if _is_mine(deployment, params, notebook)]
    shifts = sorted((d for d in mine if d.percent == phase.percent and d.percent), key=lambda d: d.number)
    if not shifts:
        return _before(state, phase)
    if later := _later_phase(state, params, notebook, shifts[-1].number):
        return Moment("over", f"this phase is over: {later} has moved the weight on", state.weight)
    return _shifted(state, params, phase, mine, shifts, now)


def _shifted(
    state: TrafficState,
    params: Params,
    phase: Phase,
    mine: list[Deployment],
    shifts: list[Deployment],
    now: dt.datetime,
) -> Moment:
    first, newest = shifts[0], shifts[-1]
    if first.started_at is None:
        return Moment("void", f"deployment {first.number} has no start time", state.weight)
    shift_at = parse(first.started_at)
    effective_at = shift_at + dt.timedelta(seconds=params.service.traffic.client_poll_s)
    if newest.goes_back:
        return _taken_back(state, newest, shift_at, effective_at)
    spoilt = _spoilt(state, mine, first, phase)
    if spoilt:
        return Moment("void", spoilt, state.weight, shift_at, effective_at)
    moment = _soaking(params, phase.looks, effective_at, now)
    hours = max(0.0, (now - effective_at).total_seconds() / 3600)  # clients follow a minute after the shift
    baking = newest.state in ("DEPLOYING", "BAKING")
    over = not baking and params.service.traffic.kind == "appconfig"
    alone = f"{'the bake is over' if over else 'nothing takes it back by itself'}: only you watch now"
    watch = "AppConfig watches the guards" if baking else alone
    words = f"{state.weight:g} % has been in force for {hours:.1f} h of {phase.soak_hours:g} h; {watch}"
    words = "; ".join([words, *state.under_way])
    return replace(moment, words=words, percent=state.weight, shift_at=shift_at, baking=baking, bake_is_over=over)


def after_migration(
    state: TrafficState, params: Params, phase: Phase, done_at: dt.datetime, now: dt.datetime
) -> Moment:
    """The moment of the soak that began at `done_at`, when the migration was complete."""
    moment = _soaking(params, phase.after_migration, done_at, now)
    hours = (now - done_at).total_seconds() / 3600
    words = (
        f"{params.service.api.routes.sync} has been asynchronous, and the temporary route gone, for {hours:.1f} h of "
        f"{phase.after_migration[0].hours:g} h; {params.service.traffic.watcher} guards nothing any more"
    )
    return replace(moment, words=words, percent=state.weight, shift_at=done_at)


def _later_phase(state: TrafficState, params: Params, notebook: str, number: int) -> str | None:
    """The later phase of the same release that has set the weight since; None: none has."""
    order = list(params.policy.phases)
    later = order[order.index(notebook) + 1 :] if notebook in order else []
    for deployment in state.history:
        said = tags(deployment)
        if deployment.number > number and deployment.percent and said.get("release") == params.release:
            found = said.get("notebook", "")
            if found in later:
                return found
    return None


def _is_mine(deployment: Deployment, params: Params, notebook: str) -> bool:
    said = tags(deployment)
    wanted = {"release": params.release, "notebook": notebook, "attempt": str(params.attempt)}
    return all(said.get(key) == value for key, value in wanted.items())


def _migrated(state: TrafficState, params: Params, phase: Phase) -> Moment:
    route = params.service.api.routes.sync
    if phase.after_migration:
        return Moment("migrating", f"{route} is asynchronous; the temporary route is still to be removed", state.weight)
    return Moment("over", f"this phase is over: {route} itself is asynchronous now", state.weight)


def _before(state: TrafficState, phase: Phase) -> Moment:
    words = f"before the shift to {phase.percent:g} %: the weight in force is {state.weight:g} %"
    return Moment("before", words, state.weight)


def own_rollback(state: TrafficState) -> str | None:
    """How AppConfig took back the dial's newest deployment by itself, in words; None: it did not."""
    newest = next((one for one in state.history if one.percent), None)
    if newest is None or not newest.goes_back or newest.taken_back_by != "CLOUDWATCH_ALARM":
        return None
    at = newest.taken_back_at or newest.completed_at
    return _how(newest, state.dial_percent, parse(at) if at else None)


def _how(newest: Deployment, percent: float, at: dt.datetime | None, person: str = "") -> str:
    """The way in which a deployment was taken back, in words; `person`: ` by NAME`, where AppConfig did not do it."""
    alarm = _alarm(newest)
    by_itself = newest.taken_back_by == "CLOUDWATCH_ALARM"
    who = "AppConfig took the weight back by itself" if by_itself else f"the weight was taken back{person}"
    if newest.partial:
        who = f"AppConfig is taking the weight back{' by itself' if by_itself else ''}"
    since = f" at {when(at)}" if at else ""
    return f"{who}{since}{f' on alarm {alarm}' if alarm else ''}; the weight now is {percent:g} %"


def _by(deployment: Deployment | None) -> str:
    """Author of a deployment by its description: ` by rollback_1_async_failing (run 1a2b)`; empty: it names none."""
    made = flags.made_by(deployment.description or "") if deployment is not None else ""
    return f" by {made}" if made else ""


def _alarm(newest: Deployment) -> str | None:
    """The alarm that AppConfig names in the deployment's events; None: it names none."""
    told = " ".join(event.description for event in newest.events if event.triggered_by == "CLOUDWATCH_ALARM")
    named = re.search(r"alarm:([\w-]+)|([\w-]+-(?:alarm|guard)-[\w-]+)", told)
    return (named[1] or named[2]) if named else None


def _taken_back(state: TrafficState, newest: Deployment, shift_at: dt.datetime, effective_at: dt.datetime) -> Moment:
    at = parse(newest.taken_back_at or newest.completed_at or iso(shift_at))
    switch = None if state.switch_on else state.turned_by
    if switch is not None and switch.started_at and parse(switch.started_at) > at:
        switch = None  # another rollback, of a later attempt
    words = _how(newest, state.weight, at, _by(switch))
    return Moment(
        "taken_back",
        words,
        state.weight,
        shift_at,
        effective_at,
        taken_back_at=at,
        by_itself=newest.taken_back_by == "CLOUDWATCH_ALARM",
        alarm=_alarm(newest),
    )


def _spoilt(state: TrafficState, mine: list[Deployment], first: Deployment, phase: Phase) -> str | None:
    """Why the soak is void (trap 20); None: it is not."""
    own = {deployment.number for deployment in mine}
    # A lower weight that some clients have makes no soak void: the others go on, and must be looked after.
    lowers = [d.number for d in state.history if d.partial and (d.percent or 0) <= phase.percent]
    foreign = [d for d in state.history if d.number > first.number and d.number not in (*own, *lowers)]
    if foreign:
        other = foreign[-1]
        whose = _by(other) or f" ({other.description or 'without a description'})"
        return f"deployment {other.number}{whose} moved the dial during the soak"
    if not state.switch_on:
        by = _by(state.turned_by)
        return "the switch is off" + (f", turned{by}" if by else "")
    if state.dial_percent != phase.percent:
        return f"the dial says {state.dial_percent:g} %, the soak needs {phase.percent:g} %"
    if state.switch_since and first.started_at and parse(state.switch_since) > parse(first.started_at):
        return f"the switch was turned during the soak, at {when(state.switch_since)}"
    return None


def _soaking(params: Params, looks: tuple[Look, ...], effective_at: dt.datetime, now: dt.datetime) -> Moment:
    """The moment `during` or `after` with the declared look that is due; the caller adds words, weight and shift."""
    ready = [effective_at + dt.timedelta(hours=look.hours) + settle(params) for look in looks]
    due = sum(1 for at in ready if at <= now)
    return Moment(
        "after" if due else "during",
        "",
        0.0,
        effective_at=effective_at,
        look=looks[due - 1] if due else None,
        look_number=due,
        last_look=due == len(looks),
        come_back_at=ready[due] if due < len(ready) else None,
        looks=looks,
    )
