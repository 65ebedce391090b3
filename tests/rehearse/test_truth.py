"""The truth counts each request and each job once, where it belongs."""

from __future__ import annotations

import math

import pytest

from runbook_lib.rehearse.jobs import Settings
from runbook_lib.rehearse.scenario import Behaviour, Scenario
from runbook_lib.rehearse.service_model import Service
from runbook_lib.rehearse.truth import Truth

START = 1_750_032_000.0


def lived(hours: int = 12, **knobs: float) -> Truth:
    scenario = Scenario(name="s", title="t", requests_per_day=12000, behaviour=Behaviour(**knobs))
    service, truth = Service(scenario, Settings(), 5, START), Truth()
    service.set_weight(0.9)
    for hour in range(1, hours + 1):
        truth.add(service.run(START + hour * 3600))
    return truth


def test_every_job_is_in_one_class() -> None:
    tally = lived(job_failed=0.05, submit_5xx=0.1).between()
    assert tally.completed + tally.late + tally.failed + tally.unfinished == tally.created
    assert tally.created == pytest.approx(tally.submitted - tally.submit_5xx, abs=1)
    # Twelve thousand a day is more than five workers can write.
    assert min(tally.completed, tally.late, tally.failed, tally.unfinished, tally.submit_5xx, tally.sync_ok) > 0


def test_what_came_too_late_for_the_client_is_no_success() -> None:
    truth = lived()
    late = [j for j in truth.jobs.values() if j.written == "COMPLETED" and j.finished - j.created > 300]
    assert truth.between().late == len(late)
    timely = [j for j in truth.jobs.values() if j.written == "COMPLETED" and j.finished - j.created <= 300]
    assert truth.between().input_tokens == sum(job.input_tokens for job in timely)


def test_windows_add_up() -> None:
    truth = lived(4)
    halves = [truth.between(START, START + 7200), truth.between(START + 7200, START + 14400)]
    whole = truth.between()
    assert whole.sync == sum(half.sync for half in halves)
    assert whole.created == sum(half.created for half in halves)
    assert whole.split == pytest.approx(0.9, abs=0.03)


def test_an_empty_window_has_no_rate() -> None:
    nothing = Truth().between()
    assert math.isnan(nothing.split)
    assert math.isnan(nothing.success)
