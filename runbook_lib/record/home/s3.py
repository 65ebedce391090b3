"""The archive's calls to Amazon S3: conditional puts, reads, lists; and whether the bucket is fit for an archive.

A failure is an ArchiveError of one sentence with the bucket's name: the record stays where it was.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from runbook_lib.base.aws import dated
from runbook_lib.base.aws_errors import aws_errors, code_of
from runbook_lib.base.errors import ArchiveError, AwsError
from runbook_lib.base.kept_at import S3
from runbook_lib.params.keeping import Keeping
from runbook_lib.record.home.home import Lost, Unanswered

ANSWER_S = 30.0
"""Seconds for one answer of S3, tried twice at most, 40 s together: a writer's lease is longer (`bucket.py`)."""
_LOST = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
_ELSEWHERE = ("PermanentRedirect", "301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException")
_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


class Store:
    """The objects below `s3://bucket/prefix`, by their path from there."""

    def __init__(self, uri: str, said: Keeping) -> None:
        self.uri, self._said = uri, said
        self.bucket, _, prefix = uri.removeprefix(S3).partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._fit = False

    @cached_property
    def _client(self) -> Any:
        return self.opened()

    def opened(self) -> Any:
        """A client in the bucket's region."""
        from runbook_lib.base.aws import SILENT_S, Aws

        return Aws(self._region, answer_s=ANSWER_S, tries=2, silent_s=SILENT_S).client("s3")

    @cached_property
    def _region(self) -> str:
        from botocore.session import get_session

        own = self._said.region or os.environ.get("AWS_REGION") or get_session().get_config_variable("region")
        return str(own or "us-east-1")

    @contextlib.contextmanager
    def _asking(self, action: str) -> Iterator[None]:
        """Turns a refusal or a failure of S3 into an ArchiveError of one sentence."""
        from botocore.exceptions import ClientError

        try:
            with aws_errors(f"{self.uri} cannot be asked ({action})"):
                try:
                    yield
                except ClientError as error:
                    if told := self._refusal(error, action):
                        raise told from None
                    raise
        except AwsError as error:
            raise Unanswered(str(error)) from None

    def _refusal(self, error: Any, action: str) -> Unanswered | None:
        code, headers = code_of(error), error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        region = error.response.get("Error", {}).get("Region") or headers.get("x-amz-bucket-region")
        if code in ("NoSuchBucket", "404"):
            return Unanswered(f"there is no bucket {self.bucket}: make it (docs/audit.md), or name another `archive`")
        if code in _ELSEWHERE or (code == "400" and region not in (None, self._region)):
            return self._elsewhere(region or "another region")
        if code in ("AccessDenied", "403", "AllAccessDisabled"):
            return Unanswered(
                f"AWS denies {action} on {self.uri}: the role lacks it (iam/archive.json), or the bucket forbids it"
            )
        return None

    def _elsewhere(self, region: str) -> Unanswered:
        return Unanswered(
            f"the bucket {self.bucket} is in {region}, and was asked in {self._region}: write `region: {region}` under "
            "`archive` in service.yaml"
        )

    def check(self) -> None:
        """Checks that the bucket is fit for records; done once per process, before the first write.

        Raises:
            ArchiveError: the bucket is missing, in another region, public, not encrypted, without versions, or without
                Object Lock although records are to be retained.
        """
        if self._fit:
            return
        here = {"Bucket": self.bucket}
        with self._asking("s3:GetBucketVersioning"):
            kept = self._client.get_bucket_versioning(**here).get("Status")
        with self._asking("s3:ListBucket"):
            answer = self._client.head_bucket(**here)
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        region = answer.get("BucketRegion") or headers.get("x-amz-bucket-region") or self._region
        if region != self._region:
            raise self._elsewhere(region)
        if kept != "Enabled":
            raise self._unfit(
                "keeps no versions of its objects: overwritten content would be lost",
                "put-bucket-versioning --versioning-configuration Status=Enabled",
            )
        public = self._setting("s3:GetBucketPublicAccessBlock", self._client.get_public_access_block)
        if not all(public.get("PublicAccessBlockConfiguration", {}).get(one) for one in _BLOCKS):
            raise self._unfit(
                "may be made public",
                "put-public-access-block --public-access-block-configuration "
                + ",".join(f"{one}=true" for one in _BLOCKS),
            )
        if not self._setting("s3:GetEncryptionConfiguration", self._client.get_bucket_encryption):
            raise self._unfit(
                "does not encrypt what is put there",
                "put-bucket-encryption --server-side-encryption-configuration "
                """'{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"}}]}'""",
            )
        if self._said.retain_days:
            found = self._setting("s3:GetBucketObjectLockConfiguration", self._client.get_object_lock_configuration)
            if found.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") != "Enabled":
                raise self._unfit(
                    f"has no Object Lock, and `archive.retain_days` is {self._said.retain_days}",
                    "put-object-lock-configuration --object-lock-configuration ObjectLockEnabled=Enabled",
                )
        self._fit = True

    def _setting(self, action: str, ask: Any) -> dict[str, Any]:
        """A setting of the bucket; empty if the bucket has none."""
        from botocore.exceptions import ClientError

        with self._asking(action):
            try:
                return dict(ask(Bucket=self.bucket))
            except ClientError as error:
                if "NotFound" in code_of(error) or code_of(error).startswith("NoSuchPublicAccessBlock"):
                    return {}
                raise

    def _unfit(self, what: str, command: str) -> Unanswered:
        verb, _, rest = command.partition(" ")
        return Unanswered(
            f"the bucket {self.bucket} {what}; nothing was written there. Mend it: "
            f"aws s3api {verb} --bucket {self.bucket} {rest}"
        )

    def put(self, path: str, content: bytes, over: str = "") -> str:
        """Writes an object if none exists, or over the one with the ETag `over`; returns its own ETag.

        Raises:
            Lost: another object exists there.
            ArchiveError: S3 refuses the object.
        """
        from botocore.exceptions import ClientError

        how: dict[str, Any] = {"IfMatch": over} if over else {"IfNoneMatch": "*"}
        if self._said.retain_days and path.startswith(RETAINED):
            until = dt.datetime.now(dt.UTC) + dt.timedelta(days=self._said.retain_days)
            how |= {"ObjectLockMode": self._said.retain_mode, "ObjectLockRetainUntilDate": until}
        with self._asking("s3:PutObject"):
            try:
                answer = self._client.put_object(Bucket=self.bucket, Key=self._prefix + path, Body=content, **how)
                return str(answer["ETag"])
            except ClientError as error:
                gone = bool(over) and code_of(error) in ("NoSuchKey", "404")
                if not gone and code_of(error) not in _LOST:
                    raise
        there = self.get(path)  # if an answer got lost on its way, the same put was made twice
        if there is not None and there[0] == content:
            return there[1]
        raise Lost(f"{self.uri}/{path} was written by another one")

    def get(self, path: str, known: str = "") -> tuple[bytes, str] | None:
        """Content and ETag of an object; None: it does not exist. For the ETag `known` the content is left empty."""
        from botocore.exceptions import ClientError

        how = {"IfNoneMatch": known} if known else {}
        with self._asking("s3:GetObject"):
            try:
                answer = self._client.get_object(Bucket=self.bucket, Key=self._prefix + path, **how)
                return answer["Body"].read(), str(answer["ETag"])
            except ClientError as error:
                if code_of(error) in ("304", "NotModified"):
                    return b"", known
                if code_of(error) not in ("NoSuchKey",):
                    raise
                return None

    def age(self, path: str) -> float:
        """Seconds since an object was written, by the clock of S3; 0 if it does not exist any more."""
        from botocore.exceptions import ClientError

        with self._asking("s3:GetObject"):
            try:
                answer = self._client.head_object(Bucket=self.bucket, Key=self._prefix + path)
            except ClientError as error:
                if code_of(error) not in ("404", "NoSuchKey"):
                    raise
                return 0.0
            return float((dated(answer) - answer["LastModified"]).total_seconds())

    def below(self, path: str) -> dict[str, str]:
        """Path to ETag of each object whose path begins with `path`, without the empty objects that stand for a folder
        in the S3 console (their keys end in a slash).
        """
        with self._asking("s3:ListBucket"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self._prefix + path
            )
            return {
                one["Key"].removeprefix(self._prefix): str(one["ETag"])
                for page in pages
                for one in page.get("Contents", ())
                if not one["Key"].endswith("/")
            }

    def delete(self, paths: list[str], over: str = "") -> None:
        """Deletes objects; if `over` is given, only the one with that ETag. Their versions stay."""
        with self._asking("s3:DeleteObject"):
            if len(paths) == 1:
                how = {"IfMatch": over} if over else {}
                self._client.delete_object(Bucket=self.bucket, Key=self._prefix + paths[0], **how)
            elif paths:
                keys = [{"Key": self._prefix + path} for path in paths]
                answer = self._client.delete_objects(Bucket=self.bucket, Delete={"Objects": keys, "Quiet": True})
                for one in answer.get("Errors", ())[:1]:
                    raise ArchiveError(f"{self.uri}/{one['Key']} cannot be deleted: {one.get('Code')}")


RETAINED = ("env=", "log/leaves.", "log/checkpoint")
"""Path beginnings of records and of the log files that are evidence by themselves: each version is retained."""
