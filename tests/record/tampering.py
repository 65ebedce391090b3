"""What somebody may do to an archive, and what is expected to find it: the table of docs/audit.md is made of this."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from runbook_lib.record.archive import Archive
from runbook_lib.record.attached import FACTS, spelt
from runbook_lib.record.chain import Chain, read_record
from runbook_lib.record.log.files import read_log
from runbook_lib.record.place import path_of
from runbook_lib.record.prune import Pruning, prune
from runbook_lib.record.seal import record_hash, written
from tests.archives import rechained, relogged, resealed

By = Literal["the archive alone", "the signature", "the witness"]


class Tampering(NamedTuple):
    """One of them."""

    name: str
    by: By
    do: Callable[[Archive, Path], object]
    """Given the archive, and a copy of it from when it had one record less."""


def _chain(archive: Archive) -> Chain:
    return archive.chain("dev", "r1", "06_phase1_10_percent")


def _folder(archive: Archive, place: int) -> Path:
    chain = _chain(archive)
    return chain.folder / chain.names()[place]


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def _promoted(archive: Archive) -> None:
    """The newest verdict, from SOAK to PROMOTE, with every hash made right."""
    folder = _folder(archive, -1)
    outcome = read_record(folder)["outcome"]
    resealed(folder, decision="PROMOTE", outcome={**outcome, "decision": "PROMOTE"})
    rechained(_chain(archive))


def _swapped(archive: Archive) -> None:
    one, other, spare = _folder(archive, 0), _folder(archive, 1), archive.root / "spare"
    one.rename(spare)
    other.rename(one)
    spare.rename(other)


def _without_last(archive: Archive) -> None:
    shutil.rmtree(_folder(archive, -1))
    rechained(_chain(archive))


def _inserted(archive: Archive) -> None:
    """A record of one's own in the middle, with chain and HEAD made right."""
    after = _folder(archive, 0)
    raw = read_record(after)
    stamp, _, _ = after.name.rpartition("-")
    folder = after.with_name(f"{stamp[:-4]}999Z-aaaaaaaaaaaa")
    shutil.copytree(after, folder, ignore=shutil.ignore_patterns("attachments"))
    at = re.sub(r"\.\d{3}", ".999", raw["sealed_at"])
    resealed(folder, run_id="aaaaaaaaaaaa", sealed_at=at, decision="PROMOTE")
    rechained(_chain(archive))


def _copied(archive: Archive, **to: str) -> None:
    folder = _folder(archive, -1)
    raw = {**read_record(folder), **to}
    there = archive.chain(raw["env"], raw["release"], raw["notebook"]).folder / folder.name
    shutil.copytree(folder, there)
    resealed(there, previous=None, **to)
    rechained(Chain(there.parent))


def _attachment(archive: Archive) -> None:
    folder, name = _folder(archive, -1), "20991231T000000.000Z"
    raw = read_record(folder)
    content = b"PROMOTE"
    facts = {"record": raw["hash"], "run_id": raw["run_id"], "attached_at": "2099-12-31T00:00:00.000+00:00"}
    facts |= {"files": {"report.html": hashlib.sha256(content).hexdigest()}}
    one = folder / "attachments" / name
    one.mkdir(parents=True)
    (one / "report.html").write_bytes(content)
    (one / FACTS).write_bytes(spelt({**facts, "hash": record_hash(facts)}))


def _attached(archive: Archive) -> Path:
    return next(archive.root.glob("env=*/*/*/*/attachments/*"))


def _twice(archive: Archive) -> None:
    path = _folder(archive, -1) / "record.json"
    _edit(path, ' "decision": ', ' "decision": "PROMOTE",\n "decision": ')


def _emptied(archive: Archive) -> None:
    shutil.rmtree(archive.root)
    archive.root.mkdir()


def _replaced(archive: Archive) -> None:
    """Everything made anew under another log, unsigned; the records are of before the log."""
    for ref in archive.records():
        shutil.rmtree(ref.folder / "attachments", ignore_errors=True)
        raw = {**read_record(ref.folder), "schema": 2}
        raw["hash"] = record_hash(raw)
        (ref.folder / "record.json").write_bytes(written(raw))
    for chain in {ref.folder.parent for ref in archive.records()}:
        rechained(Chain(chain))
    relogged(archive)


def _back(archive: Archive, earlier: Path) -> None:
    shutil.rmtree(archive.root)
    shutil.copytree(earlier, archive.root)


def _checkpoint(archive: Archive, earlier: Path) -> None:
    shutil.copy(earlier / "log" / "checkpoint", archive.root / "log" / "checkpoint")


def _leaf(archive: Archive) -> None:
    path = archive.root / "log" / "leaves.jsonl"
    _edit(path, '"sealed"', '"taken_in"')


def _cut(archive: Archive) -> None:
    path = archive.root / "log" / "leaves.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def _hidden(archive: Archive) -> None:
    """A sealed folder put elsewhere, and a link in its place."""
    folder = _folder(archive, -1)
    elsewhere = archive.root.with_name("elsewhere")
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)


def _leaves_hidden(archive: Archive) -> None:
    file = archive.root / "log" / "leaves.jsonl"
    elsewhere = archive.root.with_name("elsewhere")
    file.rename(elsewhere)
    file.symlink_to(elsewhere)


def _pruned(archive: Archive) -> Path:
    """The first record of the chain removed as `archive prune` does it; the tombstone's folder."""
    ref = archive.at(_folder(archive, 0))
    return prune(archive, Pruning(records=[ref]), "Ada", "").tombstones[0].folder


def _widened(archive: Archive) -> None:
    """One record more removed, and put into the tombstone, whose hashes are made right."""
    tomb, lost = _pruned(archive), _folder(archive, 0)
    own = read_record(tomb)
    records = dict(own["entry"]["facts"]["records"])
    log, path = read_log(archive.root), path_of(archive.root, lost)
    assert log is not None
    leaf = log.by_path[path].model_dump(mode="json", by_alias=True)
    records[path] = {"previous": read_record(lost).get("previous"), "leaf": leaf}
    shutil.rmtree(lost)
    resealed(tomb, entry={**own["entry"], "facts": {"records": records}})
    rechained(Chain(tomb.parent))


def _and(*steps: Callable[[Archive], object]) -> Callable[[Archive, Path], object]:
    return lambda archive, _: [step(archive) for step in steps]


def _gone(*places: int) -> Callable[[Archive], object]:
    return lambda archive: [shutil.rmtree(folder) for folder in [_folder(archive, place) for place in places]]


HERE, SIGNED, WITNESSED = "the archive alone", "the signature", "the witness"
TABLE: list[Tampering] = [
    Tampering(name, by, do)  # type: ignore[arg-type]
    for name, by, do in (
        ("a field edited", HERE, _and(lambda a: _edit(_folder(a, -1) / "record.json", '"SOAK"', '"PROMOTE"'))),
        ("a field edited, and the record hashed anew", HERE, _and(lambda a: resealed(_folder(a, 1), mode="apply"))),
        ("the newest SOAK made a PROMOTE, with record, chain and HEAD hashed anew", HERE, _and(_promoted)),
        ("the same, and the log written anew", SIGNED, _and(_promoted, relogged)),
        ("two records swapped", HERE, _and(_swapped)),
        ("the first record removed", HERE, _and(_gone(0))),
        ("a record in the middle removed", HERE, _and(_gone(1))),
        ("the last record removed", HERE, _and(_gone(-1))),
        ("the last record removed, and HEAD set back", HERE, _and(_without_last)),
        ("the same, and the log written anew", SIGNED, _and(_without_last, relogged)),
        ("HEAD removed", HERE, _and(lambda a: (_chain(a).folder / "HEAD").unlink())),
        ("the whole chain of a notebook removed", HERE, _and(lambda a: shutil.rmtree(_chain(a).folder))),
        ("the same, and the log written anew", SIGNED, _and(lambda a: shutil.rmtree(_chain(a).folder), relogged)),
        ("the folder of an environment removed", HERE, _and(lambda a: shutil.rmtree(a.root / "env=staging"))),
        ("the whole archive removed", WITNESSED, _and(_emptied)),
        ("the log removed", HERE, _and(lambda a: shutil.rmtree(a.root / "log"))),
        (
            "the log removed, and every record made one of before the log",
            WITNESSED,
            _and(_replaced, lambda a: shutil.rmtree(a.root / "log")),
        ),
        ("every record made one of before the log, and the log written anew", SIGNED, _and(_replaced)),
        ("a record inserted, with chain and HEAD hashed anew", HERE, _and(_inserted)),
        ("the same, and the log written anew", SIGNED, _and(_inserted, relogged)),
        ("a record copied from another release", HERE, _and(lambda a: _copied(a, release="r2"))),
        ("a record copied from another environment", HERE, _and(lambda a: _copied(a, env="prod"))),
        (
            "a record renamed",
            HERE,
            _and(lambda a: _folder(a, -1).rename(_folder(a, -1).with_name("20991231T000000.000Z-aaaaaaaaaaaa"))),
        ),
        ("an attachment forged", HERE, _and(lambda a: (_attached(a) / "report.html").write_text("PROMOTE"))),
        ("an attachment added, its hashes made right", HERE, _and(_attachment)),
        ("the notebook edited", HERE, _and(lambda a: _edit(_folder(a, -1) / "notebook.ipynb", "nbformat", "nbforma"))),
        ("the report edited", HERE, _and(lambda a: _edit(_folder(a, -1) / "report.html", "SOAK", "DONE"))),
        ("the metrics edited", HERE, _and(lambda a: (_folder(a, -1) / "answers.json").write_text("[1, 3]"))),
        ("a file added to a record", HERE, _and(lambda a: (_folder(a, -1) / "note.txt").write_text("x"))),
        (
            "a file in the place of the folder of attachments",
            HERE,
            _and(lambda a: (_folder(a, -1) / "attachments").write_text("x")),
        ),
        ("a key of the record written twice", HERE, _and(_twice)),
        ("a link in the place of a record", HERE, _and(_hidden)),
        ("a link in the place of the leaves of the log", HERE, _and(_leaves_hidden)),
        ("a file added to a chain", HERE, _and(lambda a: (_chain(a).folder / "note.txt").write_text("x"))),
        ("a record pruned, and its tombstone removed", HERE, _and(lambda a: shutil.rmtree(_pruned(a)))),
        ("a tombstone made to cover one record more, which was removed", HERE, _and(_widened)),
        ("a leaf of the log edited", HERE, _and(_leaf)),
        ("the last leaf of the log removed", HERE, _and(_cut)),
        ("the checkpoint rolled back", HERE, _checkpoint),
        ("everything rolled back to an earlier state that was signed", WITNESSED, _back),
    )
]
"""In the order of docs/audit.md; "the same" is the line above with more."""


def names() -> list[str]:
    """The names, each once: for tests."""
    return [f"{number:02d} {one.name}" for number, one in enumerate(TABLE)]


def table() -> str:
    """As Markdown, for docs/audit.md."""
    rows = ["| what was done | found by |", "|---|---|"]
    return "\n".join([*rows, *(f"| {one.name} | {one.by} |" for one in TABLE)])


def notebook() -> dict[str, object]:
    """An executed notebook, small."""
    source: dict[str, object] = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return dict(json.loads(json.dumps(source)))
