from __future__ import annotations

import importlib
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from runbook_lib.base import held as room
from runbook_lib.base.held import deaf, held, interruptible
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


@pytest.fixture
def answered() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    interruptible()
    yield
    signal.signal(signal.SIGINT, before)


def _waits(seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)


LOADED = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nfor _ in range(100):\n    pass\nwhole = True\n"


def test_a_module_is_loaded_whole_before_a_signal_is_answered(
    answered: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of PyYAML was in memory after a Ctrl-C, and what told of it ended in a traceback."""
    (tmp_path / "interrupted_a.py").write_text(LOADED, "utf-8")
    (tmp_path / "interrupted_b.py").write_text("import interrupted_a\n" + LOADED, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        importlib.import_module("interrupted_b")
        _waits()
    assert all(sys.modules.pop(f"interrupted_{name}").whole for name in "ab")


def test_a_module_that_takes_for_ever_is_not_waited_for(
    answered: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_LOADING_S", 0.05)
    monkeypatch.setattr(room, "_waited", set())
    (tmp_path / "interrupted_c.py").write_text(f"{LOADED}import time\ntime.sleep(20)\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        importlib.import_module("interrupted_c")
    assert time.monotonic() - begun < 10


def test_where_no_thread_can_be_had_a_signal_is_answered_at_once(
    answered: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading.Thread, "start", Mock(side_effect=RuntimeError("can't start new thread")))
    (tmp_path / "interrupted_d.py").write_text(LOADED, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        importlib.import_module("interrupted_d")
    assert "interrupted_d" not in sys.modules


def test_a_third_signal_interrupts_nobody(answered: None) -> None:
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    for _ in range(5):
        signal.raise_signal(signal.SIGINT)


def test_who_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        interruptible()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
