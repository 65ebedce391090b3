"""Signals at a moment between two lines: while their handlers are put in place, or back."""

from __future__ import annotations

import signal
from contextlib import AbstractContextManager
from typing import Any

import pytest

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def answered_and_so_is_the_next(
    at: int, waiting: AbstractContextManager[Any], errors: tuple[type[BaseException], ...]
) -> None:
    """Each signal comes at the `at`-th handler that `waiting` sets; one that stayed would have kept every later one."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in NUMBERS}
    real, calls = signal.signal, list[int]()

    def after(number: int, handler: Any) -> Any:
        was = real(number, handler)
        calls.append(number)
        if len(calls) == at:
            for one in NUMBERS:
                signal.raise_signal(one)
        return was

    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(signal, "signal", after)
            with pytest.raises(errors), waiting:
                pass
        for number in NUMBERS:
            with pytest.raises(errors):
                signal.raise_signal(number)
    finally:
        for number, handler in before.items():
            real(number, handler)
