"""More workers, and back: planned, conditional, written ahead, read back; on the embedded AWS and against fakes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from runbook_lib.act import concurrency as act
from runbook_lib.act.guard import Guard
from runbook_lib.base.errors import AwsError, Refused, UsageError
from runbook_lib.observe.resources import workers
from runbook_lib.observe.resources.workers import Workers
from runbook_lib.params.load import Params
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.sandbox.deploy import Sandbox

FOUND = Workers(function="w", reserved=5, maximum=5, mapping="m", state="Enabled", unreserved=200)


def _plan(found: Workers = FOUND, to: int = 10) -> act.ConcurrencyPlan:
    return act.plan_raise(found, to, keep_unreserved=100, back_to=5)


def test_a_raise_raises_both_and_the_reserve_first() -> None:
    plan = _plan()
    assert plan.todo == ("reserved", "maximum")
    assert not plan.blockers
    assert "5 -> 10 workers" in plan.text()
    assert "keeps 195 unreserved" in plan.text()


def test_a_step_back_lowers_the_maximum_first() -> None:
    plan = act.plan_lower(FOUND.model_copy(update={"reserved": 10, "maximum": 10}), 5, 5)
    assert plan.todo == ("maximum", "reserved")
    assert not plan.raises


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"unreserved": 104}, "would leave 99 unreserved"),
        ({"reserved": None}, "reserving some would be a cut"),
        ({"reserved": 12}, "12 workers reserved, more than the 10"),
        ({"state": "Disabled"}, "the event source is Disabled"),
    ],
)
def test_what_blocks_a_raise(change: dict[str, Any], said: str) -> None:
    plan = _plan(FOUND.model_copy(update=change))
    assert said in plan.blockers[0]
    assert f"blocked: {plan.blockers[0]}" in plan.text()


def test_at_the_limit_it_is_let_through() -> None:
    assert not _plan(FOUND.model_copy(update={"unreserved": 105})).blockers


def test_a_stopped_worker_is_pointed_out() -> None:
    assert any("somebody stopped the worker" in note for note in _plan(FOUND.model_copy(update={"reserved": 0})).notes)


def test_done_already_is_nothing_to_do() -> None:
    plan = _plan(FOUND.model_copy(update={"reserved": 10, "maximum": 10}))
    assert plan.todo == ()
    assert "nothing to do" in plan.text()


class _Place:
    """The sandbox's worker, and a guard over it."""

    def __init__(
        self, aws: EmbeddedAws, sandbox: Sandbox, journal: Any, make_guard: Callable[..., Guard], meddled: Any
    ) -> None:
        self.params: Params = sandbox.params
        self.client = meddled(aws.client("lambda"))
        self.aws, self.journal = aws, journal
        self.guard = make_guard()

    def read(self) -> Workers:
        return workers.read_workers(self.aws.client("lambda"), self.params)

    def plan(self) -> act.ConcurrencyPlan:
        return _plan(self.read())

    def apply(self, plan: act.ConcurrencyPlan, guard: Guard | None = None) -> Workers:
        return act.apply(plan, self.client, guard or self.guard, self.params)


@pytest.fixture
def place(
    embedded: EmbeddedAws, sandbox: Sandbox, journal: Any, make_guard: Callable[..., Guard], meddled: Any
) -> Iterator[_Place]:
    made = _Place(embedded, sandbox, journal, make_guard, meddled)
    yield made
    client, found = embedded.client("lambda"), made.read()
    client.update_event_source_mapping(UUID=found.mapping, ScalingConfig={"MaximumConcurrency": 5})
    client.put_function_concurrency(FunctionName=found.function, ReservedConcurrentExecutions=5)


def test_raised_read_back_and_put_back(place: _Place) -> None:
    found = place.apply(place.plan())
    assert found.facts() == {"reserved": 10, "maximum": 10} == place.read().facts()
    intents, outcomes = place.journal.of("intent"), place.journal.of("outcome")
    assert [one["after"] for one in intents] == [{"reserved": 10}, {"maximum": 10}]
    assert [one["ok"] for one in outcomes] == [True, True]
    assert all(one["raises"] for one in intents)
    back = place.apply(act.plan_lower(place.read(), 5, 5))
    assert back.facts() == {"reserved": 5, "maximum": 5}
    assert place.client.writes == [
        "put_function_concurrency",
        "update_event_source_mapping",
        "update_event_source_mapping",
        "put_function_concurrency",
    ]


def test_twice_writes_once(place: _Place) -> None:
    place.apply(place.plan())
    before = list(place.client.writes)
    assert place.apply(place.plan()).in_force == 10
    assert place.client.writes == before
    assert len(place.journal.of("intent")) == 2


def test_a_second_operator_in_between_is_refused(place: _Place) -> None:
    plan = place.plan()
    place.aws.client("lambda").put_function_concurrency(
        FunctionName=place.params.name("worker"), ReservedConcurrentExecutions=7
    )
    with pytest.raises(Refused, match=r"reserved 7, maximum 5, the plan read reserved 5, maximum 5"):
        place.apply(plan)
    assert place.read().reserved == 7
    assert not place.client.writes


def test_a_second_operator_right_behind_the_write_is_seen(place: _Place) -> None:
    other, name = place.aws.client("lambda"), place.params.name("worker")
    place.client.after["put_function_concurrency"] = lambda _: other.put_function_concurrency(
        FunctionName=name, ReservedConcurrentExecutions=3
    )
    with pytest.raises(Refused, match="reads back as 3, 10 was written"):
        place.apply(place.plan())


def test_a_step_back_is_not_held_up_by_a_second_operator(place: _Place) -> None:
    place.apply(place.plan())
    plan = act.plan_lower(place.read(), 5, 5)
    place.aws.client("lambda").put_function_concurrency(
        FunctionName=place.params.name("worker"), ReservedConcurrentExecutions=8
    )
    assert place.apply(plan).facts() == {"reserved": 5, "maximum": 5}


def test_a_step_back_is_made_again_where_somebody_writes_right_behind_it(place: _Place) -> None:
    place.apply(place.plan())
    other, name, once = place.aws.client("lambda"), place.params.name("worker"), [8]
    place.client.after["put_function_concurrency"] = lambda _: (
        other.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=once.pop()) if once else None
    )
    assert place.apply(act.plan_lower(place.read(), 5, 5)).facts() == {"reserved": 5, "maximum": 5}
    assert not once, "the other operator did write"
    assert place.client.writes[-2:] == ["put_function_concurrency"] * 2


def test_a_step_back_does_not_fight_for_ever(place: _Place) -> None:
    place.apply(place.plan())
    other, name = place.aws.client("lambda"), place.params.name("worker")
    place.client.after["put_function_concurrency"] = lambda _: other.put_function_concurrency(
        FunctionName=name, ReservedConcurrentExecutions=8
    )
    with pytest.raises(Refused, match="reads back as 8, 5 was written"):
        place.apply(act.plan_lower(place.read(), 5, 5))
    assert place.client.writes.count("put_function_concurrency") == 1 + act.TRIES


class _Killed(BaseException):
    """As SIGKILL: nothing of ours runs after it."""


@pytest.mark.parametrize("call", ["put_function_concurrency", "update_event_source_mapping"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_in_the_middle_the_next_run_completes_it(place: _Place, call: str, when: str) -> None:
    def kill(_: int) -> None:
        raise _Killed

    getattr(place.client, when)[call] = kill
    with pytest.raises(_Killed):
        place.apply(place.plan())
    assert place.journal.of("intent"), "written before the call"
    place.client.before.clear()
    place.client.after.clear()
    assert place.apply(place.plan()).facts() == {"reserved": 10, "maximum": 10}


def test_a_lost_answer_is_no_failure_if_the_write_happened(place: _Place) -> None:
    def lose(_: int) -> None:
        raise ConnectionError("connection reset")

    place.client.after["put_function_concurrency"] = lose
    assert place.apply(place.plan()).in_force == 10


def test_plan_mode_and_a_wrong_confirmation_change_nothing(place: _Place, make_guard: Callable[..., Guard]) -> None:
    with pytest.raises(Refused, match="mode is 'plan'"):
        place.apply(place.plan(), make_guard(mode="plan", confirm=""))
    with pytest.raises(UsageError, match="confirm is 'dev'"):
        place.apply(place.plan(), make_guard(confirm="dev"))
    assert not place.client.writes


def test_a_blocked_plan_is_refused_before_anything(place: _Place) -> None:
    plan = _plan(place.read().model_copy(update={"unreserved": 101}))
    with pytest.raises(Refused, match="at least 100 must stay"):
        place.apply(plan)
    assert not place.journal.of("intent")


def test_without_an_event_source_nobody_works_on_the_queue(place: _Place) -> None:
    class None_:
        def __getattr__(self, name: str) -> Any:
            return getattr(place.client, name)

        def get_paginator(self, _: str) -> Any:
            return type("P", (), {"paginate": lambda *_, **__: [{"EventSourceMappings": []}]})()

    with pytest.raises(AwsError, match="has no event source for"):
        workers.read_workers(None_(), place.params)
