"""The migration's own judgements, from tables: what counts as silence, which step is due, what the steps say."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runbook_lib.act.traffic.shift import plan_shift
from runbook_lib.base.errors import AwsError
from runbook_lib.base.window import iso
from runbook_lib.judge.gates.checks import unmet
from runbook_lib.judge.model import Outcome
from runbook_lib.judge.terms import Decision
from runbook_lib.observe.alarms import declared as alarms
from runbook_lib.observe.traffic.state import TrafficState, as_routed
from runbook_lib.params.load import load_file
from runbook_lib.rollout import present
from runbook_lib.rollout.moment import Moment
from runbook_lib.rollout.present import Present
from runbook_lib.rollout.way_back import deploy_command
from runbook_lib.show.page import line
from runbook_lib.steps.infra import Infra
from runbook_lib.steps.phase.look import REMOVE, PhaseLook, Stand
from runbook_lib.steps.phase.migration import MIGRATE, Migration
from runbook_lib.steps.phase.silence import Silence

ROOT = Path(__file__).resolve().parents[3]
PARAMS = load_file(ROOT / "params" / "prod.yaml")
NOTEBOOK = "08_phase3_100_percent"
T0 = dt.datetime(2026, 11, 9, 3, tzinfo=dt.UTC)


def traffic(dial: float = 0, *, migrated: bool = True, temporary: bool = True) -> TrafficState:
    return TrafficState(
        dial_percent=dial,
        switch_on=True,
        weight=100 if migrated else dial,
        migrated=migrated,
        temporary_route=temporary,
        dial_since=iso(T0),
    )


class Known(PhaseLook):
    """A look that asks for nothing: where the phase stands and its earlier records are given."""

    def __init__(self, run: Any, state: TrafficState, name: Any, earlier: tuple[Any, ...]) -> None:
        self.run, self.params, self.seen = run, PARAMS, None
        spec = PARAMS.policy.phases[NOTEBOOK]
        self.stand = Stand(PARAMS, spec, run.now, state, deployed=True, moment=Moment(name, "", 100))
        self.earlier = list(earlier)


def migration(state: TrafficState, name: str = "migrating", earlier: tuple[Any, ...] = (), **points: Any) -> Migration:
    """One without AWS: CloudWatch's answers are `points` by metric, minutes after T0 and values."""
    journal = SimpleNamespace(append=lambda *_, **__: None)
    checks: dict[str, Any] = {}
    run: Any = SimpleNamespace(
        now=T0 + dt.timedelta(minutes=points.pop("at", 15)),
        notebook=NOTEBOOK,
        params=PARAMS,
        journal=journal,
        checks=checks,
        case=None,
        check=lambda *given: checks.update({one.id: one for one in given}),
        aws=SimpleNamespace(client=lambda _: CloudWatch(points)),
    )
    return Migration(run, Known(run, state, name, earlier))


@pytest.fixture(autouse=True)
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing fails since the move, and no guard is in ALARM."""
    monkeypatch.setattr(alarms, "states", lambda *_: [])
    monkeypatch.setattr(present, "looked", lambda window, *_, **__: Present(window, None, None, (), 0.0))


class CloudWatch:
    """Answers each question with the points of its metric."""

    def __init__(self, points: dict[str, list[tuple[float, float]]]) -> None:
        self.points = points

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, **request: Any) -> Any:
        yield self.get_metric_data(**request)

    def get_metric_data(self, **request: Any) -> Any:
        results = []
        for query in request["MetricDataQueries"]:
            resource = {d["Name"]: d["Value"] for d in query["MetricStat"]["Metric"]["Dimensions"]}["Resource"]
            metric = "async_requests" if resource == "/api/vpr-async" else "sync_requests"
            found = [(T0 + dt.timedelta(minutes=at), value) for at, value in self.points.get(metric, [])]
            inside = [pair for pair in found if request["StartTime"] <= pair[0] < request["EndTime"]]
            results.append(
                {
                    "Id": query["Id"],
                    "Label": query.get("Label", ""),
                    "StatusCode": "Complete",
                    "Timestamps": [at for at, _ in inside],
                    "Values": [value for _, value in inside],
                }
            )
        return {"MetricDataResults": results, "Messages": []}


BUSY = [(minute, 3.0) for minute in range(1, 60)]


@pytest.mark.parametrize(
    ("at", "temporary", "own", "silent"),
    [
        (15, [(0, 5.0)], BUSY, True),
        (15, [(0, 5.0), (1, 2.0), (2, 1.0)], BUSY, True),
        (15, [(5, 1.0)], BUSY, False),
        (25, [(5, 1.0)], BUSY, True),
        (11, [(0, 5.0)], BUSY, False),
        # Nobody came at all: that is no silence, it is no data.
        (15, [(0, 5.0)], [], False),
        (15, [], [(1, 3.0)], True),
        (15, [(3, 1.0)], [(1, 3.0)], False),
    ],
)
def test_silence_is_long_enough_and_has_a_witness(at: int, temporary: Any, own: Any, silent: bool) -> None:
    made = migration(traffic(), at=at, async_requests=temporary, sync_requests=own)
    found = made._silent()
    assert found.ok is silent, found.reason
    assert isinstance(made.silence, Silence)


def test_what_is_not_there_yet_is_no_failure_and_no_pass() -> None:
    made = migration(traffic(100, migrated=False), "during")
    steps = made.steps()
    assert [one.id.removeprefix("migrate.") for one in steps] == [
        "shifted",
        "moved",
        "dial_zero",
        "silent",
        "removed",
        "all_async",
    ]
    assert {one.verdict for one in steps} == {"INCONCLUSIVE"}
    assert len(unmet(steps)) == 6 and all(one.mends for one in steps)


@pytest.mark.parametrize(
    ("state", "points", "step", "todo"),
    [
        (traffic(100), {}, "", "dial to 0"),
        (traffic(), {"async_requests": [(9, 1.0)], "sync_requests": BUSY}, "", ""),
        (traffic(), {"async_requests": [(0, 1.0)], "sync_requests": BUSY}, REMOVE, "remove_temporary"),
    ],
)
def test_which_step_is_due(state: TrafficState, points: Any, step: str, todo: str) -> None:
    made = migration(state, **points)
    outcome = made._judged()
    assert made._next() == step
    assert bool(made._todo()) == bool(todo)
    assert todo in " ".join(made._todo())
    assert outcome.decision is (Decision.PLANNED if todo else Decision.SOAK)
    assert (outcome.come_back_at is None) == bool(todo)


def test_the_move_is_due_only_after_the_soak_at_100_has_passed() -> None:
    made = migration(traffic(100, migrated=False), "after")
    assert made._next() == ""
    made._passed(SimpleNamespace(window=SimpleNamespace(start=T0, end=T0 + dt.timedelta(hours=24))))  # type: ignore[arg-type]
    assert made._next() == MIGRATE
    assert "submit Lambda" in " ".join(made._todo())


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (None, None, "was not deployed: the diff cannot be made, so nobody can say what would change"),
        (True, None, "was deployed, but the diff that would prove it cannot be made"),
        (True, True, "was deployed, yet the code still differs"),
    ],
)
def test_a_step_that_is_not_proven_is_an_error_that_says_what_was_done(
    monkeypatch: pytest.MonkeyPatch, before: Any, after: Any, words: str
) -> None:
    """And the dial stays where it is: nobody knows where /api/vpr leads to."""

    class Unproven(Infra):
        def __init__(self, _: Any, step: str) -> None:
            self.step, self.differs, self.ran = step, before, False

        def previous_template(self) -> Any:
            return line("kept")

        def deploy(self) -> Any:
            self.ran, self.differs = before is True, after
            return line("ran")

    made = migration(traffic(100, migrated=False), "after")
    lowered: list[str] = []
    monkeypatch.setattr("runbook_lib.steps.phase.migration.Infra", Unproven)
    monkeypatch.setattr(made, "_dial_to_zero", lambda: lowered.append("0"))
    with pytest.raises(AwsError, match=words):
        made._migrate()
    assert not lowered


@pytest.mark.parametrize("percent", [1, 10, 100])
def test_no_weight_above_0_may_be_set_from_the_migration_on(percent: float) -> None:
    plan = plan_shift(traffic(), percent, PARAMS, soak_hours=24, description="d")
    assert plan.blockers and "asynchronous already" in plan.blockers[0]
    assert not plan_shift(traffic(100), 0, PARAMS, soak_hours=0, description="d").blockers


def test_the_routes_as_they_are_in_force() -> None:
    routes = PARAMS.service.api.routes
    assert as_routed(PARAMS, traffic(migrated=False)) is PARAMS
    now = as_routed(PARAMS, traffic()).service.api.routes
    assert (now.submit, now.sync, now.status) == (routes.sync, routes.submit, routes.status)


def test_the_command_of_the_way_back_is_the_configured_one() -> None:
    command = deploy_command(PARAMS, "async")
    assert (
        command
        == "cd ../infra && cdk deploy --all --require-approval never --context env=prod --context vpr_step=async"
    )


def test_a_release_migrates_nothing() -> None:
    spec = PARAMS.policy.phases[NOTEBOOK].model_copy(update={"after_migration": ()})
    made = migration(traffic(100, migrated=False), "after")
    made.look.stand = dataclasses.replace(made.look.stand, spec=spec)
    assert "migrates nothing" in str(made.migration_table())
    passed = Outcome(decision=Decision.PROMOTE, reason="every gate passed", next="go on")
    assert made._promoted(passed).decision is Decision.PROMOTE
