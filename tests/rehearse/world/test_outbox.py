"""What reaches CloudWatch when some metrics are silent and others late."""

from __future__ import annotations

import numpy as np
import pytest

from runbook_lib.rehearse.world.behaviour import Fault
from runbook_lib.rehearse.world.outbox import Outbox
from runbook_lib.rehearse.world.rows import Rows
from runbook_lib.rehearse.world.scenario import Scenario

HOUR = 3600.0


def world(*faults: Fault) -> Scenario:
    return Scenario(name="s", title="t", faults=faults)


def rows(*hours: float, signal: str = "submit_latency") -> Rows:
    return Rows.of(signal, np.array(hours) * HOUR, 1.0)


def told(known: Rows) -> list[float]:
    return sorted((known.stamp / HOUR).tolist())


def test_on_a_good_day_everything_is_told_at_once() -> None:
    given = rows(0.1, 0.9)
    assert Outbox().send(given, world(), 0.0, HOUR) is given


def test_a_silent_signal_is_never_told_while_the_fault_is_on_and_the_others_are() -> None:
    scenario = world(Fault(name="f", start=1, end=2, silent=("submit_latency",)))
    box, given = Outbox(), rows(0.5, 1.0, 1.9, 2.0)
    assert told(box.send(given, scenario, 0.0, 3 * HOUR)) == [0.5, 2.0]
    assert told(box.send(rows(1.5, signal="submit_count"), scenario, 0.0, 3 * HOUR)) == [1.5]


def test_what_is_late_comes_later_under_its_own_time() -> None:
    scenario = world(Fault(name="f", start=1, end=2, set={"metrics_late_s": 2 * HOUR}))
    box = Outbox()
    assert told(box.send(rows(0.5, 1.5, 2.5), scenario, 0.0, 3 * HOUR)) == [0.5, 2.5]
    assert told(box.send(rows(3.2), scenario, 0.0, 4 * HOUR)) == [1.5, 3.2]


def test_a_fault_that_waits_for_a_phase_silences_nothing_yet() -> None:
    scenario = world(Fault(name="f", after="06", silent=("submit_latency",)))
    assert told(Outbox().send(rows(0.5), scenario, 0.0, HOUR)) == [0.5]
    assert not told(Outbox().send(rows(0.5), scenario.begun("06_phase1", 0.0), 0.0, HOUR))


def test_an_unknown_signal_is_refused() -> None:
    with pytest.raises(ValueError, match="names unknown signal 'latency'"):
        Fault(name="f", silent=("latency",))
