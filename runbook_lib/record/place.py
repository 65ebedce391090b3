"""Where things lie in the archive: names of runs and folders, sealed records."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from runbook_lib.base.errors import Unread, UsageError


def instant(at: dt.datetime) -> str:
    """An instant as the archive's folders spell it: UTC, in milliseconds."""
    at = at.astimezone(dt.UTC)
    # Not `%Y`: it gives the year 301 three digits, which sort after 2026.
    return f"{at.year:04d}{at:%m%dT%H%M%S}.{at.microsecond // 1000:03d}Z"


_LITTER = re.compile(r"\.DS_Store|\._.+|\.localized|Thumbs\.db|[Dd]esktop\.ini", re.DOTALL)


def is_litter(place: Path | os.DirEntry[str]) -> bool:
    """Whether macOS or Windows left the file in a folder that a person opened: no part of an archive, and no damage:
    nothing shows it.
    """
    return bool(_LITTER.fullmatch(place.name)) and not place.is_symlink() and place.is_file()


def new_run_id() -> str:
    """Twelve hexadecimal digits, unique for all practical purposes."""
    return uuid.uuid4().hex[:12]


LONGEST = 100


def safe(name: str) -> str:
    """`name` as a folder's name: letters, digits, `.`, `_` and `-`, never hidden or empty, 100 characters at most.

    Two names with the same beginning stay distinct when cut: a hash tells them apart.
    """
    plain = _plain(name)
    if len(plain) <= LONGEST:
        return plain
    return f"{plain[: LONGEST - 17]}-{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:16]}"


def is_place(folder: str, name: str) -> bool:
    """Whether records of `name` lie in `folder`; versions before 0.2 cut a long name without a hash."""
    return folder in (safe(name), _plain(name)[:LONGEST])


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip("._-") or "unknown"


@dataclass(frozen=True, order=True)
class RecordRef:
    """The place of a sealed record; references sort by time of sealing."""

    sealed: str
    """UTC instant of sealing, as in the folder's name."""
    run_id: str
    env: str
    release: str
    notebook: str
    where: str
    """The record's folder, as a path."""

    @cached_property
    def folder(self) -> Path:
        """The record's folder; the object is made on first use: a list of ten thousand records asks for none."""
        return Path(self.where)

    @cached_property
    def path(self) -> str:
        """The record's folder as the log spells it: from the archive's root, with `/` between names."""
        return "/".join(self.where.rsplit(os.sep, 4)[-4:])


ENV, RELEASE = "env=", "release="
"""Beginnings of the folder names of an environment and of a release."""
_NAMED = "[A-Za-z0-9][A-Za-z0-9._-]*"


def is_name(name: str) -> bool:
    """Whether `safe` makes such a name: no other is that of an environment's, a release's or a notebook's folder."""
    return re.fullmatch(_NAMED, name) is not None


NAME = re.compile(r"([0-9]{8}T[0-9]{6}\.[0-9]{3}Z)-([A-Za-z0-9]+)")
"""Folder of a sealed record: the instant it was sealed, and its run id."""
_PATH = re.compile(f"{ENV}{_NAMED}/{RELEASE}{_NAMED}/{_NAMED}/{NAME.pattern}")


def ref_at(folder: Path) -> RecordRef:
    """The reference to the record in `folder`."""
    *_, env, release, notebook, name = folder.parts
    sealed, _, run_id = name.rpartition("-")
    return RecordRef(sealed, run_id, env.partition("=")[2], release.partition("=")[2], notebook, str(folder))


def refs_in(
    root: Path, env: str | None = None, release: str | None = None, notebook: str | None = None
) -> list[RecordRef]:
    """The sealed records below `root`, oldest first, from their folders' names; None means any. No record is opened."""
    found = []
    for above, own in _folders(str(root), ENV, env):
        for between, version in _folders(above, RELEASE, release):
            for chain, name in _folders(between, "", notebook):
                if not (is_name(own) and is_name(version) and is_name(name)):
                    continue
                for folder, _ in _folders(chain, "", None):
                    if parts := NAME.fullmatch(folder[len(chain) + 1 :]):
                        found.append(RecordRef(parts[1], parts[2], own, version, name, folder))
    found.sort(key=lambda ref: (ref.sealed, ref.run_id, ref.env, ref.release, ref.notebook))
    return found


def _folders(above: str, prefix: str, name: str | None) -> Iterator[tuple[str, str]]:
    """The entries of a folder whose name begins with `prefix`, each with the rest of its name."""
    try:
        names = [prefix + name] if name is not None else os.listdir(above)  # noqa: PTH208 - ten thousand
    except OSError:
        return
    for one in names:
        if one.startswith(prefix):
            yield f"{above}/{one}", one[len(prefix) :]


def names_in(chain: Path) -> list[str]:
    """Names of the records in a chain's folder, oldest first."""
    try:
        return sorted(name for name in os.listdir(chain) if NAME.fullmatch(name))  # noqa: PTH208 - thousands
    except OSError:
        return []


def gone_from(place: Path) -> bool:
    """Whether nothing is there; False if it lies in a folder that this user may not look into."""
    try:
        place.lstat()
    except OSError as error:
        return not isinstance(error, PermissionError)
    return False


def not_in_archive(option: str, place: Path) -> UsageError:
    """The error for a place to write that lies in an archive."""
    return UsageError(f"{option} {place} lies in the archive, which holds sealed records only; name another")


def shut_out(folder: Path) -> str:
    """Why this user cannot tell what lies in a folder; empty: it can be told, or there is no such folder."""
    try:
        os.listdir(folder)  # noqa: PTH208 - one call
        os.stat(f"{folder}/.")  # noqa: PTH116 - to list and to enter are two rights; `Path` drops the dot
    except PermissionError as error:
        return str(Unread(f"{folder}: this user may not read it ({error.strerror})"))
    except OSError:
        pass
    return ""


def path_of(root: Path, folder: Path) -> str:
    """A folder of the archive at `root` as the log spells it: `/` between names."""
    return folder.relative_to(root).as_posix()


def is_path(path: str) -> bool:
    """Whether a leaf's path is that of a record's folder inside the archive."""
    return _PATH.fullmatch(path) is not None


ENTRY = "entry"
"""The chain of entries (`record/entry.py`), beside those of the notebooks."""
PARAMS = "RUNBOOK_PARAMS"
"""Environment variable with the folder of `service.yaml` and the others, if it is not the project's `params/`."""
CASE = "case.json"
"""File of a record with the inputs of its verdict."""
