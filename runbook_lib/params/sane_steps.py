"""Refuses readable steps and phases that make no sense: one that waits for itself, a weight that no phase ends at, a
phase whose notebook plays none.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from runbook_lib.base.plain_file import NoNotebook, cells
from runbook_lib.base.project import visible
from runbook_lib.params.bounds import Said
from runbook_lib.params.sentence import shown, suggested

if TYPE_CHECKING:
    from runbook_lib.params.load import Params
    from runbook_lib.params.policy import Policy

MOST_H = 31 * 24.0
_PLAYS = re.compile(r"from runbook_lib\.steps\.phase\.(\w+) import")
"""Import by which a phase's notebook shows its kind: `phase`, `staging`, `migration`."""

_DEPLOYS = "phase.deploy("
"""The call by which a phase's notebook deploys."""


def check(params: Params) -> Iterator[Said]:
    """What makes no sense in the steps and phases: key, value, and what is expected."""
    for name in params.policy.steps:
        if not re.fullmatch(r"[a-z0-9_]{1,60}", name):
            wanted = "a step has small letters, digits and _ in its name, 60 at most"
            yield "steps", shown(name), wanted + suggested(name, digit=True)
    yield from _phases(params)
    for env in params.policy.environments:
        yield from _order(params.policy, env)
    yield from _circle(params.policy)
    # The project's notebooks, if they lie beside the parameters.
    code = {one.stem: _code(one) for one in visible(Path(params.source).parent / "notebooks", "ipynb")}
    yield from _played(params.policy, code)
    if params.service.traffic.kind != "lambda-alias":  # there the version is published before
        yield from _deployed(params.policy, code)


def _phases(params: Params) -> Iterator[Said]:
    policy = params.policy
    settles_h = (params.service.job_deadline_s + policy.metric_delay_s) / 3600
    weights = {0.0, *(one.percent for one in policy.phases.values())}
    for name, phase in policy.phases.items():
        hours = [look.hours for look in (*phase.looks, *phase.after_migration)]
        if min(hours) <= settles_h:
            yield (
                f"phases.{name}.looks",
                f"{min(hours):g} h",
                f"nothing has settled before {settles_h:.2g} h (job_deadline_s and metric_delay_s); expects more",
            )
        if max(hours) > MOST_H:
            yield f"phases.{name}.looks", f"{max(hours):g} h", f"nobody waits that long; expects {MOST_H:g} h at most"
        for measure, own in policy.judged.items():
            if own.late_s + policy.metric_delay_s >= min(hours) * 3600:
                wanted = f"nothing of it has arrived at the look of phase {name} after {min(hours):g} h; expects less"
                yield f"measures.{measure}.late_s", f"{own.late_s:g}", wanted
        if phase.percent == 0:
            wanted = "at 0 % nobody is on async, and nothing can be judged; expects more"
            yield f"phases.{name}.percent", "0", wanted
        if phase.percent != round(phase.percent, 2):
            wanted = "a weight has two decimals at most; finer ones look alike wherever they are shown"
            yield f"phases.{name}.percent", f"{phase.percent!r}", wanted
        if phase.before_percent not in weights:
            wanted = f"no phase ends at that weight; there are {', '.join(f'{one:g}' for one in sorted(weights))}"
            yield f"phases.{name}.before_percent", f"{phase.before_percent:g}", wanted
        if phase.before_percent >= phase.percent > 0:
            yield f"phases.{name}.before_percent", f"{phase.before_percent:g}", f"expects less than {phase.percent:g}"


def _order(policy: Policy, env: str) -> Iterator[Said]:
    """Checks that in an environment each phase begins where the one before ends, and only the last one migrates."""
    phases = policy.phases_of(env)
    before, ends = "", 0.0
    for name, phase in phases.items():
        if phase.before_percent != ends:
            wanted = f"{before} before it ends at {ends:g} %" if before else "the rollout begins at 0 %"
            yield f"phases.{name}.before_percent", f"{phase.before_percent:g}", f"{wanted}; expects {ends:g}"
        if phase.after_migration and name != list(phases)[-1]:
            yield (
                f"phases.{name}.after_migration",
                f"{len(phase.after_migration)} looks",
                "only the last phase migrates",
            )
        elif phase.after_migration and phase.percent != 100:
            wanted = "it migrates, which puts everybody on async, and no soak has judged that; expects 100"
            yield f"phases.{name}.percent", f"{phase.percent:g}", wanted
        before, ends = name, phase.percent


def _circle(policy: Policy) -> Iterator[Said]:
    """A step that waits for itself, by its requirements or by the order of the phases."""
    waits = {
        f"{name}@{env}": [*step.requires, *step.requires_to_shift]
        for name, step in policy.steps.items()
        for env in step.envs
    }
    for env in policy.environments:
        phases = list(policy.phases_of(env))
        for before, name in itertools.pairwise(phases):
            waits[f"{name}@{env}"].append(f"{before}@{env}")
    for start in waits:
        way = _way(start, waits)
        if way:
            told = " waits for ".join(way)
            key = f"steps.{start.partition('@')[0]}.requires"
            yield key, repr(way[1]), f"the step waits for itself: {told}; phases follow each other in their order"


def _way(start: str, waits: Mapping[str, list[str]]) -> list[str]:
    """The way from a step through what it waits for back to itself; empty if there is none."""
    ways, seen = [[start]], set[str]()
    while ways:
        way = ways.pop(0)
        for one in waits.get(way[-1], ()):
            if one == start:
                return [*way, start]
            if one not in seen:
                seen.add(one)
                ways.append([*way, one])
    return []


def _played(policy: Policy, code: Mapping[str, str]) -> Iterator[Said]:
    """Checks that a phase's notebook plays phases; `code`: what the project's notebooks hold."""
    several = [name for name, one in code.items() if _plays(one) == "phase"]
    for name, phase in policy.phases.items() if several else ():
        other = policy.steps[name].notebook
        kept = code.get(other or name)
        if not kept:  # it is missing or cannot be read: `cross_check` or running it reports it
            continue
        found = _plays(kept)
        if not found or (other and found != "phase"):
            key, value = (f"steps.{name}.notebook", other) if other else (f"phases.{name}", name)
            what = "carries out no step but its own" if found else "is not a notebook of a phase"
            yield key, repr(value), f"it {what}; there are {', '.join(several)}"
        elif phase.after_migration and found != "migration":
            wanted = f"notebook {other or name} migrates nothing; leave it out"
            yield f"phases.{name}.after_migration", f"{len(phase.after_migration)} looks", wanted


def _deployed(policy: Policy, code: Mapping[str, str]) -> Iterator[Said]:
    """Checks that the first phase of an environment deploys: a later one would come too late."""
    able = [name for name, one in code.items() if _DEPLOYS in one]
    for env in policy.environments if able else ():
        for name in list(policy.phases_of(env))[:1]:
            other = policy.steps[name].notebook
            if (other or name) in able or not code.get(other or name):
                continue
            key, value = (f"steps.{name}.notebook", other) if other else (f"phases.{name}", name)
            told = f"it deploys nothing, and {name} is the first phase of {env}"
            yield key, repr(value), f"{told}; those that deploy are {', '.join(able)}"


def _plays(code: str) -> str:
    """The kind of phase that a notebook plays; empty: none."""
    found = _PLAYS.search(code)
    return found[1] if found else ""


def _code(notebook: Path) -> str:
    """What a notebook's cells hold, as JSON; empty: it cannot be read, which running it reports."""
    try:
        return json.dumps(cells(notebook))
    except NoNotebook:
        return ""
