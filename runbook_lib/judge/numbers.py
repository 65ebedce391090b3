"""Refuses arguments of which no number can come: not a number, infinite, negative, out of range. Pure.

Each raises a ValueError that names the argument and its value, where arithmetic would answer `nan` or break inside.
A finite number is one up to `LARGEST`: no time, count or amount of a service comes near it, and products still fit.
"""

from __future__ import annotations

import math

LARGEST = 2.0**53
"""Beyond it a float is no count any more: the next number is two away."""
SMALLEST = 1e-15
"""What is divided by is at least this much."""


def finite(least: float = -math.inf, /, **given: float) -> None:
    """Each is a finite number, `least` or more."""
    for name, value in given.items():
        if not (abs(value) <= LARGEST and value >= least):
            raise ValueError(f"{name} {value} is no number{f' of {least:g} or more' if least > -math.inf else ''}")


def positive(**given: float) -> None:
    """Each is a finite number above 0, `SMALLEST` or more."""
    for name, value in given.items():
        if not SMALLEST <= value <= LARGEST:
            raise ValueError(f"{name} {value} is no number above 0")


def share(**given: float) -> None:
    """Each is a share or chance, from 0 to 1, both included."""
    for name, value in given.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} {value} is no share from 0 to 1")


def chance(**given: float) -> None:
    """Each is a probability between 0 and 1: neither of them, nor below `SMALLEST`."""
    for name, value in given.items():
        if not SMALLEST <= value < 1:
            raise ValueError(f"{name} {value} is no probability between 0 and 1")


def count(least: int = 0, /, **given: float) -> None:
    """Each is a whole number, `least` or more."""
    for name, value in given.items():
        if not (least <= value <= LARGEST and float(value).is_integer()):
            raise ValueError(f"{name} {value} is no count{f' of {least} or more' if least else ''}")
