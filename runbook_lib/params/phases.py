"""The phases and steps of a rollout in a policy (`params/gates.yaml`)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from runbook_lib.base.nearest import hint
from runbook_lib.base.project import ENVIRONMENT
from runbook_lib.judge.model import Look
from runbook_lib.judge.terms import Frozen
from runbook_lib.params.approvals import once

EnvironmentName = Annotated[str, Field(pattern=f"^{ENVIRONMENT}$")]
"""Name of an environment in names, in the archive's folders and behind `--env`."""
EnvironmentKind = Literal["development", "staging", "production"]
"""Rules of an environment: production has users; in the others a failure may be sent on purpose."""
ENVIRONMENTS: dict[EnvironmentName, EnvironmentKind] = {
    "dev": "development",
    "staging": "staging",
    "prod": "production",
}
"""Environments of a policy that names none, and of the delivered parameters; no other code has their names."""


def stand_in(environments: Mapping[str, EnvironmentKind]) -> dict[str, str]:
    """The project's environment that each delivered one is: the first of its kind.

    Without one of development or staging, the other stands for it.

    >>> stand_in({"qa": "development", "live": "production"})
    {'dev': 'qa', 'staging': 'qa', 'prod': 'live'}
    """
    first: dict[str, str] = {}
    for name, kind in environments.items():
        first.setdefault(kind, name)
    before = next((first[kind] for kind in ENVIRONMENTS.values() if kind in first), "")
    return {name: first.get(kind, before) for name, kind in ENVIRONMENTS.items()}


class Phase(Frozen):
    """One phase of the rollout: its weight, its soak, and its approvers."""

    percent: float = Field(ge=0, le=100)
    """Weight that the phase sets: percentage of submissions that become asynchronous."""
    before_percent: float = Field(default=0, ge=0, le=100)
    """Weight that must be in force before the shift: that of the phase before."""
    looks: tuple[Look, ...]
    after_migration: tuple[Look, ...] = ()
    """Looks during the soak after the migration of the synchronous route, in hours from its end; empty: no
    migration."""
    approvers: tuple[str, ...] = ()
    """Roles that must approve (`runbook approve`) before the shift; each later look checks them, too."""

    @model_validator(mode="after")
    def _looks(self) -> Phase:
        once(self.approvers, "approvers")
        for name, looks in (("looks", self.looks), ("after_migration", self.after_migration)):
            hours = [look.hours for look in looks]
            if (not hours and name == "looks") or hours != sorted(set(hours)):
                raise ValueError(f"{name} at {hours} hours: expects at least one, in rising order")
        return self

    @property
    def soak_hours(self) -> float:
        """Hours from the shift to the first look that may promote."""
        return self.looks[0].hours


class PhaseStep(Frozen):
    """One step of the rollout: its notebook, its environments, and the steps that must have passed before."""

    title: str
    """Name of the step for people."""
    envs: tuple[str, ...]
    """Environments in which it may be applied."""
    notebook: str = ""
    """Notebook that carries it out, with its parameter `rollout_step`; empty: the one with the step's own name."""
    requires: tuple[str, ...] = ()
    """Each `notebook@environment` whose newest record must say PROMOTE for this release, before anything changes;
    `notebook@{env}`: in the same environment, so that several of one kind have a rollout each."""
    requires_to_shift: tuple[str, ...] = ()
    """As `requires`, but before the weight is raised; deploying something without traffic does not need them."""


HERE = "{env}"
"""Environment of a reference that means the step's own."""


def applied(steps: Mapping[str, PhaseStep], step: PhaseStep, wanted: str) -> bool:
    """Whether a step that another one requires is applied where that expects it."""
    notebook, _, env = wanted.partition("@")
    envs = set(step.envs) if env == HERE else {env}
    return notebook in steps and envs <= set(steps[notebook].envs)


def placed(steps: Mapping[str, PhaseStep], known: Collection[str]) -> None:
    """Checks that a step's environments exist; a wrong one would otherwise show as a mistake of the steps that need it.

    Raises:
        ValueError: a step has an unknown environment.
    """
    for name, step in steps.items():
        for env in sorted(set(step.envs) - set(known)):
            raise ValueError(f"step '{name}' is applied in '{env}', which is not an environment; {hint(env, known)}")
