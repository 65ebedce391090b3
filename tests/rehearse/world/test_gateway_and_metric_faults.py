"""What the gateway answers by itself is counted and no more; metric faults spoil their own signal alone."""

from __future__ import annotations

import numpy as np
import pytest

from runbook_lib.rehearse.world.behaviour import Behaviour, Fault
from runbook_lib.rehearse.world.jobs import Settings
from runbook_lib.rehearse.world.outbox import Outbox
from runbook_lib.rehearse.world.rows import Rows
from runbook_lib.rehearse.world.scenario import Scenario
from runbook_lib.rehearse.world.service import Service
from runbook_lib.rehearse.world.step import WorldStep

START = 1_750_032_000.0


def lived(share: float, **knobs: float) -> WorldStep:
    world = Scenario(name="s", title="t", access_log=True, requests_per_day=3000, behaviour=Behaviour(**knobs))
    service = Service(world, Settings(), 5, START)
    service.set_weight(share)
    return service.run(START + 6 * 3600)


@pytest.mark.parametrize(
    ("knob", "path", "status", "kind", "error"),
    [
        ("gateway_4xx", "submit", 429, "THROTTLED", "4xx"),
        ("gateway_403", "submit", 403, "WAF_FILTERED", "4xx"),
        ("gateway_5xx", "submit", 503, "DEFAULT_5XX", "5xx"),
        ("sync_4xx_gateway", "sync", 429, "THROTTLED", "4xx"),
    ],
)
def test_what_the_gateway_answers_by_itself_calls_no_lambda(
    knob: str, path: str, status: int, kind: str, error: str
) -> None:
    step = lived(1.0 if path == "submit" else 0.0, **{knob: 1.0})
    total = step.rows.totals()
    assert total[f"{path}_{error}"] == total[f"{path}_count"] > 0
    assert total.get(f"{path}_invocations", 0) == 0
    assert not step.jobs
    # In the first minute some clients have not read the flags yet: their answers are another path's.
    told = [one for one in step.answers if one.path == path]
    assert {(one.status, one.kind) for one in told} == {(status, kind)}
    assert len(told) == total[f"{path}_count"]


def test_metric_faults_spoil_their_own_signal_alone() -> None:
    counted = np.arange(600, dtype=np.float64)
    at = START + 60.0 * counted
    rows = Rows.concatenate(
        [Rows.of(name, at, counted) for name in ("sync_count", "submit_count", "sync_5xx", "status_count")]
    )
    fault = Fault(
        name="f",
        start=5,
        dropped={"sync_count": 0.25},
        scaled={"submit_count": 3.0},
        stuck=("sync_5xx",),
    )
    world = Scenario(name="s", title="t", faults=(fault,))
    told = Outbox().send(rows, world, START, START + 36000)
    assert len(told.only("sync_count").value[:300]) == 300
    assert len(told.only("sync_count")) == pytest.approx(300 + 225, abs=5)
    before, whole = np.arange(300.0), np.arange(300.0, 600.0)
    assert told.only("submit_count").value.tolist() == [*before, *(3 * whole)]
    assert told.only("sync_5xx").value.tolist() == [*before, *[300.0] * 300]
    assert told.only("status_count").value.tolist() == [*before, *whole]
