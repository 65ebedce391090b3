"""The frame of an archive: what lies around its records, the log, and the seal that is under way.

One rule for `verify`, `list`, `show` and `replay --all`, which end alike. It is cheap: folders are listed, the log is
read, no record is opened. Whether each record is as it was sealed is `intact.py`'s to say.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from runbook_lib.base import foreign
from runbook_lib.base.errors import ArchiveError, Unsure
from runbook_lib.record.chain import HEAD, Chain
from runbook_lib.record.log.files import CHECKPOINT, FOLDER, LEAVES, SEALING, Log, read_log, read_sealing
from runbook_lib.record.place import ENV, NAME, RELEASE, is_name, path_of

CHECKS = "`runbook archive verify` names each damage"
MOST = 3
"""Damages that a sentence names."""
NO_LOG = "there is no log yet: whether records were removed cannot be told; the next seal begins it"


class Damage(NamedTuple):
    """One thing that is not as it was sealed."""

    place: str
    """From the archive's root; or the witness."""
    sentence: str


@dataclass
class Frame:
    """What is wrong around the records."""

    damage: list[Damage] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """What cannot be told."""
    notes: list[str] = field(default_factory=list)

    def add(self, place: str, sentence: str) -> None:
        """One damage, said once."""
        one = Damage(foreign.line(place), foreign.line(sentence))
        if one not in self.damage:
            self.damage.append(one)

    def whole(self, records: str = "") -> None:
        """Whether all of it is as sealing makes it.

        Args:
            records: what is wrong with records that were looked at, in a sentence; empty: nothing.

        Raises:
            ArchiveError: it is damaged.
            Unsure: that cannot be told.
        """
        around = [f"{one.place}: {one.sentence}" for one in self.damage if one.sentence not in foreign.line(records)]
        if around:
            many = f"{'; '.join(around[:MOST])}{f'; and {len(around) - MOST} more' if len(around) > MOST else ''}"
            around = [f"the archive cannot be trusted: {many}; {CHECKS}"]
        if records or around:
            raise ArchiveError("; ".join([*([records] if records else []), *around]))
        if self.unknown:
            raise Unsure(f"whether the archive is whole cannot be told: {self.unknown[0]}")


def frame(root: Path, into: Frame | None = None) -> Frame:
    """What is wrong around the records of the archive at `root`."""
    done, log = into or Frame(), read_log(root)
    _pending(root, log, done)
    for place in _below(str(root), (ENV, RELEASE, "")):
        done.add(path_of(root, place), _trouble(place))
    if log is None:
        done.unknown.append(NO_LOG)
        if (root / FOLDER).is_symlink() or (root / FOLDER).is_file():
            done.add(FOLDER, f"{FOLDER} was put there: sealing makes no such thing")
    for sentence in log.damage if log else ():
        named = next((name for name in (CHECKPOINT, SEALING) if sentence.startswith(f"{FOLDER}/{name}")), LEAVES)
        done.add(f"{FOLDER}/{named}", sentence)
    return done


def _pending(root: Path, log: Log | None, done: Frame) -> None:
    """A seal that a crash cut short. Whoever verifies writes nothing: what he has no key for he could not sign."""
    begun = read_sealing(root / FOLDER)
    if begun is None:
        if (root / FOLDER / SEALING).exists() and log is None:
            done.add(f"{FOLDER}/{SEALING}", "it cannot be read; sealing writes it whole")
    elif (root / begun.path).exists() and not (log and begun.path in log.by_path):
        done.unknown.append(
            f"{begun.path} was being sealed when its process ended, and the log does not have it: the next seal logs it"
        )
    else:
        done.notes.append("a seal was cut short: the next one puts it in order")


def _trouble(place: Path) -> str:
    emptied = place.name == HEAD and not place.is_symlink() and place.is_file() and Chain(place.parent).tip()[1]
    return emptied or f"{place.name} was put there: sealing makes no such thing"


def _below(folder: str, prefixes: tuple[str, ...]) -> Iterator[Path]:
    """What sealing never makes where records lie, in the order of its places: links, files in the place of folders,
    other names, a HEAD without records.
    """
    for one in _inside(folder):
        if len(prefixes) == 3 and not one.name.startswith(ENV):
            continue  # beside the environments lie the log, what is staged, and what people put there
        within = one.name.startswith(prefixes[0]) and is_name(one.name.removeprefix(prefixes[0]))
        if not within or not one.is_dir(follow_symlinks=False):
            yield Path(one.path)
        elif len(prefixes) > 1:
            yield from _below(one.path, prefixes[1:])
        else:
            inside = _inside(one.path)
            empty = not any(NAME.fullmatch(each.name) for each in inside)
            yield from (Path(each.path) for each in inside if not _sealed(each) or (empty and each.name == HEAD))


def _sealed(one: os.DirEntry[str]) -> bool:
    """Whether sealing makes such a thing in a chain, or a crash leaves it of one that was being written."""
    folder, file = one.is_dir(follow_symlinks=False), one.is_file(follow_symlinks=False)
    if NAME.fullmatch(one.name):
        return folder
    return (folder or file) if one.name.startswith(".part-") else file and one.name == HEAD


def _inside(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda one: one.name)
    except OSError:
        return []
