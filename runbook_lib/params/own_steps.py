"""Several environments of one kind, each with a rollout of its own: `notebook@{env}` means the step's own environment.

The parameters of an environment are read for that environment alone, so a reference is resolved as soon as it is read,
and nobody else knows of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from runbook_lib.params.phases import HERE, PhaseStep

if TYPE_CHECKING:
    from runbook_lib.params.policy import Policy


def seen_from(policy: Policy, env: str) -> Policy:
    """The policy as it holds for one environment; the same one where nothing refers to `{env}`."""
    own = {name: _own(step, env) for name, step in policy.steps.items()}
    only = {
        f"{name}@{one}": f"{name}@{own[name].envs[0]}"
        for name, step in policy.steps.items()
        if own[name] is not step
        for one in step.envs
    }
    own = {name: _seen(step, only) for name, step in own.items()}
    items = tuple(
        item.model_copy(update={"after": _at(item.after, policy.steps, env), "env": "same"})
        if item.after and HERE in item.after
        else item
        for item in policy.attestations
    )
    if own == policy.steps and items == policy.attestations:
        return policy
    return policy.model_copy(update={"steps": own, "attestations": items})


def rollout_of(policy: Policy, env: str) -> frozenset[str]:
    """The environments whose records a rollout to `env` is told by: itself, and those of other kinds.

    Another one of its kind has a rollout of its own, of which nothing proves anything here.
    """
    kinds = policy.environments
    return frozenset(one for one, kind in kinds.items() if one == env or kind != kinds.get(env)) | {env}


def _own(step: PhaseStep, env: str) -> PhaseStep:
    """A step that refers to its own environment, in this one alone; from elsewhere, that of the first is seen."""
    if not any(one.endswith(f"@{HERE}") for one in (*step.requires, *step.requires_to_shift)):
        return step
    own = env if env in step.envs else step.envs[0]
    changed = {
        key: tuple(one.replace(HERE, own) for one in said)
        for key, said in (("requires", step.requires), ("requires_to_shift", step.requires_to_shift))
    }
    return step.model_copy(update={**changed, "envs": (own,)})


def _seen(step: PhaseStep, only: Mapping[str, str]) -> PhaseStep:
    """A step that requires the steps of other environments in the one in which they are seen (`only`)."""
    wanted = {
        key: tuple(only.get(one, one) for one in said)
        for key, said in (("requires", step.requires), ("requires_to_shift", step.requires_to_shift))
    }
    return step if all(getattr(step, key) == said for key, said in wanted.items()) else step.model_copy(update=wanted)


def _at(after: str, steps: Mapping[str, PhaseStep], env: str) -> str:
    """What an attestation comes after: in this environment where the step is applied in it, else in its first."""
    step = steps.get(after.partition("@")[0])
    return after if step is None else after.replace(HERE, env if env in step.envs else step.envs[0])
