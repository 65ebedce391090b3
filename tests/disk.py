"""An archive's disk that is full, from one line of the journal on."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.errors import ArchiveError
from runbook_lib.record import journal, seal

NO_SPACE = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextlib.contextmanager
def full_disk(archive: Path, event: str, nth: int = 1, *, only: bool = False) -> Iterator[None]:
    """No space on the archive's disk from the nth line about `event` on, or for these lines alone; "seal" has none."""
    write, folder, seen = journal._write, seal.write_folder, [nth - 1 if event == "seal" else 0]

    def no_line(path: Path, text: str) -> None:
        hit = f'"event":"{event}"' in text
        seen[0] += hit
        if archive in path.parents and seen[0] >= nth and (hit or not only):
            raise NO_SPACE
        write(path, text)

    def no_folder(final: Path, *given: Any) -> None:
        full = event == "seal" or (seen[0] >= nth and not only)
        if full and archive in final.parents and ".staging" not in final.parts:
            raise ArchiveError(f"{final} cannot be written ({NO_SPACE.strerror})")
        folder(final, *given)

    with pytest.MonkeyPatch.context() as disk:
        disk.setattr(journal, "_write", no_line)
        disk.setattr("runbook_lib.record.home.folder.write_folder", no_folder)
        yield
