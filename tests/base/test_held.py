from __future__ import annotations

import signal
import threading
from typing import Any

import pytest

from runbook_lib.base.held import deaf, held
from tests.moments import answered_and_so_is_the_next


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_answered_at_the_end_and_once(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(number, signal.default_int_handler)
    reached = []
    try:
        with pytest.raises(KeyboardInterrupt), held():
            signal.raise_signal(number)
            signal.raise_signal(number)
            reached.append("the end")
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, before)
    assert reached == ["the end"]


def test_an_error_inside_goes_before_a_signal() -> None:
    with pytest.raises(ValueError, match="first"), held():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("first")


@pytest.mark.parametrize("at", range(1, 7))
def test_one_that_comes_between_two_lines_is_answered_and_so_is_the_next(at: int) -> None:
    answered_and_so_is_the_next(at, held(), (KeyboardInterrupt,))


@pytest.mark.parametrize("at", range(1, 4))
def test_whoever_is_deaf_hears_nothing_not_even_what_came_on_the_way(at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A third Ctrl-C ended the telling of the second by a traceback, and the record stayed as it was."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    real, calls = signal.signal, list[int]()

    def first(number: int, handler: Any) -> Any:
        calls.append(number)
        if len(calls) == at:
            signal.raise_signal(signal.SIGINT)
        return real(number, handler)

    try:
        with monkeypatch.context() as patch:
            patch.setattr(signal, "signal", first)
            deaf()
        for number in numbers:
            signal.raise_signal(number)
    finally:
        for number, handler in before.items():
            real(number, handler)


def test_in_another_thread_nothing_is_held() -> None:
    def other() -> None:
        with held():
            pass

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
