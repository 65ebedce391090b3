"""One incident, one story: every screen proposes the same command, it can be pasted, and it moves on."""

from __future__ import annotations

import datetime as dt
import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
import typer.main
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.errors import Exit
from runbook_lib.base.window import iso
from runbook_lib.cli.app import app
from runbook_lib.judge import words
from runbook_lib.judge.model import Outcome
from runbook_lib.judge.terms import Decision
from runbook_lib.observe.traffic.state import Deployment, Event, TrafficState
from runbook_lib.params.load import Params, load_file
from runbook_lib.record import staging as folders
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.entry import Entry, enter
from runbook_lib.record.journal import Journal
from runbook_lib.record.record import Record
from runbook_lib.rollout.approval import evidence
from runbook_lib.rollout.known import needed
from runbook_lib.rollout.next_step import Next, Standing, standing, told
from runbook_lib.rollout.people import Asked

ROOT = Path(__file__).resolve().parents[2]
PARAMS = load_file(ROOT / "params" / "prod.yaml")
PHASES = PARAMS.policy.phases
ORDER = [f"{notebook}@{env}" for notebook, env in needed(PARAMS.policy.steps)]
SHIFTS = ("06_phase1_10_percent", "07_phase2_50_percent", "08_phase3_100_percent")
ROLLBACKS = ("rollback_1_async_failing", "rollback_2_queue_backlog", "rollback_3_dynamodb_throttling")
BEGAN = dt.datetime(2026, 11, 9, tzinfo=dt.UTC)


def hour(number: float) -> str:
    return iso(BEGAN + dt.timedelta(hours=number))


def outcome(decision: str, scenario: str | None = None, back: str | None = None) -> Outcome:
    return Outcome(decision=Decision(decision), reason="so it is", next="Go on.", scenario=scenario, come_back_at=back)


class Stage:
    """Records in an archive, a traffic state beside them, and an hour that passes with each record."""

    def __init__(self, folder: Path) -> None:
        self.archive, self.hour = Archive(folder), 0
        self.dial, self.on, self.migrated = 0.0, False, False
        self.history: list[Deployment] = []
        self.switch: Deployment | None = None
        self.since: str | None = None

    @property
    def now(self) -> dt.datetime:
        return BEGAN + dt.timedelta(hours=self.hour)

    def seal(
        self, step: str, made: Outcome | None, *, mode: str = "apply", attempt: int = 1, status: Any = "completed"
    ) -> None:
        self.hour += 1
        notebook, _, env = step.partition("@")
        run_id = f"{self.hour:012d}"
        journal = Journal(self.archive.stage(env, PARAMS.release, notebook, run_id, "papermill"))
        flat = {**PARAMS.flat.model_dump(mode="json"), "env": env, "mode": mode, "attempt": attempt}
        journal.append("opened", run_id=run_id, notebook=notebook, params=flat)
        journal.append("caller", account_id="1", arn="arn:test", as_of=hour(self.hour))
        if made is not None:
            journal.append("decision", outcome=made.model_dump(mode="json"))
        seal_staged(self.archive, journal.folder, status=status)

    def passed(self, until: str) -> None:
        for one in ORDER[: ORDER.index(until)]:
            self.seal(one, outcome("PROMOTE"))

    def shift(self, notebook: str, attempt: int = 1) -> None:
        """The dial goes to the phase's weight, and bakes."""
        self.hour += 1
        about = f"release={PARAMS.release} notebook={notebook} attempt={attempt} run=r"
        percent, number, at = PHASES[notebook].percent, len(self.history) + 1, hour(self.hour)
        made = Deployment(number=number, state="BAKING", percent=percent, description=about, started_at=at)
        self.history.insert(0, made)
        self.dial, self.on, self.since = percent, True, at

    def taken_back(self, by: str) -> None:
        """The newest deployment of the dial is taken back, by AppConfig (an alarm) or a person."""
        self.hour += 1
        if self.history:
            event = Event(type="ROLLBACK_COMPLETED", triggered_by=by, description="", at=hour(self.hour))
            self.history[0] = self.history[0].model_copy(update={"state": "ROLLED_BACK", "events": (event,)})
        before = next((one for one in self.history if one.in_force), None)
        self.dial, self.since = (before.percent or 0.0) if before else 0.0, hour(self.hour)

    def off(self) -> None:
        """The switch, as the kill switch turns it."""
        self.hour += 1
        about, at = f"release={PARAMS.release} notebook={ROLLBACKS[0]} attempt=1 run=kill", hour(self.hour)
        self.switch = Deployment(number=90, state="COMPLETE", enabled=False, description=about, started_at=at)
        self.on, self.since = False, at

    @property
    def state(self) -> TrafficState:
        weight = 100.0 if self.migrated else self.dial if self.on else 0.0
        return TrafficState(
            dial_percent=self.dial,
            switch_on=self.on,
            weight=weight,
            migrated=self.migrated,
            history=tuple(self.history),
            dial_deployment=self.history[0] if self.history else None,
            switch_deployment=self.switch,
            dial_since=self.since,
            switch_since=self.switch.started_at if self.switch else None,
        )

    def standing(self, pending: Record | None = None) -> Standing:
        return standing(PARAMS, self.archive, self.state, self.now, pending)

    def pending(self, step: str, made: Outcome, attempt: int = 1, mode: str = "plan") -> Record:
        notebook, _, env = step.partition("@")
        at = iso(self.now)
        return Record(
            run_id="pending",
            env=env,
            release=PARAMS.release,
            notebook=notebook,
            attempt=attempt,
            status="completed",
            mode=mode,
            as_of=at,
            sealed_at=at,
            decision=str(made.decision),
            outcome=made.model_dump(mode="json", exclude={"results"}),
        )

    def next(self) -> Next:
        return self.standing().next


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    made = Stage(tmp_path)
    made.passed("06_phase1_10_percent@prod")
    return made


@pytest.fixture(scope="module", autouse=True)
def no_power_cut() -> Iterator[None]:
    """Nothing here is to survive a power cut, and hundreds of records are sealed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@cache
def command_line() -> Any:
    return typer.main.get_command(app)


@cache
def loaded(file: str, values: tuple[tuple[str, str | int], ...] = ()) -> Params:
    return load_file(ROOT / file, dict(values))


def pasted(command: str) -> tuple[str, dict[str, Any], Params | None]:
    """What the command line makes of a command: its name, its options, and the parameters that it would run with.

    Raises:
        click.UsageError, UsageError: it cannot be pasted.
    """
    words = shlex.split(command)
    assert words.pop(0) == "runbook"
    group = command_line()
    name, context = "", click.Context(group)
    while isinstance(group, click.Group) or hasattr(group, "commands"):
        word = words.pop(0)
        name, group = f"{name} {word}".strip(), group.commands[word]
    with group.make_context(name, list(words), parent=context) as made:
        given = made.params
    if "params" not in given:
        return name, given, None
    values = dict(one.split("=", 1) for one in given.get("set_") or ())
    typed = {key: int(one) if one.isdigit() and key == "attempt" else one for key, one in values.items()}
    return name, given, loaded(str(given["params"]), tuple(typed.items()))


def moves_on(stage: Stage, found: Standing) -> None:
    """The command can be carried out now, and brings the rollout further."""
    one = found.next
    assert (one.command == "") == (one.kind == "nothing"), one
    if not one.command:
        return
    name, given, params = pasted(one.command)
    if params is not None:
        own = loaded(f"params/{params.env}.yaml")
        assert all(getattr(params, key) == getattr(own, key) for key in ("account_id", "region", "release", "archive"))
    if given.get("apply"):
        assert params is not None and given["confirm"] == params.env
    state = stage.state
    if name == "approve":
        assert one.kind == "approval" and params is not None and not given["yes"]
        assert given["role"] in PHASES[given["what"]].approvers
    if name == "run" and one.kind in ("due", "hold") and given["notebook"] in PHASES and params is not None:
        line = next(each for each in found.lines if (each.notebook, each.env) == (given["notebook"], params.env))
        assert line.state in ("due", "hold")
        newest = max(
            [
                each.attempt
                for each in map(stage.archive.load, stage.archive.records("prod", PARAMS.release, line.notebook))
            ],
            default=1,
        )
        fresh = params.attempt > newest
        if fresh and params.env == "prod" and not state.migrated:
            assert state.weight == PHASES[line.notebook].before_percent, "a new attempt begins at the weight before it"


def test_the_proposal_after_rollback_1_is_to_prove_it_and_then_a_new_attempt(stage: Stage) -> None:
    """The incident of the issue: 06 soaks, async is turned off by hand, 06 is opened again."""
    step = "06_phase1_10_percent@prod"
    stage.shift("06_phase1_10_percent")
    stage.seal(step, outcome("SOAK", back=hour(40)))
    stage.off()
    stage.taken_back("USER")
    stage.seal(f"{ROLLBACKS[0]}@prod", None)
    first = stage.next()
    assert (first.kind, first.command) == (
        "rollback",
        "runbook rollback 1 --params params/prod.yaml --apply --confirm prod",
    )
    assert "has not been verified" in first.words and first.exit_code == Exit.ROLLBACK

    stage.seal(f"{ROLLBACKS[0]}@prod", outcome("SOAK", back=hour(stage.hour + 2 + 7 / 3600)))
    waits = stage.next()
    minute = words.instant(hour(stage.hour + 1 + 7 / 3600))  # sealing took an hour
    assert f"run it again at {minute}" in waits.words, "never earlier than the rollback itself says"
    assert (waits.kind, waits.command) == ("soaking", first.command)
    assert "not proven yet" in waits.words and "UTC" in waits.words and waits.exit_code == Exit.OK

    # 06 is looked at meanwhile: its report says what status says, not that the switch has still to be turned off.
    seen = outcome("ROLLBACK", "rollback_1").model_copy(update={"next": "Run rollback_1: it turns the switch off too."})
    pending = stage.pending(step, seen)
    report = told(seen, pending, stage.standing(pending).next)
    assert report.command == first.command and "turns the switch off" not in report.next

    stage.seal(f"{ROLLBACKS[0]}@prod", outcome("PROMOTE"))
    again = stage.next()
    assert again.command == "runbook run 06_phase1_10_percent --params params/prod.yaml --set attempt=2"
    seen = told(seen, pending, stage.standing(pending).next)
    assert seen.command == again.command and "turns the switch off" not in seen.next


def test_after_a_mitigation_the_old_verdict_is_told_as_history(stage: Stage) -> None:
    stage.shift("06_phase1_10_percent")
    stage.seal("06_phase1_10_percent@prod", outcome("ROLLBACK", "rollback_3"))
    stage.seal(f"{ROLLBACKS[2]}@prod", outcome("PROMOTE"))
    (line,) = (one for one in stage.standing().lines if one.state == "hold")
    said = stage.next().words
    assert line.answered == 3
    assert said == "06_phase1_10_percent in prod: look again: rollback 3 is done since it said ROLLBACK."
    assert line.words not in said, "the reason of a gate that was answered fills a telephone"


def test_a_reason_in_the_words_of_that_note_is_still_a_reason(stage: Stage) -> None:
    """A field says that a decision was answered, not how a sentence begins."""
    stage.shift("06_phase1_10_percent")
    why = outcome("ROLLBACK", "rollback_3").model_copy(update={"reason": "look again: the table is throttled"})
    stage.seal("06_phase1_10_percent@prod", why)
    found = stage.next()
    assert found.rollback == 3 and "since it said" not in found.words


def approved(stage: Stage, notebook: str, attempt: int = 1) -> None:
    """By its role, on the records that are there."""
    run = Asked(notebook, PARAMS, stage.archive, stage.now)
    stands = [one.model_dump() for one in evidence(stage.archive, PARAMS, notebook)]
    (role,) = PHASES[notebook].approvers
    said = Entry(kind="approval", item=notebook, by="Grace", role=role, at=iso(run.now), facts={"evidence": stands})
    params = PARAMS.model_copy(update={"flat": PARAMS.flat.model_copy(update={"attempt": attempt})})
    enter(stage.archive, params, said, "arn:grace")


def test_a_phase_that_has_to_be_approved_is_approved_first(stage: Stage) -> None:
    """06 promotes: its own report, and every screen after it, ask for the approval, then for the plan of 07."""
    step, next_ = "06_phase1_10_percent@prod", "07_phase2_50_percent"
    stage.shift("06_phase1_10_percent")
    made = outcome("PROMOTE")
    pending = stage.pending(step, made, mode="apply")
    report = told(made, pending, stage.standing(pending).next)
    stage.seal(step, made)
    first = stage.next()
    command = f"runbook approve {next_} --role 'engineering lead' --params params/prod.yaml"
    assert (first.kind, first.command, report.command) == ("approval", command, command)
    assert first.exit_code == Exit.OK and first.step == f"{next_}@prod"
    assert "the engineering lead has to approve it first" in first.words

    approved(stage, next_)
    then = stage.next()
    assert (then.kind, then.command) == ("due", f"runbook run {next_} --params params/prod.yaml")
    stage.seal(step, made)  # the approval stands on the record before, which is not the newest any more
    assert stage.next().command == command

    stage.shift(next_)
    assert stage.next().kind != "approval", "the shift is made: nobody approves it afterwards"


def test_a_record_too_old_to_be_approved_is_made_anew_first(stage: Stage) -> None:
    stage.shift("06_phase1_10_percent")
    stage.seal("06_phase1_10_percent@prod", outcome("PROMOTE"))
    stage.hour += 73
    found = stage.next()
    assert found.command == "runbook run 06_phase1_10_percent --params params/prod.yaml", found
    assert "too old to be approved" in found.words and "max_age_h" in found.words
    stage.seal("06_phase1_10_percent@prod", outcome("PROMOTE"))
    assert stage.next().kind == "approval"


def test_who_took_the_weight_back_is_said_as_the_records_say_it(stage: Stage) -> None:
    stage.shift("06_phase1_10_percent")
    stage.off()
    stage.taken_back("USER")
    line = next(one for one in stage.standing().lines if one.notebook == "06_phase1_10_percent")
    assert "AppConfig" not in line.words
    assert "by rollback_1_async_failing (run kill)" in line.words


def test_appconfig_is_named_where_its_alarm_did_it(stage: Stage) -> None:
    stage.shift("06_phase1_10_percent")
    stage.taken_back("CLOUDWATCH_ALARM")
    found = stage.standing()
    line = next(one for one in found.lines if one.notebook == "06_phase1_10_percent")
    assert line.words.startswith("AppConfig took the weight back by itself")
    assert found.next.command.startswith("runbook rollback 1 "), "the switch is still on"


def test_a_plan_of_the_second_attempt_is_applied_as_the_second(stage: Stage) -> None:
    stage.shift("06_phase1_10_percent")
    stage.off()
    stage.taken_back("USER")
    stage.dial = 0.0
    stage.seal("06_phase1_10_percent@prod", outcome("ROLLBACK", "rollback_1"))
    stage.seal(f"{ROLLBACKS[0]}@prod", outcome("PROMOTE"))
    stage.seal("06_phase1_10_percent@prod", outcome("PLANNED"), mode="plan", attempt=2)
    command = "runbook run 06_phase1_10_percent --params params/prod.yaml --set attempt=2 --apply --confirm prod"
    assert stage.next().command == command
    stage.on = True
    stage.shift("06_phase1_10_percent", attempt=2)
    stage.switch = None
    stage.seal("06_phase1_10_percent@prod", outcome("SOAK", back=hour(90)), attempt=2)
    found = stage.next()
    assert (found.kind, found.command) == (
        "soaking",
        "runbook run 06_phase1_10_percent --params params/prod.yaml --set attempt=2",
    )


def test_a_shift_that_was_killed_before_its_soak_is_not_the_promotion_before_it(stage: Stage) -> None:
    """Attempt 1 had passed, and rollback 1 took it back; attempt 2 is killed as soon as the weight is set."""
    name = "06_phase1_10_percent"
    stage.shift(name)
    stage.seal(f"{name}@prod", outcome("PROMOTE"))
    stage.off()
    stage.seal(f"{ROLLBACKS[0]}@prod", outcome("PROMOTE"))
    stage.shift(name, attempt=2)
    journal = Journal(stage.archive.stage("prod", PARAMS.release, name, "f" * 12, "papermill"))
    flat = {**PARAMS.flat.model_dump(mode="json"), "mode": "apply", "attempt": 2}
    journal.append("opened", run_id="f" * 12, notebook=name, params=flat)
    journal.append("intent", id="a", what="dial to 10 %", before={}, after={}, undo="", raises=True)
    journal.append("outcome", intent="a", read_back={}, ok=True)
    owner = journal.folder / folders.FILE
    owner.write_text(json.dumps({**folders.facts(journal.folder), "pid": 2**22 + 1, "start": 1.0}))
    unsealed = stage.next()
    assert (
        " died (run " in unsealed.words
        and "changed before that: " in unsealed.words
        and f"runbook run {name}" in unsealed.command
    )
    (swept,) = stage.archive.sweep()
    assert swept.run_id == "f" * 12
    assert stage.next().command == unsealed.command == f"runbook run {name} --params params/prod.yaml --set attempt=2"


def test_after_a_rollback_of_phase_2_phase_1_is_gone_through_again(stage: Stage) -> None:
    """Phase 2 begins at 10 %: after the rollback nothing is at 10 % any more."""
    stage.seal("06_phase1_10_percent@prod", outcome("PROMOTE"))
    stage.shift("06_phase1_10_percent")
    stage.shift("07_phase2_50_percent")
    stage.seal("07_phase2_50_percent@prod", outcome("ROLLBACK", "rollback_1"))
    assert stage.next().command.startswith("runbook rollback 1 ")
    stage.off()
    stage.taken_back("USER")
    stage.dial = 0.0
    stage.seal(f"{ROLLBACKS[0]}@prod", outcome("PROMOTE"))
    found = stage.standing()
    assert found.next.command == "runbook run 06_phase1_10_percent --params params/prod.yaml --set attempt=2"
    states = {one.notebook: one.state for one in found.lines if one.env == "prod"}
    assert (states["06_phase1_10_percent"], states["07_phase2_50_percent"]) == ("hold", "missing")


@pytest.mark.parametrize("step", [one for one in ORDER if PARAMS.policy.steps[one.split("@")[0]].requires])
def test_a_step_that_holds_for_missing_predecessors_waits_for_the_first_that_can_be_done(
    tmp_path: Path, step: str
) -> None:
    """`status` proposed the held step again, which can only hold again, and `watch` the first of the rollout."""
    stage = Stage(tmp_path)
    first = stage.next()
    stage.seal(step, outcome("HOLD"), mode="plan")
    assert stage.next() == first
    idle = outcome("PLANNED")
    assert stage.standing(stage.pending(step, idle)).next == first, "watch before the shift"
    line = next(one for one in stage.standing().lines if f"{one.notebook}@{one.env}" == step)
    assert (line.state, line.command) == ("missing", "")


def test_a_rollback_that_was_refused_or_only_planned_is_not_unfinished(stage: Stage) -> None:
    before = stage.next().command
    stage.seal(f"{ROLLBACKS[1]}@prod", None, status="failed")
    stage.seal(f"{ROLLBACKS[0]}@prod", outcome("PLANNED"), mode="plan")
    assert stage.standing().unfinished is None and stage.next().command == before


@pytest.mark.parametrize(
    ("kind", "code"), [("due", 0), ("soaking", 0), ("nothing", 0), ("hold", 3), ("change", 3), ("rollback", 4)]
)
def test_status_ends_with_the_code_that_its_help_promises(kind: Any, code: int) -> None:
    assert Next(kind, "", "").exit_code == code


DECISIONS = ("PLANNED", "SOAK", "PROMOTE", "HOLD", "ROLLBACK")
ACTS = st.one_of(
    st.tuples(st.just("shift"), st.sampled_from(SHIFTS), st.integers(1, 2)),
    st.tuples(st.just("taken back"), st.sampled_from(("USER", "CLOUDWATCH_ALARM"))),
    st.tuples(st.just("off")),
    st.tuples(
        st.just("seal"),
        st.sampled_from([f"{one}@prod" for one in (*SHIFTS, *ROLLBACKS)] + ORDER[-3:]),
        st.sampled_from(DECISIONS),
        st.sampled_from(("plan", "apply")),
        st.integers(1, 2),
        st.sampled_from(("rollback_1", "rollback_2", "rollback_3", None)),
        st.sampled_from((None, 1, 40)),
        st.sampled_from(("completed", "completed", "completed", "failed", "died")),
    ),
)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stage]:
    """Step to a stage on which everything before it has passed."""
    found = {}
    for until in ORDER:
        found[until] = Stage(tmp_path_factory.mktemp("begun"))
        found[until].passed(until)
    return found


def played(folder: str, begun: Stage, acts: list[tuple[Any, ...]], migrated: bool) -> Stage:
    """A copy of the stage `begun`, after `acts`."""
    stage = Stage(Path(folder))
    stage.hour = begun.hour
    if begun.archive.root.exists():
        shutil.copytree(begun.archive.root, folder, dirs_exist_ok=True)
    for act in acts:
        match act:
            case ("shift", notebook, attempt):
                stage.shift(notebook, attempt)
            case ("taken back", by):
                stage.taken_back(by)
            case ("off",):
                stage.off()
            case ("seal", step, decision, mode, attempt, scenario, back, status):
                answer = scenario if decision in ("ROLLBACK", "HOLD") else None
                due = hour(stage.hour + back) if back and decision == "SOAK" else None
                made = outcome(decision, answer, due) if status == "completed" else None
                stage.seal(step, made, mode=mode, attempt=attempt, status=status)
    stage.migrated = migrated
    return stage


def runs(command: str) -> str:
    """What a command runs: the notebook."""
    name, given, _ = pasted(command)
    if name == "run":
        return str(given["notebook"])
    return ROLLBACKS[int(given["scenario"]) - 1] if name == "rollback" else name


def assert_one_subject(report: Outcome, pending: Record, found: Next) -> None:
    """The sentence beside a command is about that command: what it is for, or what the run itself advises."""
    if not report.command or report.next.endswith(f"{found.words} The command: `{report.command}`"):
        return
    answered = {ROLLBACKS[int(report.scenario[-1]) - 1]} if report.scenario else set()
    assert runs(report.command) in {pending.notebook} | answered, report.next
    if report.decision is Decision.PLANNED:
        assert "--apply" in report.command, "a plan's own advice is to apply it"
    assert report.decision is not Decision.PROMOTE, "what comes after it is said by what the command is for"


def test_a_soak_while_another_step_is_due_speaks_of_it_beside_its_command(stage: Stage) -> None:
    step, back = "06_phase1_10_percent@prod", hour(stage.hour + 22)
    stage.shift("06_phase1_10_percent")
    again = outcome("SOAK", back=back).model_copy(update={"next": "Run this notebook again: a look in between."})
    due = Next(
        "due",
        "runbook run 03_dashboard --params params/staging.yaml",
        "03_dashboard in staging: may be run now.",
        "03_dashboard@staging",
    )
    report = told(again, stage.pending(step, again), due)
    assert report.command == due.command
    assert report.next == f"{again.next} Until then: {due.words} The command: `{due.command}`"
    assert told(report, stage.pending(step, again), due) == report

    mine = Next("soaking", "runbook run 06_phase1_10_percent --params params/prod.yaml", "It soaks.", step)
    assert told(again, stage.pending(step, again), mine).next.startswith(again.next), "its own advice says more"


def test_a_hold_that_leaves_the_rollback_to_people_gives_both_commands_each_with_what_it_is_for(stage: Stage) -> None:
    step = "06_phase1_10_percent@prod"
    stage.shift("06_phase1_10_percent")
    advice = "The weight of 10 % is frozen; call people; run rollback_1: it turns async off at once."
    held = outcome("HOLD", "rollback_1").model_copy(update={"next": advice})
    pending, again = stage.pending(step, held), "runbook run 06_phase1_10_percent --params params/prod.yaml"
    found = Next("hold", again, "06_phase1_10_percent in prod: so it is.", step)
    report = told(held, pending, found, PARAMS)
    off = "runbook rollback 1 --params params/prod.yaml --apply --confirm prod"
    assert report.next == f"{advice} The rollback: `{off}` To look again: `{found.command}`"
    assert report.command == found.command and told(report, pending, found, PARAMS) == report
    other = held.model_copy(update={"scenario": None})
    assert told(other, pending, found, PARAMS).next == f"{advice} The command: `{found.command}`"


def test_a_rollback_that_was_only_planned_says_what_is_next_and_what_became_of_the_plan(stage: Stage) -> None:
    plan = outcome("PLANNED").model_copy(update={"next": "Run it again with mode='apply' and confirm, now."})
    pending = stage.pending(f"{ROLLBACKS[0]}@prod", plan)
    report = told(plan, pending, stage.standing(pending).next)
    assert runs(report.command) == "06_phase1_10_percent"
    assert report.next.startswith(f"{plan.next} Of the rollout: 06_phase1_10_percent in prod: ")


@pytest.mark.slow
@pytest.mark.parametrize("held", ["01_preflight@prod", "03_dashboard@prod", "04_alarms@prod"])
def test_no_earlier_hold_hides_that_aws_took_the_weight_back(stage: Stage, held: str) -> None:
    """01 was looked at again in the soak, and its attestations were too old: nobody was told to prove the rollback."""
    stage.passed("06_phase1_10_percent@prod")
    stage.shift("06_phase1_10_percent")
    stage.seal(held, outcome("HOLD"))
    stage.taken_back("CLOUDWATCH_ALARM")
    assert stage.next().command == "runbook rollback 1 --params params/prod.yaml --apply --confirm prod"
    stage.seal("06_phase1_10_percent@prod", outcome("ROLLBACK", "rollback_1"))
    assert stage.next().rollback == 1
    stage.off()
    stage.seal(f"{ROLLBACKS[0]}@prod", outcome("PROMOTE"))
    assert stage.next().rollback == 0, "it is proven"


def test_a_rollback_that_a_notebook_without_a_weight_says_breaks_no_status(stage: Stage) -> None:
    """Drawn at random: 09 has no weight at which a new attempt begins."""
    stage.passed("09_deprecate_sync@prod")
    stage.migrated = True
    stage.seal("09_deprecate_sync@prod", outcome("ROLLBACK", "rollback_1"), mode="plan")
    stage.seal("10_post_deployment@prod", outcome("ROLLBACK", "rollback_1"))
    assert stage.next().command


def test_a_new_attempt_planned_before_the_rollback_is_proven_has_the_one_next_step_of_status(stage: Stage) -> None:
    """`run 06 --set attempt=2` said "run again with mode=apply", and then another command, with `--set attempt=2`."""
    step = "06_phase1_10_percent@prod"
    stage.shift("06_phase1_10_percent")
    stage.seal(step, outcome("ROLLBACK", "rollback_1"))
    stage.off()
    stage.seal(f"{ROLLBACKS[0]}@prod", outcome("SOAK", back=hour(stage.hour + 3)))
    plan = outcome("PLANNED").model_copy(update={"next": "Read the plan, then run again with mode=apply and confirm."})
    pending = stage.pending(step, plan, attempt=2)
    again = loaded("params/prod.yaml", (("attempt", 2),))
    report = told(plan, pending, standing(again, stage.archive, stage.state, stage.now, pending).next, again)
    stage.seal(step, plan, mode="plan", attempt=2)
    found = stage.next()
    assert report.command == found.command == "runbook rollback 1 --params params/prod.yaml --apply --confirm prod"
    assert "mode=apply" not in report.next and "not proven yet" in report.next


@pytest.mark.slow
@given(
    until=st.sampled_from(ORDER),
    acts=st.lists(ACTS, max_size=6),
    migrated=st.booleans(),
    step=st.sampled_from([f"{one}@prod" for one in (*SHIFTS, *ROLLBACKS)]),
    decision=st.sampled_from(DECISIONS),
    scenario=st.sampled_from(("rollback_1", "rollback_2", None)),
    mode=st.sampled_from(("plan", "apply")),
    attempt=st.integers(1, 2),
)
def test_every_screen_proposes_one_command_that_can_be_pasted_and_moves_on(
    until: str,
    acts: list[tuple[Any, ...]],
    migrated: bool,
    step: str,
    decision: str,
    scenario: str | None,
    mode: str,
    attempt: int,
    begun: dict[str, Stage],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stage = played(folder, begun[until], acts, migrated)
        moves_on(stage, stage.standing())
        # A notebook says before it is sealed what status says afterwards.
        made = outcome(decision, scenario if decision in ("ROLLBACK", "HOLD") else None)
        stage.hour += 1
        own = loaded("params/prod.yaml", (("attempt", attempt),))  # `--set attempt=2`; status is asked without
        pending = stage.pending(step, made, attempt, mode=mode)
        found = standing(own, stage.archive, stage.state, stage.now, pending).next
        report = told(made, pending, found, own)
        stage.hour -= 1
        stage.seal(step, made, mode=mode, attempt=attempt)
        after = stage.standing()
        assert report.command == after.next.command
        assert (after.next.command == "") or f"`{after.next.command}`" in report.next
        assert told(report, pending, after.next, own) == report, "said twice it is said once"
        assert_one_subject(report, pending, after.next)
        moves_on(stage, after)
