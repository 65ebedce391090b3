"""The commands that a reader is told to run, spelled in one place."""

from __future__ import annotations

from runbook_lib.params.load import Params


def offer(params: Params, needed: int) -> str:
    """How `needed` more samples could be had sooner, as a sentence for whoever waits for them."""
    env = params.env
    return (
        f"Synthetic traffic shows it sooner, counted apart from the users': `runbook probe {needed} "
        f"--params params/{env}.yaml --apply --confirm {env}`."
    )
