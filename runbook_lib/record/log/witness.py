"""Witnesses: copies of the newest checkpoint in places that writers of the archive cannot change.

`/mnt/elsewhere/archive.checkpoint` or a folder; by the beginning of the name, what stands in `KINDS`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path

from runbook_lib.base.errors import ArchiveError
from runbook_lib.base.plain_file import read_plain
from runbook_lib.record.log.note import Checkpoint, parsed
from runbook_lib.record.seal import replace_file

FILE = "checkpoint"
BEGUN = ".begun"
"""End of the name of what says that a seal has begun, beside a checkpoint."""


class Witness(ABC):
    """Keeps a checkpoint."""

    name: str
    """As it is told; it holds no secret."""
    readable: bool = True
    """Whether it keeps what it is told, and can be asked for it."""
    announced: bool = False
    """Whether it also keeps the announcement of a seal (`begin`)."""

    @abstractmethod
    def read(self) -> bytes | None:
        """The newest checkpoint that it keeps; None: none yet.

        Raises:
            ArchiveError, AwsError: the witness cannot be read.
            ValueError: it keeps something else.
        """

    @abstractmethod
    def write(self, text: bytes) -> None:
        """Makes `text` its newest checkpoint.

        Raises:
            ArchiveError, AwsError: the witness does not accept it.
        """

    def history(self) -> Sequence[bytes | ValueError]:
        """All checkpoints that it keeps, oldest first: the newest alone, unless it keeps each; an error in the place of
        one that is none. Raises as `read`.
        """
        newest = self.read()
        return [] if newest is None else [newest]

    def begin(self, text: bytes) -> None:  # noqa: B027 (most keep no announcement)
        """Tells that a seal begins: its record exists nowhere yet. Raises as `write`."""

    def knows(self, text: bytes) -> bool:  # noqa: ARG002 (see `begin`)
        """Whether `begin` was told this. Raises as `read`."""
        return False


class FileWitness(Witness):
    """A file, or the file `checkpoint` in a folder."""

    announced = True

    def __init__(self, path: Path) -> None:
        self.path = path / FILE if path.is_dir() else path
        self.name = str(self.path)

    def read(self) -> bytes | None:
        """The checkpoint that it keeps; None: none yet, though its folder exists."""
        return self._read(self.path)

    def _read(self, path: Path) -> bytes | None:
        try:
            return read_plain(path)
        except FileNotFoundError:
            if path.parent.is_dir():
                return None
            raise ArchiveError(f"the witness {self.name} cannot be asked: there is no such folder") from None
        except OSError as error:
            raise ArchiveError(f"the witness {self.name} cannot be asked ({error.strerror})") from None

    def write(self, text: bytes) -> None:
        """Replaces its checkpoint by `text`."""
        replace_file(self.path, text)

    def begin(self, text: bytes) -> None:
        """Writes `text` into a file beside its checkpoint."""
        replace_file(self.path.with_name(self.path.name + BEGUN), text)

    def knows(self, text: bytes) -> bool:
        """Whether that file says this."""
        return self._read(self.path.with_name(self.path.name + BEGUN)) == text


def _ssm(name: str, region: str) -> Witness:
    from runbook_lib.record.log.witness_aws import SsmWitness

    return SsmWitness(name, region)


def _sns(name: str, region: str) -> Witness:
    from runbook_lib.record.log.witness_aws import SnsWitness

    return SnsWitness(name, region)


def _s3(name: str, region: str) -> Witness:
    from runbook_lib.record.log.witness_aws import S3Witness

    return S3Witness(name, region)


def _git(name: str, _: str) -> Witness:
    from runbook_lib.record.log.witness_git import GitWitness

    return GitWitness(name)


def _webhook(name: str, _: str) -> Witness:
    from runbook_lib.record.log.witness_web import WebhookWitness

    return WebhookWitness(name)


KINDS: dict[str, Callable[[str, str], Witness]] = {
    "ssm:": _ssm,
    "sns:": _sns,
    "s3://": _s3,
    "git:": _git,
    "webhook:": _webhook,
}
"""Beginning of a name to what makes the witness of the rest, for a region. Any other name is a path."""


def witness(name: str, region: str = "") -> Witness:
    """The witness with this name.

    Raises:
        ArchiveError: the name cannot be one, or the witness cannot be reached.
    """
    for begins, made in KINDS.items():
        if name.startswith(begins):
            return made(name.removeprefix(begins), region)
    return FileWitness(Path(name).expanduser())


def kept(one: Witness) -> Checkpoint | None:
    """The newest checkpoint that a witness keeps; None: none yet.

    Raises:
        ArchiveError, AwsError: the witness cannot be read.
        ValueError: its text is not a checkpoint.
    """
    text = one.read()
    return None if text is None else parsed(text)


def each_kept(one: Witness) -> tuple[list[Checkpoint], list[str]]:
    """All checkpoints that a witness keeps, the largest last, and why something in their place is none: whoever may add
    to them hides nothing by it.

    Raises:
        ArchiveError, AwsError: the witness cannot be read.
    """
    found, wrong = list[Checkpoint](), list[str]()
    try:
        for text in one.history():
            try:
                found.append(_checkpoint(text))
            except ValueError as error:
                wrong.append(str(error))
    except ValueError as error:
        wrong.append(str(error))
    return sorted(found, key=lambda had: had.size), wrong


def _checkpoint(text: bytes | ValueError) -> Checkpoint:
    if isinstance(text, ValueError):
        raise text
    return parsed(text)
