"""What the service publishes of its own: the same however time is cut, good on a good day, and as a fault says."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.params.load import Params, load_file
from runbook_lib.rehearse.world.behaviour import Fault
from runbook_lib.rehearse.world.own import Own
from runbook_lib.rehearse.world.own_metrics import good_day
from runbook_lib.rehearse.world.scenario import load
from tests import own_gates

START, HOUR_S = 1_750_000_000 // 3600 * 3600.0, 3600.0
AT = START + np.sort(np.random.default_rng(1).random(3000)) * 6 * HOUR_S


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Params:
    return load_file(own_gates.project(tmp_path_factory.mktemp("shop")))


def step(start: float, end: float) -> Any:
    at = AT[(start <= AT) & (end > AT)]
    return SimpleNamespace(start=start, end=end, requests=SimpleNamespace(at=at, is_async=np.ones(len(at), bool)))


def told(shop: Params, cuts: list[float], *faults: Fault) -> dict[str, tuple[Any, Any]]:
    """Times and values of each metric name, over six hours cut there."""
    scenario = load("healthy").model_copy(update={"faults": faults})
    own, found = Own(shop, scenario, 3), dict[str, list[tuple[Any, Any]]]()
    edges = [START, *sorted(START + cut for cut in cuts), START + 6 * HOUR_S]
    for low, high in itertools.pairwise(edges):
        for one in own.tell(step(low, high), scenario, START):
            found.setdefault(str(one.address["MetricName"]), []).append((one.at, one.value))
    return {
        name: (np.concatenate([at for at, _ in parts]), np.concatenate([value for _, value in parts]))
        for name, parts in found.items()
    }


@settings(deadline=None, max_examples=25)
@given(cuts=st.lists(st.floats(1, 6 * HOUR_S - 1), max_size=5, unique=True))
def test_it_is_the_same_however_time_is_cut(shop: Params, cuts: list[float]) -> None:
    whole, parts = told(shop, []), told(shop, cuts)
    assert whole.keys() == parts.keys()
    for name, (at, value) in whole.items():
        np.testing.assert_array_equal(at, parts[name][0])
        np.testing.assert_array_equal(value, parts[name][1])


def test_a_good_day_meets_every_target_and_a_metric_of_two_measures_is_told_once(shop: Params) -> None:
    found = told(shop, [])
    assert len(found["Attempts"][0]) == len(found["Searches"][0]) == len(AT)
    assert 0 < found["Declined"][1].sum() < 0.01 * len(AT), "a counter that is silent at zero"
    assert len(found["Declined"][0]) == found["Declined"][1].sum()
    assert found["Served"][1].mean() > 0.99
    assert np.percentile(found["SearchTime"][1], 95) / 1000 == pytest.approx(0.5, rel=0.1)
    assert found["DatabaseConnections"][1].max() <= 40
    assert (found["Turnover"][1] / 1.0 == 40).all()


def test_a_fault_says_how_a_measure_is_meanwhile(shop: Params) -> None:
    found = told(shop, [], Fault(name="f", start=2, end=4, measures={"declined": 0.3, "connections": None}))
    hour = (found["Declined"][0] - START) / HOUR_S
    during = ((AT - START) / HOUR_S >= 2) & ((AT - START) / HOUR_S < 4)
    assert ((hour >= 2) & (hour < 4)).sum() / during.sum() == pytest.approx(0.3, abs=0.05)
    levels = (found["DatabaseConnections"][0] - START) / HOUR_S
    assert not ((levels >= 2) & (levels < 4)).any() and (levels >= 4).any()


def test_the_level_of_a_good_day_is_on_the_good_side_of_every_gate(shop: Params) -> None:
    for gate in shop.policy.gates:
        if gate.measure in shop.policy.measures and gate.kind != "rate":
            assert gate.target.holds(good_day(gate)), gate.id
