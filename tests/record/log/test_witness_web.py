"""A witness that is told by HTTP: what it stores is a witness of a file, and its address stays unsaid."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from runbook_lib.base.errors import ArchiveError
from runbook_lib.commands.archive import verify
from runbook_lib.record.archive import Archive
from runbook_lib.record.log.witness import witness
from runbook_lib.record.place import RecordRef

Seal = Callable[..., RecordRef]


class Receiver(BaseHTTPRequestHandler):
    """Stores each body, and answers as its path says."""

    stored: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.stored.append((self.path, body))
        code = int(self.path.rpartition("/")[2])
        self.send_response(code)
        if code == 302:
            self.send_header("Location", "/200")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Receiver, "stored", [], raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def named(names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = tmp_path / "project"
    params.mkdir()
    (params / "service.yaml").write_text(yaml.safe_dump({"archive": {"witness": names}}))
    monkeypatch.setenv("RUNBOOK_PARAMS", str(params))


def test_what_the_receiver_stored_is_a_witness(
    archive: Archive, sealed: Seal, receiver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OURS", f"{receiver}/geheim/200")
    named(["webhook:env:OURS"], tmp_path, monkeypatch)
    for _ in range(2):
        sealed()
    assert [path for path, _ in Receiver.stored] == ["/geheim/200"] * 3, "of 0, 1 and 2 records, and no announcement"
    stored = tmp_path / "stored"
    stored.write_bytes(Receiver.stored[-1][1])
    assert stored.read_bytes() == (archive.root / "log" / "checkpoint").read_bytes()
    assert verify(archive.root, witnesses=[str(stored)]).witnessed == {str(stored): 2}
    done = verify(archive.root)
    assert done.exit_code == 0 and "webhook:env:OURS was told each checkpoint, and cannot be asked" in done.notes[-1]
    (archive.root / "log" / "leaves.jsonl").write_bytes(b"")
    assert verify(archive.root, witnesses=[str(stored)]).exit_code == 1


@pytest.mark.slow
@pytest.mark.parametrize("code", [302, 500])
def test_one_that_does_not_take_it_is_told_and_silences_no_other(
    archive: Archive, sealed: Seal, receiver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    told: list[str] = []
    archive.told = told.append
    names = ["webhook:env:UNSET", f"webhook:{receiver}/geheim/{code}", str(tmp_path / "kept")]
    named(names, tmp_path, monkeypatch)
    sealed()
    assert [path for path, _ in Receiver.stored] == [f"/geheim/{code}"], "a redirect is not followed"
    assert "variable UNSET holds no https address" in told[0] and f"it answered {code}" in told[1]
    assert (tmp_path / "kept").is_file() and len(told) == 2 and "geheim" not in str(told)


NO_ADDRESS = ["", "http://elsewhere.invalid/x", "ftp://127.0.0.1", "https://", "file:///etc/hosts", "https://[x"]


@pytest.mark.parametrize("address", NO_ADDRESS)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ArchiveError, match="holds no https address"):
        witness(f"webhook:{address}").write(b"x")


def test_who_verifies_needs_no_address(archive: Archive, sealed: Seal) -> None:
    sealed()
    done = verify(archive.root, witnesses=["webhook:env:UNSET"])
    assert done.exit_code == 0 and "webhook:env:UNSET was told each checkpoint" in done.notes[-1]


def test_one_that_is_not_there_is_told(tmp_path: Path) -> None:
    one = witness("webhook:http://127.0.0.1:9/geheim")
    with pytest.raises(ArchiveError, match="it does not answer") as found:
        one.write(b"x")
    assert "geheim" not in str(found.value) + one.name
    assert one.read() is None and list(one.history()) == [] and not one.readable
