"""The files of the log and their contents: leaves, tree and checkpoint.

archive/log/leaves.jsonl   one line per record, only appended; continues in leaves.part-00000256.jsonl, …
archive/log/tree.json      size, peaks and newest part of the tree: enough to append without reading leaves
archive/log/checkpoint     size and root, signed
archive/log/sealing.json   the record that is being sealed (`sealing.py`)
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from runbook_lib.base.errors import Unread
from runbook_lib.base.foreign import one_line
from runbook_lib.base.plain_file import read_plain
from runbook_lib.record.log.leaf import Leaf, read_leaf
from runbook_lib.record.log.merkle import leaf_hash, root_of, roots
from runbook_lib.record.log.note import Checkpoint, parsed
from runbook_lib.record.log.sealing import SEALING, Sealing, read_sealing
from runbook_lib.record.place import is_path
from runbook_lib.record.seal import strict

FOLDER = "log"
_TRIES = 20
LEAVES, TREE, CHECKPOINT = "leaves.jsonl", "tree.json", "checkpoint"
PART = "leaves.part-"
PART_OF = 256
"""Most leaves in one file: a seal in a bucket writes the whole file."""


_MOST = PART_OF * 4096


def part_name(begins: int) -> str:
    """Name of the file whose first leaf has this index."""
    return f"{PART}{begins:08d}.jsonl" if begins else LEAVES


def part_begins(name: str) -> int:
    """Index of the first leaf in a file of leaves."""
    digits = name.removeprefix(PART).removesuffix(".jsonl")
    return int(digits) if digits.isdigit() else 0


def parts(folder: Path) -> list[str]:
    """The files of the leaves, in their order."""
    return _listed(folder)[0]


def _listed(folder: Path) -> tuple[list[str], list[str]]:
    """The files of the leaves, in their order; and what is no file though it lies there: links, pipes, devices."""
    names, odd = list[str](), list[str]()
    try:
        with os.scandir(folder) as found:  # each time a record is verified
            for one in found:
                names += [one.name] if one.name.startswith(PART) else []
                odd += [] if one.is_file(follow_symlinks=False) or one.is_dir(follow_symlinks=False) else [one.name]
    except OSError:
        pass
    return [LEAVES, *sorted(names)], sorted(odd)


def read_leaves(folder: Path) -> dict[str, bytes]:
    """The leaves, by file; the files joined are the whole log.

    Raises:
        OSError: one of the files cannot be read.
    """
    return {name: read_plain(folder / name) for name in parts(folder)}


def newest_logged(root: Path, chain: str) -> str:
    """Name of a chain's newest record, from the newest file of leaves and the chain's HEAD, so that a seal lists no
    thousands of folders; empty: they do not say, and the caller lists the chain.
    """
    tree = read_tree(root / FOLDER)
    try:
        if tree is None or tree.length > _MOST:
            return ""
        leaves = read_plain(root / FOLDER / tree.part)
        begin = leaves.rfind(b'"path":"%s/' % chain.encode())
        line = leaves[leaves.rfind(b"\n", 0, begin) + 1 : leaves.find(b"\n", begin)] if begin >= 0 else b""
        leaf = read_leaf(line) if line else None
        head = read_plain(root / chain / "HEAD").decode("ascii").strip()
    except (OSError, ValueError, RecursionError):
        return ""
    there = leaf is not None and (leaf.chain, leaf.hash) == (chain, head) and (root / leaf.path).is_dir()
    return leaf.name if leaf is not None and there else ""


def _line(names: Sequence[str], number: int) -> tuple[str, str]:
    """A leaf's file, and its line there for a person."""
    begins = [(name, part_begins(name)) for name in names]
    name, first = max((one for one in begins if one[1] <= number), key=lambda one: one[1])
    return name, f", line {number - first + 1}"


@dataclass(frozen=True)
class Tree:
    """The facts that appending needs."""

    origin: str
    size: int
    length: int
    """Length in bytes of the newest file of leaves."""
    peaks: tuple[bytes, ...]
    begins: int = 0
    """Index of the first leaf in that file."""

    @property
    def part(self) -> str:
        """Name of the newest file of leaves."""
        return part_name(self.begins)

    def checkpoint(self) -> Checkpoint:
        """The checkpoint to sign for this tree."""
        return Checkpoint(self.origin, self.size, root_of(self.peaks))

    def spelt(self) -> bytes:
        """The bytes of the file."""
        peaks = [peak.hex() for peak in self.peaks]
        said = {"origin": self.origin, "size": self.size, "bytes": self.length, "peaks": peaks}
        return json.dumps(said | ({"begins": self.begins} if self.begins else {})).encode()


class Damage(NamedTuple):
    """One file or folder that is not as it was sealed."""

    place: str
    """Path from the archive's root, or the witness's name."""
    sentence: str


@dataclass
class Log:
    """The contents of the log, and its damage."""

    leaves: list[Leaf] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)
    checkpoint: Checkpoint | None = None
    sealing: Sealing | None = None
    damage: list[Damage] = field(default_factory=list)
    unread: bool = False
    """Whether the only damage is that this user may not read the log: it may well be whole."""
    by_path: dict[str, Leaf] = field(default_factory=dict)
    by_chain: dict[str, list[Leaf]] = field(default_factory=dict)
    by_kind: dict[str, list[Leaf]] = field(default_factory=dict)

    def damaged(self, name: str, how: str) -> None:
        """Adds one damage of the log's file `name`; `how` follows its name in the sentence."""
        self.damage.append(Damage(f"{FOLDER}/{name}", f"{FOLDER}/{name}{how}"))

    @property
    def unbegun(self) -> bool:
        """Whether all that is there was taken in: a log that was begun has a leaf that was sealed."""
        return not self.damage and self.sealing is None and all(leaf.how == "taken_in" for leaf in self.leaves)

    def roots(self, sizes: Iterable[int]) -> dict[int, bytes]:
        """The root at each of `sizes` that the log has reached."""
        return roots(self.hashes, [size for size in sizes if size <= len(self.hashes)])


def of_log(name: str) -> bool:
    """Whether sealing makes such a file, or a crash leaves it; `writer.json` in a bucket alone."""
    own = (LEAVES, TREE, CHECKPOINT, SEALING, "writer.json")
    return name in own or name.startswith((PART, ".part-"))


def read_tree(folder: Path) -> Tree | None:
    """The tree of `tree.json`; None: the file is missing or unreadable."""
    try:
        raw = strict(read_plain(folder / TREE))
        peaks = tuple(bytes.fromhex(peak) for peak in raw["peaks"])
        return Tree(str(raw["origin"]), int(raw["size"]), int(raw["bytes"]), peaks, int(raw.get("begins", 0)))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """The checkpoint; None: the file is missing.

    Raises:
        ValueError: the file holds no checkpoint.
        OSError: the file is unreadable.
    """
    try:
        return parsed(read_plain(folder / CHECKPOINT))
    except FileNotFoundError:
        return None


def exists(root: Path) -> bool:
    """Whether the archive has any file of a log, or a folder of it that may not be looked into."""
    try:
        return any((root / FOLDER / name).exists() for name in (LEAVES, TREE, CHECKPOINT))
    except PermissionError:
        return True


def read_log(root: Path) -> Log | None:
    """The log of an archive, with each leaf hashed and the checkpoint compared; None: there is none, or a crash cut its
    beginning short.

    The log is cached while its files do not change.
    """
    folder = root / FOLDER
    state = _state(folder)
    for _ in range(_TRIES):
        log = _read(folder, state) if exists(root) else None
        before, state = state, _state(folder)
        if state == before or (log is not None and not log.damage):  # a whole one, beside a process that writes
            break
    if log is None or (log.checkpoint is None and log.unbegun):
        return None
    return log


_State = tuple[tuple[object, ...] | None, ...]


def _state(folder: Path) -> _State:
    names, odd = _listed(folder)
    states: list[tuple[object, ...] | None] = [(os.path.islink(folder), *odd)]  # noqa: PTH114 - raises nothing
    for name in (*names, CHECKPOINT, SEALING):
        try:
            found = (folder / name).stat()
        except OSError:
            states.append(None)
        else:
            states.append((found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))
    return tuple(states)


@lru_cache(maxsize=8)
def _read(folder: Path, _now: _State) -> Log:
    try:
        return _whole(folder)
    except PermissionError as error:
        return Log(damage=[Damage(FOLDER, str(Unread.of(error, folder)))], unread=True)


def _whole(folder: Path) -> Log:
    log, found = Log(sealing=read_sealing(folder)), {LEAVES: b""}
    if folder.is_symlink():
        log.damage.append(Damage(FOLDER, f"{FOLDER} is a link: a log is kept as files"))
    for name in _listed(folder)[1]:
        log.damaged(name, " is not a file: a log is kept as files")
    if log.sealing is None and (folder / SEALING).exists():
        log.damaged(SEALING, " cannot be read; sealing writes it whole")
    try:
        os.listdir(folder)  # noqa: PTH208 - raises what a list of its files passes over
        found = read_leaves(folder)
    except PermissionError:
        raise
    except OSError as error:
        log.damaged(Path(error.filename or LEAVES).name, f" cannot be read ({error.strerror})")
    _read_in(log, found)
    _compare(folder, log)
    return log


def _read_in(log: Log, found: Mapping[str, bytes]) -> None:
    """Adds the leaves of `found` to the log."""
    names = [*found]
    *lines, torn = b"".join(found.values()).split(b"\n")
    for number, line in enumerate(lines):
        log.hashes.append(leaf_hash(line))
        try:
            leaf = read_leaf(line)
            if not is_path(leaf.path):
                raise ValueError("it is of no record")
        except (ValueError, RecursionError):
            name, place = _line(names, number)
            log.damaged(name, f"{place} was altered: it is not a leaf of the log")
            continue
        if leaf.index != number:
            name, place = _line(names, number)
            log.damaged(name, f"{place} is leaf {leaf.index}: leaves were moved")
        if leaf.path in log.by_path:
            name, place = _line(names, number)
            log.damaged(name, f"{place}: {leaf.path} is there twice")
        log.leaves.append(leaf)
        log.by_path[leaf.path] = leaf
        log.by_chain.setdefault(leaf.chain, []).append(leaf)
        log.by_kind.setdefault(leaf.kind, []).append(leaf)
    if log.sealing is not None:
        return
    if torn:
        log.damaged(names[-1], " ends in half a line")
    for name in names[1:]:
        if not found[name]:
            log.damaged(name, " is empty: it was put there")


def _compare(folder: Path, log: Log) -> None:
    """Compares the leaves with the checkpoint; one extra leaf is that of an interrupted seal."""
    try:
        said = log.checkpoint = read_checkpoint(folder)
    except PermissionError:
        raise
    except (OSError, ValueError) as error:
        log.damaged(CHECKPOINT, f" cannot be read ({one_line(error)})")
        return
    if said is None:
        if not log.unbegun:
            log.damaged(CHECKPOINT, " is missing")
        return
    size = len(log.hashes)
    ahead = size == said.size + 1 and log.sealing is not None and log.sealing.size == said.size
    if said.size > size:
        log.damaged(CHECKPOINT, f" is of {said.size} records, {FOLDER}/{LEAVES} has {size}: leaves were removed")
    elif said.size < size and not ahead:
        log.damaged(CHECKPOINT, f" is of {said.size} records, {FOLDER}/{LEAVES} has {size}: it was rolled back")
    elif log.roots([said.size])[said.size] != said.root:
        log.damaged(LEAVES, f" was altered: its root is not that of {FOLDER}/{CHECKPOINT}")
