"""No surface shows a decision twice, or loses it: of a record of today, of version 0.1, and of a journal of either."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base import foreign
from runbook_lib.base.errors import NOTHING
from runbook_lib.judge import words
from runbook_lib.judge.model import Outcome
from runbook_lib.judge.terms import Decision, Word
from runbook_lib.record.from_journal import from_journal
from runbook_lib.record.index.tables import rows_of
from runbook_lib.record.markdown import markdown
from runbook_lib.record.record import Problem, Record
from runbook_lib.record.report import headline
from runbook_lib.record.site.pages import Pages
from runbook_lib.rollout.timeline import story
from runbook_lib.run.launch import finished
from runbook_lib.show.verdicts import closing_note, verdict_banner

REASONS = (
    st.builds(
        "".join,
        st.lists(
            st.sampled_from(["async is off", "06 says HOLD: x", "DONE: ", "PROMOTE: ", "p95", "; ", " ", "7 %"]),
            min_size=1,
        ),
    )
    .map(str.strip)
    .filter(bool)
)
OUTCOMES = st.builds(
    lambda decision, reason, done: Outcome(
        decision=decision,
        said=Word.DONE if done and decision is Decision.PROMOTE else None,
        reason=reason,
        next="Go on.",
    ),
    st.sampled_from(Decision),
    REASONS,
    st.booleans(),
)


def records(outcome: Outcome) -> list[Record]:
    """The same run as four versions have it: sealed today and by 0.1, and the journals of both."""
    today = outcome.model_dump(mode="json", exclude={"results"})
    old = {key: value for key, value in today.items() if key != "said"} | {"reason": outcome.told}
    facts: dict[str, Any] = {"status": "completed", "as_of": "2026-11-23T03:00:00+00:00", "notebook": "06"}
    made = [
        Record.model_validate({**facts, "schema": schema, "decision": str(outcome.decision), "outcome": said})
        for schema, said in ((2, today), (1, old))
    ]
    opened = {"event": "opened", "notebook": "06", "params": {"as_of": facts["as_of"]}}
    for said in (today, old):
        for event in ({"event": "decision", "outcome": said}, {"event": "closed", **said}):
            made.append(from_journal([opened, event], status="completed"))
    return made


@pytest.mark.slow
@given(OUTCOMES)
def test_every_surface_says_the_decision_once(outcome: Outcome) -> None:
    word, line, sentence = outcome.word, f"{outcome.word}: {outcome.reason}", words.shown(outcome.reason)
    shown = str(verdict_banner(outcome)).splitlines()
    assert shown[0].split() == [shown[0].split()[0], word] and shown[1] == f"  Why: {sentence}"
    assert f"{word}. Next: Go on." in str(closing_note("r", outcome, None))
    for record in records(outcome):
        assert (record.told.word, record.told.line, record.decision) == (word, line, str(outcome.decision))
        assert (headline(record).word, headline(record).reason) == (word, sentence)
        head, _, why, *_ = markdown(record).splitlines()
        assert head.split()[2] == f"{word}:" and why == foreign.markdown(sentence)
        (decided,) = story([record]).decisions
        assert (decided.told, decided.decision) == (line, str(outcome.decision))
        ref = SimpleNamespace(folder=Path(), report=Path("none"))
        assert finished(SimpleNamespace(load=lambda _, one=record: one), ref).reason == line


@pytest.mark.parametrize("begun", [False, True])
def test_a_run_that_failed_says_once_whether_something_was_changed(begun: bool) -> None:
    changes = ({"intent": {"what": "dial 10 %"}, "outcome": None},) if begun else ()
    facts = {"status": "failed", "changes": changes}
    today = Record.model_validate({**facts, "error": Problem(type="Refused", sentence="no")})
    old = Record.model_validate({**facts, "schema": 1, "error": Problem(type="Refused", sentence=f"no{NOTHING}")})
    said = "no; begun and not read back: dial 10 %" if begun else f"no{NOTHING}"
    assert today.failure == old.failure == said
    event = {"event": "error", "type": "Refused", "text": f"no{NOTHING}"}
    assert from_journal([event], status="failed").failure == f"no{NOTHING}"
    ref = SimpleNamespace(folder=Path(), report=Path("none"))
    told = finished(SimpleNamespace(load=lambda _: today), ref).reason
    assert told == f"failed: {said}"


@pytest.mark.slow
@given(st.lists(st.sampled_from(["switch off", "dial 0 %"])), st.lists(st.sampled_from(["inform people"])))
def test_a_run_that_failed_behind_a_change_of_the_same_command_does_not_deny_it(
    before: list[str], within: list[str]
) -> None:
    changes = tuple({"intent": {"what": what}, "outcome": None} for what in within)
    record = Record.model_validate(
        {"status": "failed", "changes": changes, "error": Problem(type="AwsError", sentence="a web page answered")}
    )
    ref = SimpleNamespace(folder=Path(), report=Path("none"))
    told = finished(SimpleNamespace(load=lambda _: record), ref, before).reason
    assert (NOTHING in told) is not bool(before or within)
    assert all(what in told for what in (*before, *within))


def _check(id: str, verdict: str) -> dict[str, Any]:
    return {"id": f"rollback_1.{id}", "verdict": verdict, "required": True, "reason": "so it is"}


def _off(one: Outcome) -> Outcome:
    return one.model_copy(update={"said": Word.ASYNC_IS_OFF}) if one.decision == "SOAK" else one


@given(
    OUTCOMES.map(_off),
    st.sampled_from(["completed", "failed", "cancelled", "died"]),
    st.booleans(),
    st.sampled_from(["papermill", "command", "watch"]),
    st.sampled_from(["06", "rollback_1_async_failing", "dlq"]),
    st.sampled_from([(), (_check("off", "FAIL"),), (_check("told", "FAIL"),)]),
)
def test_report_archive_and_site_have_one_word_for_a_run(
    outcome: Outcome, status: Any, decided: bool, origin: str, notebook: str, checks: Any
) -> None:
    said = {"decision": str(outcome.decision), "outcome": outcome.model_dump(mode="json", exclude={"results"})}
    raw = {"schema": 3, "status": status, "origin": origin, "notebook": notebook, "run_id": "a" * 12, "checks": checks}
    record = Record.model_validate(raw | (said if decided else {}))
    (row,) = rows_of(record.dump(), "folder")["runs"]
    site = Pages("..")._run(row | {"at": "2026-11-23T03:00:00Z"})["word"]
    assert row["word"] == record.word == site == headline(record).word
    assert f" {record.word}: " in markdown(record)
    if decided and status == "completed":
        assert record.word == outcome.word == record.told.word
