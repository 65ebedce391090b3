"""Services for tests, and what their steps say."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from runbook_lib.params.load import load_file, params_dir
from runbook_lib.rehearse.world.behaviour import Behaviour
from runbook_lib.rehearse.world.jobs import Job, Settings
from runbook_lib.rehearse.world.publish import item
from runbook_lib.rehearse.world.rows import Rows
from runbook_lib.rehearse.world.scenario import Scenario, load
from runbook_lib.rehearse.world.service import Service
from runbook_lib.rehearse.world.step import WorldStep

START = 1_750_032_000.0  # 2025-06-16 00:00 UTC
HOUR = 3600.0
DAY = 24 * HOUR
HEALTHY = load("healthy")


def service(scenario: Scenario = HEALTHY, share: float = 0.1, seed: int = 7, workers: int = 5) -> Service:
    made = Service(scenario, Settings(), seed, START, workers)
    made.set_weight(share)
    return made


def behaving(requests_per_day: float = 3000, **knobs: float) -> Scenario:
    return Scenario(name="s", title="t", requests_per_day=requests_per_day, behaviour=Behaviour(**knobs))


def rows_of(steps: list[WorldStep]) -> Rows:
    return Rows.concatenate([step.rows for step in steps])


def table(rows: Rows) -> np.ndarray:
    """Sorted, so that only what is in it counts."""
    columns = np.stack([rows.signal.astype(float), rows.stamp, rows.emit, rows.value])
    return columns[:, np.lexsort(columns[::-1])]


def items_of(steps: list[WorldStep]) -> dict[str, dict[str, object]]:
    """What the jobs table says in the end."""
    params = load_file(params_dir(Path(__file__).parent) / "prod.yaml")
    return {job.job_id: item(job, params) for step in steps for job in step.jobs}


def last_seen(steps: list[WorldStep]) -> dict[str, Job]:
    return {job.job_id: job for step in steps for job in step.jobs}
