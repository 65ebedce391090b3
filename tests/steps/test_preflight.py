"""The preflight: traffic read, commands run, people asked; what is missing is named, and only all of it promotes."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from runbook_lib.base.errors import RedVerdict
from runbook_lib.judge.gates.checks import check
from runbook_lib.judge.planning.door import LIMITS
from runbook_lib.judge.planning.mutation import trial
from runbook_lib.judge.planning.power import Power
from runbook_lib.judge.planning.weekly import mean
from runbook_lib.judge.terms import Verdict
from runbook_lib.observe.traffic import before as baseline_traffic
from runbook_lib.params.load import Params, load_file, read_yaml
from runbook_lib.record.archive import Archive
from runbook_lib.record.entry import Entry, enter
from runbook_lib.record.record import Record
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import only
from runbook_lib.rehearse.sandbox.deploy import deploy
from runbook_lib.rehearse.world.world import World
from runbook_lib.rollout import door
from runbook_lib.steps.preflight import decided, later, power_checks, proving, trial_checks

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks" / "01_preflight.ipynb"
START = dt.datetime(2025, 6, 16, tzinfo=dt.UTC)
NOW = dt.datetime(2025, 6, 18, 1, 7, tzinfo=dt.UTC)
PRODUCTION = load_file(ROOT / "params" / "prod.yaml", read_yaml(ROOT / "params" / "rehearsal.yaml"))


class CloudWatch:
    """Answers each of the two questions with these hours."""

    def __init__(self, sync: dict[dt.datetime, float], status: str = "Complete", **more: dict[dt.datetime, float]):
        self.series, self.status = {"/api/vpr": sync, "/api/vpr-async": more.get("submit", {})}, status

    def get_paginator(self, name: str) -> CloudWatch:
        assert name == "get_metric_data"
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        results = []
        for query in request["MetricDataQueries"]:
            stat = query["MetricStat"]
            assert (stat["Period"], stat["Stat"], stat["Metric"]["MetricName"]) == (3600, "Sum", "Count")
            route = next(d["Value"] for d in stat["Metric"]["Dimensions"] if d["Name"] == "Resource")
            points = sorted(self.series[route].items())
            results.append(
                {
                    "Id": query["Id"],
                    "StatusCode": self.status,
                    "Timestamps": [at for at, _ in points],
                    "Values": [value for _, value in points],
                }
            )
        yield {"MetricDataResults": results}


def hours(*values: float | None, start: dt.datetime = START) -> dict[dt.datetime, float]:
    return {start + dt.timedelta(hours=place): value for place, value in enumerate(values) if value is not None}


def test_the_window_is_whole_hours_that_have_arrived() -> None:
    seen = baseline_traffic.window(PRODUCTION, NOW)
    assert (seen.start, seen.end) == (dt.datetime(2025, 6, 11, 1, tzinfo=dt.UTC), NOW.replace(minute=0))
    early = baseline_traffic.window(PRODUCTION, NOW.replace(minute=2))
    assert early.end == NOW.replace(hour=0, minute=0), "points of the last hour are still on their way"
    assert seen.seconds == early.seconds == 7 * 86400


def test_both_routes_are_added_and_a_silent_hour_is_zero() -> None:
    end = NOW.replace(minute=0)
    start = end - dt.timedelta(hours=4)
    seen = baseline_traffic.read(
        CloudWatch(hours(90, None, 80, start=start), submit=hours(10, start=start)), PRODUCTION, NOW
    )
    assert [value for _, value in seen.points] == [100, 0, 80, 0]
    assert [at for at, _ in seen.points] == [start + dt.timedelta(hours=n) for n in range(4)]
    assert any("2 hours without a point count as zero" in note for note in seen.notes)


def test_a_gap_in_a_partial_answer_is_not_zero() -> None:
    start = NOW.replace(minute=0) - dt.timedelta(hours=4)
    seen = baseline_traffic.read(CloudWatch(hours(90, None, 80, 70, start=start), "PartialData"), PRODUCTION, NOW)
    assert [value for _, value in seen.points] == [80, 70]
    assert any("did not answer in full" in note for note in seen.notes)


def test_no_traffic_is_no_points() -> None:
    assert baseline_traffic.read(CloudWatch({}), PRODUCTION, NOW).points == ()


def forecast(per_hour: float) -> tuple[Power, ...]:
    policy = PRODUCTION.policy
    points = [(START + dt.timedelta(hours=n), per_hour) for n in range(168)] if per_hour else []
    return decided(policy, "06_phase1_10_percent", points)


def test_every_configured_gate_notices_bad_input_and_one_that_does_not_is_named() -> None:
    policy = PRODUCTION.policy
    looks = policy.phases["06_phase1_10_percent"].looks
    checks = trial_checks(trial(policy.gates, look=looks[0], looks=looks))
    assert {one.id: one.verdict for one in checks} == {f"gates.{gate.id}": Verdict.PASS for gate in policy.gates}
    # Without its plausibility limit a latency in the wrong unit is a very good one.
    careless = [gate.model_copy(update={"implausible": None}) for gate in policy.gates]
    found = {one.id: one for one in trial_checks(trial(careless, look=looks[0], looks=looks))}
    assert found["gates.submit_latency"].verdict is Verdict.FAIL and found["gates.submit_latency"].required
    assert "a unit off by 1000, downwards" in found["gates.submit_latency"].reason
    assert found["gates.success_rate"].ok


KINDS = proving(PRODUCTION.policy)


def test_enough_traffic_decides_every_gate() -> None:
    checks = power_checks(forecast(125), KINDS, True)
    assert {one.id for one in checks} == {f"power.06_phase1_10_percent.{gate.id}" for gate in PRODUCTION.policy.gates}
    assert all(one.ok and not one.required for one in checks)


def test_an_undecidable_gate_is_advice_that_names_the_soak_that_could() -> None:
    found = {one.id: one for one in power_checks(forecast(40), KINDS, True)}
    success = found["power.06_phase1_10_percent.success_rate"]
    assert (success.verdict, success.required) == (Verdict.INCONCLUSIVE, False)
    assert "needs 174" in success.reason and "44.0 h" in success.reason


def test_a_soak_that_decides_nothing_is_no_advice() -> None:
    found = {one.id.rpartition(".")[2]: one for one in power_checks(forecast(2), KINDS, True)}
    for gate in ("success_rate", "error_rate", "submit_latency", "generation_time", "lambda_errors"):
        assert (found[gate].verdict, found[gate].required) == (Verdict.INCONCLUSIVE, True)
    assert found["dlq"].ok


def test_no_traffic_seen_is_no_data() -> None:
    found = {one.id.rpartition(".")[2]: one for one in power_checks(forecast(0), KINDS, False)}
    assert (found["success_rate"].verdict, found["success_rate"].required) == (Verdict.NO_DATA, True)
    assert "no traffic was seen" in found["success_rate"].reason


# On the embedded AWS: a day and a half of the world's traffic, then the notebook's own cells.


class Stage(SimpleNamespace):
    """A project of its own (commands that take no time), on an embedded AWS in which a world has lived."""

    aws: EmbeddedAws
    world: World
    file: Path

    def params(self) -> Params:
        return load_file(self.file)

    def archive(self) -> Archive:
        return Archive(self.file.parent.parent / "archive")

    def commands(self, **more: str) -> None:
        """The commands; `lint="raise SystemExit(3)"` gives one another program."""
        names = ("tests.unit", "tests.integration", "coverage", "lint", "types", "naming", "aws_state")
        program = {name: more.get(name, "print('12 passed in 0.1s')") for name in names}
        checks = [
            {"id": name, "title": name, "notebook": "01_preflight", "run": f'python -c "{code}"'}
            for name, code in program.items()
        ]
        own = read_yaml(ROOT / "params" / "rehearsal-commands.yaml")
        said = f"print('+ queue'); print('{own['diff'].get('differences_say', '')}'); raise SystemExit(1)"
        diff = {**own["diff"], "run": f'python -c "{said}"'}
        path = self.file.parent / "quick.yaml"
        path.write_text(yaml.safe_dump({"checks": checks, "diff": diff, "deploy": own["deploy"]}))

    def vouch(self, leave_out: str = "", hours_ago: float = 0) -> None:
        params = self.params()
        for item in params.policy.attestations:
            if "01_preflight" in item.notebooks and item.id != leave_out:
                at = (self.aws.now() - dt.timedelta(hours=hours_ago)).isoformat()
                said = Entry(kind="attestation", item=item.id, by="Ada L.", role=item.role, at=at, link="https://x.org")
                enter(self.archive(), params, said, "arn:test")

    def run(self, *, leave_out: str = "", **values: Any) -> Record:
        """All cells, as JupyterLab runs them; `leave_out` is a line that is not run."""
        flat = {**read_yaml(self.file), **values}
        cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
        namespace: dict[str, Any] = {"__name__": "notebook"}
        project = self.file.parent.parent
        with only(self.aws.env), contextlib.chdir(project), contextlib.suppress(RedVerdict):
            for cell in cells:
                source = "".join(cell["source"])
                exec(source.replace(leave_out, "None") if leave_out else source, namespace)
                namespace |= flat if "parameters" in cell["metadata"].get("tags", []) else {}
        refs = self.archive().records(notebook="01_preflight")
        self.archive().verify(refs[-1])
        return self.archive().load(refs[-1])


@pytest.fixture(scope="module")
def lived() -> Iterator[tuple[EmbeddedAws, World]]:
    with EmbeddedAws(START) as aws:
        deploy(aws, PRODUCTION, "baseline")
        world = World(aws, PRODUCTION, seed=3)
        world.advance(START + dt.timedelta(hours=36))
        yield aws, world


@pytest.fixture
def stage(lived: tuple[EmbeddedAws, World], tmp_path: Path) -> Stage:
    shutil.copytree(ROOT / "params", tmp_path / "params")
    flat = {**read_yaml(ROOT / "params" / "prod.yaml"), **read_yaml(ROOT / "params" / "rehearsal.yaml")}
    file = tmp_path / "params" / "prod.yaml"
    file.write_text(yaml.safe_dump({**flat, "archive": "archive", "commands": "quick", "operator": "Olga"}))
    stage = Stage(aws=lived[0], world=lived[1], file=file)
    stage.commands()
    return stage


APPLY = {"mode": "apply", "confirm": "prod"}


@pytest.mark.emulator
def test_the_baselines_traffic_is_what_the_users_sent(lived: tuple[EmbeddedAws, World]) -> None:
    aws, world = lived
    with only(aws.env):
        seen = baseline_traffic.read(aws.client("cloudwatch"), PRODUCTION, START + dt.timedelta(hours=36, minutes=10))
    assert len(seen.points) == 36
    truth = world.truth.between()
    assert sum(value for _, value in seen.points) == pytest.approx(truth.sync + truth.submitted, rel=0.01)
    assert mean(seen.points) == pytest.approx(125, rel=0.25)


@pytest.mark.emulator
def test_all_given_promotes_when_applied_and_is_planned_before(stage: Stage) -> None:
    stage.vouch()
    planned = stage.run()
    assert planned.decision == "PLANNED"
    record = stage.run(**APPLY)
    assert record.decision == "PROMOTE", record.outcome
    assert record.changes == ()
    checks = {check["id"]: check for check in record.checks}
    assert all(check["verdict"] == "PASS" for check in checks.values() if check["required"])
    assert checks["tests.unit"]["facts"]["tail"] == ["12 passed in 0.1s"]
    assert checks["infra.diff_reviewed"]["facts"]["differs"] is True
    assert "+ queue" in checks["infra.diff_reviewed"]["facts"]["tail"]
    assert checks["prereq.tasks_7_1_to_7_7"]["attested"] is True
    assert "power.06_phase1_10_percent.success_rate" in checks
    assert checks["door.08_phase3_100_percent.stage"]["facts"]["factor"] > 100
    peak = checks["door.08_phase3_100_percent.stage"]["facts"]["peak"]
    assert peak["period_s"] == 60 and 3 < peak["per_minute"] < 30, "125 an hour on the mean"
    assert peak["per_minute"] < peak["per_hour"] < peak["per_day"]
    assert {name.partition(".")[0] for name in record.files} >= {"baseline-traffic", "journal"}


@pytest.mark.emulator
@pytest.mark.parametrize("item", ["on_call_present", "code_review"])
def test_a_missing_attestation_is_a_hold_that_names_it(stage: Stage, item: str) -> None:
    stage.vouch(leave_out=item)
    record = stage.run(**APPLY)
    assert record.decision == "HOLD" and record.outcome is not None
    assert f"runbook attest {item}" in record.outcome["reason"]


@pytest.mark.emulator
def test_a_failing_command_is_a_hold_with_its_last_words(stage: Stage) -> None:
    stage.commands(lint="print('E501 line too long'); raise SystemExit(3)")
    stage.vouch()
    record = stage.run(**APPLY)
    assert record.decision == "HOLD" and record.outcome is not None
    assert "exit status 3" in record.outcome["reason"] and "E501" in record.outcome["reason"]


@pytest.mark.emulator
@pytest.mark.parametrize("cell", ["preflight.commands()", "preflight.diff()", "preflight.power()", "preflight.door()"])
def test_what_was_not_looked_at_is_a_hold(stage: Stage, cell: str) -> None:
    stage.vouch()
    record = stage.run(leave_out=cell, **APPLY)
    assert record.decision == "HOLD" and record.outcome is not None
    assert "was not looked at" in record.outcome["reason"]


def test_too_few_workers_for_a_later_phase_are_advice() -> None:
    failing = {id: check(f"door.08.{id}", "t", False, "r") for id in ("workers", "stage", "account", "lambda_pool")}
    assert {id for id, one in failing.items() if later(one).required} == {"stage", "account", "lambda_pool"}
    assert later(failing["workers"]).verdict is Verdict.FAIL


@pytest.mark.emulator
def test_a_phase_can_ask_by_itself_before_its_shift(lived: tuple[EmbeddedAws, World]) -> None:
    aws, now = lived[0], START + dt.timedelta(hours=36, minutes=10)
    with only(aws.env):
        ten, raw = door.phase_checks(aws, PRODUCTION, 10, now)
        all_, _ = door.phase_checks(aws, PRODUCTION, 100, now)
    assert [one.id for one in ten] == [f"door.{id}" for id in LIMITS]
    factor = [{one.id: one.facts.get("factor") for one in found} for found in (ten, all_)]
    assert factor[0]["door.workers"] == pytest.approx(10 * factor[1]["door.workers"], rel=0.01)
    assert json.dumps(raw)
    assert raw["limits"]["unreserved"] > 0


@pytest.mark.emulator
def test_a_door_too_narrow_for_a_phase_is_a_hold_that_names_it(stage: Stage) -> None:
    """The stage lets 1 request a second through: enough for 10 %, not for the polls of 100 %."""
    gateway, params = stage.aws.client("apigateway"), stage.params()
    api = next(one["id"] for one in gateway.get_rest_apis()["items"] if one["name"] == params.name("api"))

    def throttle(rate: float, burst: int) -> None:
        limits = {"rateLimit": str(rate), "burstLimit": str(burst)}
        gateway.update_stage(
            restApiId=api,
            stageName=params.service.api.stage,
            patchOperations=[
                {"op": "replace", "path": f"/*/*/throttling/{key}", "value": value} for key, value in limits.items()
            ],
        )

    stage.vouch()
    throttle(1, 1)
    try:
        record = stage.run(**APPLY)
    finally:
        throttle(10_000, 5000)
    assert record.decision == "HOLD" and record.outcome is not None
    checks = {check["id"]: check for check in record.checks}
    assert checks["door.06_phase1_10_percent.stage"]["verdict"] != "FAIL"
    assert checks["door.08_phase3_100_percent.stage"]["verdict"] == "FAIL"
    assert "The stage's throttle: 1 request/s, burst 1" in record.outcome["reason"]
    assert "raise the limit before the shift" in record.outcome["reason"]


@pytest.mark.emulator
def test_an_attestation_that_grew_old_is_a_hold(stage: Stage) -> None:
    stage.vouch(hours_ago=13)
    record = stage.run(**APPLY)
    assert record.decision == "HOLD" and record.outcome is not None
    assert "give it again: runbook attest on_call_present" in record.outcome["reason"]
    assert "13.0 h ago" in record.outcome["reason"]
    assert "(and" not in record.outcome["reason"], "all the rest holds for the release"


def test_the_notebooks_charts_say_what_they_show() -> None:
    from runbook_lib.judge.planning.weekly import by_hour, quietest
    from runbook_lib.show.power import power_chart, week_chart

    find: Callable[[Any], str] = lambda figure: str(figure.get_label())  # noqa: E731
    points = [(START + dt.timedelta(hours=n), 10.0 + n % 24) for n in range(168)]
    said = find(week_chart(by_hour(points), quietest(points, 2)))
    assert "10 to 33 requests an hour" in said and "Monday 00:00-02:00 UTC" in said
    assert "no data" in find(week_chart({}, None))
    told = find(power_chart(forecast(40)))
    assert "Success rate: 96 expected, 174 needed" in told
    assert "No data" in find(power_chart(()))
