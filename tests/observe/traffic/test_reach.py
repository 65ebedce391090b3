"""What may still reach a client is in force: held against a small AppConfig that knows what each client has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runbook_lib.act.traffic.flag_store import FlagStore
from runbook_lib.observe.traffic.state import read_state
from runbook_lib.params.load import Params
from tests.fleet import CLIENTS, Fleet

PERCENT = st.sampled_from([0.0, 10.0, 50.0, 100.0])
MOVE = st.one_of(st.tuples(st.just("start"), PERCENT, st.integers(1, CLIENTS)), st.just(("step",)), st.just(("stop",)))
HISTORY = st.lists(MOVE, max_size=40)
ON_THEN_HALF_OFF: list[Any] = [
    ("start", 10.0, CLIENTS),
    *[("step",)] * 3,
    ("start", 0.0, 1),
    *[("step",)] * 2,
]
"""Somebody turns it off in the console by a strategy that grows: one client of ten has it."""


def played(moves: list[Any]) -> Fleet:
    fleet = Fleet()
    for name, *how in moves:
        getattr(fleet, name)(*how)
    return fleet


def listed(fleet: Fleet, odd: set[int], value: Callable[[float], Any]) -> list[tuple[Any, str, float]]:
    """As AppConfig lists them, oldest first; the deployments in `odd` by a state that nobody knows."""
    return [
        (value(one.value), "WEIRD" if place in odd else one.state, 100 * one.reached / CLIENTS)
        for place, one in enumerate(fleet.made)
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(moves=HISTORY, odd=st.sets(st.integers(0, 5), max_size=2))
@example(moves=ON_THEN_HALF_OFF, odd=set())
@example(moves=ON_THEN_HALF_OFF[:4], odd={0})
@example(moves=[*ON_THEN_HALF_OFF[:4], ("start", 0.0, CLIENTS), *[("step",)] * 3, ("stop",)], odd=set())
def test_it_is_never_said_to_be_lower_than_what_a_client_has(
    params: Params, AppConfig: Any, moves: list[Any], odd: set[int]
) -> None:
    fleet = played(moves)
    stub = AppConfig(listed(fleet, odd, float), listed(fleet, odd, bool))
    state = read_state(stub, params)
    store = FlagStore(cast("Any", stub), params)
    switch = store.newest(store.ids.switch_environment, store.ids.switch_profile)
    assert state.dial_percent >= fleet.most
    assert state.switch_on >= bool(fleet.most)
    assert switch.get("enabled", False) == state.switch_on, "the rollback and the other commands say the same"
    by = state.switch_by.number if state.switch_by else None
    assert switch["deployment"] == by
    if not odd:
        assert state.switch_known
    if not odd and fleet.quiet:
        assert (state.dial_percent, state.switch_on) == (fleet.most, bool(fleet.most))
        assert not state.under_way
    if fleet.made and fleet.made[-1].state in ("VALIDATING", "DEPLOYING", "ROLLING_BACK"):
        assert len(state.under_way) == 2, "the dial's and the switch's"


def test_a_deployment_of_another_profile_in_its_environment_says_nothing_of_the_switch(
    params: Params, AppConfig: Any
) -> None:
    """The rollback read it as one of the switch: "async is off already", and it was on."""
    stub = AppConfig([(10, "COMPLETE")], [(True, "COMPLETE"), (False, "COMPLETE")])
    stub.deployments["es"][2]["ConfigurationProfileId"] = "another"
    store = FlagStore(cast("Any", stub), params)
    switch = store.newest(store.ids.switch_environment, store.ids.switch_profile)
    assert (switch["deployment"], switch["enabled"]) == (1, True)
    assert read_state(stub, params).switch_on
