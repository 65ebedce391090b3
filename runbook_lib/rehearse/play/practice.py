"""An exercise: a rollout in which something goes wrong during a soak, up to the moment at which somebody is called."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from runbook_lib.base.errors import UsageError
from runbook_lib.base.nearest import close
from runbook_lib.base.window import parse
from runbook_lib.judge import words
from runbook_lib.params.alarms import alarm_name
from runbook_lib.rehearse.play.director import Scene
from runbook_lib.rehearse.play.play import Play
from runbook_lib.rehearse.play.played import fault_since
from runbook_lib.rehearse.play.stage import places
from runbook_lib.rehearse.world.scenario import Scenario, find, played

STEP = dt.timedelta(minutes=10)
"""Time between two checks whether somebody would be called."""
FEW = 3
"""Fewest failed users for which somebody is called."""


@dataclass(frozen=True)
class Call:
    """The reason and time of a call: the exercise begins."""

    at: dt.datetime
    notebook: str
    """The phase under way."""
    said: str


def practised() -> list[Scenario]:
    """The scenarios in which something goes wrong during a soak."""
    return [one for one in played() if one.in_a_soak]


def scenario_for(name: str) -> Scenario:
    """The scenario with that name, or in the YAML file with the path `name`.

    Raises:
        UsageError: there is none, or it is not for practice.
    """
    known = [one.name for one in practised()]
    if name not in {one.name for one in played()} and not name.endswith((".yaml", ".yml")):
        near = close(name, known) or "`runbook lab --list` names them"
        raise UsageError(f"scenario '{name}': there is no scenario of that name to practise; {near}")
    scenario = find(name)
    if scenario.expected is None:
        raise UsageError(f"scenario '{name}' does not say how it should end (`expected`), so nothing can be practised")
    if scenario.expected.phases and not scenario.in_a_soak:
        raise UsageError(
            f"scenario '{name}' goes wrong after the soaks; see it with `runbook rehearse --scenario {name}`"
        )
    return scenario


def called(play: Play) -> Call:
    """Goes through the rollout until somebody would be called: users without a report, a guard alarm, or a look.

    Raises:
        UsageError: with this seed nothing goes wrong.
    """
    stage = play.stage
    for notebook in play.from_start():
        last = play.shift(notebook)
        while last.decision == "SOAK" and last.come_back_at:
            due = parse(last.come_back_at)
            with stage.board.step(f"{stage.aws.now():%d %b %H:%M}  {notebook}: the soak goes on") as said:
                while stage.aws.now() < due:
                    stage.advance(min(due + dt.timedelta(seconds=30), stage.aws.now() + STEP))
                    if why := _alarmed(play) or _failed(play):
                        said.append(why)
                        return Call(stage.aws.now(), notebook, why)
                said.append(stage.traffic())
            last = stage.run(Scene(notebook, what="look"))
        if last.decision != "PROMOTE":
            return Call(stage.aws.now(), notebook, f"a look at {notebook} ended with {last.decision or last.status}")
    raise UsageError(f"with seed {stage.seed} nothing goes wrong in '{play.scenario.name}': take another --seed")


def _alarmed(play: Play) -> str:
    """Name of the guard alarm that fires; empty: none."""
    stage = play.stage
    params = stage.params[places().prod]
    guards = [alarm_name(one, params) for one in params.policy.alarms if one.guard]
    found = stage.aws.client("cloudwatch").describe_alarms(AlarmNames=guards, StateValue="ALARM")
    firing = [one["AlarmName"] for one in found["MetricAlarms"]]
    return f"alarm {firing[0]} fires" if firing else ""


def _failed(play: Play) -> str:
    """Number of users without a report, if their success has collapsed since the fault began; empty: it has not."""
    world, params = play.stage.worlds[places().prod], play.stage.params[places().prod]
    if play.shift_at is None or (since := fault_since(world.service, play.shift_at)) is None:
        return ""
    submitted, served = world.truth.users(since, world.service.now - params.service.job_deadline_s)
    failed, collapse = submitted - served, params.policy.gate("success_rate").collapse
    if failed < FEW or collapse is None or not collapse.holds(served / submitted):
        return ""
    return f"{failed} of the last {words.count(submitted, 'user')} of the async route got no report in time"
