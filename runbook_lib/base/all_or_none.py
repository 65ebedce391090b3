"""Writes files of a person's project: all of them or none, each at once. Neither a killed process nor a full disk
leaves half a file.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path


def write_all(wanted: Mapping[Path, bytes]) -> None:
    """Writes the files and creates missing folders; an existing file keeps its permissions.

    Any failure on the way (Ctrl-C, too) undoes what was written, folders included.

    Raises:
        OSError: a file cannot be written; its `filename` is that file, and everything is as before.
    """
    made, parts, before = list[Path](), dict[Path, Path](), dict[Path, bytes | None]()
    try:
        for path, content in wanted.items():
            with _named(path):
                made += _folders(path.resolve().parent)
                target = path.resolve()
                parts[target] = target.with_name(f".part-{uuid.uuid4().hex}")
                with parts[target].open("xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
        for target, part in parts.items():
            with _named(target):
                known = target.read_bytes() if target.exists() else None
                if known is not None:
                    shutil.copymode(target, part)
                before[target] = known
                part.replace(target)
    except BaseException:
        for target, old in before.items():
            with contextlib.suppress(OSError):
                target.unlink(missing_ok=True) if old is None else target.write_bytes(old)
        for part in parts.values():
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        for folder in reversed(made):
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def _folders(folder: Path) -> list[Path]:
    """Creates a folder with its missing parents; returns those that are new, the outermost first."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()][::-1]
    for one in missing:
        one.mkdir(exist_ok=True)
    return missing


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise
