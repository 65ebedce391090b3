"""May I run: every notebook of the rollout, and each of the records that it needs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from runbook_lib.act.guard import Guard
from runbook_lib.base.errors import Refused, UsageError
from runbook_lib.observe.traffic import weight
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.params.load import load_file
from runbook_lib.params.policy import Policy
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.journal import Journal, read_events
from runbook_lib.record.place import RecordRef, new_run_id
from runbook_lib.run.run import Run

ROOT = Path(__file__).resolve().parents[2]
POLICY: Policy = load_file(ROOT / "params" / "prod.yaml").policy
NEEDED = [(notebook, wanted) for notebook, step in POLICY.steps.items() for wanted in step.requires]
NOW = dt.datetime(2026, 11, 10, 10, tzinfo=dt.UTC)
Make = Callable[..., Run]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A run that would apply, where nothing has been deployed."""
    nothing = TrafficState(dial_percent=0, switch_on=False, weight=0, temporary_route=False)
    monkeypatch.setattr(weight, "read_or_nothing", lambda *_: (nothing, False))

    def opened(notebook: str, env: str = "", mode: str = "apply", origin: str = "test") -> Run:
        env = env or POLICY.steps[notebook].envs[0]
        values = {"mode": mode, "confirm": env, "archive": str(tmp_path)}
        params = load_file(ROOT / "params" / f"{env}.yaml", values)
        archive = Archive(tmp_path)
        staging = archive.stage(env, params.release, notebook, new_run_id(), "test")
        run = Run(notebook, params, archive=archive, staging=staging, run_id=staging.name, origin=origin)
        identity = SimpleNamespace(account=params.account_id, arn="arn:aws:iam::test", now=NOW)
        run.now, run.guard = NOW, Guard(params, identity, run.journal)  # type: ignore[arg-type]
        run.aws = SimpleNamespace(client=lambda _: None)  # type: ignore[assignment]
        return run

    return opened


def seal(run: Run, wanted: str, decision: str = "PROMOTE") -> RecordRef:
    """A sealed record of `wanted`, applied."""
    notebook, _, env = wanted.partition("@")
    run_id = new_run_id()
    staging = run.archive.stage(env, run.params.release, notebook, run_id, "test")
    flat = {**run.params.flat.model_dump(mode="json"), "env": env, "mode": "apply"}
    journal = Journal(staging)
    journal.append("opened", run_id=run_id, notebook=notebook, origin="test", params=flat)
    journal.append("closed", decision=decision, said=None, reason="by a test", next="")
    return seal_staged(run.archive, staging, status="completed")


@pytest.mark.slow
@pytest.mark.parametrize(("notebook", "wanted"), NEEDED, ids=[f"{one[:2]}-{two}" for one, two in NEEDED])
def test_each_notebook_stops_for_each_record_that_it_needs(make: Make, notebook: str, wanted: str) -> None:
    run = make(notebook)
    for other in POLICY.steps[notebook].requires:
        if other != wanted:
            seal(run, other)
    with pytest.raises(Refused, match=f"no sealed record of {wanted}"):
        run.may_i_run()
    seal(run, wanted, "HOLD")
    with pytest.raises(Refused, match=wanted):
        make(notebook).may_i_run()
    ref = seal(run, wanted)
    make(notebook).may_i_run()
    record = ref.folder / "record.json"
    record.write_text(record.read_text().replace("by a test", "By a test"))
    with pytest.raises(Refused, match=f"the record of {wanted} cannot be trusted") as told:
        make(notebook).may_i_run()
    assert told.value.nothing_changed


def test_every_step_but_the_first_ones_needs_another() -> None:
    """What is tested above is every later one; a rollback needs nothing (trap 16)."""
    numbered = {name for name in POLICY.steps if name[0].isdigit()}
    assert numbered - {notebook for notebook, _ in NEEDED} == {"01_preflight", "03_dashboard", "04_alarms"}


@pytest.mark.parametrize("notebook", list(POLICY.steps))
def test_a_notebook_is_applied_in_its_own_environments_alone(make: Make, notebook: str) -> None:
    for env in {"dev", "staging", "prod"} - set(POLICY.steps[notebook].envs):
        with pytest.raises(UsageError, match=f"env is '{env}', but {notebook} is applied in"):
            make(notebook, env).may_i_run()


@pytest.mark.parametrize("notebook", [name for name, step in POLICY.steps.items() if "dev" not in step.envs])
def test_a_plan_that_nobody_may_apply_is_refused_but_by_hand_a_notebook_can_be_looked_at(
    make: Make, notebook: str
) -> None:
    """A notebook's own defaults are those of dev, and no cell needs editing to run."""
    with pytest.raises(UsageError, match=f"env is 'dev', but {notebook} is applied in") as refused:
        make(notebook, "dev", "plan", "papermill").may_i_run()
    assert refused.value.nothing_changed
    run = make(notebook, "dev", "plan", "interactive")
    run.may_i_run()
    warned = [event["text"] for event in read_events(run.staging) if event["event"] == "warning"]
    assert any("this plan can be looked at, not carried out" in text for text in warned)


def test_evidence_of_an_hour_ago_stops_it(make: Make) -> None:
    run = make("01_preflight")
    flat = run.params.flat.model_copy(update={"as_of": (NOW - dt.timedelta(hours=1)).isoformat()})
    run.guard.params = run.params.model_copy(update={"flat": flat})
    with pytest.raises(Refused, match="60 min from AWS's own clock"):
        run.may_i_run()
