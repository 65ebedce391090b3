"""Every kind of tampering, each found by what docs/audit.md says, by the product and by the standalone verifier."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook_lib.cli.archive import archive_list
from runbook_lib.commands.archive import verify
from runbook_lib.record import listing, seen, verify_standalone
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.attach import attach
from runbook_lib.record.chain import Chain
from runbook_lib.record.entry import Entry, sealed
from runbook_lib.record.journal import Journal
from runbook_lib.record.listing import list_rows
from runbook_lib.record.log.signers import public_key
from runbook_lib.record.place import new_run_id
from tests.archives import of_version_0_2_and_earlier, planted, rechained, relogged, resealed
from tests.record.tampering import ENTRY, TABLE, behind, names, notebook, table
from tests.record.test_frame import ended

DOCS = Path(__file__).parents[2] / "docs" / "audit.md"


class Kept(NamedTuple):
    """An archive with its key and witness, and what it was one record earlier."""

    root: Path
    earlier: Path
    private: Path
    public: Path
    witness: Path


def _run(archive: Archive, decision: str, env: str, status: str = "completed") -> str:
    name = "06_phase1_10_percent"
    staging = archive.stage(env, "r1", name, new_run_id(), "interactive")
    journal = Journal(staging)
    journal.append("opened", run_id=staging.name, notebook=name, params={"env": env, "release": "r1"})
    journal.attach("answers.json", "[1, 2]")
    if status == "completed":
        outcome = {"decision": decision, "reason": "it was judged", "next": "go on"}
        journal.append("decision", moment="after", outcome=outcome)
        journal.append("closed", decision=decision)
    return seal_staged(archive, staging, status=status, notebook=notebook()).run_id  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    folder = tmp_path_factory.mktemp("kept")
    found = Kept(*(folder / name for name in ("archive", "earlier", "key.pem", "public.pem", "checkpoint")))
    key = Ed25519PrivateKey.generate()
    found.private.write_bytes(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))
    found.public.write_bytes(public_key(str(found.private)).pem())
    said = {"folder": str(found.root), "signing_key": str(found.private), "witness": [str(found.witness)]}
    (folder / "service.yaml").write_text(yaml.safe_dump({"archive": said}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNBOOK_PARAMS", str(folder))
        archive = Archive(found.root)
        _run(archive, "PROMOTE", "staging")
        run = _run(archive, "HOLD", "dev")
        _run(archive, "HOLD", "dev", "died")
        saved = notebook() | {"cells": [_cell(run)]}
        (folder / "saved.ipynb").write_text(json.dumps(saved))
        attach(folder / "saved.ipynb", archive)
        sealed(archive, {"env": "dev", "release": "r1"}, Entry(kind="note", by="Ada", at="2026-11-23T00:00:00+00:00"))
        shutil.copytree(found.root, found.earlier)
        _run(archive, "SOAK", "dev")
    return found


def _cell(run: str) -> dict[str, object]:
    said = {"output_type": "stream", "name": "stdout", "text": [f"Run {run}\n"]}
    return {"cell_type": "code", "metadata": {}, "source": [], "execution_count": 1, "outputs": [said]}


@pytest.fixture
def unsigned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No parameters that say who signs."""
    (tmp_path / "service.yaml").write_text("{}")
    monkeypatch.setenv("RUNBOOK_PARAMS", str(tmp_path))


@pytest.fixture
def copy(kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    (tmp_path / "service.yaml").write_text("{}")
    monkeypatch.setenv("RUNBOOK_PARAMS", str(tmp_path))
    shutil.copytree(kept.root, tmp_path / "archive")
    return Archive(tmp_path / "archive")


def _both(kept: Kept, root: Path) -> dict[str, tuple[int, int]]:
    """Exit codes of product and standalone verifier, by what they were given."""
    given = {
        "the archive alone": ("", []),
        "the signature": (str(kept.public), []),
        "the witness": (str(kept.public), [str(kept.witness)]),
    }
    found = {}
    for by, (key, witnesses) in given.items():
        words = [str(root), *(["--key", key] if key else []), *(f"--witness={one}" for one in witnesses)]
        found[by] = (int(verify(root, key, witnesses).exit_code), verify_standalone.main(words))
    return found


def test_what_nobody_touched_is_intact_a_died_run_too(kept: Kept, copy: Archive) -> None:
    assert _both(kept, copy.root) == dict.fromkeys(("the archive alone", "the signature", "the witness"), (0, 0))


def _lister(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Archive], list[dict[str, Any]]]:
    """Lists as a large archive of long ago is listed: what was verified before is kept in a folder of the test."""
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))

    def quickly(archive: Archive) -> list[dict[str, Any]]:
        with monkeypatch.context() as patch:
            patch.setattr(listing, "MANY", 0)
            patch.setattr(seen, "SETTLED_NS", 0)
            patch.setattr(seen, "_counts_changes", lambda _: True)
            return list_rows(archive)

    return quickly


@pytest.mark.slow
@pytest.mark.parametrize("place", range(len(TABLE)), ids=names())
def test_each_is_found_by_what_the_table_says(
    kept: Kept, copy: Archive, place: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tampering = TABLE[place]
    quickly = _lister(tmp_path, monkeypatch)
    assert all(row["intact"] for row in quickly(copy))
    tampering.do(copy, kept.earlier)
    assert quickly(copy) == list_rows(copy), "what was kept hides nothing"
    found = _both(kept, copy.root)
    told = verify(copy.root, str(kept.public), [str(kept.witness)])
    assert found["the witness"] == (1, 1) and told.damage, "with everything in hand it is found"
    assert all(one.place and one.sentence for one in told.damage)
    order = list(found)
    for by, codes in found.items():
        sooner = order.index(by) < order.index(tampering.by)
        assert codes[0] == codes[1], f"{by}: the product ends with {codes[0]}, the standalone verifier with {codes[1]}"
        assert (codes[0] == 1) is not sooner, f"{by}: {codes}"


BYTES = st.sampled_from([b"\n", b" ", b"\r\n", b"\xff", b"{}", b"[]", b"null", b"9", "٩".encode(), b"\0", b"x"])
_NAMES = (
    "x HEAD record.json attachments .part-x checkpoint sealing.json leaves.part-00000256.jsonl env=dev env=x release=r1"
)
NAMES = st.sampled_from(
    [*_NAMES.split(), "entry", "20261123T030000.000Z-aaaaaaaaaaaa", "release=a\nb", "é", ".x", "x y"]
)


def _mutated(root: Path, data: st.DataObject) -> str:
    """Something is done to something of the archive; what, in words."""
    found = sorted(one for one in root.rglob("*") if ".staging" not in one.parts and one.name != ".lock")
    files = [one for one in found if one.is_file() and not one.is_symlink()]
    place, elsewhere = data.draw(st.sampled_from(found), "place"), Path(tempfile.mkdtemp(dir=root.parent), "it")
    other = data.draw(st.sampled_from(files), "other")
    if place.is_dir() and not place.is_symlink():
        do = data.draw(st.sampled_from(["remove", "link", "rename", "copy", "file", "folder", "pipe"]), "do")
        named = (
            place / data.draw(NAMES, "name")
            if do in ("file", "folder", "pipe")
            else place.with_name(data.draw(NAMES, "name"))
        )
        if do == "link":
            place.rename(elsewhere)
            place.symlink_to(elsewhere)
        elif do == "remove":
            shutil.rmtree(place)
        elif not named.exists() and not named.is_symlink():
            {
                "rename": lambda: place.rename(named),
                "copy": lambda: shutil.copytree(place, named, symlinks=True),
                "file": lambda: named.write_bytes(data.draw(BYTES, "bytes")),
                "folder": named.mkdir,
                "pipe": lambda: os.mkfifo(named),
            }[do]()
        return f"{do} {place.relative_to(root)}"
    do = data.draw(st.sampled_from(["flip", "crlf", "put", "cut", "remove", "link", "become", "lines", "pipe"]), "do")
    content = place.read_bytes() if place.is_file() else b""
    at = data.draw(st.integers(0, len(content)), "at")
    more = data.draw(BYTES, "bytes")
    place.unlink()
    if do == "link":
        elsewhere.write_bytes(content)
        place.symlink_to(elsewhere)
    elif do == "pipe":
        os.mkfifo(place)
    elif do != "remove":
        lines = content.splitlines(keepends=True)
        new = {
            "flip": content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :] if at < len(content) else content,
            "crlf": content.replace(b"\n", b"\r\n"),
            "put": content[:at] + more + content[at:],
            "cut": content[:at],
            "become": other.read_bytes() if other.is_file() else b"",
            "lines": b"".join(lines[1:] + lines[:1]),
        }
        place.write_bytes(new[do])
    return f"{do} {place.relative_to(root)}"


def _evidence(root: Path) -> dict[str, bytes]:
    """What was sealed: each file of a record, and the leaves of the log as a whole."""
    found = {}
    for one in root.glob("env=*/release=*/*/[0-9]*/**/*"):
        path = one.relative_to(root).as_posix()
        if one.is_file() and "/.part-" not in path:
            found[path] = one.read_bytes()
    leaves = [root / "log" / "leaves.jsonl", *sorted((root / "log").glob("leaves.part-*"))]
    return {**found, "leaves": b"".join(one.read_bytes() for one in leaves if one.is_file())}


def _changed(before: dict[str, bytes], now: dict[str, bytes]) -> bool:
    """Whether sealed evidence is another now. Attachments that are gone are not: docs/audit.md says why."""
    stays = {path: one for path, one in before.items() if path in now or "/attachments/" not in path}
    return now != stays


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_product_and_standalone_verifier_come_to_the_same_of_whatever_is_done(
    kept: Kept, unsigned: None, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "archive")
        shutil.copytree(kept.root, root)
        before = _evidence(root)
        done = [_mutated(root, data) for _ in range(data.draw(st.sampled_from([1, 1, 1, 2]), "how many"))]
        key = data.draw(st.sampled_from(["", str(kept.public), str(kept.private)]), "key")
        witness = data.draw(st.sampled_from([[], [str(kept.witness)]]), "witness")
        words = [str(root), *(["--key", key] if key else []), *(f"--witness={one}" for one in witness)]
        found = verify(root, key, witness)
        assert int(found.exit_code) == verify_standalone.main(words), (done, found.damage, found.unknown)
        if _changed(before, _evidence(root)):
            known = verify(root, str(kept.public), [str(kept.witness)])
            assert known.exit_code != 0, f"{done}: sealed evidence was changed, and it is intact"
        alone = verify(root, "", []) if key or witness else found
        assert int(alone.exit_code) == ended(lambda: archive_list(root, json_=True)), (
            done,
            alone.damage,
            alone.unknown,
        )


def test_the_table_is_in_the_docs() -> None:
    assert table() in DOCS.read_text()


GARBAGE: dict[str, Callable[[Path], tuple[Path, bytes | None, int]]] = {
    "a seal that is none": lambda root: (root / "log" / "sealing.json", b"[]", 1),
    "half a seal": lambda root: (root / "log" / "sealing.json", b"{", 1),
    "half a leaf": lambda root: (root / "log" / "leaves.jsonl", None, 1),
    "a file beside the releases": lambda root: (next(root.glob("env=*")) / "evil", b"", 1),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_is_damage_and_no_traceback(kept: Kept, copy: Archive, name: str) -> None:
    file, content, code = GARBAGE[name](copy.root)
    file.write_bytes(file.read_bytes() + b"garbage" if content is None else content)
    assert _both(kept, copy.root)["the witness"] == (code, code)


@pytest.mark.parametrize("place", ["log", "env=dev", "env=dev/release=r1"])
def test_a_link_in_the_place_of_a_folder_is_damage(kept: Kept, copy: Archive, place: str, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    (copy.root / place).rename(moved)
    (copy.root / place).symlink_to(moved)
    assert _both(kept, copy.root)["the witness"] == (1, 1)


def test_a_witness_of_bytes_cannot_tell(kept: Kept, copy: Archive, tmp_path: Path) -> None:
    (tmp_path / "witness").write_bytes(b"\xff\xfe\0")
    words = [str(copy.root), "--witness", str(tmp_path / "witness")]
    assert (verify(copy.root, "", [str(tmp_path / "witness")]).exit_code, verify_standalone.main(words)) == (3, 3)


@pytest.mark.parametrize("fitting", [True, False], ids=["fitting", "not fitting"])
def test_a_forged_promotion_does_not_pass_as_a_seal_that_a_crash_cut_short(
    kept: Kept, copy: Archive, fitting: bool
) -> None:
    """It is beside the log. Verifying says so, and signs nothing and writes nothing."""
    planted(copy.root, max(copy.root.glob("env=*/release=*/*/2*")), fitting=fitting)
    before = {path: path.read_bytes() for path in copy.root.rglob("*") if path.is_file()}
    assert _both(kept, copy.root)["the witness"] == ((3, 3) if fitting else (1, 1))
    assert {path: path.read_bytes() for path in copy.root.rglob("*") if path.is_file()} == before


def test_a_leaf_behind_the_checkpoint_is_not_intact_whatever_the_seal_says(kept: Kept, copy: Archive) -> None:
    """Nobody has signed it: a crash may have cut its seal short, or somebody put it there."""
    last = max(copy.root.glob("env=dev/release=r1/06*/2*"))
    raw = json.loads((last / "record.json").read_bytes())
    raw |= {"run_id": "f" * 12, "decision": "PROMOTE", "previous": raw["hash"]}
    raw["sealed_at"] = "2099-01-01T00:00:00.000+00:00"
    behind(copy, raw, last.with_name(f"20990101T000000.000Z-{'f' * 12}"))
    assert _both(kept, copy.root)["the witness"] == (3, 3)
    sealing = copy.root / "log" / "sealing.json"
    sealing.write_text(sealing.read_text().replace("f" * 12, "e" * 12))
    assert _both(kept, copy.root)["the witness"] == (3, 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", [".DS_Store", "._record.json", "Thumbs.db", "desktop.ini"])
def test_what_a_file_manager_left_in_a_folder_that_a_person_opened_is_no_damage(
    kept: Kept, copy: Archive, name: str
) -> None:
    """Whoever opened a record's folder in the Finder had an archive that was damaged, and no phase went on."""
    folders = [copy.root, *(one for one in copy.root.rglob("*") if one.is_dir())]
    for folder in folders:
        (folder / name).write_bytes(b"\0\0\0\1Bud1")
    assert set(_both(kept, copy.root).values()) == {(0, 0)}
    for ref in copy.records():
        copy.verify(ref)
    assert all(row["intact"] for row in list_rows(copy))
    place = copy.records()[0].folder / name
    place.unlink()
    place.symlink_to(kept.private)
    assert set(_both(kept, copy.root).values()) == {(1, 1)}, "a link is no file of a file manager"
    place.unlink()
    place.mkdir()
    assert set(_both(kept, copy.root).values()) == {(1, 1)}


def test_what_a_crash_left_half_written_is_read_by_nobody(kept: Kept, copy: Archive) -> None:
    """Whatever lies in it: a pipe would keep a reader waiting, a file of a terabyte would take hours."""
    chain = next(copy.root.glob("env=dev/release=r1/06*"))
    for place in (chain, next(chain.glob("2*/attachments")), copy.root / "log"):
        part = place / ".part-x"
        if place.name == "log":
            part.write_bytes(b"{")
            continue
        part.mkdir()
        os.mkfifo(part / "record.json")
        (part / "link").symlink_to(copy.root)
        with (part / "hole").open("wb") as file:
            file.truncate(2**40)
    assert set(_both(kept, copy.root).values()) == {(0, 0)}
    assert ended(lambda: archive_list(copy.root, json_=True)) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": 3.0},
        {"schema": 0},
        {"schema": None},
        {"entry": "tombstone"},
        {"entry": []},
        {"entry": {**ENTRY, "kind": "attachment", "facts": {}}},
        {"entry": {**ENTRY, "kind": "tombstone", "facts": {}}},
        {"entry": {**ENTRY, "kind": "tombstone", "facts": {"records": []}}},
        {"versions": ["0.1"]},
    ],
    ids=json.dumps,
)
def test_a_record_of_another_format_is_damage_to_every_command_whatever_the_log_says(
    copy: Archive, changes: dict[str, object]
) -> None:
    folder = max(copy.root.glob("env=dev/release=r1/06*/2*"))
    resealed(folder, **changes)
    rechained(Chain(folder.parent))
    relogged(copy)
    assert int(verify(copy.root).exit_code) == verify_standalone.main([str(copy.root)]) == 1
    assert ended(lambda: archive_list(copy.root, json_=True)) == 1


def test_a_key_that_is_none_cannot_tell(kept: Kept, copy: Archive, tmp_path: Path) -> None:
    (tmp_path / "hello.pem").write_text("hello")
    for key in (tmp_path / "hello.pem", tmp_path / "nowhere.pem"):
        assert verify_standalone.main([str(copy.root), "--key", str(key)]) == 3
        assert verify(copy.root, str(key), []).exit_code == 3


def test_a_record_that_was_altered_before_it_was_taken_in_is_damage_afterwards(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    for _ in range(3):
        _run(archive, "SOAK", "dev")
    of_version_0_2_and_earlier(archive)
    bad = archive.records()[1]
    path = bad.folder / "record.json"
    path.write_text(path.read_text().replace('"SOAK"', '"HOLD"'))
    _run(archive, "SOAK", "dev")
    found = verify(archive.root)
    assert found.exit_code == 1 and any(bad.folder.name in one.place for one in found.damage)
    assert verify_standalone.main([str(archive.root)]) == 1


def test_a_folder_named_like_that_of_attachments_within_an_attachment_is_damage(kept: Kept, copy: Archive) -> None:
    (copy.records()[0].folder / "attachments" / "20260101T000000.000Z" / "attachments").mkdir(parents=True)
    assert set(_both(kept, copy.root).values()) == {(1, 1)}
