"""An archive in a bucket. Reads use a local copy; writes go to the bucket first.

So each step of a seal is the same as in a folder, and the next writer on any machine repairs what a crash between two
steps left. The local copy has the log, and the records of the releases in use.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from runbook_lib.base import scratch
from runbook_lib.base.errors import ArchiveError
from runbook_lib.base.telling import Overdue
from runbook_lib.record.chain import HEAD, spelt_head
from runbook_lib.record.home.folder import Folder
from runbook_lib.record.home.home import Lost, RolledBack, Unanswered
from runbook_lib.record.home.mirror import RECORDS, WHOLE, Mirror, bytes_of, cleared, pull, within
from runbook_lib.record.home.s3 import Store
from runbook_lib.record.log.files import CHECKPOINT, LEAVES, PART, TREE, of_log, parts, read_checkpoint, read_log
from runbook_lib.record.log.files import FOLDER as LOG
from runbook_lib.record.log.keeping import keeping
from runbook_lib.record.log.note import Checkpoint, parsed
from runbook_lib.record.log.sealing import SEALING, read_sealing
from runbook_lib.record.place import is_name, is_path, safe
from runbook_lib.record.tombstones import stones

WRITER = f"{LOG}/writer.json"
"""The writer's lease. It is put only if absent: of two writers one waits."""
LEASE_S = 120.0
"""Age in seconds from which a `writer.json` is of a writer that stopped; a writer renews it well before (`_held`)."""
RENEW_S = LEASE_S / 6
WAIT_S = LEASE_S + 30
_TRIES = 20
DOWN_S = 60.0
"""Seconds for which a process does not ask an unreachable bucket again: a rollback would wait each time."""
_DOWN: dict[str, tuple[float, str]] = {}
NEWEST = f"{LOG}/{CHECKPOINT}"
"""The copy knows its ETag while it has all that belongs to it: a renewal that fails half way is made again."""
_STANDING = ("deviation", "tombstone")
"""Kinds of entries that count beyond their release: open changes in AWS, and pruned records."""


class Bucket:
    """The archive at `s3://bucket/prefix`, with the folder `root` as its local copy."""

    def __init__(self, root: Path, uri: str) -> None:
        self.root, self.uri = root, uri
        self._folder, self._mirror = Folder(root), Mirror(root)
        self._lease, self._since = ("", b""), 0.0

    @cached_property
    def store(self) -> Store:
        """The bucket's objects."""
        return Store(self.uri, keeping(self.root))

    @contextlib.contextmanager
    def writing(self, release: str = "") -> Iterator[None]:
        """Lets one writer in at a time, on all machines."""
        with self._folder.writing():
            with self._asking():
                self.store.check()
            self._take()
            try:
                self._renew({f"release={safe(release)}"} if release else set())
                yield
            finally:
                with contextlib.suppress(ArchiveError):  # else the lease expires
                    self.store.delete([WRITER], over=self._lease[0])
                self._lease = ("", b"")

    def _take(self) -> None:
        end, pause, overdue = time.monotonic() + WAIT_S, 0.1, Overdue(time.monotonic)
        while True:
            own = json.dumps({**scratch.owner(), "token": uuid.uuid4().hex, "at": _now()}).encode()
            with contextlib.suppress(Lost):
                self._since = _clock()
                self._lease = (self.store.put(WRITER, own), own)
                return
            other = self.store.get(WRITER)
            if other is None:
                continue
            who = _facts(other[0])
            gone = scratch.is_here(who) and not scratch.lives(who)
            if gone or self.store.age(WRITER) > LEASE_S:
                with contextlib.suppress(Lost):
                    self._lease = (self.store.put(WRITER, own, over=other[1]), own)
                    return
            if time.monotonic() > end:
                raise ArchiveError(
                    f"{self.uri} is being written by process {who.get('pid')} on {who.get('host')} for over two minutes"
                )
            told = f"process {who.get('pid')} on {who.get('host')}, which writes {self.uri}"
            overdue.tell(lambda told=told: f"waiting for {told}, {WAIT_S:.0f} s at most ...")  # type: ignore[misc]
            time.sleep(pause)
            pause = min(2.0, pause * 1.5)

    def _held(self) -> None:
        """Renews the lease in time. A process that stood still for long learns here that it has lost the lease.

        Raises:
            Lost: another writer took the lease.
        """
        if not self._lease[0]:
            raise ArchiveError(f"{self.uri} has no writer")
        if _clock() - self._since > RENEW_S:
            since, own = _clock(), json.dumps({**_facts(self._lease[1]), "at": _now()}).encode()
            self._lease = (self.store.put(WRITER, own, over=self._lease[0]), own)
            self._since = since

    def _put(self, path: str, content: bytes) -> None:
        self._held()
        self._mirror.note({path: self.store.put(path, content, over=self._mirror.etag(path))})

    def write(self, path: str, content: bytes) -> None:
        """Writes a file to the bucket, if its object is still the one that the copy has."""
        self._put(path, content)
        self._folder.write(path, content)
        self._mirror.copied([path])

    def append(self, path: str, line: bytes, at: int) -> None:
        """Appends `line`: it writes the whole object, if it is still the one that the copy has."""
        here = (self.root / path).read_bytes() if (self.root / path).exists() else b""
        put = bool(line) or len(here) > at
        if put:
            self._put(path, here[:at] + line)
        self._folder.append(path, line, at)
        if put:
            self._mirror.copied([path])

    def add(self, path: str, files: Mapping[str, bytes], copies: Mapping[str, Path] | None = None) -> None:
        """Puts a folder into the bucket, `record.json` last: without that file there is no record."""
        content = {name: source.read_bytes() for name, source in (copies or {}).items()} | dict(files)
        for name in sorted(content, key=lambda one: (one == "record.json", one)):
            self._put(f"{path}/{name}", content[name])
        self._folder.add(path, content)
        self._mirror.copied(f"{path}/{name}" for name in content)

    def remove(self, path: str) -> None:
        """Removes a file or a folder; the versions of its objects stay in the bucket."""
        self._held()
        known = path in self._mirror.paths(path)
        paths = [path] if known else [] if path.startswith(f"{LOG}/") else [*self.store.below(f"{path}/")]
        if paths:
            self.store.delete(paths)
        self._mirror.forget(paths)
        self._folder.remove(path)

    def holds(self) -> Callable[[str], bool]:
        """A function that says whether the local copy has the part with this path; other parts are unknown."""
        held = self._mirror.held()
        return lambda path: within(path, held)

    def refresh(self, release: str = "", *, whole: bool = False, anew: bool = False) -> int:
        """Brings log and records of the local copy up to date; returns how many files it copied.

        Args:
            release: its records are part of the copy from now on, in each environment.
            whole: all records are part of the copy from now on.
            anew: compares every object, also those of records, which nobody should change.

        Raises:
            ArchiveError: the bucket cannot be asked, or its log does not continue the one in the copy.
        """
        wanted = {WHOLE} if whole or anew else {f"release={safe(release)}"} if release else set()
        with self._folder.writing(), self._asking():
            return self._renew(wanted, anew=anew)

    def again(self, places: Collection[str]) -> int:
        """Copies what lies at these paths anew, whatever the copy knows of it; returns how many files were other here.
        A disk or a person may have damaged the copy alone: then the archive is whole.

        Raises:
            ArchiveError: the bucket cannot be asked.
        """
        beside = {one.rpartition("/")[0] for one in places}  # HEAD, which says which record is the newest
        known = [
            path
            for path in self._mirror.paths()
            if path.rpartition("/")[0] in beside or any(f"{path}/".startswith(f"{one}/") for one in places)
        ]
        had = {path: bytes_of(self.root / path) for path in known}
        with self._folder.writing(), self._asking():
            self._mirror.forget(known)
            self._renew(set(), anew=True)
        return sum(bytes_of(self.root / path) != was for path, was in had.items())

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        """Remembers a bucket that does not answer, so that it is not asked again for `DOWN_S` seconds."""
        until, why = _DOWN.get(self.uri, (0.0, ""))
        if time.monotonic() < until:
            raise ArchiveError(why)
        try:
            yield
        except Unanswered as error:
            _DOWN[self.uri] = (time.monotonic() + DOWN_S, str(error))
            raise

    def _renew(self, wanted: set[str], *, anew: bool = False) -> int:
        self._mirror.sound()
        held = self._mirror.held()
        if anew:
            self._put_there()
        spoilt = {f"{path.rpartition('/')[0]}/" for part in wanted for path in self._mirror.spoilt(part)}
        changed, newest = self._log(anew)
        if not changed and not anew and wanted <= held and not spoilt:
            return 0
        log, begun = read_log(self.root), read_sealing(self.root / LOG)
        leaves = [leaf for leaf in (log.leaves if log else ()) if is_path(leaf.path)]
        stale = {RECORDS} if anew or WHOLE in wanted - held else spoilt
        had, held = held, held | wanted | {leaf.chain for leaf in leaves if leaf.kind in _STANDING}
        gone = stones(self.root, log)
        newest_of = {leaf.chain: leaf.hash for leaf in leaves}
        ended = {chain for chain, hash_ in newest_of.items() if self._ends(chain, hash_)}
        for leaf in leaves:
            here = (self.root / leaf.path).is_dir() and within(leaf.path, had) and leaf.chain in ended
            if within(leaf.path, held) and leaf.path not in gone and not here:
                release = leaf.chain.rpartition("/")[0]
                stale.add(f"{release}/" if within(f"{release}/", held) else f"{leaf.chain}/")
        if begun is not None and is_path(begun.path):
            stale.add(f"{begun.path.rpartition('/')[0]}/")
        whole = [part for part in stale if not any(part != one and part.startswith(one) for one in stale)]
        came = sum(pull(self.root, self.store, self._mirror, part, anew=anew) for part in whole)
        self._mirror.hold(held)
        if newest:
            self._mirror.note({NEWEST: newest})
            self._mirror.copied([NEWEST])
        return came

    def _ends(self, chain: str, newest: str) -> bool:
        """Whether the copy's HEAD of a chain is the bucket's, by the log: else a renewal failed before it came."""
        head = f"{chain}/{HEAD}"
        return bool(self._mirror.etag(head)) and bytes_of(self.root / head) == spelt_head(newest)

    def unmoved(self, path: str) -> None:
        """Raises `Lost` if the object is not the one that the copy has; then the next renewal copies it."""
        self._held()
        known = self._mirror.etag(path)
        found = self.store.get(path, known)
        if (found[1] if found else "") != known:
            self._mirror.forget([path, NEWEST])
            raise Lost(f"{self.uri}/{path} was written by another one")

    def _log(self, anew: bool) -> tuple[bool, str]:
        """Brings the copy of the log up to date, as of one moment; returns whether it has changed, and the ETag of its
        checkpoint, which `_renew` notes once all that belongs to it is here.
        """
        for _ in range(_TRIES):
            first = self._newer(CHECKPOINT)
            same = first is not None and not first[0] and not (self.root / LOG / SEALING).exists()
            if first and same and not self._lease[0] and not anew:
                return False, first[1]
            found = {name: self._newer(name) for name in (SEALING, *self._parts(), TREE)}
            last = self.store.get(NEWEST, first[1] if first else "")
            if (last is None) == (first is None) and (last is None or last[1] == (first or last)[1]):
                return self._taken({**found, CHECKPOINT: first}), first[1] if first else ""
        raise ArchiveError(f"{self.uri} is written to all the time; try again")

    def _put_there(self) -> None:
        """Has an empty file in the copy for each object beside the log that sealing does not make: it is damage."""
        there = {path.split("/")[1] for path in self.store.below(f"{LOG}/")}
        here = {file.name for file in (self.root / LOG).glob("*") if file.is_file()}
        for name in filter(is_name, there | here):
            if of_log(name):
                continue
            if name in there:
                cleared(self.root, f"{LOG}/{name}")
                self._folder.write(f"{LOG}/{name}", b"")
            else:
                (self.root / LOG / name).unlink()

    def _parts(self) -> list[str]:
        """The leaf files that differ between copy and bucket, also those that only the copy has."""
        there, here = self.store.below(f"{LOG}/{PART}"), parts(self.root / LOG)
        known = self._mirror.etags(f"{LOG}/{PART}")
        new = [path for path, etag in there.items() if known.get(path) != etag or not (self.root / path).is_file()]
        gone = [name for name in here if name != LEAVES and f"{LOG}/{name}" not in there]
        return [LEAVES, *sorted(path.rpartition("/")[2] for path in new), *gone]

    def _newer(self, name: str) -> tuple[bytes, str] | None:
        path = f"{LOG}/{name}"
        return self.store.get(path, self._mirror.etag(path) if (self.root / path).is_file() else "")

    def _taken(self, found: Mapping[str, tuple[bytes, str] | None]) -> bool:
        said = found[CHECKPOINT]
        if (had := _checkpoint(self.root)) is not None and (said is None or said[0]):
            now = _parsed(said[0]) if said else None
            if said is None or (now is not None and (now.origin != had.origin or now.size < had.size)):
                there = f"one of {now.size} records" if now else "none any more"
                raise RolledBack(
                    f"the log in {self.uri} is not the one that was there: here is one of {had.size} records, there is "
                    f"{there}; it was rolled back or replaced. The copy here is {self.root}"
                )
        paths = {f"{LOG}/{name}": one for name, one in found.items()}
        other = [path for path, one in paths.items() if self._differs(path, one)]
        if other:
            self._mirror.forget([NEWEST])
        for path in other:
            file, one = cleared(self.root, path), paths[path]
            if one is None:
                file.unlink(missing_ok=True)
                self._mirror.forget([path])
                continue
            self._folder.write(path, one[0])
            if path != NEWEST:
                self._mirror.note({path: one[1]})
                self._mirror.copied([path])
        return bool(other)

    def _differs(self, path: str, one: tuple[bytes, str] | None) -> bool:
        """Whether a file of the log in the bucket is not the one here."""
        here = self.root / path
        return os.path.lexists(here) if one is None else one[1] != self._mirror.etag(path) or not here.is_file()


def _checkpoint(root: Path) -> Checkpoint | None:
    with contextlib.suppress(OSError, ValueError):
        return read_checkpoint(root / LOG)
    return None


def _parsed(text: bytes) -> Checkpoint | None:
    with contextlib.suppress(ValueError):
        return parsed(text)
    return None


def _facts(raw: bytes) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        found = json.loads(raw)
        return found if isinstance(found, dict) else {}
    return {}


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")


def _clock() -> float:
    """Seconds on a clock that runs while the machine sleeps."""
    return max(time.monotonic(), time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)))
