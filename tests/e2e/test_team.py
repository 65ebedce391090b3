"""Two operators on two machines take one rollout on: their records are one log in a bucket, which KMS signs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook_lib.base.kept_at import archive_root
from runbook_lib.base.project import read_yaml
from runbook_lib.commands.archive import verify
from runbook_lib.record import verify_standalone
from runbook_lib.record.archive import Archive
from runbook_lib.record.audit import audit
from runbook_lib.record.log.signers import public_key
from runbook_lib.rehearse.emulator.embedded import REGION
from runbook_lib.rehearse.play.stage import only
from tests.archives import fit_bucket

from .conftest import ROOT

pytestmark = [pytest.mark.emulator, pytest.mark.slow]

PHASE1, ROLLBACK_1 = "06_phase1_10_percent", "rollback_1_async_failing"


def test_one_shifts_the_other_takes_it_back_and_both_see_the_same(
    rollout: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollout.quiet()
    bucket = "records-of-a-team"
    fit_bucket(rollout.aws.client("s3"), bucket)
    key = rollout.aws.client("kms").create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    said = {"folder": f"s3://{bucket}/team", "signing_key": f"awskms:{key}", "witness": [f"ssm:/{bucket}/checkpoint"]}
    shutil.copytree(ROOT / "params", tmp_path / "params")
    service = tmp_path / "params" / "service.yaml"
    service.write_text(yaml.safe_dump({**read_yaml(service), "archive": {**said, "region": REGION, "retain_days": 1}}))
    monkeypatch.setenv("RUNBOOK_PARAMS", str(service.parent))

    def at(machine: str) -> Archive:
        """From now on the commands are given on that machine: it has a copy of its own of what is in the bucket."""
        rollout.folder = archive_root(f"s3://{bucket}/team", tmp_path / machine)
        rollout.values["archive"] = str(rollout.folder)
        return Archive(rollout.folder)

    with only(rollout.aws.env):
        at("ada")
        rollout.passed(PHASE1)
        shifted = rollout.by_hand(**rollout.apply, operator="Ada")
        assert (shifted.notebook, shifted.decision) == (PHASE1, "SOAK") and rollout.state().dial_percent == 10
        at("bob").refresh(rollout.release)
        planned = rollout.by_hand(operator="Bob")
        assert (planned.previous, planned.moment) == (shifted.hash, "during"), "Bob's run is behind Ada's"
        back = rollout.by_hand(
            ROOT / "notebooks" / f"{ROLLBACK_1}.ipynb", **rollout.apply, operator="Bob", reason="bad"
        )
        assert not rollout.state().switch_on and back.changes[0].intent["what"] == "switch off"
        for machine in ("ada", "bob", "auditor"):
            archive = at(machine)
            archive.home.refresh(anew=True)
            done = audit(archive)
            assert (done.state, done.records) == ("intact", done.size), done.damage
            told = [(one.notebook, one.operator) for one in rollout.records()]
            assert told == [(PHASE1, "Ada"), (PHASE1, "Bob"), (ROLLBACK_1, "Bob")]
            # What the auditor's copy proves needs neither this software nor AWS: a key and the witness's note suffice.
            told = verify(archive.root)
            assert (told.state, told.signed, [*told.witnessed.values()]) == ("intact", True, [done.size]), told
        note = rollout.aws.client("ssm").get_parameter(Name=f"/{bucket}/checkpoint")["Parameter"]["Value"]
        (tmp_path / "note").write_text(note)
        (tmp_path / "key.pem").write_bytes(public_key(said["signing_key"], REGION).pem())
        alone = [str(archive.root), "--key", str(tmp_path / "key.pem"), "--witness", str(tmp_path / "note")]
        assert verify_standalone.main(alone) == 0
        rollout.on_again()
