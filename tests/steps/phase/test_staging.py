"""Notebook 05 on the embedded AWS, run after run as it finds out where it stands; with a small load, a real one."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import model_validator

from runbook_lib.act.requests.load import Loaded, LoadError, LoadPlan
from runbook_lib.base.errors import RedVerdict
from runbook_lib.judge.planning.load import Job, Met
from runbook_lib.judge.threshold import Threshold
from runbook_lib.observe.dashboard import declared as dashboard
from runbook_lib.observe.traffic import state as traffic
from runbook_lib.params.load import Params
from runbook_lib.record.archive import Archive
from runbook_lib.record.entry import Entry, enter
from runbook_lib.record.record import Record
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import only, overlaid, params_of, take_as_passed
from runbook_lib.rehearse.sandbox.deploy import deploy
from runbook_lib.rehearse.world.world import World
from runbook_lib.steps.phase import staging as room
from runbook_lib.steps.phase.staging import KEPT, LOAD, Staging

pytestmark = [pytest.mark.emulator, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[3]
NOTEBOOK = ROOT / "notebooks" / "05_staging.ipynb"
START = dt.datetime(2025, 6, 16, 3, tzinfo=dt.UTC)
USERS = 8
UNSEEN: Any = object()
"""A look that nobody needs."""


class SmallLoad(LoadPlan):
    """The delivered plan with few users: too few for a bound of the p95, so it passes on none."""

    @model_validator(mode="before")
    @classmethod
    def _small(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {**values, "users": USERS, "spawn_per_s": 20, "warm_up": 0, "max_s": 60, "drain_slack_s": 120}


class Walk:
    """One release on one stage."""

    def __init__(self, aws: EmbeddedAws, archive: Path) -> None:
        self.aws, self.folder, self.params = aws, archive, params_of("staging", "x")
        self.shown: list[str] = []

    def run(self, **values: Any) -> Record:
        """All cells but the charts, in this process."""
        flat = {**overlaid("staging", "x"), "archive": str(self.folder), "confirm": "staging", **values}
        namespace: dict[str, Any] = {"__name__": "notebook"}
        self.shown = []
        with contextlib.suppress(RedVerdict):
            for cell in json.loads(NOTEBOOK.read_text())["cells"]:
                if cell["cell_type"] != "code":
                    continue
                *lines, last = "".join(cell["source"]).splitlines()
                exec("\n".join(lines), namespace)
                if "charts" in last:
                    continue
                try:
                    self.shown.append(str(eval(last, namespace)))
                except SyntaxError:
                    exec(last, namespace)
                namespace |= flat if "parameters" in cell["metadata"].get("tags", []) else {}
        place = Archive(self.folder)
        refs = [ref for ref in place.records() if ref.notebook == NOTEBOOK.stem]
        place.verify(refs[-1])
        return place.load(refs[-1])

    def passed(self, *, to_shift: bool) -> None:
        step = self.params.policy.steps[NOTEBOOK.stem]
        wanted = {"requires": ()} if to_shift else {"requires_to_shift": ()}
        steps = {**self.params.policy.steps, NOTEBOOK.stem: step.model_copy(update=wanted)}
        policy = self.params.policy.model_copy(update={"steps": steps})
        take_as_passed(self.folder, self.params.model_copy(update={"policy": policy}), NOTEBOOK.stem)

    def attest(self, *items: str) -> None:
        for item in items:
            entry = Entry(
                kind="attestation",
                item=item,
                by="Q. A.",
                role="QA",
                at=f"{self.aws.now():%Y-%m-%dT%H:%M:%SZ}",
                link="",
                text="seen",
            )
            enter(Archive(self.folder), self.params, entry, caller_arn="arn:test")

    @property
    def weight(self) -> float:
        return traffic.read_state(self.aws.client("appconfig"), self.params).weight


def verdicts(record: Record) -> dict[str, str]:
    return {one["id"]: one["verdict"] for one in record.checks}


def reason(record: Record, id: str) -> str:
    return next(str(one["reason"]) for one in record.checks if one["id"] == id)


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws(START) as one, only(one.env), contextlib.chdir(ROOT), pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "LoadPlan", SmallLoad)
        # Eight submissions prove no p95: here the point counts.
        patch.setattr(room.judged, "quantile_rank", lambda n, *_: n)
        # How fast a crowded machine answers says nothing of the code (tests/judge/test_load.py judges the times).
        at_leisure = {"target": Threshold(op="<", limit=100), "alert": Threshold(op=">", limit=120)}
        served = room.judged.served
        patch.setattr(
            room.judged, "served", lambda met, n, gate, **kw: served(met, n, gate.model_copy(update=at_leisure), **kw)
        )
        deploy(one, params_of("staging", "x"), "baseline")
        yield one


@pytest.fixture(scope="module")
def walked(aws: EmbeddedAws, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Record, str, float]]:
    """Every kind of run, one after the other: record, what was shown, and the weight after it."""
    walk, seen = Walk(aws, tmp_path_factory.mktemp("archive")), dict[str, tuple[Record, str, float]]()

    def go(name: str, mode: str) -> None:
        record = walk.run(mode=mode)
        seen[name] = record, "\n".join(walk.shown), walk.weight if name != "before anything" else 0.0

    walk.passed(to_shift=False)
    go("before anything", "plan")
    go("deploys", "apply")
    world = World(aws, walk.params, "healthy", 7)
    world.advance_by(minutes=20)
    go("lacks 03 and 04", "apply")
    walk.passed(to_shift=True)
    go("plans", "plan")
    walk.attest("manual_qa")
    go("lacks a signature", "apply")
    walk.attest("qa_signoff")
    go("shifts", "apply")
    world.advance_by(hours=2)
    go("looks", "plan")
    board = dashboard.declared(walk.params)
    body = dashboard.encode(dashboard.body(board, walk.params))
    aws.client("cloudwatch").put_dashboard(DashboardName=dashboard.board_name(board, walk.params), DashboardBody=body)
    go("looks again", "apply")
    return seen


def test_the_first_runs_deploy_and_shift_nothing(walked: dict[str, tuple[Record, str, float]]) -> None:
    for name in ("before anything", "deploys", "lacks 03 and 04"):
        record, _, weight = walked[name]
        assert (record.decision, weight) == ("PLANNED", 0), record.outcome
        assert not any(id.startswith("load.") for id in verdicts(record)), "no load before dashboard and alarms"
    assert walked["before anything"][0].changes == ()
    deployed = walked["deploys"][0]
    assert verdicts(deployed)["infra.deploy"] == "PASS"
    assert any(id.startswith("inventory.") for id in verdicts(deployed))
    assert [change.intent["what"].split()[0] for change in deployed.changes] == ["deploy"]
    assert walked["lacks 03 and 04"][0].changes == ()


def test_a_plan_sends_no_request_and_says_what_is_to_come(walked: dict[str, tuple[Record, str, float]]) -> None:
    record, shown, weight = walked["plans"]
    assert (record.decision, record.changes, weight) == ("PLANNED", (), 0)
    assert {verdicts(record)[f"load.{name}"] for name in LOAD} == {"INCONCLUSIVE"}
    assert f"{USERS} users" in shown and "load-users.json" not in record.files


def test_without_the_sign_off_nothing_is_loaded_and_nothing_shifted(
    walked: dict[str, tuple[Record, str, float]],
) -> None:
    record, shown, weight = walked["lacks a signature"]
    assert (record.decision, record.changes, weight) == ("HOLD", (), 0)
    found = verdicts(record)
    assert (found["staging.tests"], found["attest.manual_qa"], found["attest.qa_signoff"]) == ("PASS", "PASS", "FAIL")
    assert "QA signs off" in record.outcome["reason"] and "No load is made" in shown


def test_tested_loaded_and_signed_it_shifts(walked: dict[str, tuple[Record, str, float]]) -> None:
    record, _, weight = walked["shifts"]
    assert (record.decision, weight) == ("SOAK", 100), record.outcome
    found = verdicts(record)
    wanted = {"staging.tests", "attest.manual_qa", "attest.qa_signoff", *(f"load.{name}" for name in LOAD)}
    assert {id: found[id] for id in wanted} == dict.fromkeys(wanted, "PASS"), record.checks
    assert f"all {USERS} accepted jobs" in reason(record, "load.none_lost")
    assert {"load-users.json", "load-statistics.csv", "load-report.html"} <= set(record.files)
    load, *shift = record.changes
    assert load.intent["what"].startswith("load test") and load.outcome["ok"] and shift
    assert record.open_changes == ()


def test_a_look_carries_what_was_tested_and_tests_nothing_again(
    walked: dict[str, tuple[Record, str, float]],
) -> None:
    tested = walked["shifts"][0]
    for name in ("looks", "looks again"):
        record, _, weight = walked[name]
        assert (record.moment, record.decision, record.changes, weight) == ("during", "SOAK", (), 100)
        found = {one["id"]: one for one in record.checks}
        carried = [*KEPT, "attest.manual_qa", "attest.qa_signoff"]
        assert {found[id]["facts"]["run"] for id in carried} <= {tested.run_id, walked["looks"][0].run_id}
        assert {id: found[id]["verdict"] for id in carried} == {id: verdicts(tested)[id] for id in carried}


def test_the_dashboard_must_be_there_and_show_something(walked: dict[str, tuple[Record, str, float]]) -> None:
    without, with_it = walked["looks"][0], walked["looks again"][0]
    assert verdicts(without)["dashboard.metrics"] == "FAIL"
    assert "there is no dashboard VPR-Async-Monitoring-staging" in reason(without, "dashboard.metrics")
    assert verdicts(with_it)["dashboard.metrics"] == "PASS", reason(with_it, "dashboard.metrics")
    assert "8 of 8 widgets have data" in reason(with_it, "dashboard.metrics")


class Quiet:
    """A guard that lets everything pass, and keeps what it was told."""

    def __init__(self, now: dt.datetime) -> None:
        self.now, self.told = now, list[dict[str, Any]]()

    def change(self, what: str, *, do: Callable[[], Any], read_back: Callable[[], Any], **facts: Any) -> None:
        self.told.append({"what": what, **facts})
        do()
        self.told[-1]["seen"] = read_back()


@pytest.fixture
def judging(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`_loaded` with a load that was not made, jobs that are given, and a quiet AWS."""
    params: Params = params_of("staging", "x")
    kept: dict[str, Any] = {}
    journal = SimpleNamespace(attach=lambda name, content, **_: kept.update({name: content}))
    guard = Quiet(START)
    run: Any = SimpleNamespace(params=params, run_id="r", journal=journal, guard=guard, aws=None)
    phase = Staging(run, UNSEEN)
    phase.plan_of_load = LoadPlan(users=2, spawn_per_s=1, generation_s=45)
    monkeypatch.setattr(room, "stage_url", lambda *_: "http://api")
    monkeypatch.setattr(Staging, "_dlq", lambda _: room.check("load.dlq", "dlq", True, "empty"))
    monkeypatch.setattr(Staging, "_throttled", lambda *_: None)
    at = START.timestamp()
    met = [Met(at=at, job_id=id, submit_s=0.1, submit_status=202, waited_s=9) for id in ("a", "b")]
    monkeypatch.setattr(room, "run_load", lambda *_, **__: Loaded(tuple(met), at, 9.0, b"csv", "<html>"))

    def judged(jobs: dict[str, Job]) -> dict[str, Any]:
        def settled(*_: Any, **asked: Any) -> dict[str, Job]:
            kept["asked"] = asked
            return jobs

        monkeypatch.setattr(room, "settled", settled)
        return {one.id: one for one in phase._loaded(None)}

    return SimpleNamespace(judged=judged, kept=kept, guard=guard)


def test_a_lost_job_fails_and_is_named(judging: Any) -> None:
    done = Job(status="COMPLETED", created=0.0, started=0.0, completed=45.0, stored=45.0)
    found = judging.judged({"a": done})
    assert found["load.none_lost"].verdict == "FAIL" and "b (not in the table)" in found["load.none_lost"].reason
    assert set(judging.kept) >= {"load-users.json", "load-statistics.csv", "load-report.html"}
    assert judging.guard.told[0]["seen"] == {"ran": True, "users": 2} and judging.guard.told[0]["raises"]
    assert judging.kept["asked"]["limit_s"] >= room.LEAST_WAIT_S


def test_no_job_finished_is_no_drain(judging: Any) -> None:
    found = judging.judged({})
    assert found["load.drained"].verdict == "NO_DATA"
    assert "of 45 s" in found["load.clients_wait"].reason, "what is declared stands in for what was not measured"


def test_a_load_that_could_not_be_made_is_a_check_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    noted: dict[str, Any] = {}
    run: Any = SimpleNamespace(
        params=params_of("staging", "x"),
        applying=True,
        checks={},
        check=lambda *found: noted.update({one.id: one for one in found}),
    )
    phase = Staging(run, UNSEEN)
    phase.plan_of_load = LoadPlan(users=2, spawn_per_s=1, generation_s=45)
    monkeypatch.setattr(Staging, "_acts", lambda *_: True)

    def fails(*_: Any) -> Any:
        raise LoadError("the load test left no result: no such host")

    monkeypatch.setattr(Staging, "_loaded", fails)
    phase.load_test()
    assert noted["load.accepted"].verdict == "NO_DATA" and "no such host" in noted["load.accepted"].reason
