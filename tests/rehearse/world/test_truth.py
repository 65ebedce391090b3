"""The truth counts each request and each job once, where it belongs."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.rehearse.world.behaviour import Behaviour
from runbook_lib.rehearse.world.jobs import Settings
from runbook_lib.rehearse.world.scenario import Scenario
from runbook_lib.rehearse.world.service import Service
from runbook_lib.rehearse.world.truth import Truth

START = 1_750_032_000.0


def lived(hours: int = 12, **knobs: float) -> Truth:
    scenario = Scenario(name="s", title="t", requests_per_day=12000, behaviour=Behaviour(**knobs))
    service, truth = Service(scenario, Settings(), 5, START), Truth()
    service.set_weight(0.9)
    for hour in range(1, hours + 1):
        truth.add(service.run(START + hour * 3600))
    return truth


@pytest.mark.slow
def test_every_job_is_in_one_class() -> None:
    tally = lived(job_failed=0.05, submit_5xx=0.1).between()
    assert tally.completed + tally.late + tally.failed + tally.unfinished == tally.created
    assert tally.created == pytest.approx(tally.submitted - tally.submit_5xx, abs=1)
    # Twelve thousand a day is more than five workers can write.
    assert min(tally.completed, tally.late, tally.failed, tally.unfinished, tally.submit_5xx, tally.sync_ok) > 0


@pytest.mark.slow
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


SHARE = 0.2
KNOBS = {
    "gateway_4xx": "refused",
    "gateway_403": "refused",
    "gateway_5xx": "refused",
    "submit_5xx": "failed",
    "job_failed": "failed",
    "llm_quota": "failed",
    "accepted_lost": "lost",
    "job_lost": "lost",
}
"""Knob to the end that it brings its users to."""


def quiet(knobs: dict[str, float], hours: int = 8, seed: int = 5) -> Truth:
    """So little traffic that no user waits for a worker."""
    scenario = Scenario(name="s", title="t", requests_per_day=3000, behaviour=Behaviour(**{"job_failed": 0.0} | knobs))
    service, truth = Service(scenario, Settings(), seed, START, workers=50), Truth()
    service.set_weight(1)
    for hour in range(1, hours + 1):
        truth.add(service.run(START + hour * 3600))
    return truth


@pytest.mark.slow
@pytest.mark.parametrize("knob", KNOBS)
def test_a_knob_brings_its_share_of_the_users_to_its_own_end(knob: str) -> None:
    users = quiet({knob: SHARE}).account(START, START + 7 * 3600)
    ends = users._asdict()
    assert ends[KNOBS[knob]] / users.submitted == pytest.approx(SHARE, abs=0.08)
    assert users.succeeded + ends[KNOBS[knob]] == users.submitted


def test_the_callers_own_mistakes_are_no_users() -> None:
    plain, users = quiet({}).account(), quiet({"caller_4xx": SHARE}).account()
    assert users.submitted + users.own_mistakes == plain.submitted
    assert users.own_mistakes / plain.submitted == pytest.approx(SHARE, abs=0.08)


@pytest.mark.parametrize("knob", ["resubmitted", "job_duplicated", "no_token_usage"])
def test_what_harms_no_user_leaves_every_user_served(knob: str) -> None:
    users = quiet({knob: SHARE}).account(START, START + 7 * 3600)
    assert users.succeeded == users.submitted > 0


@settings(max_examples=15, deadline=None)
@given(
    knobs=st.dictionaries(
        st.sampled_from([*KNOBS, "caller_4xx", "resubmitted", "job_duplicated", "job_crash"]), st.floats(0, 1)
    ),
    seed=st.integers(0, 99),
)
def test_every_user_has_one_end(knobs: dict[str, float], seed: int) -> None:
    truth = quiet(knobs, 2, seed)
    users = truth.account()
    assert sum(users[1:6]) == users.submitted
    assert truth.users() == users[:2]
    assert users.submitted + users.own_mistakes == int(truth.requests().is_async.sum())
