"""Lines for the person who waits: what takes so long, and what has to be asked again."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

TELL_AFTER_S = 2.0
"""Seconds of silence after which the person at the terminal is told what takes so long."""

QUIET_S, EACH_S = 30.0, 10.0
"""Seconds after which trouble is over, and between two lines about it."""

SLOW_S = 0.5
"""Seconds an answer from which on AWS, or the way to it, is slow."""

tellers: list[Callable[[str], None]] = []
"""Functions that show a line to the person who waits: the command line adds one, a notebook's kernel does not."""


def tell(text: str) -> None:
    """Shows a line to the person who waits at a terminal."""
    for one in tellers:
        one(text)


@contextmanager
def busy(doing: str | Callable[[], str], *, again: bool = True) -> Iterator[None]:
    """Tells the person who waits what is being done: after `TELL_AFTER_S` seconds, and `again` every `EACH_S`.

    What a function says is looked at every `TELL_AFTER_S`, and told when it is something new: many parts of which none
    takes long are together as long a silence as one.
    """
    done = threading.Event()

    def watch() -> None:
        told, due = "", 0.0
        wait: float | None = TELL_AFTER_S
        while not done.wait(wait):
            now, text = time.monotonic(), doing if isinstance(doing, str) else doing()
            if text and (text != told or now >= due):
                tell(f"{text} ...")
                told, due = text, now + EACH_S
            wait = TELL_AFTER_S if callable(doing) else EACH_S if again else None

    with suppress(RuntimeError):  # where no thread can be had, nothing is told
        threading.Thread(target=watch, name="runbook-busy", daemon=True).start()
    try:
        yield
    finally:
        done.set()


class Trouble:
    """Tells the person who waits that questions have to be asked again and again: none takes long by itself, and all
    together took a minute without a word.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._last = -math.inf
        self._due = math.inf

    def again(self, why: str, nth: int, most: int, pause_s: float = 0.0) -> None:
        """A question is asked the `nth` time of `most`, after a pause."""
        now = self._monotonic()
        if now - self._last > QUIET_S:
            self._due = now + TELL_AFTER_S
        self._last = now
        if now + pause_s > self._due:
            self._due = now + EACH_S
            tell(f"{why}; asked again, try {nth} of {most} ...")


class Slowness:
    """Tells the person who waits that each answer takes its time: none takes long by itself, and all together took a
    minute and a half without a word.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._last = -math.inf
        self._begun = self._due = math.inf
        self._answers, self._waited = 0, 0.0

    def answered(self, asked: str, took_s: float) -> None:
        """A question was answered after `took_s` seconds."""
        now = self._monotonic()
        if now - took_s - self._last > TELL_AFTER_S:  # something else was done
            self._begun, self._due = now - took_s, now - took_s + TELL_AFTER_S
            self._answers, self._waited = 0, 0.0
        self._last = now
        self._answers += 1
        self._waited += took_s
        each = self._waited / self._answers
        if now > self._due and each > SLOW_S:
            self._due = now + EACH_S
            told = f"{self._answers} answers in {now - self._begun:.0f} s, the last one from {asked}"
            tell(f"AWS answers slowly, {each:.1f} s each: {told} ...")


class Overdue:
    """Tells the person who waits that something is not done: after `TELL_AFTER_S` seconds, and then each `EACH_S`."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._due = monotonic() + TELL_AFTER_S

    def tell(self, text: Callable[[], str]) -> None:
        """Shows `text()`, if it is time."""
        if self._monotonic() >= self._due:
            self._due = self._monotonic() + EACH_S
            tell(text())
