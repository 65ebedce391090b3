"""Checks of numeric arguments (not a number, infinite, negative, out of range), and the search for a number. Pure.

Each check raises a ValueError with the argument's name and value, where arithmetic would give `nan` or fail later. A
finite number is at most `LARGEST`: no time, count or amount of a service comes near it, and products still fit.
"""

from __future__ import annotations

import math
from collections.abc import Callable

LARGEST = 2.0**53
"""Largest count that a float can be: beyond it the next number is two away."""
SMALLEST = 1e-15
"""Least divisor."""
TOO_MANY = 10_000_000
"""Searches for a sample size stop at this many requests: nobody waits for more."""


def finite(least: float = -math.inf, /, **given: float) -> None:
    """Refuses a number that is not finite, or less than `least`."""
    for name, value in given.items():
        if not (abs(value) <= LARGEST and value >= least):
            raise ValueError(f"{name} {value} is no number{f' of {least:g} or more' if least > -math.inf else ''}")


def positive(**given: float) -> None:
    """Refuses a number that is not finite, or less than `SMALLEST`."""
    for name, value in given.items():
        if not SMALLEST <= value <= LARGEST:
            raise ValueError(f"{name} {value} is no number above 0")


def share(**given: float) -> None:
    """Refuses a number that is not a share or chance from 0 to 1, both included."""
    for name, value in given.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} {value} is no share from 0 to 1")


def chance(**given: float) -> None:
    """Refuses a number that is not a probability between 0 and 1, both excluded, or is below `SMALLEST`."""
    for name, value in given.items():
        if not SMALLEST <= value < 1:
            raise ValueError(f"{name} {value} is no probability between 0 and 1")


def count(least: int = 0, /, **given: float) -> None:
    """Refuses a number that is not whole, or less than `least`."""
    for name, value in given.items():
        if not (least <= value <= LARGEST and float(value).is_integer()):
            raise ValueError(f"{name} {value} is no count{f' of {least} or more' if least else ''}")


def between(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The smallest number above `low` for which `holds`; it holds at `high`, and stays true once true."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def first(holds: Callable[[int], bool], start: int, stop: int = TOO_MANY) -> int | None:
    """The smallest number from `start` to `stop` for which `holds`, which stays true once true; None: there is none."""
    low, high, step = start - 1, start, 1
    while not holds(high):
        if high >= stop:
            return None
        low, high, step = high, min(high + step, stop), step * 2
    return between(low, high, holds)
