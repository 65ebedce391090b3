"""The records that exist in an archive, and what of it an index cannot include."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from runbook_lib.base.errors import ArchiveError, Unread, Unsure
from runbook_lib.judge import words
from runbook_lib.record.place import NAME


@dataclass
class LeftOut:
    """What could not be included; none of its rows is in the tables."""

    damage: list[str] = field(default_factory=list)
    """A sentence for each damaged record."""
    unknown: list[str] = field(default_factory=list)
    """A sentence for each record, folder or log that this user may not read."""

    def add(self, error: ArchiveError) -> None:
        """Adds a sentence, unless it is there already."""
        where = self.unknown if isinstance(error, Unread) else self.damage
        if str(error) not in where:
            where.append(str(error))

    def none(self, so: str) -> None:
        """Raises unless everything was included.

        Args:
            so: what that means, such as "not counted".

        Raises:
            ArchiveError: a record is damaged.
            Unsure: something may not be read.
        """
        if self.damage:
            many = words.count(len(self.damage), "record")
            raise ArchiveError(f"{many} cannot be trusted, {so}: {'; '.join([*self.damage, *self.unknown])}")
        if self.unknown:
            raise Unsure(f"what this user may not read is {so}: {'; '.join(self.unknown)}")


def records_there(root: Path, left: LeftOut) -> dict[str, str]:
    """The folders of existing records, relative to the root, oldest first, with the state of each `record.json`.

    The state is empty if that file is missing, or if a link is on the way.
    """
    found = []
    for env in _folders(root, "env=", left):
        for release in _folders(env.path, "release=", left):
            for notebook in _folders(release.path, "", left):
                linked = any(one.is_symlink() for one in (env, release, notebook))
                above = f"{env.name}/{release.name}/{notebook.name}"
                for one in _folders(notebook.path, "", left):
                    if NAME.fullmatch(one.name):
                        state = "" if linked or one.is_symlink() else state_of(one.path)
                        found.append((one.name, f"{above}/{one.name}", state))
    return {path: state for _, path, state in sorted(found)}


def _folders(root: Path | str, prefix: str, left: LeftOut) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(root) as inside:
            return [one for one in inside if one.name.startswith(prefix) and one.name[0] != "." and one.is_dir()]
    except PermissionError as error:
        left.add(Unread.of(error, root))
        return []


def state_of(folder: str) -> str:
    """Inode, size and times of the `record.json` in `folder`; empty: it is missing, or no file."""
    try:
        found = os.lstat(f"{folder}/record.json")
    except OSError:
        return ""
    state = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return "-".join(map(str, state)) if stat.S_ISREG(found.st_mode) else ""
