"""Signals that wait: where what they raise would be lost in a library's code, would leave a record half sealed, or half
a module loaded.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import CodeType, FrameType

_NUMBERS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

_AGAIN_S, _LOADING_S, _MOST = 0.02, 10.0, 2
heard: list[int] = []
"""Signals that have interrupted this process."""
_pending: set[int] = set()
_waited: set[int] = set()


def interrupt(number: int, frame: FrameType | None) -> None:
    """Interrupts what this process does, as Python's own handler of Ctrl-C, but twice at most: nobody gets a traceback
    of what tells the first one. While a module is loaded it waits: who asks for half a module again finds it broken.
    """
    if waits(number, frame) or len(heard) >= _MOST:
        return
    heard.append(number)
    raise KeyboardInterrupt


def interruptible() -> None:
    """From now on Ctrl-C is answered by `interrupt`, unless this process was started to ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)


def waits(number: int, frame: FrameType | None) -> bool:
    """Whether a signal comes again later, since a module is being loaded in `frame`."""
    return loads(frame) and comes_again(number, loads)


def loads(frame: FrameType | None) -> bool:
    """Whether a module is loaded there."""
    return any(code.co_filename.startswith("<frozen importlib") for code in _codes(frame))


def runs(function: Callable[..., object]) -> Callable[[FrameType | None], bool]:
    """Whether a function runs there."""
    return lambda frame: function.__code__ in _codes(frame)


def _codes(frame: FrameType | None) -> Iterator[CodeType]:
    while frame is not None:
        yield frame.f_code
        frame = frame.f_back


def comes_again(number: int, bad: Callable[[FrameType | None], bool]) -> bool:
    """Sends a signal once more as soon as the main thread is out of what is `bad` for it, or after some seconds; False:
    it cannot be, as there is no thread to be had or it has waited before. Several that wait are one.
    """
    if number in _waited or number in _pending:
        return number in _pending

    main = threading.main_thread().ident or 0

    def send() -> None:
        end = time.monotonic() + _LOADING_S
        while bad(sys._current_frames().get(main)):
            if time.monotonic() > end:
                _waited.add(number)
                break
            time.sleep(_AGAIN_S)
        _pending.discard(number)
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(main, number)  # wakes it, wherever it waits
        else:
            signal.raise_signal(number)

    _pending.add(number)
    try:
        threading.Thread(target=send, daemon=True, name="runbook-signal").start()
    except RuntimeError:
        _pending.discard(number)
        return False
    return True


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
