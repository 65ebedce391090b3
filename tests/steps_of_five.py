"""A project whose rollout has five steps: 5, 10, 25, 50 and 100 %, with the notebooks of the customer's three."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

from runbook_lib.base.project import params_dir

ROOT = params_dir(Path(__file__).parent).parent
FIVE = ("06a_phase1_5_percent", "06_phase1_10_percent", "07a_phase2_25_percent", "07_phase2_50_percent")
LAST = "08_phase3_100_percent"
PERCENT = dict(zip((*FIVE, LAST), (5, 10, 25, 50, 100), strict=True))
NOTEBOOK = {FIVE[0]: FIVE[1], FIVE[2]: FIVE[3]}
COUNTS = {
    FIVE[0]: {"threshold": 4, "period_s": 7200},
    FIVE[2]: {"threshold": 5, "period_s": 2700},
}


def gates(raw: dict[str, Any]) -> dict[str, Any]:
    """`gates.yaml` with the two steps between."""
    steps, phases, before = dict(raw["steps"]), dict(raw["phases"]), dict[str, Any]()
    first, second = steps[FIVE[1]], steps[FIVE[3]]
    steps[FIVE[0]] = {**first, "title": "Phase 1a: 5 % of traffic", "notebook": FIVE[1]}
    steps[FIVE[1]] = {"title": first["title"], "envs": ["prod"], "requires": [f"{FIVE[0]}@prod"]}
    steps[FIVE[2]] = {**second, "title": "Phase 2a: 25 % of traffic", "notebook": FIVE[3]}
    steps[FIVE[3]] = {**second, "requires": [f"{FIVE[2]}@prod"]}
    looks, weight = phases[FIVE[1]]["looks"], 0
    staging = phases.pop("05_staging")
    for name, percent in PERCENT.items():
        before[name] = {**phases.get(name, {"looks": looks}), "percent": percent, "before_percent": weight}
        weight = percent
    alarms = [{**one, "phases": {**one["phases"], **COUNTS}} if one.get("phases") else one for one in raw["alarms"]]
    return {**raw, "steps": steps, "phases": {"05_staging": staging, **before}, "alarms": alarms}


def project(folder: Path) -> Path:
    """Writes it into `folder`, notebooks and parameters; the folder."""
    for name in ("params", "notebooks"):
        shutil.copytree(ROOT / name, folder / name)
    path = folder / "params" / "gates.yaml"
    path.write_text(yaml.safe_dump(gates(yaml.safe_load(path.read_text())), sort_keys=False), encoding="utf-8")
    return folder
