"""The checkpoint that this user left unsigned while the key was out of reach: the next seal may sign on from it.

It is kept outside of the archive, with an HMAC by the user's own key: whoever writes to the archive adds nothing to it.
"""

from __future__ import annotations

import contextlib
import hmac
import json
from pathlib import Path

from runbook_lib.base.errors import ArchiveError
from runbook_lib.base.own_files import cache_of, own_key
from runbook_lib.base.plain_file import read_plain
from runbook_lib.record.log.merkle import root_of
from runbook_lib.record.log.note import Checkpoint, parsed
from runbook_lib.record.seal import replace_file

FILE = "unsigned"


def keep(root: Path, before: Checkpoint | None, made: Checkpoint) -> None:
    """Notes that `made` could not be signed, and what the checkpoint before it was.

    Several in a row are one: what was there before the first of them stays. If it cannot be kept, the next seal does
    not sign.
    """
    had = since(root, before) or before if before is not None else None
    content = json.dumps({"before": had.note().decode() if had else "", "made": made.body.decode()}).encode()
    file, key = cache_of(root) / FILE, _key()
    with contextlib.suppress(ArchiveError, OSError):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if key:
            replace_file(file, _mac(key, content) + b"\n" + content)


def since(root: Path, made: Checkpoint) -> Checkpoint | None:
    """The checkpoint from before this user left `made` unsigned, of size 0 if there was none; None: it was another."""
    try:
        mac, _, content = read_plain(cache_of(root) / FILE).partition(b"\n")
        key = _key()
        if not key or not hmac.compare_digest(mac, _mac(key, content)):
            return None
        said = json.loads(content)
        if said["made"].encode() != made.body:
            return None
        return parsed(said["before"].encode()) if said["before"] else Checkpoint(made.origin, 0, root_of([]))
    except (OSError, ValueError, KeyError):
        return None


def _key() -> bytes:
    return own_key(lambda _: None)


def _mac(key: bytes, content: bytes) -> bytes:
    return hmac.new(key, b"unsigned checkpoint " + content, "sha256").hexdigest().encode()
