"""Signals that wait: what they raise would be lost in a library's code, which takes it for a fault of its own."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_NUMBERS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Inside it Ctrl-C, SIGTERM and SIGHUP do nothing; the first that came is answered at its end, as it would have
    been. One without a handler in Python ends the process at once, and only the main thread can hold any.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def keep(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    before = {}
    for number in _NUMBERS:
        if callable(handler := signal.getsignal(number)):
            before[number] = handler
            signal.signal(number, keep)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        before[signal.Signals(came[0])](came[0], None)
