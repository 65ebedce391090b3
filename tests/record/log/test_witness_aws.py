"""Witnesses in AWS, on the embedded one: told at each seal, and asked when the archive is verified."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest
import yaml

from runbook_lib.base.errors import ArchiveError
from runbook_lib.commands.archive import verify
from runbook_lib.commands.attestation import attest
from runbook_lib.record.archive import Archive
from runbook_lib.record.log.dsse import opened
from runbook_lib.record.log.files import read_log
from runbook_lib.record.log.signers import signer
from runbook_lib.record.log.witness import kept, witness
from runbook_lib.record.place import RecordRef
from runbook_lib.record.verdict import said
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws

Seal = Callable[..., RecordRef]


def test_the_embedded_aws_signs_verifies_and_bears_witness(
    archive: Archive, sealed: Seal, embedded: EmbeddedAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in embedded.environ().items():
        monkeypatch.setenv(name, value)
    kms = boto3.client("kms", region_name="us-east-1")
    key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    sns = boto3.client("sns", region_name="us-east-1")
    topic = sns.create_topic(Name="checkpoints")["TopicArn"]
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="another-account")
    params = tmp_path / "project"
    params.mkdir()
    says = {
        "signing_key": f"awskms:{key}",
        "witness": ["ssm:/runbook/checkpoint", "s3://another-account/ours/checkpoint", f"sns:{topic}"],
        "region": "us-east-1",
    }
    (params / "service.yaml").write_text(yaml.safe_dump({"archive": says}))
    monkeypatch.setenv("RUNBOOK_PARAMS", str(params))
    for _ in range(2):
        sealed()
    done = verify(archive.root)
    seen_by = {"ssm:/runbook/checkpoint": 2, "s3://another-account/ours/checkpoint": 2}
    assert (done.state, done.signed, done.witnessed) == ("intact", True, seen_by)
    log = read_log(archive.root)
    assert log is not None and log.checkpoint is not None
    ((_, blob),) = log.checkpoint.signatures
    answer = kms.verify(
        KeyId=key,
        Message=log.checkpoint.body,
        MessageType="RAW",
        Signature=blob[4:],
        SigningAlgorithm="ECDSA_SHA_256",
    )
    assert answer["SignatureValid"] is True
    seen = boto3.client("ssm", region_name="us-east-1").get_parameter(Name="/runbook/checkpoint")
    assert seen["Parameter"]["Value"].encode() == log.checkpoint.note()
    signs = signer(f"awskms:{key}", "us-east-1")
    for size in (10, 4096, 4097, 100_000):  # beyond 4096 bytes KMS takes the digest only
        assert signs.public.right(b"x" * size, signs.sign(b"x" * size))
    text = json.dumps(attest(archive.root, archive.records()[-1].run_id)).encode()
    assert said(opened(text, signs.public)).decision == "PROMOTE"
    shutil.rmtree(archive.root / "log")
    assert verify(archive.root).exit_code == 1
    assert kept(witness("ssm:/runbook/none", "us-east-1")) is None
    assert kept(witness("s3://another-account/none", "us-east-1")) is None
    for one in ("ssm:/runbook/checkpoint", "s3://another-account/ours/checkpoint"):
        there = witness(one, "us-east-1")
        there.begin(b"that one")
        assert there.knows(b"that one") and not there.knows(b"another") and there.announced
    for name in ("s3://bucket", "s3:///key", "s3://bucket/key/"):
        with pytest.raises(ArchiveError, match="expects s3://BUCKET/KEY"):
            witness(name)
