"""The frame of an archive: the files around its records, the log, and the seal that is under way.

`verify`, `list`, `show` and `replay --all` share this rule and end alike. It is cheap: it lists folders and reads the
log, but opens no record. `intact.py` checks each record.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runbook_lib.base import foreign
from runbook_lib.base.errors import ArchiveError, Unread, Unsure
from runbook_lib.base.plain_file import MOST_BYTES, open_plain
from runbook_lib.record.chain import HEAD, Chain
from runbook_lib.record.log.files import FOLDER, Damage, Log, of_log, read_log
from runbook_lib.record.log.sealing import SEALING, read_sealing
from runbook_lib.record.place import ENV, NAME, RELEASE, is_litter, is_name, path_of

CHECKS = "`runbook archive verify` names each damage"
MOST = 3
"""Most damages in one sentence."""
CUT = "the next seal completes it, and so does `runbook archive sync`"
NO_LOG = "there is no log yet, which would show whether records were removed; the next seal begins it"


@dataclass
class Frame:
    """The damage around the records."""

    damage: list[Damage] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """Questions that cannot be answered."""
    notes: list[str] = field(default_factory=list)

    def add(self, place: str, sentence: str) -> None:
        """Adds one damage, unless it is there already."""
        one = Damage(foreign.line(place), foreign.line(sentence))
        if one not in self.damage:
            self.damage.append(one)

    def doubt(self, sentence: str) -> None:
        """Adds one question that cannot be answered, unless it is there already."""
        one = foreign.line(sentence)
        if one not in self.unknown:
            self.unknown.append(one)

    def whole(self, records: str = "") -> None:
        """Raises unless everything is as sealing makes it.

        Args:
            records: damage of the records that were read, in a sentence; empty: none.

        Raises:
            ArchiveError: the archive is damaged.
            Unsure: the question cannot be answered.
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
    """The damage around the records of the archive at `root`."""
    done, log = into or Frame(), read_log(root)
    for each in (_pending, _around, _log):
        try:
            each(root, log, done)
        except PermissionError as error:
            done.doubt(str(Unread.of(error, root)))
    return done


def _around(root: Path, _log: Log | None, done: Frame) -> None:
    shut: list[str] = []
    for place in _below(str(root), (ENV, RELEASE, ""), shut):
        done.add(path_of(root, place), _trouble(place))
    for told in shut:
        done.doubt(told)


def shut_in(root: Path) -> list[str]:
    """A sentence for each folder of a chain, or above one, that this user may not look into: its records are in no
    list.
    """
    shut: list[str] = []
    for _ in _below(str(root), (ENV, RELEASE, ""), shut):
        pass
    return shut


def _log(root: Path, log: Log | None, done: Frame) -> None:
    if log is None:
        done.unknown.append(NO_LOG)
        if (root / FOLDER).is_symlink() or (root / FOLDER).is_file():
            done.add(FOLDER, f"{FOLDER} was put there: sealing makes no such thing")
    for one in _inside(str(root / FOLDER)):
        if not of_log(one.name) or one.is_dir(follow_symlinks=False):
            done.add(f"{FOLDER}/{one.name}", f"{one.name} was put there: sealing makes no such thing")
        elif one.is_file() and one.stat().st_size > MOST_BYTES:
            done.add(f"{FOLDER}/{one.name}", f"{one.name} is larger than any that sealing makes")
        elif one.is_file() and not one.name.startswith(".part-"):  # not each is read
            open_plain(Path(one.path)).close()
    if log and log.unread:
        done.doubt(log.damage[0].sentence)
        return
    for damage in log.damage if log else ():
        done.add(*damage)


def _pending(root: Path, log: Log | None, done: Frame) -> None:
    """Reports a seal that a crash cut short. Verifying repairs nothing: it may lack the key to sign."""
    begun = read_sealing(root / FOLDER)
    if log and not log.damage and log.checkpoint and len(log.hashes) > log.checkpoint.size:
        done.unknown.append(f"{log.leaves[-1].path} is in the log, but not under its checkpoint: {CUT}")
    elif begun is None:
        if log is None and (root / FOLDER / SEALING).exists():
            done.add(f"{FOLDER}/{SEALING}", "it cannot be read; sealing writes it whole")
    elif (root / begun.path).exists() and not (log and begun.path in log.by_path):
        done.unknown.append(
            f"{begun.path} was being sealed when its process ended, and the log does not have it: {CUT}"
        )
    else:
        done.notes.append("a seal was cut short: the next one puts it in order")


def _trouble(place: Path) -> str:
    emptied = place.name == HEAD and not place.is_symlink() and place.is_file() and Chain(place.parent).tip()[1]
    return emptied or f"{place.name} was put there: sealing makes no such thing"


def _below(folder: str, prefixes: tuple[str, ...], shut: list[str]) -> Iterator[Path]:
    """Files that sealing never creates where records lie, in order of their places: links, files in place of folders,
    other names, a HEAD without records.

    Args:
        shut: a sentence is added for each folder that this user may not look into.
    """
    try:
        inside = _inside(folder)
        if not prefixes:
            empty = not any(NAME.fullmatch(one.name) for one in inside)
            yield from (Path(one.path) for one in inside if not _sealed(one) or (empty and one.name == HEAD))
            return
        for one in inside:
            if len(prefixes) == 3 and not one.name.startswith(ENV):
                continue  # the log, staged runs and people's own files lie beside the environments
            within = one.name.startswith(prefixes[0]) and is_name(one.name.removeprefix(prefixes[0]))
            if not within or not one.is_dir(follow_symlinks=False):
                yield Path(one.path)
            else:
                yield from _below(one.path, prefixes[1:], shut)
    except PermissionError as error:
        shut.append(str(Unread.of(error, folder)))


def _sealed(one: os.DirEntry[str]) -> bool:
    """Whether sealing creates such an entry in a chain, or a crash leaves it from an interrupted write."""
    folder, file = one.is_dir(follow_symlinks=False), one.is_file(follow_symlinks=False)
    file = file and one.stat().st_size <= MOST_BYTES
    if NAME.fullmatch(one.name):
        return folder
    return (folder or file) if one.name.startswith(".part-") else file and one.name == HEAD


def _inside(folder: str) -> list[os.DirEntry[str]]:
    """What lies in a folder, by name, but for a file manager's own; nothing where there is none. A PermissionError goes
    on to the caller.
    """
    try:
        with os.scandir(folder) as found:
            return sorted((one for one in found if not is_litter(one)), key=lambda one: one.name)
    except PermissionError:
        raise
    except OSError:
        return []
