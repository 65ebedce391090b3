"""Standard input that is closed, or on which nothing comes."""

from __future__ import annotations

import io
import os
import sys
import threading

import pytest

from runbook_lib.base import patience, standard_input
from runbook_lib.base.errors import UsageError


class Broken(io.RawIOBase):
    def readable(self) -> bool:
        return True

    def readall(self) -> bytes:
        raise IsADirectoryError(21, "Is a directory")


def test_one_that_is_closed_or_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UsageError, match="-: expects an attestation on standard input, which is closed"):
        standard_input.read("an attestation")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Broken())))
    with pytest.raises(UsageError, match=r"-: standard input cannot be read .Is a directory"):
        standard_input.read("an attestation")


def test_who_waits_is_told_what_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only if nothing comes for a while."""
    told, came = list[str](), threading.Event()
    patience.tellers.append(lambda text: (told.append(text), came.set()))  # type: ignore[func-returns-value,arg-type]
    monkeypatch.setattr(standard_input, "TELL_AFTER_S", 0.05)
    reads, writes = os.pipe()

    def later() -> None:
        came.wait(5)
        os.write(writes, b"SELECT 1")
        os.close(writes)

    threading.Thread(target=later).start()
    monkeypatch.setattr(sys, "stdin", os.fdopen(reads, "r"))
    assert standard_input.read("a question in SQL") == b"SELECT 1"
    assert told == ["waiting for a question in SQL on standard input; Ctrl-D ends it ..."]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"SELECT 2")))
    assert (standard_input.read("a question in SQL"), len(told)) == (b"SELECT 2", 1)
