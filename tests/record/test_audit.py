"""Every kind of tampering, each found by what docs/audit.md says, by the product and by the standalone verifier."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runbook_lib.commands.archive import verify
from runbook_lib.record import verify_standalone
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.attach import attach
from runbook_lib.record.entry import Entry, sealed
from runbook_lib.record.journal import Journal
from runbook_lib.record.log.signers import public_key
from runbook_lib.record.place import new_run_id
from tests.record.tampering import TABLE, names, notebook, table

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


@pytest.mark.parametrize("place", range(len(TABLE)), ids=names())
def test_each_is_found_by_what_the_table_says(
    kept: Kept, copy: Archive, place: int, capsys: pytest.CaptureFixture[str]
) -> None:
    tampering = TABLE[place]
    tampering.do(copy, kept.earlier)
    found = _both(kept, copy.root)
    told = verify(copy.root, str(kept.public), [str(kept.witness)])
    assert found["the witness"] == (1, 1) and told.damage, "with everything in hand it is found"
    assert all(one.place and one.sentence for one in told.damage)
    order = list(found)
    for by, codes in found.items():
        sooner = order.index(by) < order.index(tampering.by)
        assert codes[0] == codes[1], f"{by}: the product ends with {codes[0]}, the standalone verifier with {codes[1]}"
        assert (codes[0] == 1) is not sooner, f"{by}: {codes}"


def test_the_table_is_in_the_docs() -> None:
    assert table() in DOCS.read_text()
