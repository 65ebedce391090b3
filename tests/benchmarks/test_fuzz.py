"""The fuzzer's own arithmetic, and worlds that nobody chose."""

from __future__ import annotations

import datetime as dt
import math
import os
import pickle
from dataclasses import replace
from inspect import signature
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.params.load import Params, load_file
from runbook_lib.rehearse.quick.local_world import START
from runbook_lib.rehearse.world.scenario import load
from tests.benchmarks import fuzz, fuzz_rules, shrink
from tests.benchmarks.draw import (
    KINDS,
    LEAST_TRAFFIC,
    MOST_JOBS,
    MOST_TRAFFIC,
    PHASES,
    WEIGHT,
    WORKERS,
    Drawn,
    Play,
    play,
)
from tests.benchmarks.fuzz import Played, Truth, designed
from tests.benchmarks.fuzz_report import page
from tests.benchmarks.fuzz_rules import RULES, Counted, about, count, table, wald

PARAMS = load_file(Path(__file__).parents[2] / "params" / "prod.yaml")
SEEDS = range(96, 156)
"""The shortest run of seeds that has each kind of fault; `make fuzz-judge` plays 6,000."""
CHUNK = 10


def test_the_limits_are_the_policys() -> None:
    gate = PARAMS.policy.gate("success_rate")
    assert gate.alert is not None and gate.collapse is not None
    assert (gate.alert.limit, gate.target.limit, gate.collapse.limit) == (
        fuzz_rules.ALERT,
        fuzz_rules.TARGET,
        fuzz_rules.COLLAPSE,
    )


def test_wald_is_reckoned_with_the_alpha_of_an_interim_look() -> None:
    assert PARAMS.policy.alpha_early == signature(wald).parameters["alpha"].default


def test_every_gate_has_its_causes() -> None:
    assert set(fuzz_rules.CAUSES) == {gate.id for gate in PARAMS.policy.gates}
    assert set().union(*fuzz_rules.CAUSES.values()) <= set(KINDS)


@given(st.integers(0, 100_000))
def test_a_seed_draws_the_same_world_each_time_and_it_can_be_played(seed: int) -> None:
    drawn = play(seed)
    assert drawn == play(seed)
    assert LEAST_TRAFFIC <= drawn.requests_per_day <= MOST_TRAFFIC
    assert drawn.workers == WORKERS or drawn.requests_per_day * WEIGHT[drawn.where] > MOST_JOBS
    assert set(drawn.kinds) <= set(KINDS)
    scenario = drawn.scenario().begun(fuzz.NOTEBOOKS[drawn.where], 1.0)
    for hour in (1.0, 12.0, 30.0, 60.0):
        scenario.at(hour)


@pytest.mark.slow
def test_the_draws_reach_every_corner() -> None:
    """Each kind, phase and shape, traffic above the usual, bursts, and faults that begin after the declared look."""
    drawn = [play(seed) for seed in range(2000)]
    assert {kind for one in drawn for kind in one.kinds} == set(KINDS)
    assert {one.where for one in drawn} == set(PHASES)
    assert {fault.shape for one in drawn for fault in one.faults} == {"step", "ramp", "pulse", "nightly"}
    high = [one for one in drawn if one.workers > WORKERS]
    assert 10 < len(high) < 100
    assert max(one.requests_per_day for one in high) > 200_000
    assert min(one.requests_per_day for one in drawn) < 30
    assert sum(bool(one.bursts) for one in drawn) > 300
    after = [one for one in drawn if any(24 < fault.start < 24 + one.late_h for fault in one.faults)]
    assert len(after) > 100
    hidden = [one for one in drawn if {"gateway_5xx", "silent"} <= set(one.kinds)]
    assert any(fault.signal == "submit_5xx" for one in hidden for fault in one.faults), "one hides the other"


def test_wald_takes_fewer_requests_for_a_worse_share() -> None:
    assert wald(0.02) == math.inf
    found = [wald(share) for share in (0.05, 0.1, 0.2, 0.5, 1.0)]
    assert found == sorted(found, reverse=True)
    assert 50 < wald(0.1) < 60, "ln 100 / KL(0.1, 0.02) = 54.6"


def ended(
    decision: str,
    judged: float,
    since: float | None = None,
    rollback: int | None = None,
    n: int = 1000,
    harm: float = 0.0,
) -> Played:
    later = Truth(0, 0) if since is None else Truth(n, round(n * since))
    return Played(
        play=play(1).model_copy(update={"faults": ()}),
        decision=decision,
        by="look",
        rollback=rollback,
        reason="",
        first_gate="",
        hours=24,
        judged=Truth(n, round(n * judged)),
        since=later,
        settled_since_fault=n,
        harm=harm,
        backlog=False,
        throttled=False,
    )


def named(gate: str, *, waiting: int = 0) -> Played:
    """A HOLD whose reason names `gate` first, in a world without a fault that has five workers."""
    one = replace(ended("HOLD", 0.999), first_gate=gate, waiting=waiting)
    assert one.play.workers == 5
    return one


def five_since() -> Played:
    """One of the five users since the judged hours was refused: of a service that serves 92 %, found by the fuzzer."""
    return replace(ended("PROMOTE", 0.99), since=Truth(5, 4), settled_since_fault=280)


@pytest.mark.parametrize(
    ("rule", "one", "broken"),
    [
        ("promoted_bad", ended("PROMOTE", 0.97), True),
        ("promoted_bad", ended("HOLD", 0.97), False),
        ("promoted_bad", ended("PROMOTE", 0.985), None),
        ("promoted_collapsed", ended("PROMOTE", 0.89), True),
        ("promoted_bad_since", ended("PROMOTE", 1.0, 0.9), True),
        ("promoted_bad_since", ended("PROMOTE", 1.0, 0.9, n=100), None),
        ("taken_back_good", ended("ROLLBACK", 0.995, rollback=1), True),
        ("taken_back_good", ended("ROLLBACK", 0.985, rollback=1), None),
        ("taken_back_good", ended("ROLLBACK", 0.995, rollback=1, harm=0.8), None),
        ("taken_back_good", ended("ROLLBACK", 0.995, rollback=1, harm=0.005), True),
        ("promoted_collapsed_since", five_since(), None),
        ("wrong_cause", ended("HOLD", 0.999), None),
        ("wrong_cause", named("generation_time", waiting=5), True),
        ("wrong_cause", named("generation_time", waiting=6), False),
        ("wrong_cause", named("observed_split", waiting=6), True),
        ("wrong_remedy", ended("ROLLBACK", 0.5, rollback=2), True),
        ("wrong_remedy", ended("ROLLBACK", 0.5, rollback=1), False),
        # Nine jobs waited for five workers (seed 900271): a second round of a minute for four of them.
        ("wrong_remedy", replace(ended("ROLLBACK", 0.5, rollback=2), waiting=9), False),
        ("wrong_remedy", replace(ended("ROLLBACK", 0.5, rollback=2), waiting=5), True),
        ("wrong_remedy", replace(ended("ROLLBACK", 0.5, rollback=3), waiting=9), True),
    ],
)
def test_what_breaks_a_rule(rule: str, one: Played, broken: bool | None) -> None:
    assert about(rule, one) is broken


@pytest.mark.parametrize(
    ("broken", "plays", "holds", "shown"),
    [
        (0, 10, True, False),
        (0, 100, True, True),
        (1, 150, True, True),
        (4, 100, True, False),
        (12, 100, False, False),
    ],
)
def test_a_rule_is_broken_or_shown_to_hold_by_its_bounds(broken: int, plays: int, holds: bool, shown: bool) -> None:
    found = count(RULES[0], [ended("PROMOTE", 0.97)] * broken + [ended("HOLD", 0.97)] * (plays - broken))
    assert (found.broken, found.plays, found.holds, found.shown) == (broken, plays, holds, shown)


def test_what_is_never_allowed_is_broken_by_one_play() -> None:
    rule = next(rule for rule in RULES if rule.id == "promoted_collapsed")
    found = count(rule, [ended("PROMOTE", 0.5)] + [ended("HOLD", 0.5)] * 999)
    assert not found.holds and not found.shown
    assert count(rule, [ended("HOLD", 0.5)]).shown


def test_a_rules_strata_share_the_alpha() -> None:
    """One unlucky play of two among a hundred strata proves nothing, thirty of sixty do; of what may never be, one."""
    rule = next(rule for rule in RULES if rule.id == "taken_back_good")

    def strata(broken: int, n: int, decision: str) -> list[Counted]:
        lucky = [in_stratum(ended("HOLD", 0.995), kind, "in time") for kind in KINDS if kind != "caught"] * 5
        bad = ended(decision, 0.995 if decision == "ROLLBACK" else 0.5, rollback=1)
        plays = [in_stratum(bad if k < broken else ended("HOLD", 0.995), "caught", "late") for k in range(n)]
        return [row for row in table([*lucky, *plays]) if row.stratum != "all" and not row.holds]

    assert strata(1, 2, "ROLLBACK") == []
    assert {(row.rule, row.stratum.split(",")[0]) for row in strata(30, 60, "ROLLBACK")} == {(rule, "caught")}
    assert {row.rule.id for row in strata(1, 60, "PROMOTE")} >= {"promoted_collapsed"}


def in_stratum(one: Played, kind: str, late: str) -> Played:
    fault = Drawn(kind=kind, size=0.001, start=0.0, length=None, shape="step")
    late_h = 3.0 if late == "late" else 0.0
    return replace(one, play=one.play.model_copy(update={"faults": (fault,), "late_h": late_h}))


def test_the_page_says_what_broke() -> None:
    text = page([ended("PROMOTE", 0.97)] * 3 + [ended("PROMOTE", 1.0)], seed=1, told="Kept.")
    assert "| promoted while the judged hours were worse than the alert limit | 5% | 3 | 3 |" in text
    assert "PROMOTE 4. Kept.\n" in text
    assert "**no**" in text


@pytest.mark.parametrize(
    ("start", "shape", "harm"),
    [
        (0.0, "step", 0.3),
        (1.0, "ramp", 0.3),
        (30.0, "step", 0.0),
        (23.0, "ramp", 0.3 / 12),
    ],
)
def test_the_harm_is_that_of_the_time_up_to_the_decision(start: float, shape: str, harm: float) -> None:
    one = Drawn(kind="resubmitted", size=0.9, start=0.0, length=None, shape="step")
    fault = Drawn(kind="caught", size=0.3, start=start, length=None, shape=shape)
    drawn = harmed().model_copy(update={"faults": (one, fault), "requests_per_day": 30.0, "late_h": 0.0})
    params = designed(PARAMS, drawn)
    player = fuzz._One(params, drawn.scenario(), 1, 0.04)
    scenario = drawn.scenario().begun(fuzz.NOTEBOOKS["08"], 2.0)
    player.world.service.live_by(scenario)
    player.world.live(START + dt.timedelta(hours=26))
    assert fuzz._harm(drawn, player.world, START + dt.timedelta(hours=2)) == pytest.approx(harm)


def blind() -> Params:
    """The policy of a team that asks for nothing but the split, and has no guards."""
    gates = tuple(gate.model_copy(update={"required": gate.id == "observed_split"}) for gate in PARAMS.policy.gates)
    alarms = tuple(alarm.model_copy(update={"guard": False, "phases": {}}) for alarm in PARAMS.policy.alarms)
    return PARAMS.model_copy(update={"policy": PARAMS.policy.model_copy(update={"gates": gates, "alarms": alarms})})


def harmed() -> Play:
    """Three in ten fail all the time, beside two faults that harm nobody."""
    common = {"length": None, "shape": "step"}
    return play(1).model_copy(
        update={
            "where": "08",
            "requests_per_day": 700.0,
            "late_h": 2.0,
            "watch_min": 0.0,
            "bursts": (),
            "faults": (
                Drawn(kind="resubmitted", size=0.01, start=3.0, **common),
                Drawn(kind="caught", size=0.31, start=0.0, **common),
                Drawn(kind="cost", size=0.001, start=0.0, **common),
            ),
        }
    )


@pytest.mark.slow
def test_a_judge_that_minds_nothing_is_found_out(tmp_path: Path) -> None:
    """And the world that finds it out is made as small as it goes, and written as a scenario."""
    found = fuzz.run(harmed(), blind())
    assert about("promoted_collapsed", found) is True
    assert about("promoted_collapsed", fuzz.run(harmed(), PARAMS)) is False
    smallest = shrink.shrink(harmed(), "promoted_collapsed", blind())
    assert smallest.kinds == ("caught",) and smallest.late_h == 0 and smallest.profile == (1.0,) * 24
    scenario = load(shrink.write(smallest, "promoted_collapsed", tmp_path))
    assert [fault.set for fault in scenario.faults] == [{"job_failed": 0.3}]


@pytest.mark.slow
def test_a_play_that_breaks_no_rule_is_left_as_it_is() -> None:
    drawn = play(1).model_copy(
        update={"faults": (), "bursts": (), "late_h": 3.0, "requests_per_day": 40.0, "where": "06"}
    )
    assert shrink.shrink(drawn, "wrong_remedy", PARAMS) == drawn


@pytest.fixture(scope="session")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this run of pytest have in common."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "drawn-worlds"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("first", SEEDS[::CHUNK])
def test_drawn_worlds_break_no_rule(first: int, together: Path) -> None:
    """Played in chunks, which workers share out among them. The one that is through last judges all of them."""
    found = [fuzz.run(play(seed), PARAMS) for seed in range(first, first + CHUNK)]
    with FileLock(together / "lock"):
        (together / f"{first}.pickle").write_bytes(pickle.dumps(found))
        kept = sorted(together.glob("*.pickle"))
    if len(kept) < len(SEEDS[::CHUNK]):
        return
    everything = [one for path in kept for one in pickle.loads(path.read_bytes())]
    assert len(everything) == len(SEEDS)
    rows = {rule.id: count(rule, everything) for rule in RULES}
    assert {id: (row.broken, row.plays, row.seeds) for id, row in rows.items() if not row.holds} == {}
    assert rows["promoted_bad"].plays > 5 and rows["taken_back_good"].plays > 20, "the rules were about something"
    assert {kind for one in everything for kind in one.play.kinds} == set(KINDS), "each kind of fault was played"
    assert {one.play.where for one in everything} == set(PHASES)
