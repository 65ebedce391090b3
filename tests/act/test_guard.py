"""The guard: who may, what is on record before and after, and that nothing holds up a lowering."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from runbook_lib.act.guard import Guard
from runbook_lib.base.errors import Exit, Refused, Unreadable, UsageError

NOW = dt.datetime(2026, 11, 10, 12, 0, tzinfo=dt.UTC)
Make = Callable[..., Guard]


class World:
    """One number that a change sets."""

    def __init__(self, value: int = 0) -> None:
        self.value = value
        self.writes = 0

    def set(self, value: int) -> str:
        self.writes += 1
        self.value = value
        return "done"

    def seen(self) -> dict[str, int]:
        return {"value": self.value, "more": 1}


def change(guard: Guard, world: World, value: int = 10, *, raises: bool = True, **kwargs: Any) -> Any:
    given: dict[str, Any] = {
        "before": {"value": world.value},
        "after": {"value": value},
        "undo": "set it to 0",
        "do": lambda: world.set(value),
        "read_back": world.seen,
        "raises": raises,
        **kwargs,
    }
    return guard.change("set the number", **given)


@pytest.mark.parametrize("raises", [True, False])
def test_plan_mode_changes_nothing(make_guard: Make, journal: Any, raises: bool) -> None:
    world = World()
    with pytest.raises(Refused, match=r"mode is 'plan'.*mode='apply' and confirm='prod'") as caught:
        change(make_guard(mode="plan", confirm=""), world, raises=raises)
    assert world.writes == 0
    assert not journal.events
    assert caught.value.exit_code is Exit.HOLD


@pytest.mark.parametrize("raises", [True, False])
@pytest.mark.parametrize(
    ("flat", "sentence"),
    [
        ({"confirm": "pord"}, "confirm is 'pord', expects 'prod'"),
        ({"confirm": ""}, "confirm is '', expects 'prod'"),
        ({"account": "999999999999"}, "caller's account is '999999999999'.*parameters say '000000000000' for prod"),
    ],
)
def test_a_wrong_confirmation_or_account_stops_every_move(
    make_guard: Make, journal: Any, raises: bool, flat: dict[str, Any], sentence: str
) -> None:
    world = World()
    with pytest.raises(UsageError, match=sentence) as caught:
        change(make_guard(**flat), world, raises=raises)
    assert world.writes == 0
    assert not journal.events
    assert caught.value.exit_code is Exit.USAGE


@pytest.mark.parametrize("minutes", [-11, 11, 60])
def test_old_evidence_refuses_a_raise_and_only_warns_of_a_lowering(
    make_guard: Make, journal: Any, minutes: int
) -> None:
    guard = make_guard(as_of=(NOW + dt.timedelta(minutes=minutes)).isoformat())
    world = World()
    with pytest.raises(Refused, match=r"min from AWS's own clock .* more than the 10 min allowed"):
        change(guard, world)
    assert world.writes == 0
    change(guard, world, 0, raises=False)
    assert world.writes == 1
    assert len(journal.of("warning")) == 1, "said once, however often it is asked"
    assert "does not hold up a lowering" in journal.of("warning")[0]["text"]


@pytest.mark.slow
@pytest.mark.parametrize("minutes", [-9.9, -1, 0, 9.9])
def test_fresh_evidence_may_raise(make_guard: Make, minutes: float) -> None:
    make_guard(as_of=(NOW + dt.timedelta(minutes=minutes)).isoformat()).authorise(raises=True)


def test_a_concern_refuses_a_raise_and_only_warns_of_a_lowering(make_guard: Make, journal: Any) -> None:
    guard = make_guard()
    guard.concerns.append("phase 1 has not promoted")
    with pytest.raises(Refused, match="phase 1 has not promoted") as told:
        guard.authorise(raises=True)
    assert told.value.nothing_changed
    guard.authorise(raises=False)
    assert "phase 1 has not promoted" in journal.of("warning")[0]["text"]


def test_the_intent_is_written_before_and_the_outcome_after(make_guard: Make, journal: Any) -> None:
    world = World()
    at_write: list[list[str]] = []

    def do() -> str:
        at_write.append([entry["event"] for entry in journal.events])
        return world.set(10)

    done = change(make_guard(operator="ann"), world, do=do)
    assert at_write == [["intent"]]
    intent, outcome = journal.events
    assert intent["before"] == {"value": 0}
    assert intent["after"] == {"value": 10}
    assert (intent["undo"], intent["who"], intent["raises"]) == ("set it to 0", "ann", True)
    assert outcome["event"] == "outcome"
    assert outcome["intent"] == intent["id"] == done.intent
    assert outcome["ok"] is True
    assert outcome["read_back"] == {"value": 10, "more": 1}
    assert outcome["error"] is None
    assert dt.datetime.fromisoformat(outcome["aws_at"]) >= NOW
    assert (done.done, done.ok) == ("done", True)


def test_without_an_operator_it_is_the_caller(make_guard: Make) -> None:
    assert make_guard().who == "arn:aws:iam::000000000000:user/ann"


def test_what_reads_back_otherwise_is_not_ok(make_guard: Make, journal: Any) -> None:
    world = World()
    done = change(make_guard(), world, do=lambda: "did nothing")
    assert done.ok is False
    assert journal.of("outcome")[0]["ok"] is False


def test_a_lost_answer_is_no_failure_if_the_change_is_there(make_guard: Make, journal: Any) -> None:
    world = World()

    def do() -> str:
        world.set(10)
        raise ConnectionError("the connection was lost")

    done = change(make_guard(), world, do=do)
    assert done.ok is True
    assert done.done is None
    assert journal.of("outcome")[0]["error"] == "ConnectionError: the connection was lost"
    assert journal.of("outcome")[0]["ok"] is True


def test_a_lost_request_is_a_failure_and_the_record_says_so(make_guard: Make, journal: Any) -> None:
    world = World()

    def do() -> str:
        raise ConnectionError("the connection was lost")

    with pytest.raises(ConnectionError):
        change(make_guard(), world, do=do)
    assert journal.of("outcome")[0]["ok"] is False
    assert journal.of("outcome")[0]["read_back"] == {"value": 0, "more": 1}


def test_what_cannot_be_read_back_is_unknown_in_the_record(make_guard: Make, journal: Any) -> None:
    def blind() -> dict[str, Any]:
        raise TimeoutError("no answer")

    with pytest.raises(TimeoutError):
        change(make_guard(), World(), read_back=blind)
    outcome = journal.of("outcome")[0]
    assert outcome["ok"] is None
    assert outcome["read_back"] is None
    assert outcome["read_back_error"] == "TimeoutError: no answer"


LOST = ConnectionClosedError(endpoint_url="http://127.0.0.1")
FAILED = ClientError({"Error": {"Code": "X"}, "ResponseMetadata": {"HTTPStatusCode": 500}}, "PutIt")
DENIED = ClientError({"Error": {"Code": "AccessDeniedException"}, "ResponseMetadata": {"HTTPStatusCode": 403}}, "PutIt")


@pytest.mark.parametrize("trouble", [None, LOST, FAILED])
def test_what_may_have_been_made_and_cannot_be_read_back_is_told_as_not_known(
    make_guard: Make, trouble: Exception | None
) -> None:
    """It was told as a failure of what had been done, or as one of reading something, without a way by hand."""

    def do() -> None:
        if trouble:
            raise trouble

    def blind() -> dict[str, Any]:
        raise LOST

    with pytest.raises(Unreadable, match=r"NOT known whether this was done: set the number.*; by hand: aws put it$"):
        change(make_guard(), World(), do=do, read_back=blind, by_hand="aws put it")


def test_what_was_refused_is_a_refusal_whether_it_can_be_read_back_or_not(make_guard: Make) -> None:
    def do() -> None:
        raise DENIED

    def blind() -> dict[str, Any]:
        raise LOST

    with pytest.raises(ClientError, match="AccessDenied"):
        change(make_guard(), World(), do=do, read_back=blind)


def test_a_crash_leaves_the_intent_without_an_outcome(make_guard: Make, journal: Any) -> None:
    def do() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        change(make_guard(), World(), do=do)
    assert [entry["event"] for entry in journal.events] == ["intent"]


def test_no_record_no_raise(make_guard: Make, journal: Any) -> None:
    journal.broken = True
    world = World()
    with pytest.raises(Refused, match=r"intent cannot be recorded .*no space left.* not made"):
        change(make_guard(), world)
    assert world.writes == 0


def test_no_record_holds_up_no_lowering(make_guard: Make, journal: Any) -> None:
    journal.broken = True
    world = World(10)
    change(make_guard(), world, 0, raises=False)
    assert world.value == 0
    assert [entry["event"] for entry in journal.aside] == ["intent", "outcome"]


def test_even_a_dead_journal_holds_up_no_lowering(make_guard: Make, journal: Any) -> None:
    journal.dead = True
    world, out = World(10), io.StringIO()
    change(make_guard(out=out), world, 0, raises=False)
    assert world.value == 0
    assert "journal is gone" in out.getvalue()
    assert "set it to 0" in out.getvalue(), "the intent is on stderr"


def test_the_outcome_of_a_raise_survives_a_disk_that_fills_up_meanwhile(make_guard: Make, journal: Any) -> None:
    world = World()

    def do() -> str:
        journal.broken = True
        return world.set(10)

    assert change(make_guard(), world, do=do).ok
    assert [entry["event"] for entry in journal.aside] == ["outcome"]
