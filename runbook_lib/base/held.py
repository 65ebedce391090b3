"""Signals that wait: where what they raise would be lost in a library's code, or would leave a record half sealed."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
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
    before: dict[int, Callable[[int, FrameType | None], object]] = {}
    over = False

    def keep(number: int, frame: FrameType | None) -> None:
        if over:  # a signal came between two lines below, so that this is still in its handler's place
            before[number](number, frame)
        came.append(number)

    try:
        for number in _NUMBERS:
            if callable(handler := signal.getsignal(number)):
                before[number] = handler
                signal.signal(number, keep)
        yield
    finally:
        over = True
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        before[came[0]](came[0], None)


def deaf() -> None:
    """From now on Ctrl-C, SIGTERM and SIGHUP do nothing, for a process that ends by itself now."""
    left = list(_NUMBERS)
    while left:
        with contextlib.suppress(KeyboardInterrupt):  # one that came before its turn
            signal.signal(left[-1], signal.SIG_IGN)
            left.pop()
