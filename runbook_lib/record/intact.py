"""Checks that a record is as it was sealed: its own hash, its files, its place, its chain, and the archive's log."""

from __future__ import annotations

from pathlib import Path

from runbook_lib.base.errors import ArchiveError, Unread
from runbook_lib.base.plain_file import MOST_BYTES
from runbook_lib.base.window import when
from runbook_lib.record.attached import FOLDER, Bound, attachments, bound
from runbook_lib.record.chain import Chain, Link, link
from runbook_lib.record.log.files import Log, read_log
from runbook_lib.record.log.leaf import Leaf
from runbook_lib.record.place import RecordRef, is_litter, is_place, safe
from runbook_lib.record.record import LOGGED_SINCE
from runbook_lib.record.seal import file_hash
from runbook_lib.record.seen import Found, Seen
from runbook_lib.record.tombstones import by_chain, stones

GONE = "{}: it was removed; the archive's log has it"
"""Sentence about a removed record, by its folder's name."""


class Verifier:
    """Verifies records of the archive at `root`; walks each chain once, at the chain's first record.

    Args:
        seen: what earlier runs found on reading records completely, valid while these do not change; None: read all.
    """

    def __init__(self, root: Path, seen: Seen | None = None) -> None:
        self._root, self._seen = root, seen
        self._log: Log | None = None
        self._known: dict[str, dict[str, Found]] = {}
        self._broken: dict[str, dict[str, ArchiveError | None]] = {}
        self._releases: dict[Path, Bound] = {}
        self._stones: tuple[Log | None, dict[str, dict[str, tuple[str, str | None]]]] | None = None

    def __call__(self, ref: RecordRef) -> None:
        """Checks that a record is as it was sealed.

        Raises:
            ArchiveError: one sentence that names what is wrong; `Unread`: a file may not be read, and none that may be
                shows damage.
        """
        try:
            self._verify(ref)
        except PermissionError as error:
            raise Unread.of(error, ref.folder) from None

    def _verify(self, ref: RecordRef) -> None:
        path, leaf = self._leaf(ref)
        chain, _, name = path.rpartition("/")
        found = self._found(chain).get(name)
        own = found or _verify_own(ref, _vouched(leaf))
        if self._log and self._log.unread:
            raise Unread(f"{name}: {_without(self._log)}", of_the_log=True)
        if name not in self._broken.get(chain, {}):
            self._broken[chain] = self._walked(chain)
        if name not in self._broken[chain]:
            raise ArchiveError(f"{name}: it is gone")
        if trouble := self._broken[chain][name]:
            raise type(trouble)(str(trouble))
        if self._log and self._log.damage:
            raise ArchiveError(f"{name}: {_without(self._log)}", of_the_log=True)
        if sentence := _unlogged(self._log, leaf, path, own):
            raise ArchiveError(f"{name}: {sentence}")
        if FOLDER in found.files if found else (ref.folder / FOLDER).is_dir():
            release = ref.folder.parents[1]
            if release not in self._releases:
                self._releases[release] = bound(release)
            list(attachments(ref, self._releases[release], leaf.attachments if leaf else None))

    def seen(self, ref: RecordRef) -> Found | None:
        """The findings of an earlier complete reading of the record, if it has not changed since."""
        chain, _, name = self._leaf(ref)[0].rpartition("/")
        return self._found(chain).get(name)

    def vouched(self, ref: RecordRef) -> str:
        """SHA-256 of the record's file that the log vouches for; empty: it vouches for none."""
        return _vouched(self._leaf(ref)[1])

    def _leaf(self, ref: RecordRef) -> tuple[str, Leaf | None]:
        """Path of the record, and its leaf in the log. The log is read again if it lacks the record."""
        path = ref.path
        if self._log is None or path not in self._log.by_path:
            self._log = read_log(self._root)
        return path, self._log.by_path.get(path) if self._log else None

    def _found(self, chain: str) -> dict[str, Found]:
        """The unchanged records of one chain that were read before, by name."""
        if self._seen is None or chain in self._known:
            return self._known.get(chain, {})
        self._known[chain] = self._seen.found(chain, logged(self._log, chain) or {})
        return self._known[chain]

    def _walked(self, chain: str) -> dict[str, ArchiveError | None]:
        """The result of `Chain.broken` for one chain."""
        if self._stones is None or self._stones[0] is not self._log:
            self._stones = self._log, by_chain(stones(self._root, self._log))
        known = {name: one.link(name) for name, one in self._found(chain).items()}
        return Chain(self._root / chain).broken(logged(self._log, chain), self._stones[1].get(chain, {}), known)


def logged(log: Log | None, chain: str) -> dict[str, str] | None:
    """Name to file hash of each record of a chain in the log; None: no log."""
    return None if log is None else {one.name: _vouched(one) for one in log.by_chain.get(chain, ())}


def _vouched(leaf: Leaf | None) -> str:
    """SHA-256 of the file that the log vouches for; empty: the log took the record in as it was, intact or not."""
    return "" if leaf is None or leaf.how == "taken_in" else leaf.file


def _without(log: Log) -> str:
    """Why a damaged log vouches for no record, in half a sentence."""
    return f"the archive's log cannot vouch for it: {log.damage[0].sentence}"


def _unlogged(log: Log | None, leaf: Leaf | None, path: str, own: Link | Found) -> str:
    """Why the archive's log does not vouch for a record, in half a sentence; empty: it does, or need not."""
    of_the_log = own.schema >= LOGGED_SINCE
    if log is None:
        return "the archive's log was removed; such a record is always in it" if of_the_log else ""
    if leaf is None:
        begun = log.sealing
        under_way = begun is not None and (begun.path, begun.hash) == (path, own.hash)
        return "" if under_way else "it is not in the archive's log: it was put there, and not sealed"
    if leaf.hash != own.hash or leaf.file != own.file:  # 1 and 1.0 have one hash: the file's own tells them apart
        return "it is not the record that was sealed: the archive's log has another hash"
    if (leaf.kind, leaf.sealed_at) != (own.kind, own.sealed_at):
        return f"the archive's log has it as {leaf.kind} sealed {when(leaf.sealed_at)}: it is not what the record says"
    lost = leaf.how == "taken_in" and of_the_log
    return "it was in a log that was removed, and was taken in again" if lost else ""


def _verify_own(ref: RecordRef, vouched: str) -> Link:
    """Checks the record's own hash, its place and its files."""
    name, own = ref.folder.name, link(ref.folder, vouched)
    places = (*reversed(ref.folder.parents[:3]), ref.folder, *ref.folder.iterdir())
    linked = next((one for one in places if one.is_symlink()), None)
    if linked is not None:
        raise ArchiveError(f"{name}: {linked.name} is a link; a record is sealed as files")
    if own.altered:
        raise ArchiveError(f"{name}: record.json was altered after it was sealed")
    if name != own.name:
        raise ArchiveError(f"{name}: the folder was renamed: its record was sealed as {own.name}")
    where = (ref.env, ref.release, ref.notebook, ref.run_id)
    if not all(map(is_place, where, own.place)):
        raise ArchiveError(f"{name}: the record belongs to another folder ({'/'.join(map(safe, own.place))})")
    for file, expected in own.files.items():
        path = ref.folder / file
        if Path(file).name != file or not path.is_file():
            raise ArchiveError(f"{name}: {file} is missing")
        try:
            found = file_hash(path, MOST_BYTES)
        except PermissionError:
            raise
        except OSError as error:
            raise ArchiveError(f"{name}: {file} cannot be read ({error.strerror})") from None
        if found != expected:
            raise ArchiveError(f"{name}: {file} was altered after it was sealed")
    for path in sorted(one for one in ref.folder.iterdir() if not is_litter(one)):
        if path.name not in own.files and path.name != "record.json" and not (path.name == FOLDER and path.is_dir()):
            raise ArchiveError(f"{name}: {path.name} was not there when it was sealed")
    return own
