"""`runbook archive attest` and `runbook verify`: the way from a record to a deployment that demands a verdict."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import typer
import yaml
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey
from typer.testing import CliRunner

from runbook_lib.base.errors import RunbookError
from runbook_lib.cli import archive as noun
from runbook_lib.cli import verify
from runbook_lib.commands import attestation
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.journal import Journal, utc_now
from runbook_lib.record.log.signers import public_key
from runbook_lib.record.place import new_run_id
from tests.record.log.test_signers import private

app = typer.Typer(rich_markup_mode="rich")
noun.register(app)
verify.register(app)
PHASE = "06_phase1_10_percent"


def call(*words: str, **more: str) -> tuple[int, str]:
    """The exit code, and what was said on either."""
    done = CliRunner().invoke(app, list(words), **more)  # type: ignore[arg-type]
    if isinstance(done.exception, RunbookError):
        return int(done.exception.exit_code), str(done.exception)
    if isinstance(done.exception, Exception):
        raise done.exception
    return done.exit_code, done.stdout


def seal(archive: Archive, decision: str) -> str:
    staging = archive.stage("prod", "r1", PHASE, new_run_id(), "papermill")
    journal = Journal(staging)
    journal.append("opened", run_id=staging.name, notebook=PHASE, params={"env": "prod", "release": "r1"})
    journal.append("decision", moment="after", outcome={"decision": decision, "reason": "it was judged"})
    journal.append("closed", decision=decision)
    return seal_staged(archive, staging, status="completed").run_id


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """One whose key is in `service.yaml`, beside `signer.pem`, the public one."""
    project = tmp_path / "project" / "params"
    project.mkdir(parents=True)
    key = private(tmp_path / "key.pem")
    said = {"folder": str(tmp_path / "archive"), "signing_key": str(key)}
    (project / "service.yaml").write_text(yaml.safe_dump({"archive": said}))
    (tmp_path / "signer.pem").write_bytes(public_key(str(key)).pem())
    monkeypatch.setenv("RUNBOOK_PARAMS", str(project))
    monkeypatch.setenv("no_proxy", "*")
    return Archive(tmp_path / "archive")


def attested(archive: Archive, decision: str, tmp_path: Path) -> Path:
    code, text = call("archive", "attest", seal(archive, decision), "--archive", str(archive.root))
    assert code == 0
    file = tmp_path / f"{decision}.json"
    file.write_text(text)
    return file


@pytest.mark.parametrize(("decision", "code"), [("PROMOTE", 0), ("HOLD", 3), ("ROLLBACK", 4)])
def test_verifying_ends_with_the_verdict(archive: Archive, tmp_path: Path, decision: str, code: int) -> None:
    file, key = attested(archive, decision, tmp_path), ("--key", str(tmp_path / "signer.pem"))
    found, text = call("verify", str(file), *key, "--env", "prod", "--release", "r1", "--notebook", PHASE)
    assert found == code and text.startswith(f"{decision}: it was judged")
    found, text = call("verify", "-", *key, "--json", "--since", "1h", input=file.read_text())
    assert found == code and json.loads(text)["decision"] == decision
    assert call("verify", str(file), "--archive", str(archive.root))[0] == code  # service.yaml's own key


def test_a_tool_of_others_verifies_it(archive: Archive, tmp_path: Path) -> None:
    raw = json.loads(attested(archive, "PROMOTE", tmp_path).read_text())
    public = public_key(str(tmp_path / "signer.pem"))
    key = SSlibKey.from_crypto(public.key, keyid=raw["signatures"][0]["keyid"])
    envelope = Envelope.from_dict(raw)
    assert envelope.verify([key], 1) and envelope.payload_type == "application/vnd.in-toto+json"
    assert json.loads(envelope.payload)["predicate"]["verificationResult"] == "PASSED"


def test_one_of_something_else_or_of_another_key_or_time_is_not_enough(archive: Archive, tmp_path: Path) -> None:
    file, key = str(attested(archive, "PROMOTE", tmp_path)), ("--key", str(tmp_path / "signer.pem"))
    for words, told in (
        (("--env", "dev"), "is of the env 'prod', not of 'dev'"),
        (("--release", "r2"), "is of the release 'r1', not of 'r2'"),
        (("--notebook", "07"), "not of '07'"),
    ):
        code, text = call("verify", file, *key, *words)
        assert code == 1 and told in text
    assert call("verify", file, *key, "--notebook", "06")[0] == call("verify", file, *key)[0], "its number names it"
    code, text = call("verify", file, "--key", str(private(tmp_path / "other.pem")))
    assert code == 1 and "not signed by this key" in text
    assert call("verify", file, "--archive", str(tmp_path))[0] == 2
    assert call("verify", file, *key, "--since", "soon")[0] == 2
    for place in ("file:///etc/passwd", "ftp://127.0.0.1/x"):
        code, text = call("verify", place, *key)
        assert code == 2 and "begins with http:// or https://" in text
    code, text = call("verify", str(tmp_path / "none"), *key)
    assert code == 1 and "cannot be read" in text
    (tmp_path / "long").write_bytes(b"x" * 1_000_001)
    assert "more than 1000000 bytes" in call("verify", str(tmp_path / "long"), *key)[1]


def test_an_old_verdict_is_known_by_what_was_sealed_after_it(archive: Archive, tmp_path: Path) -> None:
    words = ("--key", str(tmp_path / "signer.pem"), "--archive", str(archive.root), "--newest")
    old = attested(archive, "PROMOTE", tmp_path)
    assert call("verify", str(old), *words)[0] == 0
    new = attested(archive, "HOLD", tmp_path)
    assert call("verify", str(old), *words[:2])[0] == 0, "it is signed, and needs no archive"
    code, text = call("verify", str(old), *words)
    assert code == 1 and f"is not the newest verdict: {PHASE}@prod says HOLD" in " ".join(text.split())
    assert call("verify", str(new), *words)[0] == 3
    seal(archive, "SOAK")  # the next attempt has begun
    assert call("verify", str(new), *words)[0] == 1
    last = attested(archive, "PROMOTE", tmp_path)
    path = archive.records()[-1].folder / "answers.json"
    path.write_text("[]")
    code, text = call("verify", str(last), *words)
    assert code == 1 and "cannot be trusted" in text
    assert call("verify", str(last), *words[:2], "--newest", "--archive", str(tmp_path / "none"))[0] == 2


def test_a_clock_that_was_ahead_makes_no_verdict_recent(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, key = str(attested(archive, "PROMOTE", tmp_path)), ("--key", str(tmp_path / "signer.pem"))
    before = utc_now() - dt.timedelta(days=1)
    monkeypatch.setattr(attestation, "utc_now", lambda: before)
    code, text = call("verify", file, *key, "--since", "48h")
    assert code == 1 and "still to come" in " ".join(text.split())
    assert call("verify", file, *key)[0] == 0


def test_what_cannot_be_trusted_or_decides_nothing_is_not_attested(archive: Archive, tmp_path: Path) -> None:
    code, text = call("archive", "attest", seal(archive, "SOAK"), "--archive", str(archive.root))
    assert code == 1 and "is not a verdict (SOAK)" in text
    run = seal(archive, "HOLD")
    path = archive.find(run).folder / "record.json"
    path.write_text(path.read_text().replace("HOLD", "PROMOTE"))
    code, text = call("archive", "attest", run, "--archive", str(archive.root))
    assert code == 1 and "altered" in text


def test_without_a_key_nothing_is_attested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNBOOK_PARAMS", str(tmp_path))
    archive = Archive(tmp_path / "archive")
    code, text = call("archive", "attest", seal(archive, "HOLD"), "--archive", str(archive.root))
    assert code == 1 and "nobody signs" in text


class Served(BaseHTTPRequestHandler):
    """`/on` leads on to the file, everything else that is not the file is missing."""

    content = b""

    def do_GET(self) -> None:
        self.send_response({"/run.json": 200, "/slow": 200, "/on": 302}.get(self.path, 404))
        self.send_header("Location", "/run.json")
        self.end_headers()
        if self.path == "/run.json":
            self.wfile.write(self.content)
        with contextlib.suppress(OSError):  # the other side has had enough
            for byte in self.content if self.path == "/slow" else b"":
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(0.05)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Served)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_an_address_is_asked_as_it_was_given(archive: Archive, tmp_path: Path, address: str) -> None:
    Served.content = attested(archive, "PROMOTE", tmp_path).read_bytes()
    key = ("--key", str(tmp_path / "signer.pem"))
    assert call("verify", f"{address}/run.json", *key)[0] == 0
    code, text = call("verify", f"{address}/on", *key)
    assert code == 1 and "redirects to" in text
    code, text = call("verify", f"{address}/none", *key)
    assert code == 1 and "HTTP 404" in text
    code, text = call("verify", "http://127.0.0.1:1/run.json", *key)
    assert code == 1 and "cannot be read" in text


def test_a_server_that_says_a_byte_now_and_then_is_given_up(
    archive: Archive, tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Served.content = attested(archive, "PROMOTE", tmp_path).read_bytes()
    monkeypatch.setattr(attestation, "_WAIT_S", 0.3)
    code, text = call("verify", f"{address}/slow", "--key", str(tmp_path / "signer.pem"))
    assert code == 1 and "not complete within 0.3 s" in " ".join(text.split())


class Garbage(BaseHTTPRequestHandler):
    """Says what is no HTTP."""

    def do_GET(self) -> None:
        self.wfile.write(b"\x00\xff SSH-2.0\r\n" * 3)

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_an_answer_that_is_no_http_and_an_address_that_is_none_are_sentences(tmp_path: Path) -> None:
    server = HTTPServer(("127.0.0.1", 0), Garbage)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    key = ("--key", str(private(tmp_path / "signer.pem")))
    for place in (f"http://127.0.0.1:{server.server_port}/", "http://127.0.0.1/a b", "http://127.0.0.1:x/", "http://"):
        code, text = call("verify", place, *key)
        assert code == 1 and "cannot be read" in text, text
    server.shutdown()


def test_a_key_without_an_end_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    code, text = call("verify", str(tmp_path / "run.json"), "--key", "/dev/zero")
    assert code == 1 and "it has more than" in " ".join(text.split())
