from __future__ import annotations

import signal
import threading

import pytest

from runbook_lib.base.held import held


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


def test_in_another_thread_nothing_is_held() -> None:
    def other() -> None:
        with held():
            pass

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
