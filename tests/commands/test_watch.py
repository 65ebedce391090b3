"""The loop of a watch: when it ends, what it keeps, makes up for and survives. No AWS: the looks are scripted."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ProxyConnectionError
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from runbook_lib.base.errors import AwsError, Overtaken, Unreadable, UsageError
from runbook_lib.base.window import iso, parse, when
from runbook_lib.cli import watch as cli_watch
from runbook_lib.commands import watch
from runbook_lib.commands.watch import BACKFILL_LOOKS, Clock, Watch, exit_code
from runbook_lib.commands.watch_look import Held, Look, _phase
from runbook_lib.judge.model import Outcome
from runbook_lib.params.load import load_file, params_dir
from runbook_lib.record.archive import Archive

NOTEBOOK = "06_phase1_10_percent"
T0 = dt.datetime(2026, 11, 10, 3, 1, tzinfo=dt.UTC)
"""When the shift came into effect."""
MINUTE = dt.timedelta(minutes=1)
FILE = params_dir(Path(__file__).parent) / "prod.yaml"


class World:
    """Virtual time, and what a look at each instant says: `script(at)` is a decision, or raises."""

    def __init__(self) -> None:
        self.now = T0 + 5 * MINUTE
        self.script: Callable[[dt.datetime], str] = lambda at: "SOAK"
        self.moment: Callable[[dt.datetime], str] = lambda at: "during"
        self.taken: list[tuple[dt.datetime, bool]] = []
        self.kept: list[tuple[dt.datetime, str]] = []
        self.dropped: list[dt.datetime] = []
        self.said: list[str] = []
        self.switched: list[dict[str, Any]] = []
        self.full = False
        """The archive cannot be written."""

    def sleep(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)

    @property
    def back_filled(self) -> list[dt.datetime]:
        return [at for at, missed in self.taken if missed]


class FakeLook:
    """As `OneLook`, from the world's script."""

    world: World
    unwritable = ""
    """Why the archive cannot be written, where a temporary folder takes the record."""

    def __init__(self, file: Path, values: dict[str, Any], notebook: str, as_of: dt.datetime | None = None) -> None:
        self.at = as_of or self.world.now
        self.back_filled = as_of is not None
        self.run = SimpleNamespace(now=self.at)
        self.sealed: str | None = None
        self.trouble = self.unwritable
        self.outcome: Outcome | None = None
        self.moment: Any = None
        self.migrated = False

    def take(self) -> Look:
        self.world.taken.append((self.at, self.back_filled))
        decision = self.world.script(self.at)
        self.moment = SimpleNamespace(name=self.world.moment(self.at), effective_at=T0)
        scenario: Any = "rollback_1" if decision == "ROLLBACK" else None
        self.outcome = Outcome(decision=decision, reason="because", next="then", scenario=scenario)  # type: ignore[arg-type]
        return self.told()

    def told(self, **more: Any) -> Look:
        assert self.outcome is not None
        facts = {
            "at": iso(self.at),
            "moment": self.moment.name,
            "decision": str(self.outcome.decision),
            "reason": self.outcome.reason,
            "next": self.outcome.next,
            "back_filled": self.back_filled,
            "record": self.sealed,
        }
        return Look(**{**facts, **more})

    def say(self, text: str) -> None:
        self.world.said.append(text)

    def keep(self, status: str = "completed", error: str | None = None) -> str | None:
        if self.world.full:
            self.trouble = "no record of this look: the disk is full"
        elif self.sealed is None:
            self.sealed = f"record-{len(self.world.kept)}"
            self.world.kept.append((self.at, status))
        return self.sealed

    def drop(self) -> None:
        if self.sealed is None:
            self.world.dropped.append(self.at)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    made = World()
    fake = type("Scripted", (FakeLook,), {"world": made})
    monkeypatch.setattr(watch, "OneLook", fake)
    monkeypatch.setattr("runbook_lib.commands.rollback.rollback_1", switching(made))
    return made


def switching(made: World) -> Callable[..., Any]:
    """A rollback that the world counts."""

    def rollback(file: Path, values: dict[str, Any], last: bool = True) -> Any:
        made.switched.append(values)
        return SimpleNamespace(
            sentence="async is off", record="rollback-record", next="fix forward", told="topic was told"
        )

    return rollback


Make = Callable[..., Watch]


@pytest.fixture
def make(world: World, tmp_path: Path) -> Make:
    def build(minutes: float = 5, auto: bool = False, **values: Any) -> Watch:
        clock = Clock(sleep=world.sleep, monotonic=lambda: 0.0)
        given = {"archive": str(tmp_path / "archive"), **values}
        return Watch(FILE, given, "06", interval_s=minutes * 60, auto_rollback=auto, clock=clock)

    return build


def after(minutes: float) -> dt.datetime:
    return T0 + minutes * MINUTE


@pytest.mark.parametrize(
    ("last", "code"), [("ROLLBACK", 4), ("HOLD", 3), ("PROMOTE", 0)], ids=["rollback", "hold", "promote"]
)
def test_it_looks_every_interval_until_a_person_is_needed_or_it_is_over(
    world: World, make: Make, last: str, code: int
) -> None:
    world.script = lambda at: last if at >= after(20) else "SOAK"
    one = make()
    seen = list(one.looks())
    assert [parse(look.at) for look in seen] == [after(5), after(10), after(15), after(20)]
    assert [look.decision for look in seen] == ["SOAK", "SOAK", "SOAK", last]
    assert exit_code(one.last) == code
    assert world.kept == [(after(5), "completed"), (after(20), "completed")], "what changed, and nothing else"
    assert world.dropped == [after(10), after(15)]
    assert world.switched == []


def test_the_time_that_a_look_takes_is_not_added_to_the_interval(world: World, tmp_path: Path) -> None:
    slept: list[float] = []
    ticks = iter(range(0, 1000, 40))

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        world.script = lambda at: "HOLD"

    clock = Clock(sleep=sleep, monotonic=lambda: float(next(ticks)))
    one = Watch(FILE, {"archive": str(tmp_path)}, "06", interval_s=300, clock=clock)
    list(one.looks())
    assert slept == [260.0]


@pytest.mark.parametrize(("decision", "code"), [("SOAK", 0), ("HOLD", 3), ("ROLLBACK", 4), ("PROMOTE", 0)])
def test_once_is_one_look_and_an_exit_code(world: World, make: Make, decision: str, code: int) -> None:
    world.script = lambda at: decision
    one = make()
    (look,) = one.looks(once=True)
    assert (look.decision, exit_code(one.last)) == (decision, code)
    # The same again, as cron does it: no second record of what has not changed, and nothing left behind.
    world.now += 5 * MINUTE
    list(make().looks(once=True))
    assert world.kept == [(after(5), "completed")]
    assert world.dropped == [after(10)]


@pytest.mark.parametrize("moment", ["before", "over"])
def test_where_nothing_is_in_force_it_ends_at_once_without_a_record(world: World, make: Make, moment: str) -> None:
    world.moment, world.script = lambda at: moment, lambda at: "PLANNED"
    one = make()
    (look,) = one.looks()
    assert (look.decision, exit_code(one.last), world.kept) == ("PLANNED", 0, [])


def test_a_gate_that_begins_to_fail_is_a_change(world: World, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = {"id": "cost", "verdict": "FAIL", "title": "Cost", "reason": "dear"}
    told = FakeLook.told

    def with_gate(self: FakeLook, **more: Any) -> Look:
        return told(self, **{"gates": (failing,) if after(10) <= self.at < after(20) else (), **more})

    monkeypatch.setattr(FakeLook, "told", with_gate)
    world.script = lambda at: "HOLD" if at >= after(25) else "SOAK"
    list(make().looks())
    assert [at for at, _ in world.kept] == [after(5), after(10), after(20), after(25)]


def test_a_record_is_kept_before_the_jobs_it_counted_live_no_more(world: World, make: Make) -> None:
    """24 h of TTL: the census is sealed every 12 h, whatever happens."""
    world.script = lambda at: "PROMOTE" if at >= after(30 * 60) else "SOAK"
    list(make(minutes=60).looks())
    assert [at for at, _ in world.kept] == [after(5), after(12 * 60 + 5), after(24 * 60 + 5), after(30 * 60 + 5)]


def test_auto_rollback_switches_off_and_the_record_says_so(world: World, make: Make) -> None:
    world.script = lambda at: "ROLLBACK" if at >= after(10) else "SOAK"
    one = make(auto=True, confirm="prod")
    *_, look = one.looks()
    (given,) = world.switched
    assert (given["mode"], given["confirm"], given["as_of"]) == ("apply", "prod", "")
    assert given["reason"] == "runbook watch --auto-rollback: ROLLBACK: because"
    assert look.action == "async is off; topic was told (record: rollback-record)"
    assert look.next == "fix forward"
    assert world.said == [look.action]
    assert world.kept[-1] == (after(10), "completed")
    assert exit_code(one.last) == 4


@pytest.mark.parametrize("decision", ["SOAK", "HOLD", "PROMOTE"])
def test_auto_rollback_switches_nothing_off_for_less(world: World, make: Make, decision: str) -> None:
    world.script = lambda at: decision
    list(make(auto=True, confirm="prod").looks(once=True))
    assert world.switched == []


def test_a_rollback_by_another_scenario_is_left_to_people(
    world: World, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.script = lambda at: "ROLLBACK"
    take = FakeLook.take

    def backlog(self: FakeLook) -> Look:
        take(self)
        assert self.outcome is not None
        self.outcome = self.outcome.model_copy(update={"scenario": "rollback_2"})
        return self.told()

    monkeypatch.setattr(FakeLook, "take", backlog)
    one = make(auto=True, confirm="prod")
    list(one.looks())
    assert (world.switched, exit_code(one.last)) == ([], 4)


def test_after_the_migration_no_watch_turns_a_switch_that_has_no_effect(
    world: World, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.script = lambda at: "ROLLBACK"
    take = FakeLook.take

    def migrated(self: FakeLook) -> Look:
        self.migrated = True
        return take(self)

    monkeypatch.setattr(FakeLook, "take", migrated)
    one = make(auto=True, confirm="prod")
    list(one.looks())
    assert (world.switched, exit_code(one.last)) == ([], 4)


def test_a_rollback_that_cannot_be_made_is_an_error_and_on_record(
    world: World, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    lasts: list[bool] = []

    def refuse(file: Path, values: dict[str, Any], last: bool) -> Any:
        lasts.append(last)
        raise AwsError("by hand: aws appconfig start-deployment …")

    monkeypatch.setattr("runbook_lib.commands.rollback.rollback_1", refuse)
    world.script = lambda at: "ROLLBACK"
    with pytest.raises(AwsError, match="by hand: aws appconfig"):
        list(make(auto=True, confirm="prod").looks())
    assert world.kept == [(after(5), "failed")]
    assert "could not be switched off" in world.said[0]
    assert lasts == [*[False] * (watch.TRIES - 1), True], "people are told once nobody tries again"


def test_an_endpoint_that_dies_between_look_and_switch_is_outlasted(
    world: World, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[dt.datetime] = []

    def rollback(file: Path, values: dict[str, Any], last: bool = True) -> Any:
        tries.append(world.now)
        if len(tries) < 4:
            raise AwsError("the proxy does not answer")
        return SimpleNamespace(sentence="async is off", record="rollback-record", next="fix forward", told="")

    told: list[str] = []
    monkeypatch.setattr(watch, "tellers", [told.append])
    monkeypatch.setattr("runbook_lib.commands.rollback.rollback_1", rollback)
    world.script = lambda at: "ROLLBACK"
    (look,) = make(auto=True, confirm="prod").looks()
    assert look.action == "async is off (record: rollback-record)"
    assert [(at - tries[0]).total_seconds() for at in tries] == [0, 30, 60, 90]
    assert len(told) == 3 and "the proxy does not answer; tried again in 30 s" in told[0]
    assert [status for _, status in world.kept] == ["completed"]


@pytest.mark.parametrize(
    "error",
    [
        ProxyConnectionError(proxy_url="http://127.0.0.1:9"),
        ConnectionClosedError(endpoint_url="http://127.0.0.1:9"),
        EndpointConnectionError(endpoint_url="http://127.0.0.1:9"),
        ConnectionResetError("reset by peer"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_happens_on_the_way_to_aws_is_no_end(world: World, make: Make, error: Exception) -> None:
    def script(at: dt.datetime) -> str:
        if at == world.now == after(10):
            raise error
        return "HOLD" if at >= after(15) else "SOAK"

    world.script = script
    seen = list(make().looks())
    assert [look.decision for look in seen if not look.back_filled] == ["SOAK", "ERROR", "HOLD"]
    assert "Traceback" not in seen[1].reason and seen[1].reason


def test_aws_that_does_not_answer_is_an_error_and_not_the_end(world: World, make: Make) -> None:
    def script(at: dt.datetime) -> str:
        if after(10) <= at < after(25) and at == world.now:
            raise AwsError("AWS does not answer")
        return "HOLD" if at >= after(30) else "SOAK"

    world.script = script
    seen = list(make().looks())
    assert [(look.decision, look.back_filled) for look in seen] == [
        ("SOAK", False),
        *[("ERROR", False)] * 3,
        # The first look that sees again makes up for the three that did not.
        *[("SOAK", True)] * 3,
        ("SOAK", False),
        ("HOLD", False),
    ]
    assert world.back_filled == [after(10), after(15), after(20)]
    assert (after(25), "completed") in world.kept, "the gap is on record"


def test_once_and_nothing_seen_is_exit_code_1(world: World, make: Make) -> None:
    def script(at: dt.datetime) -> str:
        raise AwsError("AWS does not answer")

    world.script = script
    one = make()
    (look,) = one.looks(once=True)
    assert (look.decision, look.reason, exit_code(one.last)) == ("ERROR", "AWS does not answer", 1)
    assert look.next.startswith("run it again; "), "nobody looks again by itself"


@pytest.mark.parametrize(
    ("error", "times", "seen"),
    [
        (Unreadable("AWS's answer to GetDeployment cannot be read (it is empty)"), 3, "ROLLBACK"),
        (ConnectionClosedError(endpoint_url="http://127.0.0.1:9"), 1, "ROLLBACK"),
        (Unreadable("AWS's answer to GetDeployment cannot be read (it is empty)"), 9, "ERROR"),
        (AwsError("the sign-in has expired"), 1, "ERROR"),
    ],
)
def test_a_look_with_a_spoilt_answer_is_taken_anew(
    world: World, make: Make, error: Exception, times: int, seen: str
) -> None:
    """One web page of a proxy left async on under a broken canary until cron looked again."""
    left = [error] * times

    def script(at: dt.datetime) -> str:
        if left:
            raise left.pop()
        return "ROLLBACK"

    world.script = script
    (look,) = make(auto=True, confirm="prod").looks(once=True)
    assert (look.decision, len(world.switched)) == (seen, int(seen == "ROLLBACK"))
    assert len(world.dropped) == min(times, 4), "no look that saw nothing is left open"


def test_wrong_parameters_end_it(world: World, make: Make) -> None:
    def script(at: dt.datetime) -> str:
        raise UsageError("account_id: another one")

    world.script = script
    with pytest.raises(UsageError, match="account_id"):
        list(make().looks())


def test_a_defect_of_ours_is_on_record(world: World, make: Make) -> None:
    def script(at: dt.datetime) -> str:
        raise ZeroDivisionError("of ours")

    world.script = script
    with pytest.raises(ZeroDivisionError):
        list(make().looks())
    assert world.kept == [(after(5), "failed")]


def test_after_a_restart_it_makes_up_for_what_nobody_saw(world: World, make: Make) -> None:
    first = make().looks()
    next(first)
    next(first)
    first.close()
    world.now = after(40)
    second = make().looks()
    seen = [next(second) for _ in range(6)]
    assert [parse(look.at) for look in seen if look.back_filled] == [after(at) for at in (15, 20, 25, 30, 35)]
    assert (seen[-1].back_filled, parse(seen[-1].at)) == (False, after(40))
    assert seen[-1].record is not None
    assert f"nobody looked between {when(after(10))} and {when(after(40))}; 5 looks" in world.said[-1]
    # Once made up for, it is no gap any more.
    assert [next(second).back_filled for _ in range(3)] == [False] * 3


TROUBLE = st.lists(
    st.sampled_from(
        [
            AwsError("AWS does not answer"),
            UsageError("params/prod.yaml is half saved"),
            KeyError("Account"),
            TypeError("'NoneType' object is not subscriptable"),
            ConnectionResetError("reset by peer"),
            None,
        ]
    ),
    max_size=12,
)


@given(trouble=TROUBLE)
def test_whatever_flaps_it_goes_on_never_acts_on_nothing_and_acts_when_it_sees(
    trouble: list[Exception | None], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        world = World()
        patched.setattr(watch, "OneLook", type("Scripted", (FakeLook,), {"world": world}))
        patched.setattr("runbook_lib.commands.rollback.rollback_1", switching(world))

        def script(at: dt.datetime) -> str:
            place = round((at - after(5)) / (5 * MINUTE)) - 1
            error = trouble[place] if 0 <= place < len(trouble) and at == world.now else None
            if error is not None:
                assert not world.switched
                raise error
            return "ROLLBACK" if at > after(5 * (len(trouble) + 1)) else "SOAK"

        world.script = script
        given_ = {"archive": str(tmp_path_factory.mktemp("flaps") / "archive"), "confirm": "prod"}
        clock = Clock(sleep=world.sleep, monotonic=lambda: 0.0)
        seen = list(Watch(FILE, given_, "06", interval_s=300, auto_rollback=True, clock=clock).looks())
        live = [look.decision for look in seen if not look.back_filled]
        wanted = ["SOAK", *("SOAK" if one is None else "ERROR" for one in trouble), "ROLLBACK"]
        assert live == wanted and len(world.switched) == 1 and "async is off" in seen[-1].action


def test_a_restart_within_the_interval_makes_up_for_nothing(world: World, make: Make) -> None:
    list(make().looks(once=True))
    world.now += 7 * MINUTE
    list(make().looks(once=True))
    assert world.back_filled == []
    assert len(world.kept) == 1


def test_a_long_gap_is_made_up_for_in_steps_up_to_its_end(world: World, make: Make) -> None:
    """Started 20 h after the shift: 24 looks at most, evenly spread, the last one an interval before now."""
    world.now = after(20 * 60)
    list(make().looks(once=True))
    made = world.back_filled
    assert 12 <= len(made) <= BACKFILL_LOOKS
    assert made[-1] == after(20 * 60 - 5)
    assert len({later - earlier for earlier, later in itertools.pairwise(made)}) == 1


@pytest.mark.parametrize("decision", ["ROLLBACK", "HOLD"])
def test_a_failure_that_nobody_saw_and_that_is_over_is_for_people(world: World, make: Make, decision: str) -> None:
    world.now = after(30)
    world.script = lambda at: decision if after(10) <= at < after(15) else "SOAK"
    one = make(auto=True, confirm="prod")
    seen = list(one.looks())
    assert [parse(look.at) for look in seen] == [after(5), after(10)]
    last = seen[-1]
    assert (last.decision, last.back_filled, exit_code(one.last)) == ("HOLD", True, 3)
    assert f"at {when(after(10))}, when nobody looked, the evidence said {decision}: because" in last.reason
    assert "now it says SOAK" in last.reason
    assert world.kept == [(after(10), "completed")]
    assert world.switched == [], "old evidence switches nothing"
    assert world.dropped == [after(5), after(30)]


def test_what_is_wrong_now_comes_before_what_was_missed(world: World, make: Make) -> None:
    world.now, world.script = after(300), lambda at: "ROLLBACK"
    (look,) = make(auto=True, confirm="prod").looks()
    assert (look.back_filled, look.action != "") == (False, True)
    assert world.back_filled == []


def test_a_torn_or_lost_memory_costs_looks_and_no_more(world: World, make: Make, tmp_path: Path) -> None:
    list(make().looks(once=True))
    (memory,) = (tmp_path / "archive" / ".watch").glob("*")
    memory.write_text(memory.read_text() + '{"at": "2026-11-\nnot json\n[]\n')
    world.now = after(10)
    list(make().looks(once=True))
    assert world.back_filled == []
    memory.unlink()
    world.now = after(15)
    list(make().looks(once=True))
    assert world.back_filled == [after(5), after(10)]


def test_another_attempt_has_another_memory(world: World, make: Make) -> None:
    list(make().looks(once=True))
    world.now = after(15)
    list(make(attempt=2).looks(once=True))
    assert world.back_filled == [after(5), after(10)]


@pytest.mark.parametrize("begins", [0, 12], ids=["from the start", "while it watches"])
def test_it_follows_the_newest_attempt_unless_it_was_told_one(
    world: World, make: Make, monkeypatch: pytest.MonkeyPatch, begins: int
) -> None:
    """Attempt 2 begins: what ended attempt 1 is not said of it, and it is not turned off for that."""
    judged: list[int] = []

    class Two(FakeLook):
        def __init__(self, file: Path, values: dict[str, Any], *more: Any) -> None:
            super().__init__(file, values, *more)
            self.attempt = values.get("attempt", 1)

        def take(self) -> Look:
            if self.attempt == 1 and self.world.now >= after(begins):
                raise Overtaken("attempt 2 is under way", 2)
            judged.append(self.attempt)
            return super().take()

    monkeypatch.setattr(watch, "OneLook", type("Scripted", (Two,), {"world": world}))
    world.script = lambda at: "PROMOTE" if at >= after(20) else "SOAK"
    told = make(auto=True, confirm="prod", attempt=1)
    with pytest.raises(Overtaken):
        list(told.looks())
    assert set(judged) <= {1} and not world.switched
    world.now = after(5)
    judged.clear()
    one = make(auto=True, confirm="prod")
    assert [look.decision for look in one.looks()][-1] == "PROMOTE"
    assert sorted(judged) == judged and judged[-1] == 2 and (1 in judged) == bool(begins)
    assert one.params.attempt == 2 and not world.switched


def test_a_full_disk_is_said_and_stops_nothing(world: World, make: Make) -> None:
    world.full = True
    world.script = lambda at: "ROLLBACK" if at >= after(10) else "SOAK"
    one = make(auto=True, confirm="prod")
    seen = list(one.looks())
    assert "the disk is full" in seen[-1].reason
    assert len(world.switched) == 1
    assert exit_code(one.last) == 4


@pytest.mark.parametrize("more", [[], ["--json"]])
@pytest.mark.parametrize(("decision", "code"), [("SOAK", 3), ("HOLD", 3), ("ROLLBACK", 4)])
def test_a_record_that_is_not_in_the_archive_is_told_and_needs_a_person(
    world: World, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, decision: str, code: int, more: list[str]
) -> None:
    """cron left a look a folder in the temporary folder, and said nothing of it."""
    world.script = lambda at: decision
    monkeypatch.setattr(FakeLook, "unwritable", "archive: Permission denied; the record of this look is in /tmp/x")
    done = run("06", "--once", *more)
    assert "Permission denied; the record of this look is in /tmp/x" in done.stderr
    assert done.exit_code == code


def test_a_look_that_is_not_kept_says_nothing_of_the_archive(
    world: World, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeLook, "unwritable", "archive: Permission denied")
    world.moment = lambda at: "before"
    (look,) = make().looks(once=True)
    assert look.apart == ""
    assert exit_code(look) == 0


def test_ctrl_c_seals_the_last_look(world: World, make: Make) -> None:
    one = make()
    looks = one.looks()
    next(looks)
    next(looks)
    assert one.interrupted() == "record-1"
    assert world.kept == [(after(5), "completed"), (after(10), "completed")]
    assert "ended by its operator" in world.said[-1]
    one.interrupted()
    assert len(world.kept) == 2, "once"


def test_ctrl_c_in_the_middle_of_a_look_seals_what_there_is(world: World, make: Make) -> None:
    def script(at: dt.datetime) -> str:
        raise KeyboardInterrupt

    world.script = script
    one = make()
    with pytest.raises(KeyboardInterrupt):
        list(one.looks())
    assert one.interrupted() == "record-0"
    assert world.kept == [(after(5), "cancelled")]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["04"], "'04' names no phase that soaks; there are: 05_staging, 06_phase1"),
        (["0"], "names no phase that soaks"),
        (["06", "--interval", "0.5"], "--interval is 0.5 min: expects at least 1"),
        (["06", "--auto-rollback"], "--auto-rollback: --confirm is '', expects 'prod'"),
        (["06", "--auto-rollback", "--confirm", "dev"], "--confirm is 'dev', expects 'prod'"),
        (["06", "--set", "nope=1"], "no parameter 'nope'"),
    ],
)
def test_bad_usage_is_a_sentence_before_anything_is_asked(
    world: World, run: Callable[..., Any], arguments: list[str], says: str
) -> None:
    result = run(*arguments)
    assert isinstance(result.exception, UsageError)
    assert says in str(result.exception)
    assert world.taken == []


@pytest.fixture
def run(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """The command, with virtual time."""
    app = typer.Typer()
    cli_watch.register(app)
    monkeypatch.setattr("runbook_lib.commands.watch.Clock", lambda: Clock(sleep=world.sleep, monotonic=lambda: 0.0))
    monkeypatch.setattr("signal.signal", lambda *_: None)

    def command(*arguments: str) -> Any:
        tail = ["--params", str(FILE), "--set", f"archive={tmp_path / 'archive'}"]
        return CliRunner().invoke(app, [*arguments, *tail])

    return command


def test_json_is_one_line_a_look(world: World, run: Callable[..., Any]) -> None:
    world.script = lambda at: "HOLD" if at >= after(10) else "SOAK"
    result = run("06", "--json")
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(one["at"], one["decision"]) for one in told] == [(iso(after(5)), "SOAK"), (iso(after(10)), "HOLD")]
    assert result.exit_code == 3
    assert set(told[0]) == set(Look.__dataclass_fields__)


def test_plain_lines_where_there_is_no_terminal(world: World, run: Callable[..., Any]) -> None:
    world.script = lambda at: "ROLLBACK" if at >= after(10) else "SOAK"
    result = run("06", "--auto-rollback", "--confirm", "prod")
    assert result.exit_code == 4
    assert result.stdout.splitlines() == [
        "2026-11-10 03:06 UTC  SOAK  because",
        "  record: record-0",
        "2026-11-10 03:11 UTC  ROLLBACK  because",
        "  done:   async is off; topic was told (record: rollback-record)",
        "  next:   fix forward",
        "  record: record-1",
    ]


def test_back_filled_lines_are_marked(world: World, run: Callable[..., Any]) -> None:
    world.now = after(15)
    result = run("06", "--once")
    assert [line[:54] for line in result.stdout.splitlines()[:2]] == [
        "2026-11-10 03:06 UTC [back-filled]  SOAK  because",
        "  the same at 1 more look, until 2026-11-10 03:11 UTC",
    ]


def test_looks_that_tell_nothing_new_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    gate = {"id": "dlq", "verdict": "INCONCLUSIVE", "word": "WATCH"}
    quiet = [
        Look(iso(after(at)), "during", "SOAK", "because", "", gates=(gate,), back_filled=True) for at in (5, 10, 15)
    ]
    assert all(cli_watch.alike(one, quiet[0]) for one in quiet)
    cli_watch.again(quiet)
    assert capsys.readouterr().out == "  the same at 2 more looks, until 2026-11-10 03:16 UTC\n"
    cli_watch.again(quiet[:1])
    assert capsys.readouterr().out == ""
    for changed in (
        {"record": "r"},
        {"action": "async is off"},
        {"decision": "HOLD"},
        {"reason": "3 in the DLQ"},
        {"back_filled": False},
        {"gates": ({**gate, "word": "FAIL"},)},
    ):
        assert not cli_watch.alike(replace(quiet[1], **changed), quiet[0]), changed


def test_ctrl_c_says_where_the_record_is(world: World, run: Callable[..., Any]) -> None:
    def sleep(seconds: float) -> None:
        raise KeyboardInterrupt

    world.sleep = sleep  # type: ignore[method-assign]
    result = run("06")
    assert "record: record-0" in result.stderr
    assert result.exit_code == 130


def test_the_live_screen_shows_gates_and_what_was_seen_before(world: World, make: Make) -> None:
    gate = {
        "id": "dlq",
        "title": "DLQ depth",
        "verdict": "FAIL",
        "value": "3",
        "interval": "",
        "n": "",
        "target": "<= 0",
    }
    look = Look(
        iso(T0),
        "during",
        "ROLLBACK",
        "3 in the DLQ",
        "switch off",
        gates=({**gate, "reason": "3"},),
        record="r",
    )
    one = make()
    console = Console(width=120, record=True, force_terminal=False)
    console.print(cli_watch.screen(one, [], 120))
    console.print(
        cli_watch.screen(one, [look, Look("", "unknown", "ERROR", "AWS does not answer", "tries again")], 120)
    )
    text = console.export_text()
    assert "looking at 06_phase1_10_percent in prod" in text
    for said in ("ERROR  AWS does not answer", "Gates as of 2026-11-10 03:01 UTC", "DLQ depth", "FAIL", "record: r"):
        assert said in text
    assert "2026-11-10 03:01 UTC  ROLLBACK  1 FAIL  3 in the DLQ" in text


@pytest.mark.parametrize("width", [70, 80, 120])
def test_on_a_narrow_terminal_the_screen_leaves_columns_out_and_folds_nothing(
    width: int, world: World, make: Make
) -> None:
    one = make()
    run = "4f1c9a7be210"
    folder = Archive.of(one.params).root / "env=prod" / "release=x" / "06" / f"20261123T030000.000Z-{run}"
    long = {"title": "Submissions that end in a report in time", "verdict": "INCONCLUSIVE", "value": "98.76 %"}
    gate = {**long, "interval": "98.12 % to 99.43 %", "n": "12,345", "target": "> 99 %", "reason": "x"}
    look = Look(iso(T0), "during", "SOAK", "SOAK: x", "y", gates=(gate,), record=str(folder))
    console = Console(width=width, record=True, force_terminal=False)
    console.print(cli_watch.screen(one, [look], width))
    lines = console.export_text().splitlines()
    assert any(long["title"] in line and long["verdict"] in line and long["value"] in line for line in lines)
    assert any(line == f"record: runbook archive show {run}" for line in lines)
    assert any(gate["interval"] in line for line in lines) == (width == 120)


def test_a_held_journal_leaves_nothing_on_disk_until_it_is_written(tmp_path: Path) -> None:
    from runbook_lib.record.journal import read_events

    held = Held(tmp_path)
    held.append("note", text="one")
    held.append_or_stderr("decision", outcome={"decision": "PROMOTE"})
    assert len(held.attach("a.json", b"{}")) == 64
    assert list(tmp_path.iterdir()) == []
    held.write()
    assert [event["event"] for event in read_events(tmp_path)] == ["note", "attached"]
    held.write()
    assert len(read_events(tmp_path)) == 2, "once"


@pytest.mark.slow
def test_it_is_light_until_it_looks() -> None:
    import subprocess
    import sys

    heavy = "{'pandas', 'matplotlib', 'numpy', 'scipy', 'papermill', 'nbconvert', 'IPython', 'boto3'}"
    code = f"import sys, runbook_lib.cli.watch; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "notebook", ["05_staging", "06_phase1_10_percent", "07_phase2_50_percent", "08_phase3_100_percent"]
)
def test_a_phase_is_looked_at_as_its_notebook_does(notebook: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Phase 3 has a second soak, after its migration; the class that the notebook makes is the one that looks."""
    source = FILE.parents[1] / "notebooks" / f"{notebook}.ipynb"
    wanted = "Migration" if source.is_file() and "Migration(run)" in source.read_text() else "Phase"
    for module, name in (
        ("runbook_lib.steps.phase.migration", "Migration"),
        ("runbook_lib.steps.phase.phase", "Phase"),
    ):
        monkeypatch.setattr(f"{module}.{name}", lambda run, name=name: name)
    run: Any = SimpleNamespace(notebook=notebook, params=load_file(FILE))
    assert _phase(run) == wanted
