"""Whether a record is as it was sealed: its own hash, its files, its place, its chain, and the archive's log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from runbook_lib.base.errors import ArchiveError
from runbook_lib.record.attached import FOLDER, Bound, attachments, bound
from runbook_lib.record.chain import Chain, Link, link
from runbook_lib.record.log.files import Log, read_log
from runbook_lib.record.log.leaf import Leaf
from runbook_lib.record.place import RecordRef, is_place, path_of, safe
from runbook_lib.record.record import LOGGED_SINCE
from runbook_lib.record.seal import file_hash
from runbook_lib.record.tombstones import of_chain, stones

GONE = "{}: it was removed; the archive's log has it"
"""Of a record, by its folder's name."""


def verifier(root: Path) -> Callable[[RecordRef], None]:
    """Verifies records of the archive at `root`; the chain of each is walked once, when its first record is asked for.

    What it returns raises ArchiveError: one sentence that names what is wrong.
    """
    chains: dict[Path, dict[str, str | None]] = {}
    releases: dict[Path, Bound] = {}

    def verify(ref: RecordRef) -> None:
        log, path = read_log(root), path_of(root, ref.folder)
        leaf = log.by_path.get(path) if log else None
        own = _verify_own(ref, _vouched(leaf) if leaf else "")
        folder, name = ref.folder.parent, ref.folder.name
        if name not in chains.get(folder, {}):
            chain = path_of(root, folder)
            chains[folder] = Chain(folder).broken(logged(log, chain), of_chain(stones(root, log), chain))
        if sentence := chains[folder].get(name, f"{name}: it is gone"):
            raise ArchiveError(sentence)
        if sentence := _unlogged(log, leaf, path, own):
            raise ArchiveError(f"{name}: {sentence}")
        if (ref.folder / FOLDER).is_dir():
            release = folder.parent
            if release not in releases:
                releases[release] = bound(release)
            list(attachments(ref, releases[release], leaf.attachments if leaf else None))

    return verify


def logged(log: Log | None, chain: str) -> dict[str, str] | None:
    """Name of each record that the log has of a chain to the hash of the file that it vouches for; None: no log."""
    return None if log is None else {one.name: _vouched(one) for one in log.by_chain.get(chain, ())}


def _vouched(leaf: Leaf) -> str:
    """SHA-256 of the file that the log vouches for; empty: it was taken in as it was found, altered or not."""
    return "" if leaf.how == "taken_in" else leaf.file


def _unlogged(log: Log | None, leaf: Leaf | None, path: str, own: Link) -> str:
    """Why the archive's log does not vouch for a record, in half a sentence; empty: it does, or needs not."""
    of_the_log = own.schema >= LOGGED_SINCE
    if log is None:
        return "the archive's log was removed; such a record is always in it" if of_the_log else ""
    if log.damage:
        return f"the archive's log cannot vouch for it: {log.damage[0]}"
    if leaf is None:
        begun = log.sealing
        under_way = begun is not None and (begun.path, begun.hash) == (path, own.hash)
        return "" if under_way else "it is not in the archive's log: it was put there, and not sealed"
    if leaf.hash != own.hash:
        return "it is not the record that was sealed: the archive's log has another hash"
    lost = leaf.how == "taken_in" and of_the_log
    return "it was in a log that was removed, and was taken in again" if lost else ""


def _verify_own(ref: RecordRef, vouched: str) -> Link:
    """The record's own hash, its place and its files."""
    name, own = ref.folder.name, link(ref.folder, vouched)
    linked = next((one for one in (ref.folder.parent, ref.folder, *ref.folder.iterdir()) if one.is_symlink()), None)
    if linked is not None:
        raise ArchiveError(f"{name}: {linked.name} is a link; a record is sealed as files")
    if own.altered:
        raise ArchiveError(f"{name}: record.json was altered after it was sealed")
    if name != own.name:
        raise ArchiveError(f"{name}: the folder was renamed: its record was sealed as {own.name}")
    where = (ref.env, ref.release, ref.notebook, ref.run_id)
    if not all(map(is_place, where, own.place)):
        raise ArchiveError(f"{name}: the record belongs to another folder ({'/'.join(map(safe, own.place))})")
    if not isinstance(own.files, dict):
        raise ArchiveError(f"{name}: record.json names no files")
    for file, expected in own.files.items():
        path = ref.folder / file
        if Path(file).name != file or not path.is_file():
            raise ArchiveError(f"{name}: {file} is missing")
        try:
            found = file_hash(path)
        except OSError as error:
            raise ArchiveError(f"{name}: {file} cannot be read ({error.strerror})") from None
        if found != expected:
            raise ArchiveError(f"{name}: {file} was altered after it was sealed")
    for path in sorted(ref.folder.iterdir()):
        if path.name not in own.files and path.name not in ("record.json", "attachments"):
            raise ArchiveError(f"{name}: {path.name} was not there when it was sealed")
    return own
