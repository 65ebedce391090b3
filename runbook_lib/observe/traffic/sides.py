"""Words for the two sides of a split, by the home of the weight. Light, because a rollback loads it first."""

from __future__ import annotations

from typing import Any

AFTER = (
    "the synchronous endpoint is what users get now, and it is itself broken: find the cause, fix forward; "
    "bring the dial to 0 before the switch is turned on again"
)
"""The state and the next steps once async is off."""


def new_side(traffic: Any) -> str:
    """The side that gets the weight's share, by `traffic` in service.yaml: `async`, `version 7`, `the canary`."""
    if traffic.kind == "lambda-alias":
        return f"version {traffic.version}"
    return "the canary" if traffic.kind == "rest-canary" else "async"


def after_off(traffic: Any) -> str:
    """The state and the next steps once the new side is off."""
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
    """The next steps in the record of the rollback."""
    mended = "mend it and redeploy from dev on; then raise `attempt` and shift again"
    if traffic.kind == "lambda-alias":
        mended = "publish the mended code as a version of its own, and release that (`runbook release`)"
    return f"find the cause (failures and dead letters are in this record), {mended}"
