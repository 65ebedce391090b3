"""The policy of a release of one function's version: the service's own, and gates by version. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

PHASES = ("06_phase1_10_percent", "07_phase2_50_percent", "08_phase3_100_percent")
"""The notebooks of a release."""
MEASURES: dict[str, Any] = {
    "version_errors": {"kind": "rate", "bad": "new_errors", "of": "new_invocations", "zero_while": "of"},
    "version_duration": {"kind": "quantile", "value": "new_duration", "divided_by": 1000},
}
"""Measures of the new version alone (`AliasHome.metrics`)."""
GATES: list[dict[str, Any]] = [
    {
        "id": "version_errors",
        "title": "Errors of the new version",
        "kind": "rate",
        "measure": "version_errors",
        "unit": "ratio",
        "target": "< 0.01",
        "alert": "> 0.05",
        "min_samples": 100,
        "failing": "failed",
        "response": "switch_off",
        "severity": 5,
        "why": "Errors of the new version < 1 %, alert > 5 %: at 10 % of the calls those of the function hide them.",
    },
    {
        "id": "version_duration",
        "title": "P95 duration of the new version",
        "kind": "quantile",
        "quantile": 0.95,
        "measure": "version_duration",
        "unit": "s",
        "target": "< 90",
        "alert": "> 120",
        "implausible": "< 0.001",
        "min_samples": 60,
        "response": "switch_off",
        "severity": 4,
        "why": "P95 duration of the new version, in the limits of the generation time.",
    },
]


def policy_of(gates: Mapping[str, Any]) -> dict[str, Any]:
    """gates.yaml of a release, made from the service's.

    It has the three phases without the records of other steps before them, and no migration; it leaves out what people
    attest before the first rollout, and the comparisons with the synchronous route.

    Args:
        gates: the service's gates.yaml as read from YAML.
    """
    made = copy.deepcopy(dict(gates))
    steps = {name: dict(made["steps"][name]) for name in PHASES}
    for name, step in steps.items():
        step.pop("requires_to_shift", None)
        step["requires"] = [one for one in step.get("requires", []) if one.partition("@")[0] in steps]
        if not step["requires"]:
            step.pop("requires")
        steps[name] = step
    phases = {name: {k: v for k, v in made["phases"][name].items() if k != "after_migration"} for name in PHASES}
    own = [one for one in made["gates"] if not one.get("against")]
    attestations = [
        {**one, "notebooks": [n for n in one["notebooks"] if n in steps]} for one in made.get("attestations", [])
    ]
    return made | {
        "steps": steps,
        "phases": phases,
        "measures": {**(made.get("measures") or {}), **copy.deepcopy(MEASURES)},
        "gates": [*copy.deepcopy(GATES), *own],
        "attestations": [one for one in attestations if one["notebooks"]],
        "alarms": [_of_phases(one) for one in made.get("alarms", [])],
    }


def _of_phases(alarm: Mapping[str, Any]) -> dict[str, Any]:
    """An alarm with only the counts of a release's phases."""
    found = dict(alarm)
    if isinstance(found.get("phases"), Mapping):
        found["phases"] = {name: one for name, one in found["phases"].items() if name in PHASES}
    return found
