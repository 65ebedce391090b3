"""`runbook rehearse --quick`: a scenario by name or of one's own, many times over, held against the users' truth."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from typer.testing import CliRunner, Result

from runbook_lib.base.errors import UsageError
from runbook_lib.base.project import named
from runbook_lib.cli.app import app
from runbook_lib.cli.rehearse import _PLAYS
from runbook_lib.cli.terminal import fitted
from runbook_lib.judge.planning.harm import forecast
from runbook_lib.judge.terms import Decision
from runbook_lib.params.load import Params, load_file, params_dir, read_yaml
from runbook_lib.params.policy import Policy
from runbook_lib.rehearse.quick import many
from runbook_lib.rehearse.quick.local_world import START
from runbook_lib.rehearse.quick.player import HISTORY, InProcess, Soak
from runbook_lib.rehearse.world.behaviour import Fault
from runbook_lib.rehearse.world.scenario import Scenario, find, load
from runbook_lib.steps import harm
from tests.steps_of_five import FIVE, gates

OURS = """
name: ours
title: One in five is refused by the gateway
faults:
  - {name: throttle, after: "06", set: {gateway_4xx: 0.2}}
expected: {decisions: [ROLLBACK], phases: ["06"], rollback: [1]}
"""


def call(*words: str | Path) -> Result:
    named.clear()  # each is a process of its own
    done = CliRunner().invoke(app, ["rehearse", *map(str, words)], env={"COLUMNS": "80"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    path = tmp_path / "ours.yaml"
    path.write_text(OURS)
    return path


@pytest.mark.slow
def test_a_file_is_played_once_a_seed_and_told_as_json(ours: Path) -> None:
    done = call("--scenario", ours, "--quick", "--seeds", "2", "--seed", "11", "--json")
    assert done.exit_code == 0
    rows = json.loads(done.stdout)
    assert [row["seed"] for row in rows] == [11, 12]
    for row in rows:
        assert set(row) == {"seed", "decision", "rollback", "phase", "caught_by", "minutes_to_detect", "truth"}
        assert (row["decision"], row["rollback"], row["phase"]) == ("ROLLBACK", 1, "06")
        truth = row["truth"]
        assert set(truth) == {"submitted", "succeeded", "success_while_judged", "success_since"}
        assert 0 < truth["succeeded"] < truth["submitted"]
        assert truth["success_while_judged"] < 0.95


@pytest.mark.slow
def test_the_same_seed_ends_the_same_each_time(ours: Path) -> None:
    first, again = (call("--scenario", ours, "--quick", "--json").stdout for _ in range(2))
    assert first == again


def test_a_play_that_ends_otherwise_than_expected_exits_with_3(ours: Path) -> None:
    ours.write_text(OURS.replace('[ROLLBACK], phases: ["06"], rollback: [1]', "[PROMOTE]"))
    done = call("--scenario", ours, "--quick")
    assert done.exit_code == 3
    assert "instead of PROMOTE" in " ".join(done.stdout.split())


def test_a_file_that_expects_nothing_exits_with_0(ours: Path) -> None:
    ours.write_text(OURS.partition("expected")[0])
    assert call("--scenario", ours, "--quick").exit_code == 0


@pytest.mark.slow
def test_a_pipe_gets_a_play_a_line(ours: Path) -> None:
    """Its fields apart by tabs, as from every other table."""
    lines = call("--scenario", ours, "--quick", "--seeds", "2", "--seed", "7").stdout.splitlines()
    plays = [line.split("\t") for line in lines]
    assert [play[:2] for play in plays] == [["7", "ROLLBACK 1"], ["8", "ROLLBACK 1"]]
    assert all(len(play) == 7 and play[-1] == "yes" for play in plays)


@pytest.mark.parametrize("by", ["gate refused", "guard async_5xx", "gate " + "x" * 30])
def test_the_table_is_whole_at_80_columns(by: str) -> None:
    row = {
        "seed": "7",
        "decision": "ROLLBACK 1",
        "phase": "06",
        "by": by,
        "minutes": "1440",
        "served": "123,456/234,567",
        "expected": "yes",
    }
    head, line = fitted(_PLAYS, [row], 80)
    assert len(line) <= 80 and by in line and "ROLLBACK 1" in line and head.startswith("seed")


@pytest.mark.slow
def test_the_policy_is_that_of_the_file(ours: Path, tmp_path: Path) -> None:
    """Gates beside the parameter file that mind neither refusals nor success let the same world through phase 1."""
    import shutil

    import yaml

    from runbook_lib.base.project import params_dir

    folder, delivered = tmp_path / "params", params_dir()
    shutil.copytree(delivered, folder)
    gates = yaml.safe_load((folder / "gates.yaml").read_text())
    for gate in gates["gates"]:
        gate["required"] = gate["id"] not in ("success_rate", "refused")
    (folder / "gates.yaml").write_text(yaml.safe_dump(gates, allow_unicode=True))
    found = json.loads(call("--scenario", ours, "--quick", "--params", folder / "prod.yaml", "--json").stdout)
    assert found[0]["decision"] != "ROLLBACK"
    by_file = call("--scenario", ours, "--quick", "--params", delivered / "dev.yaml", "--json")
    assert call("--scenario", ours, "--quick", "--env", "dev", "--json").stdout == by_file.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--scenario", "refusd_429", "--quick"), "did you mean 'refused_429'"),
        (("--scenario", "nope.yaml", "--quick"), "there is no file 'nope.yaml'"),
        (("--seeds", "3"), "go with --quick"),
        (("--params", "x.yaml"), "go with --quick"),
        (("--scenario", "refused_429", "--quick", "--start-phase", "05"), "expects one of 06, 07, 08"),
        (("--scenario", "refused_429", "--quick", "--start-phase", "08"), "start there or before"),
        (("--scenario", "fails_in_the_first_week", "--quick"), "play it without --quick"),
    ],
)
def test_what_is_wrong_is_one_sentence(words: tuple[str, ...], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        call(*words)


@pytest.mark.slow
def test_a_late_look_looks_at_the_present() -> None:
    """All is well for 25 hours, then every job fails: a look four hours late must not promote."""
    import yaml

    from runbook_lib.params.load import load_file
    from runbook_lib.rehearse.quick.many import play
    from runbook_lib.rehearse.world.scenario import Scenario

    raw = yaml.safe_load("""
    name: late
    title: All fail after the judged hours
    late_h: 4
    watch_min: 0
    faults: [{name: f, after: "06", start: 25, set: {job_failed: 1.0}}]
    """)
    params = load_file(Path(__file__).parents[3] / "params" / "prod.yaml")
    found = play(3, params=params, scenario=Scenario.model_validate(raw))
    assert (found.ended.decision, found.ended.phase) == ("ROLLBACK", "06")
    assert found.success_while_judged is not None and found.success_while_judged > 0.98


@pytest.mark.slow
def test_late_means_late_whoever_else_watches(tmp_path: Path) -> None:
    """The hourly watcher does not take the declared look in time, when the file says that it is taken late."""
    hours = []
    for late in (0, 5):
        path = tmp_path / f"late_{late}.yaml"
        path.write_text(f"{{name: well, title: Well, requests_per_day: 3000, late_h: {late}}}")
        player = InProcess(load_file(params_dir() / "prod.yaml"), load(path), 3, "06")
        player.world.live(START + HISTORY)
        soak = Soak(player, "06_phase1_10_percent")
        outcome, _ = soak.walk()
        assert outcome.decision is Decision.PROMOTE
        hours.append((player.world.now - START - HISTORY).total_seconds() / 3600)
    assert hours[0] < 26 and hours[0] + 4 < hours[1] < hours[0] + 7


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("requests_per_dayy: 5", "unknown key 'requests_per_dayy' (value 5); did you mean 'requests_per_day'?"),
        ("behaviour: {job_faild: 0.1}", "did you mean 'job_failed'?"),
        ("faults: [{name: a, set: {gateway_5x: 0.1}}]", "unknown knob 'gateway_5x'; did you mean 'gateway_5xx'?"),
        ("faults: [{name: a, silent: [jobs_faild]}]", "unknown signal 'jobs_faild'; did you mean 'jobs_failed'?"),
        ("faults: [{name: a, set: {job_failed: 7}}]", "fault 'a': 'job_failed' is 7: Input should be less than"),
        ("late_h: 1.0e+9", "'late_h' is 1000000000.0"),
        ("requests_per_day: 1.0e+12", "'requests_per_day' is 1000000000000.0"),
        ("watch_min: 0.000001", "watch_min is 1e-06: expects 0 (nobody looks), or 1 minute and more"),
        ("title: Twice", "the key 'title' appears twice"),
        ("looks_h: [5, -1]", "'looks_h.1' is -1"),
        ("looks_h: [.nan]", "ours.yaml, line 3: .nan is a number that YAML reads in its own way"),
        ("profile: [1, 2]", "ours.yaml: profile expects 24 weights"),
    ],
)
def test_a_mistake_in_ones_own_scenario_is_one_sentence_with_the_nearest_name(
    tmp_path: Path, line: str, told: str
) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text(f"name: ours\ntitle: Ours\n{line}\n")
    with pytest.raises(UsageError) as error:
        call("--scenario", path, "--quick")
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def budgeted(users: int) -> Params:
    params = load_file(params_dir() / "prod.yaml")
    harm = params.policy.harm.model_copy(update={"users": users})
    return params.model_copy(update={"policy": params.policy.model_copy(update={"harm": harm})})


def test_a_shift_that_may_harm_more_users_than_the_budget_is_not_played(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harm, "forecast", partial(forecast, shares=(0.5,), begins=(0.0,)))
    monkeypatch.setattr(harm, "mended", lambda *_: ())  # what would hold it is played again and again
    found = many.play(3, params=budgeted(1), scenario=load("async_failing"))
    assert (found.ended.decision, found.ended.phase, found.ended.by) == ("HOLD", "06", "budget")
    assert "the budget is 1 user (gates.yaml, harm)" in found.ended.reason
    assert (found.ended.detect_s, found.submitted) == (None, 0)
    assert many.play(3, params=budgeted(10_000), scenario=load("async_failing")).ended.decision == "ROLLBACK"


def test_a_fault_is_aimed_at_a_step_of_one_s_own() -> None:
    """Of five steps the third has a fault that comes with its weight; a step that is not there is refused."""
    params = load_file(params_dir() / "prod.yaml")
    five = params.model_copy(update={"policy": Policy.model_validate(gates(read_yaml(params_dir() / "gates.yaml")))})
    fault = Fault(name="f", after=FIVE[2], start=2, set={"job_failed": 0.6})
    scenario = Scenario(name="s", title="t", faults=(fault,))
    (one,) = many.plays(five, scenario, range(1, 2))
    assert (one.ended.decision, one.ended.phase, one.ended.rollback) == ("ROLLBACK", "07", 1)
    with pytest.raises(UsageError, match=f"comes after '{FIVE[2]}', which is not a phase of gates.yaml"):
        next(many.plays(params, scenario, range(1, 2)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["healthy", "async_failing"])
def test_a_service_with_two_workers_and_an_http_api_found_by_its_name_is_played_without_asking(name: str) -> None:
    folder = Path(__file__).parents[3] / "examples" / "orders-export" / "params"
    params = load_file(folder / "prod.yaml")
    assert not params.named("api_id") and len(params.service.crew) == 2
    (one,) = many.plays(params, find(name), range(7, 8), "08" if name == "healthy" else "06")
    assert (one.ended.decision, one.wrong) == ("PROMOTE" if name == "healthy" else "ROLLBACK", ())


@pytest.mark.slow
def test_an_interruption_waits_for_no_play(monkeypatch: pytest.MonkeyPatch) -> None:
    params = load_file(params_dir() / "prod.yaml")
    monkeypatch.setattr(many, "play", _played)
    began = time.monotonic()
    found = many.plays(params, load("healthy"), range(50))  # some of them wait in a pipe, which nobody empties then
    assert cast(Any, next(found)) == 0
    found.close()  # Ctrl-C comes at the same place
    assert time.monotonic() - began < 20


def _played(seed: int, **_: Any) -> int:
    """A play that takes an hour, but for the first."""
    if seed:
        time.sleep(3600)
    return seed
