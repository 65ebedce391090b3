"""The folder of an archive's files on this machine: its own folder, or the local copy of one in a bucket. Light."""

from __future__ import annotations

import os
import re
from pathlib import Path

from runbook_lib.base.errors import UsageError
from runbook_lib.base.plain_file import read_plain
from runbook_lib.base.project import expanded

S3 = "s3://"
HOME = ".home"
"""File in the copy that names the bucket."""
BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_ADDRESS = re.compile(rf"s3:/+({BUCKET})((?:/[A-Za-z0-9_=.-]*[A-Za-z0-9_=-][A-Za-z0-9_=.-]*)*)/?")


def address(value: str | Path) -> str:
    """`s3://bucket/prefix` in its right spelling, also from a `Path` that has lost a slash; empty: it is a folder.

    Raises:
        UsageError: the text begins like an address, but is none.
    """
    written = str(value)
    if not re.match("[a-z][a-z0-9+.-]{1,20}:(?:/|$)", written, re.IGNORECASE):
        return ""
    found = _ADDRESS.fullmatch(written)
    if found is None:
        said = re.sub(":/*", "://", written, count=1)  # a path has lost a slash
        raise UsageError(f"archive is '{said}', which is not an address such as s3://bucket/prefix")
    return f"{S3}{found[1]}{found[2]}"


def files_of(value: str | Path, root: Path) -> Path:
    """The folder of `archive_root`, without creating it."""
    where = address(value)
    return root / "archive" / "s3" / where.removeprefix(S3) if where else root / expanded(value, "archive")


def named(value: object) -> str:
    """The archive that unvalidated parameters name: the default, if they name none or something that is no text."""
    return value if isinstance(value, str) and value else "archive"


def archive_root(value: str | Path, root: Path, *, anyhow: bool = False) -> Path:
    """The folder of the archive that a person named, relative to `root`, or the local copy of one in a bucket.

    Args:
        anyhow: nobody looks what is there: who stages a run there says so, and takes a spare folder.

    Raises:
        UsageError: the text is not a valid address, a path with a variable, or what is there is no folder.
    """
    where, folder = address(value), files_of(value, root)
    there = next((one for one in (folder, *folder.parents) if os.path.lexists(one)), folder)
    if not (where or anyhow or there.is_dir()):  # a file, a device, a link to nowhere, or something below one
        raise UsageError(f"archive is '{value}': {there} is not a folder; name one, or s3://bucket/prefix")
    if not where:
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if home_address(folder) != where:
            part = folder / f"{HOME}.{os.getpid()}"
            part.write_text(f"{where}\n")
            part.replace(folder / HOME)
    except OSError:
        pass  # staging a run there reports it
    return folder


def home_address(folder: Path) -> str:
    """The address of the archive that the folder is a copy of; empty: the folder is the archive itself.

    The copy lies where its address says (`files_of`). A file that names another bucket was put there, so that records
    would go to it: it does not count.
    """
    try:
        where = address(read_plain(folder / HOME).decode().strip())
    except (OSError, ValueError, UsageError):
        return ""
    return where if folder.absolute().as_posix().endswith(f"/s3/{where.removeprefix(S3)}") else ""
