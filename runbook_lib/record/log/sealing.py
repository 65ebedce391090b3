"""The note of a seal that is under way, `sealing.json`: removed when its record is logged, left behind by a crash."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from runbook_lib.base.plain_file import read_plain
from runbook_lib.record.log.signers import PublicKey
from runbook_lib.record.place import is_path
from runbook_lib.record.seal import strict

SEALING = "sealing.json"


@dataclass(frozen=True)
class Sealing:
    """A seal that has begun: with it the next writer completes the leaf of a record that exists already."""

    path: str
    """Path of the record, as in the leaf."""
    hash: str
    size: int
    """Number of leaves in the log before it."""
    staging: str
    """Name of the staging folder that the record is made from."""
    signature: str = ""
    """Signature of the key over `text`, in base64; empty: nobody signs, or the key was out of reach."""

    def text(self, origin: str) -> bytes:
        """The bytes to sign, in the log of this origin. No checkpoint and no envelope begins like this."""
        return "\n".join(["rollout-runbook-seal", origin, self.path, self.hash, str(self.size), ""]).encode()

    def signed(self, key: PublicKey, origin: str) -> bool:
        """Whether the owner of the key began this seal; else somebody may have put it there."""
        try:
            return key.right(self.text(origin), base64.b64decode(self.signature, validate=True))
        except ValueError:
            return False

    def spelt(self) -> bytes:
        """The bytes of the file."""
        said = {name: one for name, one in self.__dict__.items() if one or name != "signature"}
        return json.dumps(said, indent=1).encode()


def read_sealing(folder: Path) -> Sealing | None:
    """The seal that is under way; None: there is none, or its file is unreadable."""
    try:
        found = Sealing(**strict(read_plain(folder / SEALING)))
        kinds = [type(one) for one in (found.path, found.hash, found.size, found.staging, found.signature)]
        return found if kinds == [str, str, int, str, str] and is_path(found.path) else None
    except (OSError, ValueError, TypeError, RecursionError):
        return None
