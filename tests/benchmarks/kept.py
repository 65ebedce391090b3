"""The results of the scenarios, kept in one file that several benches may write at a time without loss.

Each merges its plays, by scenario and seed, into the file's present content: it reads, merges and replaces the file
under a lock of the file's folder, so a reader finds the old file or the new one, never a half.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from runbook_lib.rehearse.play.played import Ended

Part = Literal["in_process", "notebooks"]


@dataclass(frozen=True)
class Kept:
    """All plays in the file."""

    in_process: tuple[Ended, ...] = ()
    """Plays of world and judge in one process, any number of seeds for each scenario."""
    notebooks: tuple[Ended, ...] = ()
    """Plays through the notebooks, one for each scenario."""

    @property
    def through(self) -> dict[str, Ended]:
        """The plays through the notebooks, by scenario."""
        return {one.scenario: one for one in self.notebooks}

    def text(self) -> str:
        """The text of the file: one line for each play, so that a difference is readable."""
        parts = [f' "{name}": [\n' + ",\n".join(_lines(rows)) + "\n ]" for name, rows in vars(self).items()]
        return "{\n" + ",\n".join(parts) + "\n}\n"

    def with_(self, part: Part, ended: Sequence[Ended], known: Sequence[str]) -> Kept:
        """A copy with `ended` in place of the same plays, without plays of scenarios that are not `known` any more."""
        rows = {_key(part, one): one for one in (*getattr(self, part), *ended)}
        merged = {**vars(self), part: tuple(rows.values())}
        return Kept(**{name: tuple(one for one in found if one.scenario in known) for name, found in merged.items()})


def read(path: Path) -> Kept:
    """The content of the file; empty if it does not exist."""
    if not path.is_file():
        return Kept()
    raw: dict[str, list[dict[str, Any]]] = json.loads(path.read_text(encoding="utf-8"))
    return Kept(**{name: tuple(Ended(**one) for one in rows) for name, rows in raw.items()})


def keep(
    path: Path,
    part: Part,
    ended: Sequence[Ended],
    known: Sequence[str],
    then: Callable[[Kept], object] = lambda _: None,
) -> Kept:
    """Merges `ended` into the file, and returns its content.

    Args:
        part: way of playing.
        known: names of the existing scenarios.
        then: called with the content while nobody else may write: for a page made of it.
    """
    with _alone(path.parent):
        merged = read(path).with_(part, ended, known)
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        fresh.write_text(merged.text(), encoding="utf-8")
        fresh.replace(path)
        then(merged)
    return merged


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """A lock on the folder itself: it leaves no file behind, and the kernel releases it when its holder dies."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _key(part: Part, one: Ended) -> tuple[str, int]:
    return one.scenario, one.seed if part == "in_process" else 0


def _lines(rows: Sequence[Ended]) -> list[str]:
    return [f"  {json.dumps(asdict(one))}" for one in sorted(rows, key=lambda r: (r.scenario, r.seed))]
