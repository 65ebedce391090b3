"""Checks of numeric arguments: not a number, infinite, negative, out of range. Pure.

Each raises a ValueError with the argument's name and value, where arithmetic would give `nan` or fail later. A finite
number is at most `LARGEST`: no time, count or amount of a service comes near it, and products still fit.
"""

from __future__ import annotations

import math

LARGEST = 2.0**53
"""Largest count that a float can be: beyond it the next number is two away."""
SMALLEST = 1e-15
"""Least divisor."""


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
