"""The moments of a phase, from tables of deployments."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.window import iso
from runbook_lib.observe.traffic.state import Deployment, Event, TrafficState
from runbook_lib.params.load import load_file
from runbook_lib.rollout.moment import after_migration, own_rollback, tags, which

ROOT = Path(__file__).resolve().parents[2]
PARAMS = load_file(ROOT / "params" / "prod.yaml")
NOTEBOOK = "06_phase1_10_percent"
PHASE = PARAMS.policy.phases[NOTEBOOK]
T0 = dt.datetime(2026, 11, 2, 3, 0, tzinfo=dt.UTC)
MINE = f"runbook release={PARAMS.release} notebook={NOTEBOOK} attempt=1 run=abc"
POLL = dt.timedelta(seconds=PARAMS.service.traffic.client_poll_s)


def deployment(number: int, percent: float, state: str = "COMPLETE", hours: float = 0, **more: Any) -> Deployment:
    at = T0 + dt.timedelta(hours=hours)
    return Deployment(
        **{"number": number, "percent": percent, "state": state, "started_at": iso(at), "description": MINE, **more}
    )


def state(*history: Deployment, on: bool = True, switch_since: str = "2026-10-01T00:00:00Z") -> TrafficState:
    newest_first = tuple(sorted(history, key=lambda d: -d.number))
    dial = next((d.percent or 0.0 for d in newest_first if d.in_force), 0.0)
    return TrafficState(
        dial_percent=dial,
        switch_on=on,
        weight=dial if on else 0.0,
        dial_deployment=newest_first[0] if newest_first else None,
        history=newest_first,
        switch_since=switch_since,
    )


START = deployment(1, 0, description="the stack")
SHIFT = (START, deployment(2, 0), deployment(3, 10, "BAKING"))


def at(hours: float, seen: TrafficState) -> Any:
    return which(seen, PARAMS, NOTEBOOK, PHASE, T0 + dt.timedelta(hours=hours))


def test_before_any_shift() -> None:
    assert at(0, state(START)).name == "before"


def test_only_the_step_over_zero_made_it_before_a_crash() -> None:
    assert at(1, state(START, deployment(2, 0))).name == "before"


@pytest.mark.parametrize("label", ["release=other", "attempt=2", "notebook=07_phase2_50_percent"])
def test_the_shift_of_another_rollout_is_not_mine(label: str) -> None:
    key = label.partition("=")[0]
    other = " ".join(word if not word.startswith(key) else label for word in MINE.split())
    assert at(1, state(START, deployment(3, 10, "BAKING", description=other))).name == "before"


def test_until_the_clients_have_read_it_it_is_in_force_for_no_time() -> None:
    assert " for 0.0 h of " in at(0.005, state(deployment(1, 10, "BAKING"))).words, "it said -0.0 h"


def test_during_counts_from_the_moment_clients_have_read_it() -> None:
    moment = at(12, state(*SHIFT))
    assert (moment.name, moment.look, moment.baking) == ("during", None, True)
    assert moment.shift_at == T0
    assert moment.effective_at == T0 + POLL
    assert moment.come_back_at == T0 + POLL + dt.timedelta(hours=24, seconds=300)


@pytest.mark.parametrize(
    ("hours", "look", "last"),
    [(23.9, 0, False), (24.02, 0, False), (24.2, 1, False), (30.2, 2, False), (36.2, 3, True), (99, 3, True)],
)
def test_each_declared_look_is_due_once_its_data_has_settled(hours: float, look: int, last: bool) -> None:
    moment = at(hours, state(*SHIFT))
    assert (moment.look_number, moment.last_look) == (look, last)
    assert moment.name == ("after" if look else "during")
    if look:
        assert moment.window_end(T0) == T0 + POLL + dt.timedelta(hours=PHASE.looks[look - 1].hours)


def test_a_renewed_bake_goes_on_with_the_same_soak() -> None:
    renewed = (*SHIFT[:2], deployment(3, 10), deployment(4, 0, hours=24.2), deployment(5, 10, "BAKING", hours=24.2))
    moment = at(30.2, state(*renewed))
    assert (moment.name, moment.shift_at, moment.look_number) == ("after", T0, 2)


def test_appconfig_took_it_back_by_itself() -> None:
    event = Event(
        type="ROLLBACK_STARTED",
        triggered_by="CLOUDWATCH_ALARM",
        description="arn:aws:cloudwatch:us-east-1:000000000103:alarm:careervp-vpr-failed-jobs-guard-prod",
        at=iso(T0 + dt.timedelta(hours=5)),
    )
    done = event.model_copy(update={"type": "ROLLBACK_COMPLETED", "description": "Rollback completed"})
    moment = at(12, state(START, deployment(2, 0), deployment(3, 10, "ROLLED_BACK", events=(done, event))))
    assert (moment.name, moment.percent) == ("taken_back", 0)
    assert moment.alarm == "careervp-vpr-failed-jobs-guard-prod"
    assert moment.taken_back_at == T0 + dt.timedelta(hours=5)
    assert "by itself" in moment.words and "2026-11-02 08:00" in moment.words


def test_an_own_rollback_is_told_apart_from_a_stop_and_from_what_is_in_force() -> None:
    def event(by: str) -> Event:
        said = "arn:aws:cloudwatch:us-east-1:000000000103:alarm:careervp-vpr-failed-jobs-guard-prod"
        return Event(type="ROLLBACK_STARTED", triggered_by=by, description=said, at=iso(T0 + dt.timedelta(hours=5)))

    def told(by: str, name: str = "ROLLED_BACK") -> str | None:
        return own_rollback(state(START, deployment(2, 0), deployment(3, 10, name, events=(event(by),))))

    words = told("CLOUDWATCH_ALARM") or ""
    assert words.startswith("AppConfig took the weight back by itself")
    assert "on alarm careervp-vpr-failed-jobs-guard-prod; the weight now is 0 %" in words
    assert (told("USER"), told("CLOUDWATCH_ALARM", "COMPLETE"), own_rollback(state(START))) == (None, None, None)


def test_a_person_who_stopped_it_is_not_called_appconfig() -> None:
    done = Event(type="ROLLBACK_COMPLETED", triggered_by="USER", description="", at=iso(T0 + dt.timedelta(hours=5)))
    moment = at(12, state(START, deployment(2, 0), deployment(3, 10, "ROLLED_BACK", events=(done,))))
    assert (moment.name, moment.alarm) == ("taken_back", None)
    assert "by itself" not in moment.words


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (state(*SHIFT, on=False), "switch is off"),
        (state(*SHIFT, switch_since=iso(T0 + dt.timedelta(hours=3))), "switch was turned during the soak"),
        (state(*SHIFT[:2], deployment(3, 10), deployment(4, 0, hours=2)), "dial says 0 %"),
        (state(*SHIFT[:2], deployment(3, 10), deployment(4, 50, description="by hand")), "by hand"),
    ],
)
def test_a_soak_that_was_disturbed_is_void(seen: TrafficState, why: str) -> None:
    moment = at(12, seen)
    assert moment.name == "void"
    assert why in moment.words


def test_tags_of_a_description() -> None:
    assert tags(deployment(1, 0))["attempt"] == "1"
    assert tags(deployment(1, 0, description="")) == {}


@pytest.mark.parametrize(("release", "over"), [(PARAMS.release, True), ("another", False)])
def test_a_later_phase_that_moved_the_weight_on_ends_this_one(release: str, over: bool) -> None:
    said = f"runbook release={release} notebook=07_phase2_50_percent attempt=1 run=x"
    moved = deployment(4, 0, hours=25, description=said), deployment(5, 50, hours=25, description=said)
    moment = at(30, state(*SHIFT[:2], deployment(3, 10), *moved))
    assert moment.name == ("over" if over else "void")


def migrated(temporary: bool) -> TrafficState:
    return state(*SHIFT).model_copy(update={"migrated": True, "weight": 100.0, "temporary_route": temporary})


def test_once_the_synchronous_route_is_asynchronous_the_phases_before_are_over() -> None:
    assert at(30, migrated(True)).name == "over"
    last = "08_phase3_100_percent"
    assert which(migrated(True), PARAMS, last, PARAMS.policy.phases[last], T0).name == "migrating"


@pytest.mark.parametrize(("hours", "look"), [(1, 0), (48, 0), (48.1, 1), (54.1, 2), (70, 3)])
def test_the_soak_after_the_migration_has_looks_of_its_own(hours: float, look: int) -> None:
    phase = PARAMS.policy.phases["08_phase3_100_percent"]
    moment = after_migration(migrated(False), PARAMS, phase, T0, T0 + dt.timedelta(hours=hours))
    assert (moment.look_number, moment.percent, moment.effective_at) == (look, 100, T0)
    assert moment.name == ("after" if look else "during")
    assert moment.looks == phase.after_migration


@pytest.mark.parametrize(("switched", "by"), [(4.0, " by rollback_1_async_failing (run r1)"), (6.0, "")])
def test_who_took_it_back_is_named_unless_the_switch_was_turned_off_later(switched: float, by: str) -> None:
    """Of attempt 1, stopped by attempt 2, it was said that the rollback of attempt 2 had taken it back."""
    events = (Event(type="REVERT_COMPLETED", triggered_by="USER", description="", at=iso(T0 + dt.timedelta(hours=5))),)
    stopped = deployment(3, 10, "REVERTED", events=events)
    about = f"runbook release={PARAMS.release} notebook=rollback_1_async_failing attempt=1 run=r1"
    off = deployment(9, 0, hours=switched, description=about).model_copy(update={"percent": None, "enabled": False})
    seen = state(START, deployment(2, 0), stopped, on=False).model_copy(update={"switch_deployment": off})
    found = at(7, seen)
    assert found.name == "taken_back"
    assert found.words.startswith(f"the weight was taken back{by} at ")


@pytest.mark.parametrize(
    ("name", "percent", "reached", "void"),
    [
        ("DEPLOYING", 0, 10, False),
        ("DEPLOYING", 10, 10, False),
        ("DEPLOYING", 50, 10, True),
        ("DEPLOYING", 0, 100, True),
        ("COMPLETE", 0, 100, True),
        ("ROLLED_BACK", 0, 10, True),
    ],
)
def test_a_lower_weight_that_some_clients_have_makes_no_soak_void(
    name: str, percent: float, reached: float, void: bool
) -> None:
    """A half-hearted 0 in the console disarmed the watch: HOLD, while all that went to async failed."""
    theirs = deployment(4, percent, name, hours=2, reached=reached, description="by hand")
    seen = state(*SHIFT[:2], deployment(3, 10), theirs)
    dial = max(10.0, percent) if name == "DEPLOYING" and reached < 100 else seen.dial_percent
    seen = seen.model_copy(update={"dial_percent": dial, "weight": dial})
    moment = at(3, seen)
    assert moment.name == ("void" if void else "during")
    if not void:
        assert f"the dial goes to {percent:g} % by deployment 4: 10 % of the clients have it" in moment.words


def test_a_switch_that_goes_off_and_is_on_for_some_makes_no_soak_void() -> None:
    off = Deployment(number=9, state="DEPLOYING", enabled=False, reached=10.0, started_at=iso(T0))
    moment = at(3, state(*SHIFT).model_copy(update={"switch_deployment": off}))
    assert moment.name == "during"
    assert "the switch goes off by deployment 9: 10 % of the clients have it" in moment.words


def test_what_appconfig_is_taking_back_is_in_force_for_some_and_said_to_go() -> None:
    began = Event(type="ROLLBACK_STARTED", triggered_by="CLOUDWATCH_ALARM", description="", at=iso(T0 + POLL * 60))
    going = deployment(3, 10, "ROLLING_BACK", events=(began,))
    moment = at(3, state(START, deployment(2, 0), going))
    assert (moment.name, moment.by_itself, moment.percent) == ("taken_back", True, 10)
    assert moment.taken_back_at == T0 + POLL * 60
    assert moment.words.startswith("AppConfig is taking the weight back by itself")
    assert "the weight now is 10 %" in moment.words
