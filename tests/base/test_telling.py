"""Nobody waits long without a word, whatever the time goes into."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base import telling
from runbook_lib.base.telling import EACH_S, SLOW_S, TELL_AFTER_S, Slowness


def _asked(took: list[float], pauses: list[float]) -> list[tuple[float, str]]:
    clock, said = [100.0], list[tuple[float, str]]()
    slow = Slowness(lambda: clock[0])
    telling.tellers.append(lambda text: said.append((clock[0], text)))
    for seconds, pause in zip(took, pauses, strict=True):
        clock[0] += seconds
        slow.answered("appconfig", seconds)
        clock[0] += pause
    telling.tellers.pop()
    return said


@given(st.lists(st.floats(SLOW_S + 0.1, 1.9), min_size=4, max_size=80))
def test_answers_that_each_take_their_time_are_told_soon_and_again(took: list[float]) -> None:
    """Every answer was right and a second late: the kill switch was silent for 25 s, `status` for 92 s."""
    said = _asked(took, [0.1] * len(took))
    whole = sum(took) + 0.1 * len(took)
    if whole > TELL_AFTER_S + 4:
        assert said and said[0][0] - 100 < TELL_AFTER_S + 4
        assert "AWS answers slowly" in said[0][1]
    times = [at for at, _ in said] + [100 + whole]
    assert all(after - before < EACH_S + 4 for before, after in itertools.pairwise(times))


@given(st.lists(st.floats(0.001, SLOW_S - 0.01), max_size=80), st.floats(0, 1))
def test_quick_answers_are_not_spoken_of(took: list[float], pause: float) -> None:
    assert not _asked(took, [pause] * len(took))


@given(st.lists(st.floats(0.001, 1.9), max_size=40))
def test_what_is_asked_now_and_then_is_no_waiting(took: list[float]) -> None:
    """A watch asks a few questions every minute."""
    assert not _asked(took, [60.0] * len(took))
