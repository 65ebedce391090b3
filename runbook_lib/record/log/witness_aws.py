"""Witnesses in AWS: `ssm:/runbook/checkpoint` (AWS keeps a hundred versions of it), `s3://bucket/key` in another bucket
or account, `sns:arn:aws:sns:...` (send only: it cannot be read).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from runbook_lib.base.aws_errors import aws_errors
from runbook_lib.base.errors import ArchiveError, AwsError
from runbook_lib.record.log.signers import region_of
from runbook_lib.record.log.witness import BEGUN, Witness

MOST = 10_000
"""Most bytes of a checkpoint or an announcement; ours have some 300."""


class _OfAws(Witness):
    """An AWS client with short timeouts, since a seal waits for it."""

    def __init__(self, service: str, name: str, at: str, region: str) -> None:
        from runbook_lib.base.aws import WHO_S, Aws

        self.name, self._at = name, at
        try:
            self._client: Any = Aws(region_of(at, region), answer_s=WHO_S, tries=2).client(service)
        except AwsError as error:
            raise ArchiveError(f"the witness {self.name} cannot be reached: {error}") from None


class _Kept(_OfAws, ABC):
    """A witness that keeps its checkpoint in a place with a name, and what a seal begins with in a place beside it."""

    announced = True

    def read(self) -> bytes | None:
        """The checkpoint that it keeps; None: there is none."""
        return self._read(self._at)

    def write(self, text: bytes) -> None:
        """Puts `text` in place of its checkpoint."""
        self._write(self._at, text)

    def begin(self, text: bytes) -> None:
        """Puts `text` beside it."""
        self._write(self._at + BEGUN, text)

    def knows(self, text: bytes) -> bool:
        """Whether the text beside it is this."""
        return self._read(self._at + BEGUN) == text

    @abstractmethod
    def _read(self, name: str) -> bytes | None: ...

    @abstractmethod
    def _write(self, name: str, text: bytes) -> None: ...


class SsmWitness(_Kept):
    """A parameter of AWS Systems Manager."""

    def __init__(self, name: str, region: str) -> None:
        super().__init__("ssm", f"ssm:{name}", name, region)

    def _read(self, name: str) -> bytes | None:
        with aws_errors("ssm:GetParameter"):
            try:
                return str(self._client.get_parameter(Name=name)["Parameter"]["Value"]).encode()
            except self._client.exceptions.ParameterNotFound:
                return None

    def _write(self, name: str, text: bytes) -> None:
        with aws_errors("ssm:PutParameter"):
            self._client.put_parameter(Name=name, Value=text.decode(), Type="String", Overwrite=True)


class S3Witness(_Kept):
    """An object in a bucket, best of another account and with Object Lock: each version stays."""

    def __init__(self, name: str, region: str) -> None:
        self._bucket, _, key = name.partition("/")
        if not self._bucket or not key or key.endswith("/"):
            raise ArchiveError(f"the witness s3://{name} cannot be asked: expects s3://BUCKET/KEY")
        super().__init__("s3", f"s3://{name}", name, region)
        self._at = key

    def _read(self, name: str) -> bytes | None:
        with aws_errors("s3:GetObject"):
            try:
                found = self._client.get_object(Bucket=self._bucket, Key=name)
            except self._client.exceptions.NoSuchKey:
                return None
            return bytes(found["Body"].read(MOST))

    def _write(self, name: str, text: bytes) -> None:
        with aws_errors("s3:PutObject"):
            self._client.put_object(Bucket=self._bucket, Key=name, Body=text, ContentType="text/plain; charset=utf-8")


class SnsWitness(_OfAws):
    """An SNS topic: each checkpoint goes to its subscribers."""

    readable = False

    def __init__(self, name: str, region: str) -> None:
        super().__init__("sns", f"sns:{name}", name, region)

    def read(self) -> bytes | None:
        """Returns None: a topic keeps nothing."""
        return None

    def write(self, text: bytes) -> None:
        """Sends the checkpoint to the subscribers."""
        with aws_errors("sns:Publish"):
            self._client.publish(TopicArn=self._at, Subject="Checkpoint of the audit records", Message=text.decode())
