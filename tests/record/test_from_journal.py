from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from runbook_lib.record.from_journal import _READERS, from_journal
from runbook_lib.record.record import Problem, Record


def _events(*events: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"seq": n, "at": f"2026-11-23T03:00:0{n}+00:00", "event": name, **data}
        for n, (name, data) in enumerate(events, 1)
    ]


def test_a_whole_run(opened: dict[str, Any], gate_result: Callable[..., dict[str, Any]]) -> None:
    gate = gate_result()
    record = from_journal(
        _events(
            ("opened", {**opened, "run_id": "abc"}),
            (
                "caller",
                {"account_id": "000000000101", "arn": "arn:x", "operator": "me", "as_of": "2026-11-23T03:00:00+00:00"},
            ),
            ("traffic", {"when": "before", "state": {"dial_percent": 0}}),
            ("census", {"segment": {"completed": 3}}),
            ("census", {"segment": None}),
            ("evidence", {"evidence": {"success": {"n": 3}}}),
            ("intent", {"id": "i1", "what": "dial"}),
            ("outcome", {"intent": "i1", "ok": True}),
            (
                "decision",
                {"moment": "after", "outcome": {"decision": "PROMOTE", "reason": "r", "next": "n", "results": [gate]}},
            ),
        )
        + _events(*[("note", {})] * 9, ("traffic", {"when": "after", "state": {"dial_percent": 10}}), ("closed", {}))[
            9:
        ],
        status="completed",
    )
    assert (record.env, record.release, record.mode, record.run_id) == ("dev", "r1", "apply", "abc")
    assert (record.operator, record.caller_arn, record.as_of) == ("me", "arn:x", "2026-11-23T03:00:00+00:00")
    assert (record.decision, record.moment, record.outcome) == (
        "PROMOTE",
        "after",
        {"decision": "PROMOTE", "said": None, "reason": "r", "next": "n"},
    )
    assert record.gates == (gate,)
    assert (record.traffic_before, record.traffic_after) == ({"dial_percent": 0}, {"dial_percent": 10})
    assert (record.census, record.evidence) == (({"completed": 3},), {"success": {"n": 3}})
    assert record.open_changes == () and len(record.changes) == 1
    assert record.opened_at is not None and record.closed_at is not None
    assert (record.warnings, record.error) == ((), None)


def test_a_run_that_ends_before_it_was_opened_has_the_parameters_it_was_given() -> None:
    given = {"mode": "apply", "attempt": 2, "env": "prod", "account_id": "000000000101", "confirm": "prod"}
    record = from_journal([], status="cancelled", owner={"run_id": "abc", "params": given})
    assert (record.mode, record.attempt, record.env, record.account_id) == ("apply", 2, "prod", "000000000101")
    assert record.params == given
    assert from_journal([], status="died", owner={"params": "spoilt"}).mode == "plan"


def test_a_crash_between_intent_and_outcome_is_visible() -> None:
    record = from_journal(
        _events(("intent", {"id": "a"}), ("intent", {"id": "b"}), ("outcome", {"intent": "a", "ok": True})),
        status="died",
    )
    assert [change.intent["id"] for change in record.open_changes] == ["b"]


def test_a_change_that_could_not_be_read_back_is_open_too() -> None:
    record = from_journal(
        _events(("intent", {"id": "a"}), ("outcome", {"intent": "a", "ok": None})), status="completed"
    )
    assert len(record.open_changes) == 1


def test_outcomes_find_their_intents_by_id_or_number_or_else_the_latest() -> None:
    record = from_journal(
        _events(
            ("intent", {"id": "a"}),
            ("intent", {}),
            ("intent", {}),
            ("outcome", {"intent": 2, "n": 1}),
            ("outcome", {"n": 2}),
            ("outcome", {"intent": "zz"}),
        ),
        status="completed",
    )
    assert [change.outcome and change.outcome.get("n") for change in record.changes] == [None, 1, 2]
    assert record.warnings == ("an outcome answers no known intent (zz)",)


def test_the_last_result_of_a_gate_counts(gate_result: Callable[..., dict[str, Any]]) -> None:
    record = from_journal(
        _events(*[("gate", {"result": gate_result(verdict=verdict)}) for verdict in ("FAIL", "PASS")]),
        status="completed",
    )
    assert [gate["verdict"] for gate in record.gates] == ["PASS"]


def test_without_a_journal_the_owner_tells_what_it_knows() -> None:
    record = from_journal(
        [], status="died", owner={"env": "prod", "release": "r", "notebook": "n", "run_id": "x", "pid": 1}
    )
    assert (record.env, record.release, record.notebook, record.run_id, record.status) == (
        "prod",
        "r",
        "n",
        "x",
        "died",
    )


def test_a_missing_number_is_an_event_that_could_not_be_written() -> None:
    events = _events(("note", {"text": "a"}), ("note", {"text": "b"}), ("note", {"text": "c"}))
    record = from_journal([events[0], events[2], {"event": "torn", "seq": None, "text": "{"}], status="died")
    assert record.notes == ("a", "c")
    assert record.warnings == (
        "a line of the journal was torn by a crash: '{'",
        "the journal lacks event 2: it could not be written",
    )


def test_an_error_explains_a_run_that_failed_and_not_one_that_completed() -> None:
    events = _events(("error", {"type": "AwsError", "text": "no answer"}))
    assert from_journal(events, status="failed").error == Problem(type="AwsError", sentence="no answer")
    assert from_journal(events, status="completed").error is None
    given_ = Problem(type="X", sentence="y")
    assert from_journal(events, status="failed", error=given_).error == given_


def test_a_decision_only_told_at_the_close_is_kept() -> None:
    record = from_journal(_events(("closed", {"decision": "HOLD", "reason": "r", "next": "n"})), status="completed")
    assert (record.decision, record.outcome) == ("HOLD", {"decision": "HOLD", "said": None, "reason": "r", "next": "n"})


def test_values_of_a_wrong_type_are_left_out_with_a_warning(opened: dict[str, Any]) -> None:
    bad = {**opened, "policy": "none", "params": {**opened["params"], "attempt": "many"}}
    record = from_journal(_events(("opened", bad), ("opened", {"params": None, "policy": 3})), status="completed")
    assert record.policy == {} and record.env == "dev" and record.attempt == 1
    assert len(record.warnings) == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda x: (
        st.lists(x, max_size=3)
        | st.dictionaries(st.sampled_from(["gate", "id", "decision", "results", "env", "intent", "seq"]), x, max_size=3)
    ),
    max_leaves=6,
)
KEYS = [
    "params",
    "policy",
    "outcome",
    "result",
    "state",
    "when",
    "evidence",
    "segment",
    "text",
    "type",
    "intent",
    "id",
    "run_id",
    "notebook",
    "moment",
    "versions",
]


@given(
    st.lists(
        st.fixed_dictionaries({"event": st.sampled_from([*_READERS, "other"])}, optional=dict.fromkeys(KEYS, JSON)),
        max_size=6,
    )
)
@example(events=[{"event": "decision", "outcome": {"results": True}}])
def test_there_is_always_a_record(events: list[dict[str, Any]]) -> None:
    record = from_journal(events, status="died")
    assert Record.model_validate(record.dump()) == record
