"""Tombstones: the facts that remain of pruned records, so that chains and log verify without them.

A tombstone is an entry (`record/entry.py`), sealed and logged like any other: it has path, hash, predecessor and file
of each record that it removed. It counts only if the log vouches for the tombstone itself and has the same hashes.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from runbook_lib.base.errors import ArchiveError
from runbook_lib.base.plain_file import read_plain
from runbook_lib.base.window import when
from runbook_lib.record.chain import state_of
from runbook_lib.record.log.files import Log
from runbook_lib.record.seal import strict

KIND = "tombstone"


class Stone(NamedTuple):
    """The facts that remain of one record."""

    path: str
    previous: str | None
    leaf: dict[str, Any]
    """The record's leaf in the log: path, hash, hash of the file, time of sealing."""

    @property
    def hash(self) -> str:
        """Hash of the removed record."""
        return str(self.leaf["hash"])

    @property
    def sealed_at(self) -> str:
        """Time at which the record was sealed."""
        return str(self.leaf["sealed_at"])


def facts(found: Iterable[Stone]) -> dict[str, Any]:
    """The structured facts for the entry of a tombstone."""
    return {"records": {one.path: {"previous": one.previous, "leaf": one.leaf} for one in found}}


def stones(root: Path, log: Log | None) -> dict[str, Stone]:
    """The remaining facts of each pruned record, by path; after a crash the record itself may still exist."""
    found: dict[str, Stone] = {}
    # What is removed lies under a checkpoint: a crash, or a forger, may have put a leaf behind it.
    signed = log.checkpoint.size if log and log.checkpoint else 0
    for leaf in log.by_kind.get(KIND, ()) if log and not log.damage else ():
        folder = root / leaf.path
        try:
            each = _read(folder, state_of(folder), leaf.file)
        except (ArchiveError, OSError):
            continue  # the tombstone itself is damaged, which is reported elsewhere
        for stone in each:
            own = log.by_path.get(stone.path) if log else None
            early = own is not None and own.index < leaf.index < signed
            if own is not None and early and own.model_dump(mode="json", by_alias=True) == stone.leaf:
                found[stone.path] = stone
    return found


def pruned(root: Path, log: Log | None, prefix: str) -> str:
    """The sentence that the one record with this beginning of run id or folder name was pruned, and by which tombstone;
    empty if there is no such record.
    """
    told = []
    for path, stone in stones(root, log).items():
        name = path.rpartition("/")[2]
        if prefix and (name.startswith(prefix) or name.rpartition("-")[2].startswith(prefix)):
            told.append((path, stone))
    if len(told) != 1 or log is None:
        return ""
    ((path, stone),) = told
    for leaf in log.by_kind.get(KIND, ()):
        folder = root / leaf.path
        with contextlib.suppress(ArchiveError, OSError):
            if any(one.path == path for one in _read(folder, state_of(folder), leaf.file)):
                return (
                    f"record {path}, sealed {when(stone.sealed_at)}, was pruned; its facts are in the tombstone: "
                    f"runbook archive show {leaf.path.rpartition('-')[2]}"
                )
    return ""


@lru_cache(maxsize=64)
def _read(folder: Path, _state: tuple[int, ...], file: str) -> tuple[Stone, ...]:
    raw = read_plain(folder / "record.json")
    if hashlib.sha256(raw).hexdigest() != file:
        return ()
    try:
        listed = strict(raw)["entry"]["facts"]["records"]
        return tuple(Stone(path, one["previous"], dict(one["leaf"])) for path, one in listed.items())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ()


def by_chain(found: Mapping[str, Stone]) -> dict[str, dict[str, tuple[str, str | None]]]:
    """Path of a chain to name, and name to hash and predecessor."""
    chains: dict[str, dict[str, tuple[str, str | None]]] = {}
    for path, one in found.items():
        chain, _, name = path.rpartition("/")
        chains.setdefault(chain, {})[name] = one.hash, one.previous
    return chains
