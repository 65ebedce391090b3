"""What somebody may do to an archive, and what is expected to find it: the table of docs/audit.md is made of this."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from runbook_lib.record.archive import Archive
from runbook_lib.record.attached import FACTS, spelt
from runbook_lib.record.chain import Chain, read_record
from runbook_lib.record.log.files import Tree, read_log, read_tree
from runbook_lib.record.log.leaf import Leaf
from runbook_lib.record.log.ledger import facts_of
from runbook_lib.record.log.merkle import appended, leaf_hash
from runbook_lib.record.log.sealing import Sealing
from runbook_lib.record.place import path_of
from runbook_lib.record.prune import Pruning, prune
from runbook_lib.record.seal import jcs, record_hash, written
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


def _spelt(archive: Archive) -> None:
    """The root in the checkpoint with another last digit, which base64 reads as the same bytes."""
    path = archive.root / "log" / "checkpoint"
    lines = path.read_text().split("\n")
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    lines[2] = f"{lines[2][:-2]}{digits[digits.index(lines[2][-2]) ^ 1]}="
    path.write_text("\n".join(lines))


def behind(archive: Archive, record: dict[str, Any], folder: Path) -> None:
    """A record of one's own, its leaf behind the checkpoint, as if a crash had cut its seal short."""
    record["hash"] = record_hash(record)
    shutil.copytree(max(folder.parent.glob("2*")), folder, ignore=shutil.ignore_patterns("attachments"))
    (folder / "record.json").write_bytes(written(record))
    (folder.parent / "HEAD").write_text(record["hash"])
    log, path = archive.root / "log", path_of(archive.root, folder)
    leaves = (log / "leaves.jsonl").read_bytes()
    size = leaves.count(b"\n")
    leaf = Leaf.model_validate({**facts_of(path, written(record), record), "index": size})
    (log / "leaves.jsonl").write_bytes(leaves + leaf.line() + b"\n")
    (log / "sealing.json").write_bytes(Sealing(path, record["hash"], size, "").spelt())


def _buried_behind(archive: Archive) -> None:
    """A record removed, and a tombstone for it behind the checkpoint."""
    lost, log = _folder(archive, 0), read_log(archive.root)
    assert log is not None
    path, last = path_of(archive.root, lost), max(lost.parents[1].glob("entry/2*"))
    facts = {"previous": None, "leaf": log.by_path[path].model_dump(mode="json", by_alias=True)}
    raw = read_record(last)
    entry = {**raw["entry"], "kind": "tombstone", "facts": {"records": {path: facts}}}
    raw |= {"run_id": "aaaaaaaaaaaa", "sealed_at": "2099-01-01T00:00:00.000+00:00", "previous": raw["hash"]}
    behind(archive, {**raw, "entry": entry}, last.with_name("20990101T000000.000Z-aaaaaaaaaaaa"))
    shutil.rmtree(lost)


def _deep(archive: Archive) -> None:
    folder = _folder(archive, -1)
    raw = read_record(folder) | {"params": json.loads("[" * 150 + "]" * 150)}
    raw["hash"] = record_hash(raw)
    log, old = archive.root / "log" / "leaves.jsonl", (folder / "record.json").read_bytes()
    (folder / "record.json").write_bytes(written(raw))
    (folder.parent / "HEAD").write_text(raw["hash"])
    for before, now in ((json.loads(old)["hash"], raw["hash"]), (_sha(old), _sha(written(raw)))):
        _edit(log, before, now)
    _signed_by_nobody(archive)


def _no_record(archive: Archive) -> None:
    """A leaf of no record at the end of the log."""
    log = archive.root / "log" / "leaves.jsonl"
    last = json.loads(log.read_bytes().splitlines()[-1])
    with log.open("ab") as file:
        file.write(jcs({**last, "index": last["index"] + 1, "path": "a/b/c/d"}) + b"\n")
    _signed_by_nobody(archive)


def _rewritten(**changes: object) -> Callable[[Archive, Path], object]:
    """The newest record changed, with record, chain, HEAD and log hashed anew."""
    return _and(lambda a: resealed(_folder(a, -1), **changes), lambda a: rechained(_chain(a)), relogged)


ENTRY = {"item": "", "by": "Ada", "role": "", "at": "2026-11-23T00:00:00+00:00", "link": "", "text": ""}
"""A person's statement, without kind and facts."""


def _leaf_says(**changes: object) -> Callable[[Archive, Path], object]:
    """The last leaf changed, and the checkpoint made to fit."""

    def do(archive: Archive) -> None:
        log = archive.root / "log" / "leaves.jsonl"
        *lines, last = log.read_bytes().splitlines()
        log.write_bytes(b"".join(line + b"\n" for line in (*lines, jcs({**json.loads(last), **changes}))))
        _signed_by_nobody(archive)

    return _and(do)


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _signed_by_nobody(archive: Archive) -> None:
    """Makes the checkpoint that of the leaves."""
    log = archive.root / "log"
    before, leaves = read_tree(log), (log / "leaves.jsonl").read_bytes()
    assert before is not None
    peaks: list[bytes] = []
    for size, line in enumerate(leaves.splitlines()):
        peaks = appended(peaks, size, leaf_hash(line))
    tree = Tree(before.origin, leaves.count(b"\n"), len(leaves), tuple(peaks))
    (log / "tree.json").write_bytes(tree.spelt())
    (log / "checkpoint").write_bytes(tree.checkpoint().note())


def _hole(path: Path) -> None:
    """A file of a terabyte that takes no space."""
    with path.open("wb") as file:
        file.truncate(2**40)


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
        (
            "a number of the record spelt 1.0 instead of 1",
            HERE,
            _and(lambda a: _edit(_folder(a, -1) / "record.json", '"attempt": 1,', '"attempt": 1.0,')),
        ),
        ("a record nested hundred levels deep, and the log written anew", HERE, _and(_deep)),
        (
            "a file of a terabyte in the place of the metrics",
            HERE,
            _and(lambda a: _hole(_folder(a, -1) / "answers.json")),
        ),
        ("a file added to a record", HERE, _and(lambda a: (_folder(a, -1) / "note.txt").write_text("x"))),
        (
            "a file in the place of the folder of attachments",
            HERE,
            _and(lambda a: (_folder(a, -1) / "attachments").write_text("x")),
        ),
        ("a key of the record written twice", HERE, _and(_twice)),
        ("a link added to an attachment", HERE, _and(lambda a: (_attached(a) / "more.html").symlink_to("report.html"))),
        ("a link in the place of a record", HERE, _and(_hidden)),
        ("a link in the place of the leaves of the log", HERE, _and(_leaves_hidden)),
        ("a file added to a chain", HERE, _and(lambda a: (_chain(a).folder / "note.txt").write_text("x"))),
        ("a record pruned, and its tombstone removed", HERE, _and(lambda a: shutil.rmtree(_pruned(a)))),
        ("a tombstone made to cover one record more, which was removed", HERE, _and(_widened)),
        ("a record removed, and a tombstone for it put behind the checkpoint", HERE, _and(_buried_behind)),
        ("a file added to the log", HERE, _and(lambda a: (a.root / "log" / "leaves.json").write_text("x"))),
        (
            "a folder in the place of the tree of the log",
            HERE,
            _and(lambda a: ((a.root / "log" / "tree.json").unlink(), (a.root / "log" / "tree.json").mkdir())),
        ),
        ("a leaf of no record added, and the log written anew", HERE, _and(_no_record)),
        ("the kind of a record changed in its leaf, and the log written anew", HERE, _leaf_says(kind="note")),
        (
            "the time of a record changed in its leaf, and the log written anew",
            HERE,
            _leaf_says(sealed_at="2020-01-01T00:00:00.000+00:00"),
        ),
        ("a record of a schema that there is not, and the log written anew", HERE, _rewritten(schema=4)),
        ("a record with a field that there is not, and the log written anew", HERE, _rewritten(more="x")),
        (
            "a tombstone that names no records, and the log written anew",
            HERE,
            _rewritten(entry={**ENTRY, "kind": "tombstone", "facts": {"records": {"x": 1}}}),
        ),
        ("a leaf of the log edited", HERE, _and(_leaf)),
        ("the last leaf of the log removed", HERE, _and(_cut)),
        ("the checkpoint spelt otherwise", HERE, _and(_spelt)),
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
