"""Signatures of checkpoints, read by others: `openssl`, and the vkey form of signed notes."""

from __future__ import annotations

import base64
import html
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from runbook_lib.base.errors import ArchiveError
from runbook_lib.commands.archive import grew, sign, verify
from runbook_lib.commands.attestation import attest
from runbook_lib.params.keeping import Keeping
from runbook_lib.record.archive import Archive
from runbook_lib.record.audit import BEGUN
from runbook_lib.record.chain import Chain, read_record
from runbook_lib.record.log.files import Tree, read_log, read_tree
from runbook_lib.record.log.keeping import keeping, signer_of
from runbook_lib.record.log.ledger import Ledger
from runbook_lib.record.log.merkle import appended, leaf_hash
from runbook_lib.record.log.note import Checkpoint, parsed
from runbook_lib.record.log.signers import KeyFile, PublicKey, public_key, signer
from runbook_lib.record.place import RecordRef, path_of
from tests.archives import rechained, relogged, resealed
from tests.record.tampering import behind

Seal = Callable[..., RecordRef]


def private(path: Path) -> Path:
    key = Ed25519PrivateKey.generate()
    path.write_bytes(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))
    return path


@pytest.fixture
def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes `archive` of the service.yaml that is in force."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.setenv("RUNBOOK_PARAMS", str(folder))

    def write(**archive: object) -> None:
        (folder / "service.yaml").write_text(yaml.safe_dump({"archive": archive}))

    write()
    return write


def test_a_checkpoint_is_signed_as_a_note_that_others_read(
    archive: Archive, sealed: Seal, says: Callable[..., None], tmp_path: Path
) -> None:
    key = private(tmp_path / "key.pem")
    says(signing_key=str(key))
    sealed()
    text = (archive.root / "log" / "checkpoint").read_bytes()
    body, _, lines = text.partition(b"\n\n")
    dash, name, blob = lines.decode().split()
    raw, public = base64.b64decode(blob), public_key(str(key))
    assert (dash, name) == ("\u2014", body.decode().split("\n")[0]) and raw[:4] == public.key_id(name)
    (tmp_path / "public.pem").write_bytes(public.pem())
    (tmp_path / "signature").write_bytes(raw[4:])
    (tmp_path / "body").write_bytes(body + b"\n")
    command = "openssl pkeyutl -verify -pubin -inkey public.pem -rawin -in body -sigfile signature"
    assert subprocess.run(command.split(), cwd=tmp_path, check=False, capture_output=True).returncode == 0
    for given in (key, tmp_path / "public.pem"):
        done = verify(archive.root, str(given))
        assert (done.state, done.signed) == ("intact", True)


def test_the_key_of_service_yaml_is_the_one_that_verifying_asks_for(
    archive: Archive, sealed: Seal, says: Callable[..., None], tmp_path: Path
) -> None:
    says(signing_key=str(private(tmp_path / "key.pem")))
    sealed()
    assert verify(archive.root).signed is True
    other = verify(archive.root, str(private(tmp_path / "other.pem")))
    assert other.exit_code == 1 and "its signature is not of this key" in other.damage[0].sentence
    gone = verify(archive.root, str(tmp_path / "gone.pem"))
    assert gone.exit_code == 3 and "the signature cannot be checked" in gone.unknown[0]
    says()
    unasked = verify(archive.root)
    assert unasked.exit_code == 0 and unasked.signed is None
    assert "the checkpoint's signature was not checked: no key was given" in unasked.notes


def test_what_cannot_sign_costs_no_record_and_is_told(
    archive: Archive, sealed: Seal, says: Callable[..., None], tmp_path: Path
) -> None:
    told: list[str] = []
    archive.told = told.append
    says(signing_key=str(tmp_path / "gone.pem"))
    archive.verify(sealed())
    assert [said for said in told if "is not signed: the signing key" in said and "cannot be read" in said]
    says(signing_key=7)
    sealed()
    assert "service.yaml, 'archive'" in told[-1]


def test_a_seal_signs_nothing_that_the_key_has_not_signed_before(
    archive: Archive, sealed: Seal, says: Callable[..., None], tmp_path: Path
) -> None:
    """The first signature, and that of another key, is a person's decision: `archive sign`."""
    told: list[str] = []
    archive.told = told.append
    says()
    sealed()
    for name, many in (("key.pem", "1 record"), ("other.pem", "2 records")):
        says(signing_key=str(private(tmp_path / name)))
        sealed()
        assert f"has not signed the {many} before it" in told[-1] and "archive sign" in told[-1]
        assert verify(archive.root).exit_code == 1
        assert sign(archive.root).size == len(archive.records()) and verify(archive.root).state == "intact"
    many = len(told)
    sealed()
    assert len(told) == many and verify(archive.root).signed


def test_a_key_that_could_not_be_reached_signs_again_by_itself(
    archive: Archive, sealed: Seal, says: Callable[..., None], tmp_path: Path
) -> None:
    told: list[str] = []
    archive.told = told.append
    key = private(tmp_path / "key.pem")
    says(signing_key=str(key))
    sealed()
    away = key.rename(tmp_path / "away")
    signer_of.cache_clear()
    for _ in range(2):
        sealed()
    assert verify(archive.root, str(away)).exit_code == 1
    away.rename(key)
    says(signing_key=str(key))
    sealed()
    assert len(told) == 2 and verify(archive.root).state == "intact"


def test_what_somebody_put_behind_while_the_key_was_out_of_reach_is_not_signed(
    archive: Archive, sealed: Seal, says: Callable[..., None], tmp_path: Path
) -> None:
    key = private(tmp_path / "key.pem")
    says(signing_key=str(key))
    sealed()
    away = key.rename(tmp_path / "away")
    signer_of.cache_clear()
    forged = sealed("SOAK")
    resealed(forged.folder, decision="PROMOTE")
    rechained(Chain(forged.folder.parent))
    relogged(archive)
    away.rename(key)
    says(signing_key=str(key))
    sealed()
    assert verify(archive.root).exit_code == 1


@pytest.mark.slow
@pytest.mark.parametrize("signed_by", ["nobody", "another key"])
def test_a_log_that_was_written_anew_is_not_signed_by_the_next_seal(
    archive: Archive, sealed: Seal, says: Callable[..., None], tmp_path: Path, signed_by: str
) -> None:
    """It was, and the forgery passed from then on as signed."""
    says(signing_key=str(private(tmp_path / "key.pem")))
    sealed()
    forged = sealed("SOAK")
    resealed(forged.folder, decision="PROMOTE")
    rechained(Chain(forged.folder.parent))
    relogged(archive)
    if signed_by == "another key":
        says(signing_key=str(private(tmp_path / "own.pem")))
        sign(archive.root)
    says(signing_key=str(tmp_path / "key.pem"))
    with pytest.raises(ArchiveError, match="this key has not signed the log that the record is in"):
        attest(archive.root, forged.run_id)
    for _ in range(2):
        sealed()
        assert verify(archive.root).exit_code == 1


@pytest.mark.parametrize("leaf", [False, True], ids=["without a leaf", "with its leaf and tree"])
def test_a_record_that_was_put_there_as_if_a_crash_had_cut_its_seal_short_is_not_signed(
    archive: Archive, sealed: Seal, says: Callable[..., None], tmp_path: Path, leaf: bool
) -> None:
    """The next seal completed it, and signed: with a leaf of its own it said `sealed`, as every other."""
    says(signing_key=str(private(tmp_path / "key.pem")))
    folder = sealed("SOAK").folder
    raw = {**read_record(folder), "run_id": "f" * 12, "decision": "PROMOTE"}
    raw |= {"previous": raw["hash"], "sealed_at": "2099-01-01T00:00:00.000+00:00"}
    forged = folder.with_name(f"20990101T000000.000Z-{'f' * 12}")
    behind(archive, raw, forged)
    log, before = archive.root / "log", read_tree(archive.root / "log")
    assert before is not None
    lines = (log / "leaves.jsonl").read_bytes().splitlines(keepends=True)
    if leaf:
        peaks = appended(list(before.peaks), before.size, leaf_hash(lines[-1].rstrip()))
        grown = Tree(before.origin, before.size + 1, len(b"".join(lines)), tuple(peaks))
        (log / "tree.json").write_bytes(grown.spelt())
    else:
        (log / "leaves.jsonl").write_bytes(b"".join(lines[:-1]))
    found = verify(archive.root)
    assert (found.exit_code, found.notes[-1]) == (3, f"{path_of(archive.root, forged)}: {BEGUN[False]}")
    for _ in range(2):
        sealed()
        found = verify(archive.root)
        assert (found.exit_code, found.signed) == (1, False)
    with pytest.raises(ArchiveError, match="this key has not signed the log that the record is in"):
        attest(archive.root, "f" * 12)
    sign(archive.root)
    assert verify(archive.root).signed, "a person has looked at it"


@pytest.mark.parametrize("reached", [True, False], ids=["the key was there", "the key was out of reach"])
def test_a_seal_that_a_crash_cut_short_is_signed_if_the_key_began_it(
    archive: Archive,
    sealed: Seal,
    says: Callable[..., None],
    tmp_path: Path,
    reached: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = private(tmp_path / "key.pem")
    says(signing_key=str(key))
    sealed()
    if not reached:
        key.rename(tmp_path / "elsewhere")
        signer_of.cache_clear()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Ledger, "append", _crashes)
        sealed()
    if not reached:
        (tmp_path / "elsewhere").rename(key)
    signer_of.cache_clear()
    found = verify(archive.root)
    assert (found.exit_code, BEGUN[reached] in found.notes[-1]) == (3, True)
    sealed()
    found = verify(archive.root)
    assert (found.exit_code, found.signed) == ((0, True) if reached else (1, False))


def test_the_foot_of_a_report_is_a_witness_of_what_was_sealed_before(
    archive: Archive, sealed: Seal, says: Callable[..., None], tmp_path: Path
) -> None:
    says(signing_key=str(private(tmp_path / "key.pem")))
    assert "log before this record" not in (sealed().folder / "report.html").read_text()
    sealed()
    report = (sealed().folder / "report.html").read_text()
    found = re.search(r"log before this record.*?<pre[^>]*>(.*?)</pre>", report, re.DOTALL)
    assert found
    witness = tmp_path / "from-the-report"
    witness.write_text(html.unescape(found[1]))
    assert (parsed(witness.read_bytes()).size, len(grew(archive.root, witness)) < 2000) == (2, True)
    assert verify(archive.root, "", [str(witness)]).exit_code == 0
    shutil.rmtree(sealed().folder.parent)
    relogged(archive)
    assert "knows 2 records" in verify(archive.root, "", [str(witness)]).damage[-1].sentence


def _crashes(*_: object) -> None:
    raise KeyboardInterrupt


def test_what_is_damaged_or_contradicted_is_not_signed(
    archive: Archive, sealed: Seal, says: Callable[..., None], tmp_path: Path
) -> None:
    said = {"signing_key": str(private(tmp_path / "key.pem")), "witness": [str(tmp_path / "witness")]}
    says(**said)
    sealed()
    folder = sealed().folder
    relogged(archive)
    (tmp_path / "witness").write_bytes((tmp_path / "witness").read_bytes().replace(b"\n2\n", b"\n3\n"))
    with pytest.raises(ArchiveError, match=r"nothing was signed: the witness .* knows 3 records"):
        sign(archive.root)
    (folder / "answers.json").write_text("[]")
    with pytest.raises(ArchiveError, match=r"nothing was signed: .*answers\.json was altered"):
        sign(archive.root)
    assert read_log(archive.root).checkpoint.signatures == ()  # type: ignore[union-attr]


def test_a_wrong_signature_is_not_signed_over(
    archive: Archive, sealed: Seal, says: Callable[..., None], tmp_path: Path
) -> None:
    told: list[str] = []
    archive.told = told.append
    says(signing_key=str(private(tmp_path / "key.pem")))
    sealed()
    path = archive.root / "log" / "checkpoint"
    note = parsed(path.read_bytes())
    ((name, blob),) = note.signatures
    path.write_bytes(note.signed([(name, blob[:-1] + bytes([blob[-1] ^ 1]))]).note())
    sealed()
    assert "the signature of the checkpoint before it is wrong" in told[0]
    log = read_log(archive.root)
    assert log is not None and log.checkpoint is not None and log.checkpoint.signatures == ()


@pytest.mark.parametrize("content", [b"", b"no key", None])
def test_what_is_no_key_is_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)
    for ask in (signer, public_key):
        with pytest.raises(ArchiveError, match=str(path)):
            ask(str(path))


def test_a_key_of_another_kind_signs_nothing_and_checks_ecdsa(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path / "key.pem"
    path.write_bytes(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))
    with pytest.raises(ArchiveError, match="is not an ed25519 key"):
        KeyFile(path)
    public = PublicKey(key.public_key())
    checkpoint = Checkpoint("runbook/x", 1, b"\x00" * 32)
    blob = public.key_id("any") + key.sign(checkpoint.body, ec.ECDSA(SHA256()))
    assert public.signed(checkpoint.signed([("runbook/x", blob)]))
    assert not public.signed(Checkpoint("runbook/x", 2, b"\x00" * 32, (("runbook/x", blob),)))


def test_the_key_id_of_an_ed25519_key_is_that_of_the_format() -> None:
    """The example key of https://pkg.go.dev/golang.org/x/mod/sumdb/note."""
    vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    name, key_id, encoded = vkey.split("+", 2)
    raw = base64.b64decode(encoded)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    public = PublicKey(Ed25519PublicKey.from_public_bytes(raw[1:]))
    assert public.key_id(name).hex() == key_id


def test_without_a_project_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNBOOK_PARAMS", str(tmp_path))
    assert keeping(tmp_path) == Keeping()


def test_an_archive_that_is_not_the_projects_is_not_signed_as_it(
    archive: Archive, says: Callable[..., None], tmp_path: Path
) -> None:
    says(signing_key="key.pem", witness=["x"])
    assert keeping(archive.root).signing_key == "key.pem"
    assert keeping(archive.root / "rehearsal" / "one") == Keeping()
    says(signing_key="key.pem", folder=str(tmp_path / "other"))
    assert keeping(archive.root) == Keeping() and keeping(tmp_path / "other").signing_key == "key.pem"


@pytest.mark.parametrize("text", [b"", b"key", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_a_file_that_is_no_public_key_is_called_so(text: bytes, tmp_path: Path) -> None:
    """Who checks has no private key, and is not asked for one."""
    (tmp_path / "public.pem").write_bytes(text)
    with pytest.raises(ArchiveError, match=r"the key .*public\.pem is not a public key in PEM, as `openssl pkey"):
        public_key(str(tmp_path / "public.pem"))
