"""The rollout on one screen: which step is in which state, and the command that takes it on."""

from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.commands.status import Status, rollout_status
from runbook_lib.judge.gates.checks import check
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.params.load import load_file, read_yaml
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.journal import Journal
from runbook_lib.record.place import RecordRef
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import only
from runbook_lib.rehearse.sandbox.deploy import Sandbox
from runbook_lib.rollout.known import needed
from runbook_lib.rollout.moment import Moment
from runbook_lib.rollout.next_step import Standing, standing
from runbook_lib.rollout.progress import Line

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "params" / "prod.yaml"
PARAMS = load_file(FILE)
STEPS = PARAMS.policy.steps
ROLLBACKS = ("rollback_1_async_failing", "rollback_2_queue_backlog", "rollback_3_dynamodb_throttling")
NOW = dt.datetime(2026, 11, 9, 12, tzinfo=dt.UTC)
LATER, EARLIER = "2026-11-09T18:00:00Z", "2026-11-09T06:00:00Z"
ORDER = [
    "01_preflight@prod",
    "02_deploy_dev@dev",
    "03_dashboard@staging",
    "04_alarms@staging",
    "05_staging@staging",
    "03_dashboard@prod",
    "04_alarms@prod",
    "06_phase1_10_percent@prod",
    "07_phase2_50_percent@prod",
    "08_phase3_100_percent@prod",
    "09_deprecate_sync@prod",
    "10_post_deployment@prod",
    "11_acceptance@prod",
]


class Stage:
    """An archive, the traffic, and what status makes of them."""

    def __init__(self, folder: Path) -> None:
        self.archive = Archive(folder)
        self.count = 0
        self.moments: dict[str, Moment] = {}
        self.weight = 0.0
        self.migrated = False
        self.values: dict[str, Any] = {}

    def seal(
        self,
        step: str,
        decision: str = "PROMOTE",
        *,
        mode: str = "apply",
        status: Any = "completed",
        back: str = "",
        scenario: str | None = None,
    ) -> RecordRef:
        """A record of `notebook@environment`."""
        self.count += 1
        notebook, _, env = step.partition("@")
        run_id = f"{self.count:012d}"
        staging = self.archive.stage(env, PARAMS.release, notebook, run_id, "papermill")
        journal = Journal(staging)
        flat = {**PARAMS.flat.model_dump(mode="json"), "env": env, "mode": mode}
        journal.append("opened", run_id=run_id, notebook=notebook, params=flat)
        journal.append("caller", account_id="1", arn="arn:test", as_of=f"2026-11-09T{self.count:02d}:00:00Z")
        journal.append("check", check=check("one", "one", True, "in order").model_dump(mode="json"))
        if decision:
            outcome = {"decision": decision, "reason": f"{decision}: so it is", "next": "on", "scenario": scenario}
            journal.append("decision", outcome={**outcome, "come_back_at": back or None})
        return seal_staged(self.archive, staging, status=status)

    def passed(self, until: str) -> None:
        """Everything before `until` has passed, in order."""
        for one in ORDER[: ORDER.index(until)]:
            self.seal(one)

    def standing(self) -> Standing:
        state = TrafficState(
            dial_percent=self.weight,
            switch_on=self.weight > 0,
            weight=self.weight,
            migrated=self.migrated,
            temporary_route=True,
        )
        return standing(load_file(FILE, self.values), self.archive, state, NOW, seen=self.moments)

    def lines(self) -> dict[str, Line]:
        return {f"{line.notebook}@{line.env}": line for line in self.standing().lines}

    def next(self) -> str:
        return self.standing().next.command

    def words(self) -> str:
        return self.standing().next.words


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def moment(name: Any, **more: Any) -> Moment:
    return Moment(name, f"it is {name}", 10.0, **more)


def test_what_is_needed_comes_after_what_it_needs() -> None:
    assert [f"{notebook}@{env}" for notebook, env in needed(STEPS)] == ORDER


def test_an_empty_archive_begins_with_the_checklist(stage: Stage) -> None:
    lines = stage.lines()
    assert {line.state for line in lines.values()} == {"due", "missing"}
    assert [name for name, line in lines.items() if line.state == "due"] == ["01_preflight@prod"]
    assert lines["06_phase1_10_percent@prod"].words == "waits for 01_preflight@prod"
    assert lines["03_dashboard@staging"].words == "waits for 05_staging@staging to deploy"
    assert stage.next() == "runbook run 01_preflight --params params/prod.yaml"
    assert "read the plan, then add --apply --confirm prod" in stage.words()


def test_a_plan_in_order_is_to_be_applied(stage: Stage) -> None:
    stage.seal("01_preflight@prod", "PLANNED", mode="plan")
    assert stage.next().startswith("runbook run 01_preflight --params params/prod.yaml --apply --confirm prod")


def test_the_command_names_the_parameters_of_its_own_environment(stage: Stage) -> None:
    stage.passed("02_deploy_dev@dev")
    assert stage.next() == "runbook run 02_deploy_dev --params params/dev.yaml"


@pytest.mark.slow
@pytest.mark.parametrize("env", ["staging", "prod"])
def test_deploy_first_then_dashboard_and_alarms_then_the_shift(stage: Stage, env: str) -> None:
    host = {"staging": "05_staging@staging", "prod": "06_phase1_10_percent@prod"}[env]
    dashboard, alarms = f"03_dashboard@{env}", f"04_alarms@{env}"
    stage.passed(dashboard)
    lines = stage.lines()
    assert (lines[host].state, lines[dashboard].state) == ("due", "missing")

    stage.seal(host, "PLANNED", mode="plan")
    assert stage.lines()[dashboard].state == "missing", "a plan deploys nothing"
    stage.seal(host, "PLANNED")
    lines = stage.lines()
    assert (lines[host].state, lines[dashboard].state, lines[alarms].state) == ("missing", "due", "due")
    assert lines[host].words == f"deployed, with no traffic; waits for {dashboard}"
    assert stage.next().startswith("runbook run 03_dashboard")

    stage.seal(dashboard)
    stage.seal(alarms)
    assert stage.lines()[host].state == "due"
    assert stage.next().startswith(f"runbook run {host.partition('@')[0]}")


@pytest.mark.slow
@pytest.mark.parametrize(("back", "state"), [(LATER, "soaking"), (EARLIER, "due")])
def test_a_soak_says_when_to_come_back(stage: Stage, back: str, state: str) -> None:
    stage.passed("06_phase1_10_percent@prod")
    stage.seal("06_phase1_10_percent@prod", "SOAK", back=back)
    line = stage.lines()["06_phase1_10_percent@prod"]
    assert (line.state, line.due) == (state, back.replace("T", " ").replace(":00Z", " UTC"))
    assert ("an interim look is always safe" in stage.words()) is (state == "soaking")
    assert "--confirm" not in stage.next() or state == "due"


def test_status_comes_back_when_the_run_says_and_names_the_verdict_after_it(stage: Stage) -> None:
    """The run says "at 18:00: a look in between": status said the verdict's time, and so there were two."""
    stage.passed("06_phase1_10_percent@prod")
    stage.seal("06_phase1_10_percent@prod", "SOAK", back=LATER)
    stage.moments["06_phase1_10_percent"] = moment("during", come_back_at=NOW + dt.timedelta(hours=7))
    line = stage.lines()["06_phase1_10_percent@prod"]
    assert (line.state, line.due) == ("soaking", "2026-11-09 18:00 UTC")
    assert "run it again at 2026-11-09 18:00 UTC, a look in between; the verdict is due at" in stage.words()

    stage.moments["06_phase1_10_percent"] = moment("during", come_back_at=NOW + dt.timedelta(hours=3))
    stage.seal("06_phase1_10_percent@prod", "SOAK", back=EARLIER)  # it was to be looked at by then
    assert stage.lines()["06_phase1_10_percent@prod"].state == "due"
    assert "it is time for a look in between" in stage.words()


def test_aws_knows_better_than_the_record_when_the_soak_ends(stage: Stage) -> None:
    stage.passed("06_phase1_10_percent@prod")
    stage.seal("06_phase1_10_percent@prod", "SOAK", back=LATER)
    until = NOW + dt.timedelta(hours=3)
    stage.moments["06_phase1_10_percent"] = moment("during", come_back_at=until)
    line = stage.lines()["06_phase1_10_percent@prod"]
    assert (line.state, line.due, line.words) == ("soaking", "2026-11-09 15:00 UTC", "it is during")


def test_a_soak_without_a_record_is_looked_at(stage: Stage) -> None:
    stage.passed("06_phase1_10_percent@prod")
    stage.moments["06_phase1_10_percent"] = moment("after")
    line = stage.lines()["06_phase1_10_percent@prod"]
    assert line.state == "due" and "no record of the shift" in line.words


def test_while_the_week_runs_the_deprecation_is_due(stage: Stage) -> None:
    stage.passed("09_deprecate_sync@prod")
    stage.seal("10_post_deployment@prod", "SOAK", back=LATER)
    assert stage.next().startswith("runbook run 09_deprecate_sync")
    stage.seal("09_deprecate_sync@prod")
    assert stage.next().startswith("runbook run 10_post_deployment")
    assert stage.lines()["11_acceptance@prod"].state == "missing"


def test_a_hold_goes_first(stage: Stage) -> None:
    stage.passed("09_deprecate_sync@prod")
    stage.seal("10_post_deployment@prod", "HOLD")
    lines = stage.lines()
    assert lines["09_deprecate_sync@prod"].state == "due"
    assert (lines["10_post_deployment@prod"].state, lines["10_post_deployment@prod"].words) == (
        "hold",
        "HOLD: so it is",
    )
    assert stage.next().startswith("runbook run 10_post_deployment")
    stage.seal("10_post_deployment@prod", "PLANNED", mode="plan")
    assert stage.lines()["10_post_deployment@prod"].state == "due"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("weight", "migrated", "command"),
    [
        (50.0, False, "runbook rollback 1 --params params/prod.yaml --apply --confirm prod"),
        (0.0, False, "runbook rollback 1 --params params/prod.yaml --apply --confirm prod"),
        (50.0, True, "runbook run 07_phase2_50_percent --params params/prod.yaml --set attempt=2"),
    ],
    ids=["still in force", "taken back: it is proven first", "migrated: there is no way back by the switch"],
)
def test_a_rollback_is_proposed_only_where_it_turns_something_off(
    stage: Stage, weight: float, migrated: bool, command: str
) -> None:
    stage.passed("07_phase2_50_percent@prod")
    stage.seal("07_phase2_50_percent@prod", "ROLLBACK")
    stage.weight, stage.migrated = weight, migrated
    assert stage.next().startswith(command)


def test_after_the_migration_rollback_1_is_still_the_answer_to_the_last_phase(stage: Stage) -> None:
    stage.passed("08_phase3_100_percent@prod")
    stage.seal("08_phase3_100_percent@prod", "ROLLBACK", scenario="rollback_1")
    stage.weight, stage.migrated = 100.0, True
    assert stage.next().startswith("runbook rollback 1 --params params/prod.yaml --apply --confirm prod")
    stage.weight, stage.migrated = 0.0, False
    stage.seal("rollback_1_async_failing@prod")
    stage.weight = 50.0
    assert stage.next().startswith("runbook run 08_phase3_100_percent --params params/prod.yaml --set attempt=2")


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["rollback_2", "rollback_3"])
def test_a_backlog_or_throttling_is_not_answered_by_turning_async_off(stage: Stage, scenario: str) -> None:
    stage.passed("07_phase2_50_percent@prod")
    stage.seal("07_phase2_50_percent@prod", "ROLLBACK", scenario=scenario)
    stage.weight = 50.0
    number = scenario[-1]
    assert stage.next() == f"runbook rollback {number} --params params/prod.yaml --apply --confirm prod"
    stage.seal(f"{ROLLBACKS[int(number) - 1]}@prod")
    assert stage.next() == "runbook run 07_phase2_50_percent --params params/prod.yaml"


def test_a_rollback_elsewhere_is_looked_at_there(stage: Stage) -> None:
    stage.passed("05_staging@staging")
    stage.seal("05_staging@staging", "ROLLBACK")
    stage.weight = 10.0
    assert stage.next().startswith("runbook status --params params/staging.yaml")


def test_after_the_deprecation_no_rollback_is_proposed(stage: Stage) -> None:
    stage.passed("11_acceptance@prod")
    stage.seal("10_post_deployment@prod", "HOLD")
    stage.migrated = True
    assert "rollback" not in json.dumps([line.command for line in stage.lines().values()])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["taken_back", "void"])
def test_a_weight_that_is_gone_is_a_hold_even_where_the_step_has_passed(stage: Stage, name: str) -> None:
    stage.passed("07_phase2_50_percent@prod")
    stage.moments["06_phase1_10_percent"] = moment(name)
    line = stage.lines()["06_phase1_10_percent@prod"]
    assert (line.state, line.moment, line.words) == ("hold", name, f"it is {name}")
    assert stage.next().startswith("runbook rollback 1 "), "it has to be proven that async is off"
    stage.seal("rollback_1_async_failing@prod")
    assert "--set attempt=2" in stage.next()


def test_the_weight_of_a_phase_that_nothing_builds_on_may_go(stage: Stage) -> None:
    """Staging is tidied up after its soak: no later phase begins there at its weight."""
    stage.passed("06_phase1_10_percent@prod")
    stage.values = {"env": "staging"}
    stage.moments["05_staging"] = moment("taken_back")
    assert stage.lines()["05_staging@staging"].state == "passed"


def test_a_new_attempt_may_begin(stage: Stage) -> None:
    stage.passed("07_phase2_50_percent@prod")
    stage.seal("07_phase2_50_percent@prod", "ROLLBACK")
    stage.values = {"attempt": 2}
    assert stage.lines()["07_phase2_50_percent@prod"].state == "due"


def test_an_altered_record_is_a_hold_that_names_it(stage: Stage) -> None:
    stage.passed("03_dashboard@staging")
    path = stage.archive.records(notebook="01_preflight")[0].folder / "record.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "operator": "somebody else"}))
    line = stage.lines()["01_preflight@prod"]
    assert line.state == "hold"
    assert "cannot be trusted" in line.words


@pytest.mark.slow
def test_a_plan_that_holds_unsays_no_step_that_passed(stage: Stage) -> None:
    stage.passed("06_phase1_10_percent@prod")
    before = stage.next()
    stage.seal("01_preflight@prod", "HOLD", mode="plan")
    line = stage.lines()["01_preflight@prod"]
    assert (line.state, line.word) == ("passed", "HOLD")
    assert line.words == "a plan made since then holds: so it is"
    assert stage.next() == before
    stage.seal("01_preflight@prod", "HOLD")
    assert stage.lines()["01_preflight@prod"].state == "hold", "its newest applied judgement"


def test_a_run_that_broke_takes_nothing_back_and_is_seen(stage: Stage) -> None:
    stage.seal("01_preflight@prod", "", status="died")
    line = stage.lines()["01_preflight@prod"]
    assert (line.state, line.last) == ("due", "died")
    stage.seal("01_preflight@prod")
    stage.seal("01_preflight@prod", "", status="failed")
    line = stage.lines()["01_preflight@prod"]
    assert (line.state, line.last) == ("passed", "failed")


def test_when_all_has_passed_nothing_is_due(stage: Stage) -> None:
    stage.passed(ORDER[-1])
    stage.seal(ORDER[-1])
    assert {line.state for line in stage.lines().values()} == {"passed"}
    assert (stage.next(), stage.words()) == ("", "Nothing is due.")


def test_records_of_another_release_do_not_count(stage: Stage) -> None:
    stage.passed("06_phase1_10_percent@prod")
    stage.values = {"release": "another"}
    assert [line.state for line in stage.lines().values()].count("passed") == 0


def test_it_fits_on_one_screen_and_into_json(stage: Stage) -> None:
    stage.passed("06_phase1_10_percent@prod")
    lines = tuple(stage.lines().values())
    seen = Status("prod", "r", 0.0, 0.0, "off", "now", lines, stage.next())
    assert json.loads(json.dumps(seen.as_dict()))["lines"][0]["state"] == "passed"
    assert seen.title == f"Rollout: 7 of {len(ORDER)} steps passed" and seen.head.startswith("prod · r · now")
    assert [f"{row['step']}@{row['env']}" for row in seen.rows()] == ORDER


@pytest.mark.parametrize("env", ["dev", "prod"])
def test_asked_of_aws(embedded: EmbeddedAws, sandbox: Sandbox, tmp_path: Path, env: str) -> None:
    """`prod` is deployed; in `dev` there is neither an AppConfig application nor an API yet."""
    values = {**read_yaml(ROOT / "params" / "rehearsal.yaml"), "archive": str(tmp_path)}
    with only(embedded.env):
        seen = rollout_status(ROOT / "params" / f"{env}.yaml", values)
    assert (seen.env, seen.weight, seen.dial) == (env, 0.0, 0.0)
    assert seen.next.startswith("runbook run 01_preflight")
    assert list(tmp_path.iterdir()) == [], "status writes nothing"


@pytest.mark.parametrize("folder", ["", "env=prod", ".staging"])
def test_what_this_user_may_not_look_into_is_told_and_a_person_looks(
    embedded: EmbeddedAws,
    sandbox: Sandbox,
    tmp_path: Path,
    folder: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It proposed the first step of a rollout, and ended with 0; or ended with 1, and told no weight."""
    values = {**read_yaml(ROOT / "params" / "rehearsal.yaml"), "archive": str(tmp_path)}
    for one in ("env=prod/release=r/06", ".staging"):
        (tmp_path / one).mkdir(parents=True)

    def denied(name: str) -> None:
        real = getattr(os, name)

        def listed(place: Any = ".") -> Any:
            if Path(str(place)) == tmp_path / folder:
                raise PermissionError(13, "Permission denied", str(place))
            return real(place)

        monkeypatch.setattr(os, name, listed)

    denied("scandir")
    denied("listdir")
    with only(embedded.env):
        seen = rollout_status(FILE, values)
    assert (seen.weight, seen.exit_code) == (0.0, 3)
    assert f"{tmp_path / folder}: this user may not read it" in capsys.readouterr().err


def test_after_a_kill_in_the_middle_of_a_change_that_comes_first(
    embedded: EmbeddedAws, sandbox: Sandbox, tmp_path: Path
) -> None:
    journal = Journal(Archive(tmp_path).stage("prod", PARAMS.release, "06_phase1_10_percent", "abc", "papermill"))
    journal.append("opened", run_id="abc", notebook="06_phase1_10_percent", params=PARAMS.flat.model_dump(mode="json"))
    journal.append("intent", id="i", what="dial to 10 %", before={}, after={}, undo="", aws_at="2026-11-09T12:00:00")
    seal_staged(Archive(tmp_path), journal.folder, status="died")
    values = {**read_yaml(ROOT / "params" / "rehearsal.yaml"), "archive": str(tmp_path), "release": PARAMS.release}
    with only(embedded.env):
        seen = rollout_status(FILE, values)
    first, there = seen.unread()
    assert first.startswith("open change: run abc of 06_phase1_10_percent began 'dial to 10 %'")
    assert there == "in force now: weight 0 % (dial 0 %, switch on)"
    assert seen.next.startswith("runbook run 06_phase1_10_percent --params")
    assert json.loads(json.dumps(seen.as_dict()))["open_changes"][0]["run_id"] == "abc"


@pytest.mark.parametrize("step", ["09_deprecate_sync@prod", "08_phase3_100_percent@prod", "10_post_deployment@prod"])
def test_a_plan_of_a_step_that_is_not_due_is_not_what_is_next(stage: Stage, step: str) -> None:
    """06 soaked, somebody planned 09 to see what it would do, and status sent people to remove the old handler."""
    stage.passed("06_phase1_10_percent@prod")
    stage.seal("06_phase1_10_percent@prod", "SOAK", back=LATER)
    before = stage.standing().next
    stage.seal(step, "HOLD", mode="plan")
    assert stage.standing().next == before and before.step == "06_phase1_10_percent@prod"
    line = stage.lines()[step]
    assert line.state == "missing" and "waits for" in line.words
    assert "a plan of it holds: HOLD: so it is" in line.words
    stage.seal(step, "HOLD")  # applied, too, it can only hold again
    assert stage.lines()[step].state == "missing" and "it was held, and waits for" in stage.lines()[step].words
