"""Who was served: the incremental count says what a count from scratch over all requests and jobs says."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.rehearse.world.behaviour import Behaviour
from runbook_lib.rehearse.world.jobs import Settings
from runbook_lib.rehearse.world.scenario import Scenario
from runbook_lib.rehearse.world.service import Service
from runbook_lib.rehearse.world.step import REPEATED
from runbook_lib.rehearse.world.truth import Truth

START = 1_750_032_000.0
SHARE = st.sampled_from([0.0, 0.05, 0.2])
KNOBS = ("job_failed", "gateway_4xx", "caller_4xx", "accepted_lost", "resubmitted", "job_duplicated", "job_lost")


def _by_hand(truth: Truth, start: float, end: float) -> tuple[list[float], list[bool]]:
    good = {
        job.number
        for job in truth.jobs.values()
        if not job.failed and job.finished - job.created <= truth.job_deadline_s
    }
    seen = truth.requests()
    rows = zip(seen.at, seen.is_async, seen.mistake, seen.number, seen.status, strict=True)
    mine = [(at, number, status) for at, is_async, own, number, status in rows if is_async and not own]
    mine = [one for one in mine if start <= one[0] < end]
    return [at for at, *_ in mine], [number in good or status == REPEATED for _, number, status in mine]


@settings(max_examples=12, deadline=None)
@given(
    knobs=st.fixed_dictionaries(dict.fromkeys(KNOBS, SHARE)),
    seed=st.integers(0, 99),
    cut=st.floats(0, 1),
    asked=st.lists(st.booleans(), min_size=9, max_size=9),
)
def test_the_count_is_the_one_from_scratch_whenever_it_is_asked_for(
    knobs: dict[str, float], seed: int, cut: float, asked: list[bool]
) -> None:
    scenario = Scenario(name="s", title="t", requests_per_day=6000, behaviour=Behaviour(**knobs))
    service, truth = Service(scenario, Settings(), seed, START), Truth()
    service.set_weight(0.7)
    for step, ask in enumerate(asked, 1):
        truth.add(service.run(START + step * 1200))
        if ask:
            truth.served()
    for start, end in ((-math.inf, math.inf), (START + cut * 10800, math.inf), (START, START + cut * 10800)):
        at, ok = truth.served(start, end)
        assert (at.tolist(), ok.tolist()) == _by_hand(truth, start, end)


def test_nobody_was_served_before_anybody_came() -> None:
    at, ok = Truth().served()
    assert (len(at), len(ok)) == (0, 0)
    assert at.dtype == np.float64
