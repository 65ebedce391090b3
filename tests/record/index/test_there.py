"""What of an archive an index cannot include, and how a command ends by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_lib.base.errors import ArchiveError, Exit, Unread, Unsure
from runbook_lib.record.index.there import LeftOut, records_there, state_of


@pytest.mark.parametrize("first", [0, 1])
def test_damage_ends_with_1_and_what_may_not_be_read_with_3(first: int) -> None:
    """A record that may not be read was told as one that cannot be trusted."""
    errors = [ArchiveError("record a was altered"), Unread("record b: this user may not read it")]
    left = LeftOut()
    left.none("not counted")
    for error in [*errors[first:], *errors[:first], *errors]:
        left.add(error)
    assert (left.damage, left.unknown) == (["record a was altered"], ["record b: this user may not read it"])
    with pytest.raises(ArchiveError, match=r"^1 record cannot be trusted, not counted: .* altered; record b") as told:
        left.none("not counted")
    assert told.value.exit_code == Exit.ERROR
    with pytest.raises(Unsure, match=r"^what this user may not read is not counted: record b") as unsure:
        LeftOut(unknown=left.unknown).none("not counted")
    assert unsure.value.exit_code == Exit.HOLD


def test_records_are_found_oldest_first_and_a_link_has_no_state(tmp_path: Path) -> None:
    chain, left = tmp_path / "env=dev" / "release=r1" / "02_deploy_dev", LeftOut()
    names = ["20261124T030005.000Z-446b900c8c12", "20261123T030005.000Z-446b900c8c13"]
    for name in names:
        (chain / name).mkdir(parents=True)
    (chain / names[0] / "record.json").write_text("{}")
    (chain / "20261125T030005.000Z-446b900c8c14").symlink_to(chain / names[0])
    found = records_there(tmp_path, left)
    assert [path.rpartition("/")[2] for path in found] == [*names[::-1], "20261125T030005.000Z-446b900c8c14"]
    assert [bool(state) for state in found.values()] == [False, True, False] and left == LeftOut()
    assert found[f"env=dev/release=r1/02_deploy_dev/{names[0]}"] == state_of(str(chain / names[0]))
