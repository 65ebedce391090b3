"""Rollbacks 2 and 3 in kernels: by papermill's engine with apply, and killed in the middle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.act import concurrency
from runbook_lib.observe.resources import workers
from runbook_lib.rollout import deviations

pytestmark = [pytest.mark.emulator, pytest.mark.kernel, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
BACKLOG = ROOT / "notebooks" / "rollback_2_queue_backlog.ipynb"
THROTTLING = ROOT / "notebooks" / "rollback_3_dynamodb_throttling.ipynb"
_KILL = """import os, signal
from runbook_lib.act import concurrency

_set = concurrency._set

def die(*given):
    _set(*given)
    os.kill(os.getpid(), signal.SIGKILL)

concurrency._set = die
"""


def test_more_workers_by_the_engine_with_a_reason_and_back(rollout: Any) -> None:
    rollout.quiet()
    done = rollout.run(BACKLOG, **rollout.apply, reason="practice")
    record = rollout.record(done)
    assert (done.exit_code, record.decision, record.origin) == (0, "SOAK", "papermill")
    client = rollout.aws.client("lambda")
    assert workers.read_workers(client, rollout.params).facts() == {"reserved": 10, "maximum": 10}
    assert set(deviations.open_deviations(rollout.archive, "prod")) == {
        "inventory.worker.reserved_concurrency",
        "inventory.event_source.maximum_concurrency",
    }
    assert {"post-mortem.md", "report.html", "answers.json"} <= set(record.files)
    lower = concurrency.plan_lower(workers.read_workers(client, rollout.params), 5, 5)
    concurrency.apply(lower, client, rollout.guard(), rollout.params)


def test_without_throttling_the_engine_seals_a_refusal(rollout: Any) -> None:
    rollout.quiet()
    planned = rollout.run(THROTTLING)
    assert (planned.exit_code, planned.decision) == (0, "PLANNED")
    refused = rollout.run(THROTTLING, **rollout.apply, reason="practice")
    record = rollout.record(refused)
    assert refused.exit_code == 3
    assert record.error is not None
    assert "no throttle events" in record.error.sentence
    assert not [change for change in record.changes if "capacity" in change.intent["what"]]


def test_killed_between_two_settings_the_next_run_completes_them(rollout: Any, tmp_path: Path) -> None:
    rollout.quiet()
    notebook = json.loads(BACKLOG.read_text())
    place = next(n for n, cell in enumerate(notebook["cells"]) if "incident.apply()" in "".join(cell["source"]))
    more = {"cell_type": "code", "id": "more", "metadata": {}, "outputs": [], "execution_count": None, "source": _KILL}
    notebook["cells"].insert(place, more)
    killed = tmp_path / BACKLOG.name
    killed.write_text(json.dumps(notebook))
    rollout.run(killed, **rollout.apply, reason="practice")
    died = rollout.records()[-1]
    client = rollout.aws.client("lambda")
    assert died.status == "died"
    assert workers.read_workers(client, rollout.params).facts() == {"reserved": 10, "maximum": 5}
    done = rollout.by_hand(BACKLOG, **rollout.apply, reason="practice")
    assert workers.read_workers(client, rollout.params).facts() == {"reserved": 10, "maximum": 10}
    assert [change.intent["after"] for change in done.changes][:1] == [{"maximum": 10}]
    assert done.incident["decided_at"] == died.incident["decided_at"]
    lower = concurrency.plan_lower(workers.read_workers(client, rollout.params), 5, 5)
    concurrency.apply(lower, client, rollout.guard(), rollout.params)


def test_the_command_runs_the_notebook(rollout: Any) -> None:
    rollout.quiet()
    done = rollout.command("rollback", "3", *rollout.settings(), "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["decision"] == "PLANNED"
    assert rollout.records()[-1].notebook == THROTTLING.stem
