"""The section `archive` of `service.yaml`. Every seal and every look into the archive loads it, so it is apart from the
service's own models, which take longer to load than a thousand records.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runbook_lib.judge.terms import Frozen


class Keeping(Frozen):
    """How the archive is kept (docs/audit.md): the signer of its log's checkpoints, and their other keepers."""

    folder: str = "archive"
    """The archive that this is about, as in the parameters: relative to the project's folder, or `s3://bucket/prefix`.
    A rehearsal's archive is another one: neither signed nor witnessed."""
    signing_key: str = ""
    """File of an ed25519 private key (PEM), outside the archive, or `awskms:` with the id, alias or ARN of a KMS key
    (ECC_NIST_P256, SIGN_VERIFY). Empty: checkpoints are not signed."""
    witness: tuple[str, ...] = ()
    """Places that get each checkpoint too: a file or folder elsewhere, `s3://bucket/key`, `ssm:` with the name of a
    parameter, `git:` with a repository and `#PREFIX` of its tags; told only: `sns:` with the ARN of a topic,
    `webhook:https://...` or `webhook:env:VARIABLE`."""
    region: str = ""
    """AWS region of keys and witnesses whose name has none; empty: that of the AWS configuration."""
    retain_days: int = Field(default=0, ge=0, le=36500)
    """Days for which a bucket's Object Lock protects each record, and each state of the log, from removal;
    0: no protection."""
    retain_mode: Literal["GOVERNANCE", "COMPLIANCE"] = "GOVERNANCE"
    """GOVERNANCE: holders of s3:BypassGovernanceRetention may still remove them. COMPLIANCE: nobody may."""
