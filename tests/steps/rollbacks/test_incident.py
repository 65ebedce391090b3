"""What the rollback notebooks share: the clock that outlives a crash, symptoms, the message sent once, the decision."""

from __future__ import annotations

import datetime as dt
import html
import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runbook_lib.act.guard import Guard
from runbook_lib.base.errors import Refused
from runbook_lib.judge.gates.checks import Check
from runbook_lib.params.load import load_file
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.journal import Journal
from runbook_lib.record.place import new_run_id
from runbook_lib.steps.rollbacks.incident import Incident, Symptom

ROOT = Path(__file__).resolve().parents[3]
NOTEBOOK = "rollback_1_async_failing"
NOW = dt.datetime(2026, 11, 23, 3, 12, tzinfo=dt.UTC)


class Sns:
    """The topic."""

    def __init__(self) -> None:
        self.sent: list[dict[str, str]] = []

    def client(self, _: str) -> Sns:
        return self

    def publish(self, **request: str) -> None:
        self.sent.append(request)


class Stage:
    """Runs in one archive, without AWS."""

    def __init__(self, folder: Path) -> None:
        self.archive, self.sns = Archive(folder), Sns()

    def run(self, reason: str = "", mode: str = "apply") -> Any:
        params = load_file(ROOT / "params" / "prod.yaml", {"mode": mode, "confirm": "prod", "reason": reason})
        run_id = new_run_id()
        staging = self.archive.stage("prod", params.release, NOTEBOOK, run_id, "test")
        journal = Journal(staging, lenient=True)
        flat = params.flat.model_dump(mode="json")
        journal.append("opened", run_id=run_id, notebook=NOTEBOOK, origin="test", params=flat)
        caller = SimpleNamespace(account=params.account_id, arn="arn:ann", now=NOW)
        made = SimpleNamespace(
            notebook=NOTEBOOK,
            params=params,
            archive=self.archive,
            staging=staging,
            run_id=run_id,
            journal=journal,
            guard=Guard(params, caller, journal),
            aws=self.sns,
            checks={},
            applying=mode == "apply",
        )

        def check(*found: Check) -> None:
            for one in found:
                made.checks[one.id] = one
                journal.append("check", check=one.model_dump(mode="json"))

        def decide(outcome: Any, moment: str = "", **_: Any) -> Any:
            journal.append("decision", moment=moment, look=0, outcome=outcome.model_dump(mode="json"))
            return outcome

        made.check, made.decide, made.made_of = check, decide, lambda *_: None
        return made

    def seal(self, run: Any, status: Any = "completed") -> Any:
        return self.archive.load(seal_staged(self.archive, run.staging, status=status))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "archive")


def acted(incident: Incident, key: str = "7") -> Incident:
    incident.decided(NOW - dt.timedelta(seconds=4))
    incident.was_set(NOW, follows_s=60, key=key)
    return incident


def test_the_clock_is_in_the_record_and_judged_against_the_limit(stage: Stage) -> None:
    run = stage.run()
    incident = acted(Incident(run))
    outcome = incident.conclude(acted=True, would="", done="async is off", then="find the cause")
    record = stage.seal(run)
    assert record.incident is not None and record.incident["key"] == "7"
    (one,) = [one for one in record.checks if one["id"] == "rollback_1.time_to_effect"]
    assert (one["verdict"], one["facts"]["seconds_to_set"], one["facts"]["seconds_to_effect"]) == ("PASS", 4, 64)
    assert (record.decision, outcome.decision, record.moment) == ("PROMOTE", "PROMOTE", "rollback_1")
    assert "async is off, in effect 64 s after the decision (limit 5 min)" in outcome.reason, "in the first screen"


def test_a_later_run_goes_on_with_the_clock_of_the_first(stage: Stage) -> None:
    first = stage.run()
    acted(Incident(first))
    stage.seal(first)
    again = Incident(stage.run())
    assert again.resume("8") is None  # somebody has done another thing since
    told = again.resume("7")
    assert told is not None and told.to_effect_s == 64
    assert again.decided() == told


def test_a_run_that_died_after_it_decided_has_not_lost_the_time(stage: Stage) -> None:
    died = stage.run()
    Incident(died).decided(NOW - dt.timedelta(minutes=3))
    stage.seal(died, "died")
    told = Incident(stage.run()).resume("7")
    assert told is not None and told.decided_at == "2026-11-23T03:09:00Z"


@pytest.mark.parametrize("late", [7, 63, 900])
def test_repetitions_never_take_the_clock_of_the_first_decision_away(stage: Stage, late: int) -> None:
    first = stage.run()
    acted(Incident(first))
    stage.seal(first)
    repeated = stage.run()
    Incident(repeated).decided(NOW + dt.timedelta(seconds=late))  # as the command of version 0.1 left it
    stage.seal(repeated)
    again = Incident(stage.run())
    told = again.resume("7", NOW)
    assert told is not None and told.to_effect_s == 64
    outcome = again.conclude(acted=True, would="", done="async is off", then="find the cause")
    assert "in effect 64 s after the decision" in outcome.reason


def test_what_was_in_force_before_every_decision_is_not_measured(stage: Stage) -> None:
    repeated = stage.run()
    Incident(repeated).decided(NOW + dt.timedelta(seconds=63))
    stage.seal(repeated)
    again = Incident(stage.run())
    assert again.resume("7", NOW) is None
    again.decided(NOW + dt.timedelta(seconds=63))
    again.was_set(NOW, 60, "7")
    outcome = again.conclude(acted=True, would="", done="async is off", then="find the cause")
    assert outcome.decision == "PROMOTE" and "not measured" in outcome.reason, outcome.reason


def test_an_altered_record_is_left_out_with_a_warning(stage: Stage) -> None:
    first = stage.run()
    acted(Incident(first))
    stage.seal(first)
    (ref,) = stage.archive.records()
    (ref.folder / "journal.jsonl").write_text("{}\n")
    run = stage.run()
    assert Incident(run).resume("7") is None
    assert "altered" in run.guard.warnings[0]


@pytest.mark.parametrize(
    ("present", "reason", "verdict", "confirmed"),
    [
        ([True, False], "", "PASS", True),
        ([False, False], "the pager says so", "PASS", True),
        ([False, False], "", "FAIL", False),
        ([None, False], "", "NO_DATA", False),
    ],
)
def test_symptoms_are_confirmed_or_overridden(
    stage: Stage, present: list[bool | None], reason: str, verdict: str, confirmed: bool
) -> None:
    run = stage.run(reason)
    incident = Incident(run)
    found = [Symptom(f"s{n}", f"Symptom {n}", one, f"words {n}") for n, one in enumerate(present)]
    assert "Symptom 0" in str(incident.symptoms(found, required=True))
    noted = run.checks["rollback_1.symptoms"]
    assert (noted.verdict, noted.required, incident.confirmed) == (verdict, True, confirmed)
    if confirmed:
        incident.may_raise()
    else:
        with pytest.raises(Refused, match="give a reason"):
            incident.may_raise()


def test_people_are_told_once_for_what_was_done(stage: Stage) -> None:
    first = stage.run("everything fails")
    incident = acted(Incident(first))
    incident.tell("async is off")
    incident.tell("complete")
    assert first.checks["rollback_1.notified"].facts["keys"] == ["7: async is off", "7: complete"]
    stage.seal(first)
    assert [one["Subject"] for one in stage.sns.sent] == [
        "[prod] Scenario 1: async endpoint failing: async is off",
        "[prod] Scenario 1: async endpoint failing: complete",
    ]
    assert "everything fails" in stage.sns.sent[0]["Message"]
    again = acted(Incident(stage.run()))
    assert first.run_id in str(again.tell("async is off"))
    assert again.run.checks["rollback_1.notified"].ok, "the last record says it as well"
    assert len(stage.sns.sent) == 2
    acted(Incident(stage.run()), key="9").tell("async is off")
    assert len(stage.sns.sent) == 3


def test_a_run_that_was_killed_before_it_noted_that_people_know_does_not_have_them_told_twice(stage: Stage) -> None:
    first = stage.run()
    acted(Incident(first)).tell("async is off")
    kept = [line for line in (first.staging / "journal.jsonl").read_text().splitlines() if ".notified" not in line]
    (first.staging / "journal.jsonl").write_text("".join(f"{line}\n" for line in kept))
    stage.seal(first)
    again = acted(Incident(stage.run()))
    again.tell("async is off")
    assert len(stage.sns.sent) == 1
    assert again.run.checks["rollback_1.notified"].reason == "the SNS topic was told by an earlier run"


def test_what_has_other_figures_at_each_run_is_told_once(stage: Stage) -> None:
    first = stage.run()
    acted(Incident(first)).tell("10 workers, for 80 jobs", about="more workers")
    stage.seal(first)
    acted(Incident(stage.run())).tell("10 workers, for 70 jobs", about="more workers")
    assert [one["Subject"].rpartition(": ")[2] for one in stage.sns.sent] == ["10 workers, for 80 jobs"]


def test_nobody_is_told_of_a_plan(stage: Stage) -> None:
    assert "plan" in str(Incident(stage.run(mode="plan")).tell("async is off"))
    assert stage.sns.sent == []


def test_the_post_mortem_is_in_the_record(stage: Stage) -> None:
    run = stage.run("everything fails")
    incident = acted(Incident(run))
    incident.conclude(acted=True, would="", done="async is off", then="find the cause")
    run.guard.change(
        "switch off",
        before={"number": 1},
        after={"number": 2},
        undo="",
        do=lambda: None,
        read_back=lambda: {"number": 2},
        raises=False,
    )
    shown = incident.post_mortem({"Failures": ["- LLM 529"]})
    assert "#### Post-mortem" in shown._repr_markdown_()[0] and "LLM 529" in str(shown), "rendered, not folded away"
    record = stage.seal(run)
    text = html.unescape(next(stage.archive.records()[0].folder.glob("post-mortem.md")).read_text())
    assert "post-mortem.md" in record.files
    for wanted in (
        "everything fails",
        "LLM 529",
        "decided to roll back",
        "set, 4 s after the decision",
        "switch off (number 1 -> 2)",
        "rollback_1_async_failing @ prod: DONE: the rollback",
    ):
        assert wanted in text


def test_the_post_mortem_has_this_runs_own_decision_however_long_it_takes_to_write(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident = acted(Incident(stage.run("everything fails")))
    incident.conclude(acted=True, would="", done="async is off", then="find the cause")
    seconds = itertools.count()
    monkeypatch.setattr(Guard, "now", property(lambda _: NOW + dt.timedelta(minutes=5, seconds=next(seconds))))
    assert "@ prod: DONE: the rollback" in str(incident.post_mortem())


def test_planned_says_what_it_would_do(stage: Stage) -> None:
    incident = Incident(stage.run(mode="plan"))
    outcome = incident.conclude(acted=False, would="async would be off", done="", then="")
    assert outcome.reason == "async would be off"
    assert "PLANNED" in str(incident.verdict(outcome))
