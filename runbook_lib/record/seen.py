"""What was read whole and found as it was sealed, kept for who lists a whole archive: `list` looks at ten thousand.

A file of a record is not read again while inode, size and both times of it, and of its folder, are what they were when
it was read: whoever writes to a file, renames it or sets its time changes `ctime`, which no program sets. All else is
looked at each time: which records there are, chains, HEADs, the log with its checkpoint. `verify` reads everything.

It lies in the user's own cache with an HMAC by a key that lies elsewhere (`base/own_files.py`): one that was changed,
or that another version has written, is not used. It is kept only of disks that keep `ctime`, for archives that are
large, and of files that nobody touched for a minute: a write in the same tick of the clock would leave `ctime` alike.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import stat
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from runbook_lib.base.errors import ArchiveError
from runbook_lib.base.own_files import cache_of, own_key
from runbook_lib.base.plain_file import read_plain
from runbook_lib.record.attached import FOLDER as ATTACHED
from runbook_lib.record.chain import Link
from runbook_lib.record.place import RecordRef
from runbook_lib.record.record import Record
from runbook_lib.record.seal import replace_file

FILE = "verified.json"
MANY = 300
"""Records from which on it is worth while; fewer are read sooner than said."""
FEW = 20
"""Records that are read again and again rather than that the file is written for them."""
SETTLED_NS = 60 * 10**9
"""So long ago its last change must be; Linux writes what is mapped to disk, and counts it, within half a minute."""
DISKS = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "overlay"})
"""Kinds of file systems on which no program sets `ctime`, and each change of a file does."""
_MOUNTS = Path("/proc/self/mountinfo")


class Found(NamedTuple):
    """A record that was read whole, by itself as it was sealed."""

    state: str
    files: list[str]
    """What is in its folder."""
    vouched: str
    """SHA-256 of `record.json` that the log vouched for then; empty: none."""
    previous: Any
    hash: str
    schema: int
    row: dict[str, Any]
    """What a list says of it."""

    def link(self, name: str) -> Link:
        """As its own file says it; `name` is that of its folder."""
        return Link(self.previous, self.hash, self.hash, (), {}, name, True, self.schema)


class Seen:
    """What is kept of the archive at `root`, and what will be."""

    def __init__(self, root: Path, now_ns: int, told: Callable[[str], object]) -> None:
        """`told` is given a sentence where nothing can be kept; `now_ns` is now, since 1970."""
        self._root, self._now, self._told = root, now_ns, told
        self._begin = len(str(root)) + 1
        self._key = own_key(told) if _counts_changes(root) else b""
        self._known = self._kept() if self._key else {}
        self._linked: dict[str, bool] = {}
        self._states: dict[str, tuple[str, list[str]]] = {}
        self._fresh: dict[str, Found] = {}

    def found(self, path: str, vouched: str) -> Found | None:
        """What was found of the record at `path`, if it is the same still; None: it has to be read."""
        one = self._known.get(path)
        if one is None or one.vouched != vouched:
            return None
        above = path.rpartition("/")[0]
        if above not in self._linked:
            self._linked[above] = any(
                one.is_symlink() for one in (self._root / above, *(self._root / above).parents[:2])
            )
        same = not self._linked[above] and state_of(f"{self._root}/{path}", one.files)[0] == one.state
        return one if same else None

    def reads(self, ref: RecordRef) -> None:
        """A record is about to be read whole: how its files are before that counts."""
        if self._key:
            with contextlib.suppress(OSError):
                names = sorted(one.name for one in ref.folder.iterdir())
                state, changed = state_of(str(ref.folder), names)
                if state and changed + SETTLED_NS < self._now:
                    self._states[self._path(ref)] = state, names

    def keep(self, ref: RecordRef, vouched: str, record: Record, row: dict[str, Any]) -> None:
        """It was read whole since, and is as it was sealed."""
        path = self._path(ref)
        if path in self._states:
            state, files = self._states[path]
            own = Found(state, files, vouched, record.previous, record.hash, record.schema_version, row)
            self._fresh[path] = own

    def close(self, there: Callable[[], Iterable[RecordRef]]) -> None:
        """Keeps what is new, and nothing of records that are gone; `there` says which there are: to look takes long."""
        if not self._key or len(self._fresh) < (FEW if self._known else 1):
            return
        paths = {self._path(ref) for ref in there()}
        kept = {path: one for path, one in (self._known | self._fresh).items() if path in paths}
        content = json.dumps({"records": kept}, separators=(",", ":")).encode()
        file = cache_of(self._root) / FILE
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            replace_file(file, _mac(self._key, content).encode() + b"\n" + content)
        except (ArchiveError, OSError) as error:
            self._told(f"what was verified is not kept ({error}): the next list reads every record again")

    def _path(self, ref: RecordRef) -> str:
        return str(ref.folder)[self._begin :].replace(os.sep, "/")

    def _kept(self) -> dict[str, Found]:
        try:
            mac, _, content = read_plain(cache_of(self._root) / FILE).partition(b"\n")
        except OSError:
            return {}
        if not hmac.compare_digest(mac, _mac(self._key, content).encode()):
            return {}
        return {path: Found(*one) for path, one in json.loads(content)["records"].items()}


def state_of(folder: str, names: Iterable[str]) -> tuple[str, int]:
    """What changes with each change to the folder of a record, or to a file in it; and when the last one was, in
    nanoseconds since 1970. Empty, where anything but a file is there, besides the folder of attachments.

    A name that is added or removed changes the folder itself.
    """
    try:
        own = os.lstat(folder)
        if not stat.S_ISDIR(own.st_mode):
            return "", 0
        states, last = [own.st_dev, own.st_ino, own.st_mtime_ns, own.st_ctime_ns], own.st_ctime_ns
        for name in names:
            found = os.lstat(f"{folder}/{name}")
            if name == ATTACHED and stat.S_ISDIR(found.st_mode):
                continue  # what is in it is read each time
            if not stat.S_ISREG(found.st_mode):
                return "", 0
            states += (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            last = max(last, found.st_ctime_ns)
    except OSError:
        return "", 0
    return hashlib.blake2b(repr(states).encode(), digest_size=16).hexdigest(), last


def _mac(key: bytes, content: bytes) -> str:
    """Of what is kept and of the code that found it: another version looks for other damage."""
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
    """Whether the archive lies on a disk that is known to keep `ctime`; what cannot be told is none."""
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
