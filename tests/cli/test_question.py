"""A question at a real terminal: each end has its own sentence, and only a yes is a yes."""

from __future__ import annotations

import errno
import os
import pty
import signal
import sys
from typing import Any

import pytest
import typer

from runbook_lib.base.errors import UsageError
from runbook_lib.cli.question import agreed, asks

ENTERED: dict[bytes, object] = {
    b"y\n": True,
    b" YES \n": True,
    b"n\n": False,
    b"\n": False,
    b"junk\nno\n": False,
    b"\xff\xfe\xc3\ny\n": True,
    b"a\nb\nc\ny\n": "no answer was y or n",
    b"y\x04\x04": "nobody answered",
    b"\x04": "nobody answered",
    b"y\x00\n\x1b[A\nye\n": "no answer was y or n",
}


@pytest.mark.parametrize("typed", ENTERED, ids=repr)
def test_only_a_yes_is_a_yes(typed: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, typed)
    wanted = ENTERED[typed]
    with os.fdopen(theirs, "r") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        if isinstance(wanted, bool):
            assert agreed("Really?") is wanted
        else:
            with pytest.raises(UsageError, match=str(wanted)):
                agreed("Really?")
    os.close(ours)


def test_a_terminal_that_is_gone_has_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    os.close(ours)
    with os.fdopen(theirs, "r") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        with pytest.raises(UsageError, match="nobody answered"):
            agreed("Really?")
        monkeypatch.setattr(typer, "echo", Gone())  # it shows nothing any more, either
        with pytest.raises(UsageError, match="nobody answered"):
            agreed("Really?")


class Gone:
    """Shows the question, and has no terminal after it."""

    def __call__(self, *text: str, **_: bool) -> None:
        if not text:
            raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_ctrl_c_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped:
        @property
        def buffer(self) -> Any:
            os.kill(os.getpid(), signal.SIGINT)
            return self

        def readline(self) -> bytes:
            return b"y\n"

    monkeypatch.setattr(sys, "stdin", Stopped())
    with pytest.raises(KeyboardInterrupt):
        agreed("Really?")


def test_nobody_can_be_asked_where_standard_input_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert not asks()
