"""Waits until AWS gives the expected answer, or the time is up."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, retry_if_not_result, wait_exponential, wait_fixed
from tenacity.wait import wait_base

T = TypeVar("T")

__all__ = ["growing", "steady", "until"]


def steady(seconds: float) -> wait_base:
    """Waits equally long between all attempts."""
    return wait_fixed(seconds)


def growing(first_s: float, longest_s: float) -> wait_base:
    """A pause that doubles, from `first_s` to `longest_s` seconds."""
    return wait_exponential(multiplier=first_s, max=longest_s)


def until(
    ask: Callable[[], T],
    enough: Callable[[T], bool],
    *,
    limit_s: float,
    pause: wait_base,
    told: Callable[[T, float], None] = lambda *_: None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> T:
    """The first sufficient answer, or the last one when the time is up; it asks at least once.

    Args:
        ask: asks once.
        enough: whether an answer ends the waiting.
        limit_s: seconds to wait at most; no pause goes beyond them.
        pause: `steady` or `growing`.
        told: called with each insufficient answer, and the seconds waited so far.

    Raises:
        Exception: the error of `ask`; it is not asked again.
    """
    begun, answers = clock(), list[T]()

    def once() -> T:
        answers[:] = [ask()]
        return answers[0]

    tries = Retrying(
        retry=retry_if_not_result(enough),
        stop=lambda _: clock() - begun >= limit_s,
        wait=pause,
        sleep=lambda seconds: sleep(max(0.0, min(seconds, limit_s - (clock() - begun)))),
        before_sleep=lambda _: told(answers[0], clock() - begun),
        retry_error_callback=lambda _: answers[0],
    )
    return tries(once)
