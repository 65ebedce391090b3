"""The world of one seed and AWS beside it: the same however its time is cut into pieces."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest

from runbook_lib.base.window import Window
from runbook_lib.rehearse.play.stage import params_of
from runbook_lib.rehearse.quick.local_world import START, WATCH_S, Local
from runbook_lib.rehearse.world.scenario import load
from runbook_lib.rehearse.world.targets import targets

PARAMS = params_of("prod", "test")
TAKEN_BACK = ("async_failing", "async_crashing")
BEGINS, ENDS = START + dt.timedelta(hours=2), START + dt.timedelta(hours=8, minutes=7)


def shifted(name: str) -> Local:
    world = Local(PARAMS, load(name), 3)
    world.live(BEGINS)
    world.flags.shift(50, world.now, "release=r notebook=n attempt=1")
    world.service.live_by(world.service.scenario.begun("06", world.service.hour))
    return world


def seen(world: Local) -> dict[str, Any]:
    """All that a look and a guard can see of it, and the truth about its users."""
    jobs, _ = world.table.jobs(Window(START, ENDS))
    return {
        "flags": world.flags,
        "levels": (world.levels, world.most_waiting, world.throttled),
        "jobs": sorted(jobs, key=lambda job: job["job_id"]),
        "users": world.truth.account(),
        "answered": sorted(world.answered),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["async_failing", "async_crashing", "healthy", "submit_latency", "late_metrics"])
def test_it_is_the_same_lived_at_once_and_in_the_steps_of_the_guards(name: str) -> None:
    """A guard that fires within an hour takes the weight back at its moment, and from then on clients stay away."""
    at_once, in_steps = shifted(name), shifted(name)
    at_once.live(ENDS)
    while in_steps.now < ENDS:
        in_steps.live(min(ENDS, in_steps.now + dt.timedelta(seconds=WATCH_S)))
    assert seen(at_once) == seen(in_steps)
    assert ("ROLLED_BACK" in {one.state for one in at_once.flags.deployments}) == (name in TAKEN_BACK)
    for one in targets(PARAMS):
        key = (one.namespace, one.name, frozenset(one.dimensions))
        (at, value), (also_at, also) = at_once.metrics.series(key), in_steps.metrics.series(key)
        assert np.array_equal(at, also_at)
        assert np.array_equal(np.sort(value), np.sort(also))
