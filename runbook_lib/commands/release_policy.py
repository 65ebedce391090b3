"""The policy of a release of one function's version: the service's own, and gates by version. Pure."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Any

from runbook_lib.base.errors import UsageError
from runbook_lib.judge import words
from runbook_lib.params.rollbacks import ReleaseLimits

PHASES = ("06_phase1_10_percent", "07_phase2_50_percent", "08_phase3_100_percent")
"""The notebooks that carry out the steps of a release."""
MEASURES: dict[str, Any] = {
    "version_errors": {"kind": "rate", "bad": "new_errors", "of": "new_invocations", "zero_while": "of"},
    "version_duration": {"kind": "quantile", "value": "new_duration", "divided_by": 1000},
}
"""Measures of the new version alone (`AliasHome.metrics`)."""


def gates_of(limits: ReleaseLimits) -> list[dict[str, Any]]:
    """The gates on the new version alone, with the limits of `release` in gates.yaml."""
    errors, duration = limits.version_errors, limits.version_duration
    share = words.comparison(errors.target, "ratio"), words.comparison(errors.alert, "ratio")
    name = f"P{100 * duration.quantile:g}"
    return [
        {
            "id": "version_errors",
            "title": "Errors of the new version",
            "kind": "rate",
            "measure": "version_errors",
            "unit": "ratio",
            "target": str(errors.target),
            "alert": str(errors.alert),
            "min_samples": errors.min_samples,
            "failing": "failed",
            "response": "switch_off",
            "severity": 5,
            "why": f"Errors of the new version {share[0]}, alert {share[1]}: of the function's it has few.",
        },
        {
            "id": "version_duration",
            "title": f"{name} duration of the new version",
            "kind": "quantile",
            "quantile": duration.quantile,
            "measure": "version_duration",
            "unit": "s",
            "target": str(duration.target),
            "alert": str(duration.alert),
            "implausible": str(duration.implausible),
            "min_samples": duration.min_samples,
            "response": "switch_off",
            "severity": 4,
            "why": f"{name} duration of the new version {duration.target} s, alert {duration.alert} s.",
        },
    ]


def policy_of(gates: Mapping[str, Any]) -> dict[str, Any]:
    """gates.yaml of a release, made from the service's.

    It has the phases of `PHASES`' notebooks without the records of other steps before them, and no migration; it leaves
    out what people attest before the first rollout, and the comparisons with the synchronous route.

    Args:
        gates: the service's gates.yaml as read from YAML.

    Raises:
        UsageError: the service has no such phase.
    """
    made = copy.deepcopy(dict(gates))
    limits = ReleaseLimits.model_validate(made.pop("release", None) or {})
    steps = {
        name: dict(made["steps"][name])
        for name in made["phases"]
        if (made["steps"][name].get("notebook") or name) in PHASES
    }
    if not steps:
        raise UsageError(f"gates.yaml has no phase for a release: none that {' or '.join(PHASES)} carries out")
    for name, step in steps.items():
        step.pop("requires_to_shift", None)
        step["requires"] = [one for one in step.get("requires", []) if one.partition("@")[0] in steps]
        if not step["requires"]:
            step.pop("requires")
        steps[name] = step
    phases = {name: {k: v for k, v in made["phases"][name].items() if k != "after_migration"} for name in steps}
    own = [one for one in made["gates"] if not one.get("against")]
    attestations = [
        {**one, "notebooks": [n for n in one["notebooks"] if n in steps]} for one in made.get("attestations", [])
    ]
    return made | {
        "steps": steps,
        "phases": phases,
        "measures": {**(made.get("measures") or {}), **copy.deepcopy(MEASURES)},
        "gates": [*gates_of(limits), *own],
        "attestations": [one for one in attestations if one["notebooks"]],
        "alarms": [_of_phases(one, steps) for one in made.get("alarms", [])],
    }


def _of_phases(alarm: Mapping[str, Any], steps: Collection[str]) -> dict[str, Any]:
    """An alarm with only the counts of a release's phases."""
    found = dict(alarm)
    if isinstance(found.get("phases"), Mapping):
        found["phases"] = {name: one for name, one in found["phases"].items() if name in steps}
    return found
