"""What the two sides of a split are called, by the home of the weight. Light: a rollback loads it first."""

from __future__ import annotations

from typing import Any

AFTER = (
    "the synchronous endpoint is what users get now, and it is itself broken: find the cause, fix forward; "
    "bring the dial to 0 before the switch is turned on again"
)
"""What follows once async is off."""


def new_side(traffic: Any) -> str:
    """What takes the weight's share, of `traffic` in service.yaml: `async`, `version 7`, `the canary`."""
    if traffic.kind == "lambda-alias":
        return f"version {traffic.version}"
    return "the canary" if traffic.kind == "rest-canary" else "async"


def after_off(traffic: Any) -> str:
    """What is true and to be done once the new side is off."""
    if traffic.kind == "lambda-alias":
        return (
            f"version {traffic.stable} is what is called now: find the cause in version {traffic.version}, publish the "
            "mended code as a version of its own and release that"
        )
    if traffic.kind == "rest-canary":
        return (
            "the stage's own deployment serves all requests now, and what it leads to is what users had before: find "
            "the cause, fix forward; bring the dial to 0 before the switch is turned on again"
        )
    return AFTER


def then_off(traffic: Any) -> str:
    """What the record of the rollback says is to be done next."""
    mended = "mend it and redeploy from dev on; then raise `attempt` and shift again"
    if traffic.kind == "lambda-alias":
        mended = "publish the mended code as a version of its own, and release that (`runbook release`)"
    return f"find the cause (failures and dead letters are in this record), {mended}"
