"""Writing the log: one leaf per seal, in time that does not grow with the archive. Needs the archive's lock.

The order of a seal: `sealing.json` -> the record's folder -> HEAD -> the leaf -> `tree.json` -> `checkpoint` ->
witnesses -> `sealing.json` is removed. After a crash `sealing.json` tells the next writer what to complete.
A damaged log never grows: it stays as it was found, and the record says so.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from runbook_lib.base.errors import ArchiveError, AwsError, done_here
from runbook_lib.base.foreign import one_line
from runbook_lib.judge import words
from runbook_lib.params.keeping import Keeping
from runbook_lib.record.chain import follows
from runbook_lib.record.form import kind_of
from runbook_lib.record.home.home import Home
from runbook_lib.record.log import keeping as settings
from runbook_lib.record.log import unsigned
from runbook_lib.record.log.files import (
    CHECKPOINT,
    FOLDER,
    LEAVES,
    PART_OF,
    TREE,
    Log,
    Tree,
    part_begins,
    parts,
    read_checkpoint,
    read_leaves,
    read_log,
    read_tree,
)
from runbook_lib.record.log.leaf import How, Leaf
from runbook_lib.record.log.merkle import appended, leaf_hash
from runbook_lib.record.log.note import Checkpoint
from runbook_lib.record.log.sealing import SEALING, Sealing, read_sealing
from runbook_lib.record.log.signers import Signer
from runbook_lib.record.log.telling import Telling
from runbook_lib.record.place import is_name, is_path
from runbook_lib.record.staging import NAME as STAGING

ORIGIN = "rollout-runbook/"


class Unsigned(ArchiveError):
    """The key is there, and does not sign: nothing shows that it has signed what came before."""


class Ledger:
    """The log of the archive at `root`, for writing."""

    def __init__(self, root: Path, told: Callable[[str], object], home: Home) -> None:
        """`told` is called with each failure to sign or witness; all writing goes through `home`."""
        self.root, self.told, self.home = root, told, home
        self.folder = root / FOLDER
        self.telling = Telling(self.folder, told)
        self._unreached: ArchiveError | AwsError | None = None

    def take_in(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Starts the log with the existing records: the facts for the leaf of each, oldest first."""
        peaks: list[bytes] = []
        lines = []
        for size, facts in enumerate(records):
            lines.append(Leaf.model_validate({**facts, "index": size, "how": "taken_in"}).line())
            peaks = appended(peaks, size, leaf_hash(lines[-1]))
        content = b"".join(line + b"\n" for line in lines)
        tree = Tree(f"{ORIGIN}{uuid.uuid4().hex[:12]}", len(lines), len(content), tuple(peaks))
        # The checkpoint comes last: without it the log is started again.
        self._write(LEAVES, content)
        self._write(TREE, tree.spelt())
        self._sign(tree)

    @property
    def begun(self) -> bool:
        """Whether the log was started completely (`take_in`)."""
        return (self.folder / CHECKPOINT).exists()

    def damage(self) -> str:
        """Why nothing may be appended, in a sentence; empty: appending is fine. Reads no leaves."""
        tree = read_tree(self.folder)
        try:
            checkpoint = read_checkpoint(self.folder)
            length = (self.folder / tree.part).stat().st_size if tree else 0
        except (OSError, ValueError) as error:
            return f"the archive's log cannot be read ({one_line(error)})"
        if tree is None or checkpoint is None:
            return f"the archive's log has no {TREE if tree is None else CHECKPOINT} that can be read"
        if not checkpoint.same_tree(tree.checkpoint()):
            return f"the archive's log is damaged: {TREE} and {CHECKPOINT} are not of one tree"
        if length != tree.length:
            return f"the archive's log is damaged: {tree.part} has {length} bytes instead of {tree.length}"
        if (last := parts(self.folder)[-1]) != tree.part:
            return f"the archive's log is damaged: {last} lies behind its end"
        return ""

    def renewed(self, log: Log | None) -> bool:
        """Writes `tree.json` again, if the leaves match the checkpoint: all its facts follow from them.

        Returns:
            Whether the log can be appended to.
        """
        own = f"{FOLDER}/{TREE}"  # whatever lies in its place is written over
        if log is None or log.sealing or log.checkpoint is None or {one.place for one in log.damage} - {own}:
            return False
        peaks: list[bytes] = []
        for size, one in enumerate(log.hashes):
            peaks = appended(peaks, size, one)
        name, newest = list(read_leaves(self.folder).items())[-1]
        begins = part_begins(name)
        self._write(TREE, Tree(log.checkpoint.origin, len(log.hashes), len(newest), tuple(peaks), begins).spelt())
        return not self.damage()

    def complete(self, leaf_of: Callable[[Path], Mapping[str, Any]], advance: Callable[[Path, str], None]) -> str:
        """Completes the seal that a crash cut short, if there is one.

        Args:
            leaf_of: gives the facts for the leaf of the record in a folder.
            advance: sets the HEAD of a record's chain to its hash.

        Returns:
            A sentence about what was completed; empty: nothing.
        """
        begun = read_sealing(self.folder)
        if begun is None:
            self.home.remove(f"{FOLDER}/{SEALING}")
            return ""
        said = self._completed(begun, leaf_of, advance)
        self.end()
        return said

    def _completed(
        self, begun: Sealing, leaf_of: Callable[[Path], Mapping[str, Any]], advance: Callable[[Path, str], None]
    ) -> str:
        folder, tree = self.root / begun.path, read_tree(self.folder)
        if not _inside(folder, self.root) or tree is None or not begun.size <= tree.size <= begun.size + 1:
            return f"{FOLDER}/{SEALING} did not fit the archive's log"
        if not (folder / "record.json").is_file():
            self.home.append(f"{FOLDER}/{tree.part}", b"", tree.length)
            if is_path(begun.path):
                self.home.remove(begun.path)  # files of it that were put into a bucket
            return ""
        facts = leaf_of(folder)
        if facts["hash"] != begun.hash:
            return f"{begun.path} is not the record that was being sealed"
        if not self._may_be_of(begun, tree):
            return f"{FOLDER}/{SEALING} did not fit the archive's log: {begun.path} was logged before"
        if tree.size == begun.size and not follows(folder):
            self.home.remove(begun.path)
            return f"{begun.path} did not follow its chain's newest record, and was taken out: its run is sealed again"
        advance(folder, begun.hash)
        return self._logged(begun, tree, facts)

    def _logged(self, begun: Sealing, tree: Tree, facts: Mapping[str, Any]) -> str:
        """Does what was left of a seal behind the chain's HEAD; returns what is to be told of it."""
        if is_name(begun.staging):
            shutil.rmtree(self.root / STAGING / begun.staging, ignore_errors=True)
        doubt = self._unannounced(begun, tree)
        if tree.size > begun.size:
            self._sign(tree, begun)
            return f"{begun.path} was in the log and not under its checkpoint{doubt}" if doubt else ""
        self._append(tree, facts, "completed", begun)
        return f"{begun.path} was sealed, and a crash kept it from the log: it was logged now{doubt}"

    def _may_be_of(self, begun: Sealing, tree: Tree) -> bool:
        """Whether the record has no leaf from before its seal, and one since if the tree has grown.

        Else somebody wants it logged twice, and the HEAD of its chain set back.
        """
        log = read_log(self.root)  # reads all leaves: rare, as after a crash
        had = log.by_path.get(begun.path) if log is not None else None
        return had.index == begun.size if had is not None else tree.size == begun.size

    def _unannounced(self, begun: Sealing, tree: Tree) -> str:
        """Doubt about a seal that no witness knows, as the end of a sentence."""
        try:
            doubt = self.telling.doubt(settings.keeping(self.root), begun.text(tree.origin))
        except ArchiveError:
            return ""  # its settings cannot be used: told where the checkpoint is to be signed
        return f"; {doubt}" if doubt else ""

    def begin(self, path: str, hash_: str, staging: str) -> None:
        """Writes down, signs, and announces to the witnesses which record is being sealed: what a stranger puts there
        is not taken for a seal.
        """
        tree = read_tree(self.folder)
        begun = Sealing(path, hash_, tree.size if tree else 0, staging)
        try:
            said = settings.keeping(self.root)
            if tree:
                self.telling.begin(said, begun.text(tree.origin))
            signer = settings.signer_of(said) if tree else None
            if tree and signer:
                signature = base64.b64encode(signer.sign(begun.text(tree.origin))).decode()
                begun = replace(begun, signature=signature)
        except (ArchiveError, AwsError) as error:
            self._unreached = error  # told where the checkpoint is to be signed, and not waited for again
        done_here[staging] = f"the seal of {staging} has begun: the next one completes it, or begins it anew"
        self._write(SEALING, begun.spelt())

    def append(self, facts: Mapping[str, Any]) -> None:
        """Appends the leaf of the record that is being sealed.

        Raises:
            ArchiveError: the disk cannot be written.
        """
        tree = read_tree(self.folder)
        if tree is None:
            raise ArchiveError(f"{self.folder / TREE} cannot be read")
        self._append(tree, facts, "sealed")

    def end(self) -> None:
        """Removes the mark of the seal: nothing is under way."""
        self.home.remove(f"{FOLDER}/{SEALING}")

    def _append(self, tree: Tree, facts: Mapping[str, Any], how: How, begun: Sealing | None = None) -> None:
        line = Leaf.model_validate({**facts, "index": tree.size, "how": how}).line()
        full = tree.size - tree.begins >= PART_OF
        begins, at = (tree.size, 0) if full else (tree.begins, tree.length)
        peaks = appended(list(tree.peaks), tree.size, leaf_hash(line))
        grown = Tree(tree.origin, tree.size + 1, at + len(line) + 1, tuple(peaks), begins)
        self.home.append(f"{FOLDER}/{grown.part}", line + b"\n", at)
        self._write(TREE, grown.spelt())
        self._sign(grown, begun)

    def _write(self, name: str, content: bytes) -> None:
        self.home.write(f"{FOLDER}/{name}", content)

    def sign(self) -> Checkpoint:
        """Signs the checkpoint as it is, whoever has signed what was before it, and tells the witnesses.

        Raises:
            ArchiveError, AwsError: nobody signs this archive, the key is unavailable, or there is no log.
        """
        tree, said = read_tree(self.folder), settings.keeping(self.root)
        if tree is None or self.damage():
            raise ArchiveError(f"nothing was signed: {self.damage()}")
        if (signer := settings.signer_of(said)) is None:
            raise ArchiveError("nobody signs: 'archive' of service.yaml has no signing_key for this archive")
        checkpoint = _with(signer, tree.checkpoint())
        self._publish(checkpoint, said, read_checkpoint(self.folder))
        return checkpoint

    def _sign(self, tree: Tree, begun: Sealing | None = None) -> None:
        """Signs the checkpoint, if its last leaf is of a seal of this process, or of `begun` by the key's owner."""
        checkpoint, before = tree.checkpoint(), None
        try:
            before = read_checkpoint(self.folder)
        except (OSError, ValueError) as error:
            self.told(f"the checkpoint before this one cannot be read ({one_line(error)})")
        said = Keeping()
        try:
            said = settings.keeping(self.root)
            checkpoint = self._signed(checkpoint, before, said, begun)
        except (ArchiveError, AwsError) as error:
            self.told(f"the checkpoint of the archive's log is not signed: {error}")
            if begun is None and not isinstance(error, Unsigned):
                unsigned.keep(self.root, before, checkpoint)
        self._publish(checkpoint, said, before)

    def _publish(self, checkpoint: Checkpoint, said: Keeping, before: Checkpoint | None) -> None:
        """Writes the checkpoint, and tells the witnesses."""
        self._write(CHECKPOINT, checkpoint.note())
        self.telling.tell(said, checkpoint, before)

    def _signed(
        self, checkpoint: Checkpoint, before: Checkpoint | None, said: Keeping, begun: Sealing | None
    ) -> Checkpoint:
        """The checkpoint with a signature, if the key has signed the one before it, and the seal that is completed.

        Raises:
            Unsigned: it has not. Whoever writes the log anew, or puts a record there as if a crash had cut its seal
                short, must not have that signed by the next seal.
            ArchiveError, AwsError: the key is unavailable.
        """
        signer = settings.signer_of(said)
        if signer is None:
            return checkpoint
        if self._unreached:
            raise self._unreached
        public = signer.public
        signed = before is not None and public.signed(before)
        if before is not None and not signed:
            if any(one[:4] == public.key_id(before.origin) for _, one in before.signatures):
                raise Unsigned("the signature of the checkpoint before it is wrong; verify the archive")
            last = unsigned.since(self.root, before)  # from before the key was out of reach
            signed = last is not None and (not last.size or public.signed(last))
        same = before is not None and before.same_tree(checkpoint)
        if begun is not None and not (signed and same) and not begun.signed(public, checkpoint.origin):
            raise Unsigned(
                f"this key has not begun the seal of {begun.path} that was cut short: somebody may have put it there; "
                "look at it, then have it signed as it is: `runbook archive sign`"
            )
        many = before.size if before is not None else checkpoint.size
        if many and not signed:
            raise Unsigned(
                f"this key has not signed the {words.count(many, 'record')} before it: look at what they are "
                "(`runbook archive list`), then have it sign them as they are: `runbook archive sign`"
            )
        return _with(signer, checkpoint)


def _with(signer: Signer, checkpoint: Checkpoint) -> Checkpoint:
    blob = signer.public.key_id(checkpoint.origin) + signer.sign(checkpoint.body)
    return checkpoint.signed([(checkpoint.origin, blob)])


def _inside(folder: Path, root: Path) -> bool:
    return folder.resolve().is_relative_to(root.resolve()) and folder != root


def facts_of(path: str, raw: bytes, record: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that a leaf keeps of a record, from its file and the JSON in it."""
    return {
        "kind": kind_of(record),
        "path": path,
        "sealed_at": str(record.get("sealed_at", "")),
        "hash": str(record.get("hash", "")),
        "file": hashlib.sha256(raw).hexdigest(),
    }
