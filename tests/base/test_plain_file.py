"""What is no file is not read: neither waited for nor taken into memory."""

from __future__ import annotations

import io
import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook_lib.base import plain_file, telling
from runbook_lib.base.errors import UsageError
from runbook_lib.base.plain_file import MOST_BYTES, open_plain, read_plain, read_some


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.relpath(path))  # an address is short


def huge(path: Path) -> None:
    path.touch()
    os.truncate(path, MOST_BYTES + 1)


NO_FILES: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a link to a pipe": lambda path: (os.mkfifo(path.with_name("pipe")), path.symlink_to("pipe")),
    "a device without end": lambda path: path.symlink_to("/dev/zero"),
    "nowhere": lambda path: path.symlink_to(os.devnull),
    "a socket": a_socket,
    "a folder": Path.mkdir,
    "a link to itself": lambda path: path.symlink_to(path.name),
    "gone": lambda _: None,
}


@pytest.mark.parametrize("kind", NO_FILES)
@pytest.mark.parametrize("how", [open_plain, read_plain])
def test_what_is_no_file_is_an_error_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, how: Callable[[Path], object]
) -> None:
    monkeypatch.chdir(tmp_path)
    NO_FILES[kind](tmp_path / "one")
    with pytest.raises(OSError) as met:
        how(tmp_path / "one")
    assert met.value.strerror


def test_a_file_that_would_fill_the_memory_is_not_read(tmp_path: Path) -> None:
    huge(tmp_path / "one")
    with pytest.raises(OSError, match="256 MB"):
        read_plain(tmp_path / "one")
    open_plain(tmp_path / "one").close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary())
def test_a_file_comes_back_as_it_is(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "one").write_bytes(content)
    assert read_plain(tmp_path / "one") == content
    with open_plain(tmp_path / "one") as file:
        assert file.read() == content


def test_what_a_person_named_is_read_up_to_its_end_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(b"x" * 10)
    assert read_some(file, 10) == b"x" * 10
    for endless in (file, Path("/dev/zero")):
        with pytest.raises(OSError, match="it has more than 9 bytes"):
            read_some(endless, 9)


class Broken(io.RawIOBase):
    def readable(self) -> bool:
        return True

    def readall(self) -> bytes:
        raise IsADirectoryError(21, "Is a directory")


def test_one_that_is_closed_or_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UsageError, match="-: expects an attestation on standard input, which is closed"):
        plain_file.read_input("an attestation")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Broken())))
    with pytest.raises(UsageError, match=r"-: standard input cannot be read .Is a directory"):
        plain_file.read_input("an attestation")


def test_who_waits_is_told_what_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only if nothing comes for a while."""
    told, came = list[str](), threading.Event()
    telling.tellers.append(lambda text: (told.append(text), came.set()))  # type: ignore[func-returns-value,arg-type]
    monkeypatch.setattr(telling, "TELL_AFTER_S", 0.05)
    reads, writes = os.pipe()

    def later() -> None:
        came.wait(5)
        os.write(writes, b"SELECT 1")
        os.close(writes)

    threading.Thread(target=later).start()
    monkeypatch.setattr(sys, "stdin", os.fdopen(reads, "r"))
    assert plain_file.read_input("a question in SQL") == b"SELECT 1"
    assert told == ["waiting for a question in SQL on standard input; Ctrl-D ends it ..."]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"SELECT 2")))
    assert (plain_file.read_input("a question in SQL"), len(told)) == (b"SELECT 2", 1)


def test_who_waits_for_a_pipe_that_nobody_writes_into_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "proof")
    told: list[str] = []

    def written(text: str) -> None:
        told.append(text)
        (tmp_path / "proof").write_bytes(b"x")

    monkeypatch.setattr(telling, "TELL_AFTER_S", 0.05)
    monkeypatch.setattr(telling, "tellers", [written])
    assert read_some(tmp_path / "proof", 9) == b"x"
    assert told == [f"waiting for the end of {tmp_path / 'proof'} ..."]
