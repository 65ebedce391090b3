"""A policy as one of several environments of a kind sees it."""

from __future__ import annotations

from runbook_lib.params.load import params_dir, read_model
from runbook_lib.params.own_steps import seen_from
from runbook_lib.params.policy import Policy


def test_a_policy_without_steps_of_ones_own_is_the_same_one() -> None:
    policy = read_model(Policy, params_dir() / "gates.yaml")
    assert all(seen_from(policy, env) is policy for env in policy.environments)
