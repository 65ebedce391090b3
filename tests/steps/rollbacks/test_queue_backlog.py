"""Rollback 2 cell by cell on the embedded AWS: what it does changes what comes next, and the curve proves it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.act import concurrency
from runbook_lib.base.window import Window, iso, when
from runbook_lib.commands.deviation import undo
from runbook_lib.judge.incidents.backlog import Turn
from runbook_lib.observe.resources import workers
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import only
from runbook_lib.rehearse.world.behaviour import Behaviour, Fault
from runbook_lib.rehearse.world.scenario import Scenario
from runbook_lib.rollout import deviations
from tests.rollbacks import APPLY, FILE, START, Place, reason, verdicts

NOTEBOOK = "rollback_2_queue_backlog"
RESERVED, MAXIMUM = "inventory.worker.reserved_concurrency", "inventory.event_source.maximum_concurrency"
TOLD = "notify people by the SNS topic"
Made = Callable[..., Place]
ALL_DAY = Scenario(name="all_day", title="6,000 requests, as many by night", requests_per_day=6000, profile=(1.0,) * 24)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Made]:
    with EmbeddedAws(START) as aws, only(aws.env):
        yield lambda scenario: Place(aws, tmp_path, NOTEBOOK, scenario)


def spike(times: float = 2.2, end: float | None = None, **behaviour: float) -> Scenario:
    """`times` the traffic from the beginning: 2.2 is more than five workers can write, and not more than ten."""
    fault = Fault(name="spike", start=0, end=end, times={"traffic": times})
    return ALL_DAY.model_copy(update={"faults": (fault,), "behaviour": Behaviour(**behaviour)})


def workers_of(place: Place) -> dict[str, int | None]:
    return workers.read_workers(place.aws.client("lambda"), place.params).facts()


def test_planned_raised_turned_drained_and_put_back(place: Made) -> None:
    here = place(spike(2.6, end=1))
    here.pass_time(minutes=50)
    planned = here.run()
    assert (planned.decision, planned.changes) == ("PLANNED", ())
    assert "confirm='prod'; it is refused if anybody changes" in (planned.outcome or {})["next"]
    assert workers_of(here) == {"reserved": 5, "maximum": 5}
    raised = here.run(**APPLY)
    assert raised.decision == "SOAK"
    assert workers_of(here) == {"reserved": 10, "maximum": 10}
    assert [change.intent["what"] for change in raised.changes][:2] == [
        f"reserved concurrency of {here.params.name('worker')}",
        f"MaximumConcurrency of the event source of {here.params.name('worker')}",
    ]
    assert verdicts(raised)["rollback_2.notified"] == "PASS"
    found = deviations.open_deviations(here.archive, "prod")
    assert {id: (one.was, one.value, one.by) for id, one in found.items()} == {
        "inventory.worker.reserved_concurrency": (5, 10, "ana"),
        "inventory.event_source.maximum_concurrency": (5, 10, "ana"),
    }
    here.pass_time(minutes=5)
    again = here.run(**APPLY)
    assert not again.changes, "what was done already is not done again"
    assert again.incident is not None and raised.incident is not None
    assert again.incident["decided_at"] == raised.incident["decided_at"]
    here.pass_time(minutes=11)
    turned = here.run(**APPLY)
    assert verdicts(turned)["rollback_2.curve"] == "PASS"
    assert verdicts(turned)["rollback_2.time_to_effect"] == "PASS"
    here.pass_time(hours=1)
    over = here.run(**APPLY)
    assert (over.decision, workers_of(here)) == ("PROMOTE", {"reserved": 5, "maximum": 5})
    assert not deviations.open_deviations(here.archive, "prod")
    here.pass_time(minutes=5)
    twice = here.run(**APPLY)
    assert (twice.decision, twice.changes) == ("PROMOTE", ())
    assert verdicts(twice)["rollback_2.symptoms"] == "PASS", "gone is good news"
    assert "post-mortem.md" in twice.files


def test_while_more_arrive_than_the_old_workers_finish_the_new_ones_stay(place: Made) -> None:
    here = place(spike())
    here.pass_time(minutes=40)
    here.run(**APPLY)
    here.pass_time(hours=1)
    still = here.run(**APPLY)
    assert (still.decision, workers_of(here)["reserved"]) == ("SOAK", 10)
    undone = next(one for one in still.checks if one["id"] == "rollback_2.undone")
    assert "the queue would grow again" in undone["reason"]
    assert "(limit 10 min); the queue is drained, but" in reason(still) and "the queue would grow again" in reason(
        still
    )
    back = dt.datetime.fromisoformat((still.outcome or {})["come_back_at"])
    assert back - here.aws.now() > dt.timedelta(minutes=55), "nobody is called every five minutes for hours"


@pytest.mark.parametrize(("sent", "says"), [(80, "would grow again"), (60, "could grow again"), (40, "")])
def test_workers_are_not_taken_away_for_a_quiet_ten_minutes(place: Made, sent: int, says: str) -> None:
    here = place(spike())
    here.pass_time(minutes=40)
    here.run(**APPLY)
    seen = here.namespace["incident"].seen
    after = here.namespace["incident"].after
    after.turned = Turn(peak=120, peak_s=0, last=0, last_s=600, turned_s=60, drained=True)
    # Ten minutes in which 60 jobs came where five workers finish 66.7: chance gives as many where 70 come.
    window = Window(seen.run.now - dt.timedelta(minutes=10), seen.run.now)
    facts = {"sent": sent, "invocations": 60, "duration_ms": 60 * 45_000.0, "window": window}
    seen.now_seen = dataclasses.replace(seen.now_seen, **facts)
    assert (says in after.missing_back) if says else not after.missing_back


def test_a_curve_that_does_not_turn_falls_through_to_scenario_1(place: Made) -> None:
    here = place(spike(5))
    here.pass_time(minutes=20)
    assert here.run(**APPLY).decision == "SOAK"
    here.pass_time(minutes=16)
    looked = here.run()
    assert looked.decision == "ROLLBACK"
    assert here.world.knobs.switch_on
    assert (looked.outcome or {})["scenario"] == "rollback_1"
    fell = here.run(**APPLY)
    assert (fell.decision, verdicts(fell)["rollback_2.fell_back"]) == ("ROLLBACK", "PASS")
    told = next(one for one in fell.checks if one["id"] == "rollback_2.notified")
    assert told["facts"]["keys"][-1].endswith(": async is off; the synchronous endpoint takes all requests")
    here.world.obey()
    assert here.world.knobs.share == 0
    assert workers_of(here)["reserved"] == 10, "the backlog is still to be drained"
    here.pass_time(hours=2)
    assert workers_of(here)["reserved"] == 10
    here.run(**APPLY)
    assert workers_of(here) == {"reserved": 5, "maximum": 5}


def test_a_cure_that_the_llm_does_not_bear_is_taken_back(place: Made) -> None:
    here = place(spike(llm_slots=6))
    here.pass_time(minutes=60)
    assert verdicts(here.run(**APPLY))["rollback_2.llm"] == "PASS"
    here.pass_time(minutes=16)
    fell = here.run(**APPLY)
    assert (fell.decision, verdicts(fell)["rollback_2.llm"]) == ("ROLLBACK", "FAIL")
    assert "rate-limit error" in reason(fell)
    assert workers_of(here) == {"reserved": 5, "maximum": 5}
    here.world.obey()
    assert not here.world.knobs.switch_on


def test_an_llm_that_refuses_already_is_no_case_for_more_workers(place: Made) -> None:
    here = place(spike(4, llm_slots=4))
    here.pass_time(minutes=30)
    here.world.service.workers = 5
    fell = here.run(**APPLY)
    assert workers_of(here) == {"reserved": 5, "maximum": 5}
    if verdicts(fell)["rollback_2.symptoms"] == "PASS":
        assert fell.decision == "ROLLBACK"


def test_without_a_symptom_a_reason_is_wanted(place: Made) -> None:
    here = place("healthy")
    here.pass_time(minutes=30)
    planned = here.run()
    assert "no symptom was seen" in reason(planned)
    assert (planned.outcome or {})["next"].startswith("Leave it. To do it all the same, apply it with a `reason`")
    refused = here.run(**APPLY)
    assert "give a reason" in reason(refused)
    assert workers_of(here)["reserved"] == 5
    assert not deviations.open_deviations(here.archive, "prod")
    given = here.run(**APPLY, reason="a campaign starts in an hour")
    assert workers_of(here)["reserved"] == 10
    assert given.decision == "SOAK"
    assert all("campaign" in one.why for one in deviations.open_deviations(here.archive, "prod").values())


def few_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The account has executions for one function more, and no more workers."""
    read = workers.read_workers
    monkeypatch.setattr(workers, "read_workers", lambda *a: read(*a).model_copy(update={"unreserved": 101}))


def test_too_few_executions_left_in_the_account_block_it(place: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    here = place(spike())
    here.pass_time(minutes=40)
    few_left(monkeypatch)
    planned = here.run()
    assert "blocked: 10 workers would leave 96 unreserved" in reason(planned)
    assert (planned.outcome or {})["next"].startswith("Put right what blocks it")
    assert "at least 100 must stay" in reason(here.run(**APPLY))
    assert workers_of(here)["reserved"] == 5


class _Killed(BaseException):
    """As SIGKILL: nothing of ours runs after it."""


@pytest.mark.parametrize("after", ["open", "reserved", "maximum"])
def test_killed_in_the_middle_the_next_run_goes_on_with_the_same_clock(
    place: Made, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    here = place(spike())
    here.pass_time(minutes=40)
    with monkeypatch.context() as meddled, pytest.raises(_Killed):
        _kill(meddled, after)
        here.run(**APPLY)
    decided = {one.at for one in deviations.open_deviations(here.archive, "prod").values()}
    here.pass_time(minutes=2)
    done = here.run(**APPLY)
    assert workers_of(here) == {"reserved": 10, "maximum": 10}
    assert done.incident is not None
    assert {done.incident["decided_at"]} == decided, "the time counts from the first decision"
    assert len(deviations.said(here.archive, "prod")[0]) == 2, "each said once"
    assert done.decision == "SOAK"
    assert TOLD in [change.intent["what"] for change in done.changes], "the run that was killed told nobody"


@pytest.mark.parametrize("after", ["maximum", "reserved", "close"])
def test_killed_while_it_is_put_back_the_next_run_completes_that_and_does_not_raise_again(
    place: Made, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    here = place(spike(2.6, end=1))
    here.pass_time(minutes=50)
    here.run(**APPLY)
    here.pass_time(minutes=80)
    with monkeypatch.context() as meddled, pytest.raises(_Killed):
        _kill(meddled, after)
        here.run(**APPLY)
    assert workers_of(here) == {"reserved": 10 if after == "maximum" else 5, "maximum": 5}
    here.pass_time(minutes=5)
    planned = here.run()
    assert planned.decision == "SOAK", reason(planned)
    assert "workers back" in str((planned.outcome or {})["next"])
    assert not here.namespace["incident"].planned.raises
    completed = here.run(**APPLY)
    assert (completed.decision, workers_of(here)) == ("PROMOTE", {"reserved": 5, "maximum": 5}), reason(completed)
    assert not [change for change in completed.changes if change.intent["raises"]]
    assert not deviations.open_deviations(here.archive, "prod")
    told = [change.intent for ref in here.archive.records() for change in here.archive.load(ref).changes]
    assert [one["told"].rpartition(": ")[2] for one in told if one["what"] == TOLD] == [
        "more workers",
        "5 workers again",
    ]


def _kill(meddled: pytest.MonkeyPatch, after: str) -> None:
    """The process dies right after that step, and before the deviations are closed."""
    if after in ("open", "close"):
        name = {"open": "open_all", "close": "close"}[after]
        real = getattr(deviations, name)

        def ended(*args: Any, **kwargs: Any) -> Any:
            if after == "open":
                real(*args, **kwargs)
            raise _Killed

        meddled.setattr(deviations, name, ended)
        return
    set_ = concurrency._set

    def killed(which: Any, *args: Any) -> Any:
        found = set_(which, *args)
        if which == after:
            raise _Killed
        return found

    meddled.setattr(concurrency, "_set", killed)


def test_two_operators_the_second_is_refused(place: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    here = place(spike(4))
    here.pass_time(minutes=40)
    client, real = here.aws.client("lambda"), deviations.open_all

    def meanwhile(*args: Any, **kwargs: Any) -> Any:
        client.put_function_concurrency(FunctionName=here.params.name("worker"), ReservedConcurrentExecutions=7)
        return real(*args, **kwargs)

    monkeypatch.setattr(deviations, "open_all", meanwhile)
    assert "was changed since the plan was made" in reason(here.run(**APPLY))
    assert workers_of(here)["reserved"] == 7
    assert not deviations.open_deviations(here.archive, "prod"), "what was never made reminds nobody"
    monkeypatch.undo()
    here.pass_time(minutes=5)
    again = here.run(**APPLY)
    assert (again.decision, workers_of(here)["reserved"]) == ("SOAK", 10)
    assert verdicts(again)["rollback_2.time_to_effect"] == "PASS", "by a clock of its own"


def test_the_inventory_honours_it_and_reminds(place: Made) -> None:
    from runbook_lib.observe.inventory.inspect import inspect

    here = place(spike())
    here.pass_time(minutes=40)
    here.run(**APPLY)
    known = deviations.open_deviations(here.archive, "prod")
    one = next(
        c for c in inspect(here.aws, here.params, deviations=known) if c.id == "inventory.worker.reserved_concurrency"
    )
    assert (one.required, one.ok) == (False, False)
    assert "recorded deviation (ana" in one.reason
    drift = next(c for c in inspect(here.aws, here.params) if c.id == "inventory.worker.reserved_concurrency")
    assert drift.required


def slow() -> Scenario:
    """Few requests, and an LLM that takes 2.6 times as long: p95 is about 150 s, and nothing waits in the queue."""
    fault = Fault(name="a slow LLM", start=0, set={"llm_time": 2.6})
    return ALL_DAY.model_copy(update={"requests_per_day": 960, "faults": (fault,)})


def test_a_slow_llm_is_no_backlog_and_more_workers_with_a_reason_are_not_done(place: Made) -> None:
    here = place(slow())
    here.pass_time(minutes=40)
    assert "no symptom" in reason(here.run())
    refused = here.run(**APPLY)
    assert "nothing to do" in reason(refused)
    assert workers_of(here)["reserved"] == 5
    here.run(**APPLY, reason="more workers might help")
    assert workers_of(here)["reserved"] == 10
    here.pass_time(minutes=70)
    looked = here.run(**APPLY)
    assert looked.decision == "HOLD", reason(looked)
    assert "P95 VPR generation time since then is" in reason(looked)
    assert "More workers do not cure it" in (looked.outcome or {})["next"]
    assert workers_of(here)["reserved"] == 5, "they are put back all the same"
    here.pass_time(minutes=5)
    again = here.run(**APPLY)
    assert again.decision == "HOLD"
    assert "the backlog was drained" not in reason(again)


def test_a_raise_for_nothing_does_not_say_that_a_backlog_was_drained(place: Made) -> None:
    here = place(ALL_DAY.model_copy(update={"requests_per_day": 960}))
    here.pass_time(minutes=30)
    here.run(**APPLY, reason="a campaign starts in an hour")
    here.pass_time(minutes=20)
    early = here.run(**APPLY)
    assert (early.decision, verdicts(early)["rollback_2.gates"]) == ("SOAK", "INCONCLUSIVE"), reason(early)
    assert (early.outcome or {})["come_back_at"]
    here.pass_time(hours=2)
    over = here.run(**APPLY)
    assert (over.decision, verdicts(over)["rollback_2.gates"]) == ("PROMOTE", "PASS"), reason(over)
    assert "no symptom was seen when it was decided" in reason(over)
    assert "the backlog was drained" not in reason(over)


@pytest.mark.parametrize("mode", ["plan", "apply"])
def test_workers_that_a_person_took_back_do_not_make_a_queue_drained(place: Made, mode: str) -> None:
    """Nothing was measured between the decision and the undoing, and "the backlog was drained" was sealed."""
    here = place("async_crashing")
    here.pass_time(minutes=50)
    assert verdicts(here.run(**APPLY))["rollback_2.workers"] == "PASS"
    flat = here.flat(**{**APPLY, "operator": "bo"})
    undo(FILE, {key: flat[key] for key in flat if key != "env"}, RESERVED)
    at = here.aws.now()
    looked = here.run(**{**APPLY, "mode": mode})
    gates = next(one for one in looked.checks if one["id"] == "rollback_2.gates")
    assert "the queue is not drained yet" in gates["reason"]
    assert "the backlog was drained" not in reason(looked)
    assert f"undone by bo at {when(iso(at))}" in reason(looked) and "not seen to be drained" in reason(looked)


def test_what_a_person_adopted_is_not_put_back(place: Made) -> None:
    """The queue is drained and the old workers are enough, but one of the two settings is the code's by now."""
    here = place(spike(2.6, end=1))
    here.pass_time(minutes=50)
    here.run(**APPLY)
    deviations.close(here.archive, here.params, [RESERVED], "adopted", by="Ada", at=iso(here.aws.now()), arn="arn:test")
    here.pass_time(hours=1, minutes=16)
    kept = here.run(**APPLY)
    assert workers_of(here) == {"reserved": 10, "maximum": 10} and not kept.changes
    undone = next(one for one in kept.checks if one["id"] == "rollback_2.undone")
    assert "was adopted into the code by Ada" in undone["reason"] and "adopted" in reason(kept)
    deviations.close(here.archive, here.params, [MAXIMUM], "adopted", by="Ada", at=iso(here.aws.now()), arn="arn:test")
    over = here.run(**APPLY)
    assert over.decision == "PROMOTE" and "the backlog was drained" in reason(over)
    assert workers_of(here) == {"reserved": 10, "maximum": 10}


def test_nothing_to_do_does_not_ask_to_put_right_what_blocks_it(place: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    here = place("healthy")
    here.pass_time(minutes=30)
    few_left(monkeypatch)
    planned = here.run()
    assert "nothing to do" in reason(planned)
    assert (planned.outcome or {})["next"].startswith("Leave it.")
