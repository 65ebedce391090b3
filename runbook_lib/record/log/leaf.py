"""The leaf of the log: its facts about one record. One line of `log/leaves.jsonl`, in the form of RFC 8785."""

from __future__ import annotations

import json
import re
from typing import Any, Literal

from pydantic import ConfigDict, Field

from runbook_lib.judge.terms import Frozen
from runbook_lib.record.seal import jcs

How = Literal["sealed", "completed", "taken_in"]


class Leaf(Frozen):
    """One record in the log."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(default=1, alias="schema", description="Version of this format.")
    index: int = Field(ge=0, le=2**53 - 1, description="Place in the log, from 0.")
    kind: str = Field(
        description="`run`, or the kind of the entry: attestation, approval, note, deviation, attachment, tombstone."
    )
    path: str = Field(description="Folder of the record, from the archive's root, with `/` between the names.")
    sealed_at: str = Field(description="The record's own `sealed_at`.")
    hash: str = Field(description="The record's own `hash`: SHA-256, hexadecimal.")
    file: str = Field(description="SHA-256 of the bytes of its `record.json`, hexadecimal.")
    how: How = Field(
        default="sealed",
        description="`sealed`: logged as it was sealed. `completed`: a crash came between; the next one to write here "
        "logged it. `taken_in`: it was there before the log.",
    )
    attachments: tuple[str, ...] = Field(
        default=(),
        description="Of a record that was taken in: the hashes of what was attached to it by then without an entry, "
        "as version 0.1 did.",
    )

    def line(self) -> bytes:
        """The bytes that are hashed, without a newline."""
        return jcs(self.model_dump(mode="json", by_alias=True))

    @property
    def chain(self) -> str:
        """Path of the record's chain."""
        return self.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        """Name of the record's folder in its chain."""
        return self.path.rpartition("/")[2]


_TEXT = r'"([^"\\\x00-\x1f\ud800-\udfff]*)"'
_PLAIN = re.compile(
    rf'{{"attachments":\[\],"file":{_TEXT},"hash":{_TEXT},"how":"(sealed|completed|taken_in)",'
    rf'"index":(0|[1-9][0-9]{{0,14}}),"kind":{_TEXT},"path":{_TEXT},"schema":1,"sealed_at":{_TEXT}}}'
)
"""The usual leaf: without attachments, and without characters that JSON can spell in two ways."""


_FIELDS = set(Leaf.model_fields)


def _made(values: dict[str, object]) -> Leaf:
    """As `Leaf.model_construct` makes it of all its fields, which takes six times as long: there are ten thousand."""
    leaf = Leaf.__new__(Leaf)
    for name, value in (
        ("__dict__", values),
        ("__pydantic_fields_set__", _FIELDS),
        ("__pydantic_extra__", None),
        ("__pydantic_private__", None),
    ):
        object.__setattr__(leaf, name, value)
    return leaf


def read_leaf(line: bytes) -> Leaf:
    """The leaf in a line.

    Raises:
        ValueError: the line is not a leaf, or is not spelt as the log writes it.
    """
    if found := _PLAIN.fullmatch(line.decode()):
        file, hash_, how, index, kind, path, sealed_at = found.groups()
        return _made(
            {
                "schema_version": 1,
                "index": int(index),
                "kind": kind,
                "path": path,
                "sealed_at": sealed_at,
                "hash": hash_,
                "file": file,
                "how": how,
                "attachments": (),
            }
        )
    leaf = Leaf.model_validate(json.loads(line))
    # Names and hashes only: in ASCII, sorted keys without spaces are the form of RFC 8785.
    plain: dict[str, Any] = leaf.model_dump(mode="json", by_alias=True)
    if line != json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode():
        raise ValueError("its spelling is not the one that the log writes")
    return leaf
