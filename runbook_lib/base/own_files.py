"""Files that commands keep for this user, outside every archive: caches, and the key that tells our caches from
others' files.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

from runbook_lib.base.plain_file import read_plain

OWN = "rollout-runbook"
_KEY = "index.key"
_BYTES = 32


def cache_of(root: Path) -> Path:
    """The cache folder for data derived from the archive at `root`; it may not exist yet."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    return Path(base) / OWN / hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]


def own_key(told: Callable[[str], object]) -> bytes:
    """The user's own key, created at the first use; empty: it cannot be stored, so nothing is cached.

    Args:
        told: called with a sentence in that case.
    """
    file = Path(os.environ.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser())) / OWN / _KEY
    try:
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _made(file, secrets.token_bytes(_BYTES))
        found = read_plain(file)
    except OSError as error:
        told(f"what was read is not kept for the next time: the key {file} cannot be written ({error})")
        return b""
    return found if len(found) == _BYTES else b""


def _made(file: Path, content: bytes) -> None:
    """Creates a file that only this user can read; if two processes do so at once, the first one's stays."""
    handle, part = tempfile.mkstemp(dir=file.parent, prefix=f"{file.name}.")
    try:
        os.write(handle, content)
        os.fsync(handle)
        with contextlib.suppress(FileExistsError):
            os.link(part, file)
    except OSError:  # a disk without hard links
        Path(part).replace(file)
    finally:
        os.close(handle)
        Path(part).unlink(missing_ok=True)
