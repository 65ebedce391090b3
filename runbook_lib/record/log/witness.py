"""Witnesses: copies of the newest checkpoint in places that writers of the archive cannot change.

`/mnt/elsewhere/archive.checkpoint` or a folder, `ssm:/runbook/checkpoint` (AWS keeps a hundred versions of it),
`sns:arn:aws:sns:...` (send only: it cannot be read).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from runbook_lib.base.aws_errors import aws_errors
from runbook_lib.base.errors import ArchiveError, AwsError
from runbook_lib.base.plain_file import read_plain
from runbook_lib.record.log.note import Checkpoint, parsed
from runbook_lib.record.log.signers import region_of
from runbook_lib.record.seal import replace_file

SSM, SNS = "ssm:", "sns:"
FILE = "checkpoint"


class Witness(Protocol):
    """Keeps a checkpoint."""

    name: str
    readable: bool

    def read(self) -> bytes | None:
        """The checkpoint that it keeps; None: none yet.

        Raises:
            ArchiveError, AwsError: the witness cannot be read.
        """
        ...

    def write(self, text: bytes) -> None:
        """Replaces its checkpoint by `text`.

        Raises:
            ArchiveError, AwsError: the witness does not accept it.
        """
        ...


class FileWitness:
    """A file, or the file `checkpoint` in a folder."""

    readable = True

    def __init__(self, path: Path) -> None:
        self.path = path / FILE if path.is_dir() else path
        self.name = str(self.path)

    def read(self) -> bytes | None:
        """The checkpoint that it keeps; None: none yet, though its folder exists."""
        try:
            return read_plain(self.path)
        except FileNotFoundError:
            if self.path.parent.is_dir():
                return None
            raise ArchiveError(f"the witness {self.name} cannot be asked: there is no such folder") from None
        except OSError as error:
            raise ArchiveError(f"the witness {self.name} cannot be asked ({error.strerror})") from None

    def write(self, text: bytes) -> None:
        """Replaces its checkpoint by `text`."""
        replace_file(self.path, text)


class _OfAws:
    """An AWS client with short timeouts, since a seal waits for it."""

    def __init__(self, service: str, name: str, region: str) -> None:
        from runbook_lib.base.aws import WHO_S, Aws

        self.name, self._at = f"{service}:{name}", name
        try:
            self._client: Any = Aws(region_of(name, region), answer_s=WHO_S, tries=2).client(service)
        except AwsError as error:
            raise ArchiveError(f"the witness {self.name} cannot be reached: {error}") from None


class SsmWitness(_OfAws):
    """A parameter of AWS Systems Manager."""

    readable = True

    def __init__(self, name: str, region: str) -> None:
        super().__init__("ssm", name, region)

    def read(self) -> bytes | None:
        """The checkpoint that it keeps; None: the parameter does not exist."""
        with aws_errors("ssm:GetParameter"):
            try:
                return str(self._client.get_parameter(Name=self._at)["Parameter"]["Value"]).encode()
            except self._client.exceptions.ParameterNotFound:
                return None

    def write(self, text: bytes) -> None:
        """Replaces its checkpoint by `text`."""
        with aws_errors("ssm:PutParameter"):
            self._client.put_parameter(Name=self._at, Value=text.decode(), Type="String", Overwrite=True)


class SnsWitness(_OfAws):
    """An SNS topic: each checkpoint goes to its subscribers."""

    readable = False

    def __init__(self, name: str, region: str) -> None:
        super().__init__("sns", name, region)

    def read(self) -> bytes | None:
        """None: a topic keeps nothing."""
        return None

    def write(self, text: bytes) -> None:
        """Sends the checkpoint to the subscribers."""
        with aws_errors("sns:Publish"):
            self._client.publish(TopicArn=self._at, Subject="Checkpoint of the audit records", Message=text.decode())


def witness(name: str, region: str = "") -> Witness:
    """The witness with this name.

    Raises:
        ArchiveError: the witness cannot be reached.
    """
    if name.startswith(SSM):
        return SsmWitness(name.removeprefix(SSM), region)
    if name.startswith(SNS):
        return SnsWitness(name.removeprefix(SNS), region)
    return FileWitness(Path(name).expanduser())


def kept(one: Witness) -> Checkpoint | None:
    """The checkpoint that a witness keeps; None: none yet.

    Raises:
        ArchiveError, AwsError: the witness cannot be read.
        ValueError: its text is not a checkpoint.
    """
    text = one.read()
    return None if text is None else parsed(text)
