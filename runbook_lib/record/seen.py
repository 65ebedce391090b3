"""A cache of records found intact on complete reading, for commands that list a whole archive of thousands.

A record's files are not read again while the inode, size and both times of each file and of the folder are the same:
writing to a file, renaming it or setting its time changes `ctime`, which no program can set. Everything else is
checked each time: which records exist, chains, HEADs, the log with its checkpoint. `verify` reads everything.

The cache is the user's own, with an HMAC by a key that lies elsewhere (`base/own_files.py`): a changed cache, or one
of another version, is not used. It is used only on disks that keep `ctime`, for large archives, and for files that
nobody touched for a minute: a write in the same tick of the clock would not change `ctime`.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from runbook_lib.base.errors import ArchiveError
from runbook_lib.base.foreign import one_line
from runbook_lib.base.own_files import cache_of, own_key
from runbook_lib.base.plain_file import read_plain
from runbook_lib.record.attached import FOLDER as ATTACHED
from runbook_lib.record.chain import Link, link
from runbook_lib.record.place import RecordRef
from runbook_lib.record.seal import replace_file

FILE = "verified.json"
MANY = 300
"""Number of records from which the cache is worthwhile; reading fewer takes less time than explaining it."""
FEW = 20
"""Fewest new records for which the cache is written again."""
SETTLED_NS = 60 * 10**9
"""Age of a file's last change, in ns: Linux writes mapped memory to disk, and updates times, within half a minute."""
DISKS = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "overlay"})
"""File systems on which no program can set `ctime`, and each change of a file changes it."""
_MOUNTS = Path("/proc/self/mountinfo")


class Found(NamedTuple):
    """One record that was read completely and whose own file is intact."""

    state: str
    files: list[str]
    """Names in its folder."""
    vouched: str
    """SHA-256 of `record.json` that the log vouched for then; empty: none."""
    row: dict[str, Any]
    """The record's row in a list."""
    previous: Any
    hash: str
    schema: int
    file: str
    """SHA-256 of its `record.json`."""
    kind: str
    sealed_at: str

    def link(self, name: str) -> Link:
        """The record's link according to its own file; `name` is its folder's name."""
        own = (self.schema, self.file, self.kind, self.sealed_at)
        return Link(self.previous, self.hash, self.hash, (), {}, name, True, *own)


class Seen:
    """The cache of the archive at `root`, old and new entries."""

    def __init__(self, root: Path, now_ns: int, told: Callable[[str], object]) -> None:
        """`told` is called if nothing can be cached; `now_ns` is the time in nanoseconds since 1970."""
        self._root, self._now, self._told = root, now_ns, told
        self._key = own_key(told) if _counts_changes(root) else b""
        self._known = self._kept() if self._key else {}
        self._states: dict[str, tuple[str, list[str]]] = {}
        self._fresh: dict[RecordRef, Found] = {}

    def found(self, chain: str, vouched: Mapping[str, str]) -> dict[str, Found]:
        """The cached records of a chain that have not changed, by name; all others have to be read.

        Args:
            chain: its path.
            vouched: name to SHA-256 of each `record.json` that the log vouches for now.
        """
        folder = self._root / chain
        if any(one.is_symlink() for one in (folder, *folder.parents[:2])):
            return {}
        return {
            name: one
            for name, one in self._known.get(chain, {}).items()
            if one.vouched == vouched.get(name, "") and state_of(f"{folder}/{name}", one.files)[0] == one.state
        }

    def reads(self, ref: RecordRef) -> None:
        """Call before reading a record completely: the state of its files before the reading is what counts."""
        if self._key:
            with contextlib.suppress(OSError):
                names = sorted(one.name for one in ref.folder.iterdir())
                state, changed = state_of(ref.where, names)
                if state and changed + SETTLED_NS < self._now:
                    self._states[ref.where] = state, names

    def keep(self, ref: RecordRef, vouched: str, row: dict[str, Any]) -> None:
        """Adds a record that was read completely since `reads`, and is as it was sealed."""
        if ref.where in self._states:
            state, files = self._states[ref.where]
            own = link(ref.folder, vouched)
            facts = (own.previous, own.hash, own.schema, own.file, own.kind, own.sealed_at)
            self._fresh[ref] = Found(state, files, vouched, row, *facts)

    def close(self, there: Callable[[], Iterable[RecordRef]]) -> None:
        """Writes the cache, without the records that are gone; `there` lists all existing records, which takes long."""
        if not self._key or len(self._fresh) < (FEW if self._known else 1):
            return
        kept: dict[str, dict[str, Found]] = {}
        for ref in there():
            chain, _, name = ref.path.rpartition("/")
            if one := self._fresh.get(ref) or self._known.get(chain, {}).get(name):
                kept.setdefault(chain, {})[name] = one
        content = json.dumps({"chains": kept}, separators=(",", ":")).encode()
        file = cache_of(self._root) / FILE
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            replace_file(file, _mac(self._key, content).encode() + b"\n" + content)
        except (ArchiveError, OSError) as error:
            self._told(f"what was verified is not kept ({one_line(error)}): the next list reads every record again")

    def _kept(self) -> dict[str, dict[str, Found]]:
        """Path of a chain to name to record."""
        try:
            mac, _, content = read_plain(cache_of(self._root) / FILE).partition(b"\n")
        except OSError:
            return {}
        if not hmac.compare_digest(mac, _mac(self._key, content).encode()):
            return {}
        chains = json.loads(content)["chains"]
        return {chain: {name: Found(*one) for name, one in each.items()} for chain, each in chains.items()}


def state_of(folder: str, names: Iterable[str]) -> tuple[str, int]:
    """A digest that changes with each change to a record's folder or a file in it; and the time of the last change, in
    nanoseconds since 1970. Empty if the folder holds anything but files and the folder of attachments.

    Adding or removing a name changes the folder itself.
    """
    try:
        own = os.lstat(folder)
        if not stat.S_ISDIR(own.st_mode):
            return "", 0
        states, last = [own.st_dev, own.st_ino, own.st_mtime_ns, own.st_ctime_ns], own.st_ctime_ns
        for name in names:
            found = os.lstat(f"{folder}/{name}")
            if name == ATTACHED and stat.S_ISDIR(found.st_mode):
                continue  # its contents are read each time
            if not stat.S_ISREG(found.st_mode):
                return "", 0
            states += (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            last = max(last, found.st_ctime_ns)
    except OSError:
        return "", 0
    return hashlib.blake2b(repr(states).encode(), digest_size=16).hexdigest(), last


def _mac(key: bytes, content: bytes) -> str:
    """HMAC of the cache and of the code that fills it: another version looks for other damage."""
    own = hmac.new(key, b"verified records " + _code(), "sha256")
    own.update(content)
    return own.hexdigest()


@cache
def _code() -> bytes:
    own = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        own.update(file.read_bytes())
    return own.digest()


def _counts_changes(root: Path) -> bool:
    """Whether the archive lies on a disk known to keep `ctime`; unknown counts as no."""
    best, kind = "", ""
    try:
        where = os.path.realpath(root)
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    for line in mounts:  # proc(5): id, parent, device, root, mount point, options, …, "-", kind, …
        before, _, after = line.partition(" - ")
        point = before.split(" ")[4].replace("\\040", " ") if before.count(" ") > 4 else ""
        above = point in ("/", where) or where.startswith(f"{point}/")
        if point and above and len(point) >= len(best):
            best, kind = point, after.partition(" ")[0]
    return kind in DISKS
