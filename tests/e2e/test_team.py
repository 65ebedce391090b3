"""Two operators on two machines take one rollout on: their records are one log in a bucket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.kept_at import archive_root
from runbook_lib.record.archive import Archive
from runbook_lib.record.audit import audit
from runbook_lib.rehearse.play.stage import only
from tests.archives import fit_bucket

from .conftest import ROOT

pytestmark = [pytest.mark.emulator, pytest.mark.slow]

PHASE1, ROLLBACK_1 = "06_phase1_10_percent", "rollback_1_async_failing"


def test_one_shifts_the_other_takes_it_back_and_both_see_the_same(rollout: Any, tmp_path: Path) -> None:
    rollout.quiet()
    bucket = "records-of-a-team"
    fit_bucket(rollout.aws.client("s3"), bucket)

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
        rollout.on_again()
