"""The bucket is looked at before the first write, and whatever is wrong is one sentence with what to do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from runbook_lib.base.errors import ArchiveError
from runbook_lib.params.keeping import Keeping
from runbook_lib.record.home.home import Lost
from runbook_lib.record.home.s3 import Store


def store(bucket: str, **said: Any) -> Store:
    return Store(f"s3://{bucket}/team", Keeping(**said))


class _Refusing:
    """A client whose every call is refused so."""

    def __init__(self, code: str, **more: Any) -> None:
        self.answer = {"Error": {"Code": code, "Message": "no", **more}, "ResponseMetadata": {"HTTPHeaders": {}}}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def refused(**_: Any) -> Any:
            raise ClientError(self.answer, name)  # type: ignore[arg-type]

        return refused


@pytest.mark.parametrize(
    ("code", "more", "says"),
    [
        ("NoSuchBucket", {}, "there is no bucket records: make it"),
        (
            "AccessDenied",
            {},
            r"AWS denies s3:GetBucketVersioning on s3://records/team: the role lacks it",
        ),
        ("ExpiredToken", {}, "the credentials are expired or not valid"),
        (
            "PermanentRedirect",
            {"Region": "eu-west-1"},
            "is in eu-west-1, and was asked in us-east-1: write `region: eu",
        ),
    ],
)
def test_a_refusal_is_one_sentence(code: str, more: dict[str, str], says: str) -> None:
    one = store("records", region="us-east-1")
    one.__dict__["_client"] = _Refusing(code, **more)
    for call in (
        one.check,
        lambda: one.put("a", b""),
        lambda: one.get("a"),
        lambda: one.below(""),
        lambda: one.delete(["a"]),
    ):
        with pytest.raises(ArchiveError) as caught:
            call()
        assert "\n" not in str(caught.value)
    with pytest.raises(ArchiveError, match=says):
        one.check()


def test_an_endpoint_that_is_dead_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ENDPOINT_URL": "http://127.0.0.1:1", "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with pytest.raises(ArchiveError, match=r"s3://records/team cannot be asked .*http://127.0.0.1:1.* does not answer"):
        store("records").check()


UNFIT: dict[str, tuple[Callable[[Any, str], object], str]] = {
    "versions": (
        lambda s3, name: s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"}),
        "keeps no versions of its objects.*put-bucket-versioning",
    ),
    "public": (lambda s3, name: s3.delete_public_access_block(Bucket=name), "may be made public.*public-access-block"),
    "plain": (lambda *_: None, "does not encrypt.*put-bucket-encryption"),
}


@pytest.mark.parametrize("what", UNFIT)
def test_a_bucket_that_is_unfit_is_not_written_to(s3: Any, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"unfit-{what}"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    blocks = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(blocks, True))
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
    store(name).check()
    with pytest.raises(ArchiveError, match=r"has no Object Lock, and `archive\.retain_days` is 30"):
        store(name, retain_days=30).check()
    unfit, says = UNFIT[what]
    unfit(s3, name)
    one = store(name)
    if what == "plain":  # AWS itself, and the embedded one, encrypt by default since 2023
        refusing = _Refusing("ServerSideEncryptionConfigurationNotFoundError")
        monkeypatch.setattr(one._client, "get_bucket_encryption", refusing.get_bucket_encryption)
    with pytest.raises(ArchiveError, match=says):
        one.check()


def test_a_bucket_of_another_region_is_named(s3: Any) -> None:
    s3.create_bucket(Bucket="far-away", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    with pytest.raises(ArchiveError, match="is in eu-west-1, and was asked in us-east-1: write `region: eu-west-1`"):
        store("far-away").check()
    with pytest.raises(ArchiveError, match="there is no bucket not-there-at-all"):
        store("not-there-at-all").check()


def test_a_put_takes_no_place_of_another_and_is_not_made_twice(bucket: str, s3: Any) -> None:
    one = store(bucket, retain_days=30)
    one.check()
    first = one.put("env=dev/record.json", b"a")
    assert one.put("env=dev/record.json", b"a") == first, "its answer was lost on the way, and it was sent again"
    with pytest.raises(Lost):
        one.put("env=dev/record.json", b"b")
    second = one.put("log/leaves.jsonl", b"1")
    assert one.put("log/leaves.jsonl", b"12", over=second) != second
    with pytest.raises(Lost):
        one.put("log/leaves.jsonl", b"13", over=second)
    with pytest.raises(Lost):
        one.put("log/tree.json", b"1", over=second)
    assert one.get("env=dev/record.json") == (b"a", first) and one.get("env=dev/record.json", first) == (b"", first)
    assert one.get("none") is None and [*one.below("env=")] == ["env=dev/record.json"]
    kept = s3.head_object(Bucket=bucket, Key="team/env=dev/record.json")
    left = kept["ObjectLockRetainUntilDate"] - dt.datetime.now(dt.UTC)
    assert kept["ObjectLockMode"] == "GOVERNANCE" and dt.timedelta(days=29) < left < dt.timedelta(days=31)
    assert one.age("env=dev/record.json") >= 0 == one.age("none")
    one.put("log/sealing.json", b"{}")
    one.delete(["log/sealing.json"])
    assert one.put("log/sealing.json", b"{}"), "what was deleted leaves the place free"


def test_what_stands_for_a_folder_in_a_console_is_no_object_of_the_archive() -> None:
    """S3's console makes an empty `env=prod/`: a copy cannot hold such a file, and would be compared no further."""
    keys = ["team/", "team/env=prod/", "team/env=prod/record.json", "team/log/"]
    page = {"Contents": [{"Key": key, "ETag": "e"} for key in keys]}
    one = store("records")
    one.__dict__["_client"] = SimpleNamespace(get_paginator=lambda _: SimpleNamespace(paginate=lambda **_: [page]))
    assert one.below("") == {"env=prod/record.json": "e"}


KEY = "arn:aws:kms:us-east-1:000000000101:key/0a"


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (
            f"User: arn:aws:iam::000000000101:user/ana is not authorized to perform: kms:Decrypt on resource: {KEY} as "
            "no identity-based policy allows the kms:Decrypt action",
            f"AWS denies kms:Decrypt on {KEY}, the key that s3://records/team is encrypted with: the role",
        ),
        (
            'not authorized to perform: s3:ListBucket on resource: "arn:aws:s3:::records"',
            "AWS denies s3:ListBucket on s3",
        ),
        ("Access Denied", "AWS denies s3:PutObject on s3://records/team: the role lacks it"),
    ],
)
def test_what_is_denied_is_what_aws_says_and_not_the_call(message: str, says: str) -> None:
    """A bucket encrypted by a key that the role may not use: people were told to allow what was allowed."""
    one = store("records")
    one.__dict__["_client"] = _Refusing("AccessDenied", Message=message)
    with pytest.raises(ArchiveError) as caught:
        one.put("a", b"")
    assert str(caught.value).startswith(says)


def test_what_is_retained_has_a_checksum_whatever_the_environment_says(
    s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 refuses an object with a lock and no checksum; the embedded one does not."""
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    one, sums = store(bucket, retain_days=1), []
    client = one.opened()
    client.meta.events.register("before-send.s3.PutObject", lambda request, **_: sums.append(request.headers))
    one.__dict__["_client"] = client
    one.put("env=dev/x", b"1")
    assert [name for name in sums[0] if name.lower().startswith("x-amz-checksum-")]
