"""Which of a flag's deployments is in force: the only place that interprets AppConfig's states. Light, because a
rollback loads it first.

A deployment whose strategy grows reaches the clients step by step; the rest keep the version before. So several
versions may be in use at once. In force is the one that exposes most users: what is said to be off is off for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")

IN_FORCE = ("DEPLOYING", "BAKING", "COMPLETE")
"""States of a deployment whose version goes to clients, or is with them."""
BUSY = ("DEPLOYING", "VALIDATING", "BAKING", "ROLLING_BACK")
"""States of a deployment during which AppConfig takes no other."""
TAKEN_BACK = ("ROLLED_BACK", "REVERTED")
"""States of a deployment whose version no client gets any more."""
OVER = ("COMPLETE", *TAKEN_BACK)
"""States of a deployment that is over; it may still change from one of them to another."""
KNOWN = (*BUSY, *OVER)
"""All states that AppConfig's API reference has."""


def all_have_it(state: str, reached: float) -> bool:
    """Whether no client gets an older version.

    Args:
        reached: percent of the clients for which AppConfig says that the version is available.
    """
    return state in ("BAKING", "COMPLETE") or (state == "DEPLOYING" and reached >= 100)


def some_have_it(state: str, reached: float) -> bool:
    """Whether some clients may get this version, and some an older one; so it is in a state that is not known."""
    return state not in TAKEN_BACK and not all_have_it(state, reached)


def in_force(newest_first: Iterable[T], told: Callable[[T], tuple[str, float, float]]) -> T | None:
    """Of the deployments whose version a client may get, the one with the highest value; None: there is none.

    Of equal ones, the one in a state that is not known (for it may be anything), then the newest. Older deployments
    than the newest one that all clients have are not read.

    Args:
        told: state, percent of the clients reached, and value (percent or 0 and 1) of a deployment.
    """
    found: T | None = None
    highest = (-1.0, False)
    for one in newest_first:
        state, reached, value = told(one)
        if state in TAKEN_BACK:
            continue
        if (rank := (value, state not in KNOWN)) > highest:
            found, highest = one, rank
        if all_have_it(state, reached):
            break
    return found
