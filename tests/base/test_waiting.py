"""Waiting: how often is asked, how long, and what comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenacity.wait import wait_base

from runbook_lib.base.waiting import growing, steady, until


class Clock:
    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.slept.append(seconds)
        self.now += seconds


PAUSES = st.one_of(
    st.floats(0.1, 50).map(steady), st.tuples(st.floats(0.1, 5), st.floats(5, 50)).map(lambda two: growing(*two))
)


@given(st.integers(0, 30), st.floats(0, 300), PAUSES)
def test_it_ends_with_the_first_answer_that_is_enough_or_at_the_limit(
    ready: int, limit_s: float, pause: wait_base
) -> None:
    clock, asked, told = Clock(), list[int](), list[float]()

    def ask() -> int:
        asked.append(len(asked))
        return asked[-1]

    found = until(
        ask,
        lambda n: n >= ready,
        limit_s=limit_s,
        pause=pause,
        told=lambda _, gone: told.append(gone),
        sleep=clock.sleep,
        clock=clock,
    )
    gone = clock.now - 100
    assert found == asked[-1], "what was read last comes back"
    assert found == ready or gone >= limit_s, "it ends early only with an answer"
    assert gone <= limit_s + 1e-6, "it never waits longer than it may"
    assert len(told) == len(clock.slept) == len(asked) - 1, "each pause is told"
    assert told == sorted(told)


def test_a_growing_pause_doubles_up_to_its_longest() -> None:
    clock = Clock()
    until(lambda: False, bool, limit_s=60, pause=growing(1, 15), sleep=clock.sleep, clock=clock)
    assert clock.slept == [1, 2, 4, 8, 15, 15, 15]


def test_what_asking_raises_ends_it() -> None:
    clock, asked = Clock(), list[int]()

    def ask() -> bool:
        asked.append(1)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        until(ask, bool, limit_s=60, pause=steady(1), sleep=clock.sleep, clock=clock)
    assert asked == [1]
