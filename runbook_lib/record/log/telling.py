"""Tells the witnesses that a seal begins, and each checkpoint. One that cannot be reached is waited for once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from runbook_lib.base.errors import ArchiveError, AwsError
from runbook_lib.params.keeping import Keeping
from runbook_lib.record.log import keeping as settings
from runbook_lib.record.log.files import read_leaves
from runbook_lib.record.log.merkle import leaf_hash, roots
from runbook_lib.record.log.note import Checkpoint
from runbook_lib.record.log.witness import Witness, kept

SLOW_S = 2.0
"""Seconds after which a witness that fails counts as out of reach: it is not waited for again in this seal."""
UNANNOUNCED = "no witness was told that its seal began: somebody may have put it there"
UNASKED = "no witness could be asked whether its seal began: somebody may have put it there"
"""Doubts about a seal that was cut short."""


class Telling:
    """The witnesses of the log in a folder, for writing. `told` is called with each failure."""

    def __init__(self, folder: Path, told: Callable[[str], object]) -> None:
        self.folder, self.told = folder, told
        self._unreached: dict[str, Exception] = {}
        self._said = set[str]()

    def begin(self, said: Keeping, text: bytes) -> None:
        """Announces a seal, before anything of it is written."""
        for one in self._all(said, lambda _: None):  # what is wrong is told with the checkpoint
            if one.name in self._unreached:
                continue
            begun = time.monotonic()
            try:
                one.begin(text)
            except (ArchiveError, AwsError) as error:
                if time.monotonic() - begun > SLOW_S:
                    self._unreached[one.name] = error
                else:  # it may forbid this and take the checkpoint, as where its policy is of an earlier version
                    self._tell(f"the witness {one.name} was not told that a seal begins: {error}")

    def doubt(self, said: Keeping, text: bytes) -> str:
        """The doubt about a seal that no witness says has begun; empty: one does, or none keeps announcements."""
        silent, answers = list[object](), list[bool]()
        for one in self._all(said, silent.append):
            try:
                if one.announced:
                    answers.append(one.knows(text))
            except (ArchiveError, AwsError) as error:
                self._unreached[one.name] = error
                silent.append(error)
        if any(answers):
            return ""
        return UNANNOUNCED if answers else UNASKED if silent else ""

    def tell(self, said: Keeping, checkpoint: Checkpoint, before: Checkpoint | None) -> None:
        """Sends a checkpoint to each witness that has none, or an earlier one of this log. No other is replaced."""
        for one in self._all(said, self._tell):
            try:
                if one.name not in self._unreached:
                    self._told_to(one, checkpoint, before)
            except (ArchiveError, AwsError, ValueError) as error:
                self._unreached[one.name] = error
            if trouble := self._unreached.get(one.name):
                self._tell(f"the witness {one.name} was not told: {trouble}")

    def _told_to(self, one: Witness, checkpoint: Checkpoint, before: Checkpoint | None) -> None:
        had = kept(one) if one.readable else None
        if had is not None and (trouble := self._contradicts(had, checkpoint, before)):
            self._tell(f"the witness {one.name} was not told: {trouble}; `runbook archive verify` says more")
            return
        one.write(checkpoint.note())

    def _tell(self, sentence: str) -> None:
        """Says it once: the first seal of an archive writes two checkpoints."""
        if sentence not in self._said:
            self._said.add(sentence)
            self.told(sentence)

    def _all(self, said: Keeping, told: Callable[[str], object]) -> Iterator[Witness]:
        """Each witness; one that cannot be used keeps the others from nothing."""
        for name in said.witness:
            try:
                yield settings.witness_of(name, said.region)
            except (ArchiveError, AwsError) as error:
                told(str(error))

    def _contradicts(self, had: Checkpoint, checkpoint: Checkpoint, before: Checkpoint | None) -> str:
        if had.origin != checkpoint.origin:
            return f"it keeps the checkpoint of another log, {had.origin}"
        if had.size > checkpoint.size:
            return f"it knows {had.size} records, this log has {checkpoint.size}"
        known = next((one for one in (checkpoint, before) if one is not None and one.size == had.size), None)
        root = known.root if known else self._root_at(had.size)  # rare; takes time that grows with the log
        return "" if root == had.root else f"its first {had.size} records were others"

    def _root_at(self, size: int) -> bytes:
        lines = b"".join(read_leaves(self.folder).values()).split(b"\n")[:size]
        return roots([leaf_hash(line) for line in lines], [size]).get(size, b"")
