"""What this user's commands keep for themselves, outside every archive: caches, and the key that tells their own ones
from what others put there.
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
    """The folder for what is derived of the archive at `root`; it may not be there yet."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    return Path(base) / OWN / hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]


def own_key(told: Callable[[str], object]) -> bytes:
    """The user's own key, made when it is first asked for; empty: it cannot be kept, and nothing is.

    Args:
        told: is given a sentence that says so.
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
    """A file that only this user reads; of two that make it at once, the first one's stays."""
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
