"""The checkpoint of the log: a C2SP tlog-checkpoint in a C2SP signed-note.

    rollout-runbook/4f1c0a9be2d7
    42
    qINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=

    — rollout-runbook/4f1c0a9be2d7 <base64 of key id and signature>

Formats: https://c2sp.org/tlog-checkpoint and https://c2sp.org/signed-note.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

_FORM = re.compile(r"(\S[^\n]*)\n(0|[1-9][0-9]{0,14})\n([A-Za-z0-9+/]{43}=)\n\n((?:\u2014 \S+ \S+\n)*)")


@dataclass(frozen=True)
class Checkpoint:
    """The size of the log at one moment, and its root then."""

    origin: str
    size: int
    root: bytes
    signatures: tuple[tuple[str, bytes], ...] = ()
    """Pairs: name of the key; key id (4 bytes) followed by the signature."""

    @property
    def body(self) -> bytes:
        """The bytes to sign."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n".encode()

    def note(self) -> bytes:
        """The bytes of the whole file."""
        lines = [f"\u2014 {name} {base64.b64encode(blob).decode()}\n" for name, blob in self.signatures]
        return self.body + b"\n" + "".join(lines).encode()

    def signed(self, signatures: Sequence[tuple[str, bytes]]) -> Checkpoint:
        """A copy with these signatures."""
        return Checkpoint(self.origin, self.size, self.root, tuple(signatures))

    def same_tree(self, other: Checkpoint) -> bool:
        """Whether both have the same origin, size and root, whoever signed."""
        return self.body == other.body


def parsed(text: bytes) -> Checkpoint:
    """The checkpoint in a file.

    Raises:
        ValueError: the file holds no checkpoint.
    """
    found = _FORM.fullmatch(text.decode())
    if found is None:
        raise ValueError("it is not a checkpoint")
    origin, size, root, lines = found.groups()
    signatures = []
    for line in lines.splitlines():
        _, name, blob = line.split(" ")
        try:
            raw = base64.b64decode(blob, validate=True)
        except binascii.Error:
            raise ValueError("a signature is not base64") from None
        if len(raw) < 5:
            raise ValueError("a signature is too short")
        signatures.append((name, raw))
    made = Checkpoint(origin, int(size), base64.b64decode(root), tuple(signatures))
    if made.note() != text:  # base64 can spell the same bytes in several ways; a signature is on one of them
        raise ValueError("its base64 is not spelt as it is written")
    return made
