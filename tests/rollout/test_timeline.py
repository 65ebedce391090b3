"""The rollout from its records: the weight over time, decisions, what was noted; and the chart of it."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pytest

from runbook_lib.judge.terms import Word
from runbook_lib.record.record import Change, Problem, Record
from runbook_lib.rollout.timeline import chart, story
from runbook_lib.show.rollout import SHAPES

BEGAN = dt.datetime(2025, 6, 2, 3, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def at(hours: float) -> str:
    return (BEGAN + hours * HOUR).isoformat()


def record(notebook: str, hours: float, decision: str | None = "PROMOTE", **more: Any) -> Record:
    given = {"env": "prod", "as_of": at(hours), "run_id": f"{notebook[:2]}r{hours:g}", "mode": "apply"}
    given |= {"status": "completed", **more}
    outcome = {"decision": decision, "reason": f"{decision}: because"} if decision else None
    return Record(notebook=notebook, decision=decision, outcome=outcome, **given)


def state(weight: float, since: float | None = None, **more: Any) -> dict[str, Any]:
    return {"weight": weight, "dial_since": at(since) if since is not None else None, "switch_since": None, **more}


ROLLOUT = [
    record("01_preflight", 0),
    record("02_deploy_dev", 1, env="dev"),
    record("06_phase1_10_percent", 2, "SOAK", traffic_before=state(0), traffic_after=state(10, 2.1)),
    record("06_phase1_10_percent", 14, "SOAK", mode="plan", traffic_before=state(10, 2.1)),
    record("entry", 15, None, entry={"kind": "note", "by": "Ana", "text": "The queue alarm was loud."}),
    record("entry", 16, None, entry={"kind": "approval", "by": "Ben", "text": "yes"}),
    record("06_phase1_10_percent", 27, traffic_before=state(10, 2.1), traffic_after=state(10, 2.1)),
    record("07_phase2_50_percent", 28, "SOAK", traffic_before=state(10, 2.1), traffic_after=state(50, 28.1)),
    record("07_phase2_50_percent", 40, "ROLLBACK", traffic_before=state(0, 33), traffic_after=state(0, 33)),
]


def test_the_weight_is_a_step_at_the_moment_that_aws_names() -> None:
    told = story(random.Random(3).sample(ROLLOUT, len(ROLLOUT)))
    hours = [(round((when - BEGAN) / HOUR, 1), weight) for when, weight in told.weights["prod"]]
    assert hours == [(2, 0), (2.1, 10), (28.1, 50), (33, 0)], "AppConfig's own rollback is where it happened"
    assert list(told.weights) == ["prod"], "dev has no traffic"


def test_a_record_stands_at_the_time_of_its_last_action_behind_what_it_did() -> None:
    """A rollback that began at 33 h turns the switch off minutes later; a look in between was judged before that."""
    change = Change(intent={"what": "switch off", "aws_at": at(33.2)}, outcome={"ok": True, "aws_at": at(33.3)})
    acted = record("rollback_1_async_failing", 33, "SOAK", changes=(change,))
    told = story([acted, record("06_phase1_10_percent", 33.25, "ROLLBACK")])
    assert [one.notebook[:2] for one in told.decisions] == ["06", "ro"]
    assert told.changes[0][0] < told.decisions[1].at == BEGAN + 33.3 * HOUR
    assert story([record("06", 5)]).decisions[0].at == BEGAN + 5 * HOUR, "without an action: when it judged"


def test_where_aws_names_no_moment_it_is_that_of_the_look() -> None:
    told = story([record("08", 1, traffic_before=state(50)), record("08", 5, traffic_before=state(100))])
    assert [(when - BEGAN) / HOUR for when, _ in told.weights["prod"]] == [1, 5]


def test_the_migration_has_a_moment_of_its_own() -> None:
    migrated = state(100, 3, migrated=True, migrated_since=at(7))
    told = story([record("08", 6, traffic_before=state(0, 1)), record("08", 8, traffic_before=migrated)])
    assert told.weights["prod"][-1] == (BEGAN + 7 * HOUR, 100)


def test_decisions_and_notes() -> None:
    told = story(ROLLOUT)
    assert told.began == BEGAN
    assert [one.decision for one in told.decisions].count("SOAK") == 3
    assert told.notes == ((BEGAN + 15 * HOUR, "Ana", "The queue alarm was loud."),), "an approval is no issue"


def changed(what: str, hours: float, ok: bool | None = True, **facts: Any) -> dict[str, Any]:
    intent = {"what": what, "aws_at": at(hours), "before": facts.get("before"), "after": facts.get("after")}
    return {"intent": intent, "outcome": None if ok is None else {"ok": ok}}


def test_what_was_changed_is_told_with_its_numbers_and_how_it_ended() -> None:
    changes = [
        changed("the workers", 2, before={"reserved": 5, "on": True}, after={"reserved": 10, "on": False}),
        changed("the dial", 1, ok=False),
        changed("the table", 3, ok=None),
    ]
    record_ = Record.model_validate({"notebook": "rollback_2", "as_of": at(1), "run_id": "r", "changes": changes})
    assert story([record_]).changes == (
        (BEGAN + HOUR, "the dial: did not read back", "r", ""),
        (BEGAN + 2 * HOUR, "the workers (reserved 5 -> 10)", "r", ""),
        (BEGAN + 3 * HOUR, "the table: started; how it ended is not known", "r", ""),
    )


def test_what_is_the_same_for_many_is_told_once_and_a_hash_by_its_beginning() -> None:
    alarms = changed("write alarms", 1, before={"a": "missing", "b": "missing"}, after={"a": "made", "b": "made"})
    board = changed("dashboard", 2, before={"sha256": ""}, after={"sha256": "0123456789ab" + "c" * 52})
    found = Record.model_validate({"notebook": "04", "as_of": at(1), "run_id": "r", "changes": [alarms, board]})
    assert [told for _, told, *_ in story([found]).changes] == [
        "write alarms (a, b: missing -> made)",
        "dashboard (sha256 none -> 0123456789ab...)",
    ]


def test_a_record_without_a_time_is_left_out() -> None:
    assert story([Record(notebook="01_preflight", decision="PROMOTE")]).decisions == ()
    assert story([]).began is None


@pytest.mark.slow
def test_the_chart_says_in_words_what_it_shows() -> None:
    shown = str(chart(story(ROLLOUT), {"01_preflight": "Preflight"}, ["prod"]))
    for wanted in (
        "prod 0 % from 2025-06-02 05:00 UTC",
        "50 % from 2025-06-03 07:06 UTC",
        "Preflight PROMOTE",
        "(dev)",
        "ROLLBACK",
    ):
        assert wanted in shown
    assert str(chart(story([]), {}, [])) == "The rollout (UTC): nothing."


def test_a_dot_has_the_word_of_its_report() -> None:
    done = record("01_preflight", 0)
    done = done.model_copy(update={"outcome": {"decision": "PROMOTE", "said": "DONE", "reason": "because"}})
    assert "Preflight DONE" in str(chart(story([done]), {"01_preflight": "Preflight"}, ["prod"]))
    told = tuple(Word)[tuple(Word).index(Word.PLANNED) : tuple(Word).index(Word.MITIGATED) + 1]
    assert set(SHAPES) == set(map(str, told)), "a word without a shape is not drawn"


@pytest.mark.parametrize("decision", [None, "SOAK"])
def test_a_run_that_changed_something_and_did_not_complete_stands_there_with_both(decision: str | None) -> None:
    """A rollback that was interrupted behind its effect was not in the story, or with the decision that it had made."""
    done = Change(intent={"what": "switch off", "aws_at": at(33.2)}, outcome={"ok": True, "aws_at": at(33.3)})
    given = {"status": "cancelled", "error": Problem(type="Cancelled", sentence="interrupted")}
    (one,) = story([record("rollback_1_async_failing", 33, decision, changes=(done,), **given)]).decisions
    assert one.told == "CANCELLED: interrupted; changed before that: switch off"
    assert story([record("06_phase1_10_percent", 33, None, **given)]).decisions == (), "it did nothing"
