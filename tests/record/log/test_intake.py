"""Who seals has to see what the record follows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook_lib.base.errors import Unread
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.audit import audit
from runbook_lib.record.place import new_run_id
from tests.other_user import another_person

CHAIN = "env=prod/release=r1/06_phase1"
NEWEST = "the newest record"


def _seal(archive: Archive) -> Path:
    staging = archive.stage("prod", "r1", "06_phase1", new_run_id(), "papermill")
    return seal_staged(archive, staging, status="failed", error="x").folder


@pytest.fixture
def shared() -> Iterator[Archive]:
    """An archive in which everybody may read and write; not below a folder that is this user's alone."""
    with tempfile.TemporaryDirectory(dir="/tmp") as where:
        Path(where).chmod(0o777)
        archive = Archive(Path(where, "archive"))
        _seal(archive)
        _seal(archive)
        for place in (archive.root, *archive.root.rglob("*")):
            place.chmod(0o777 if place.is_dir() else 0o666)
        yield archive


@pytest.mark.slow
@pytest.mark.parametrize(
    "shut", ["log/checkpoint", "log/tree.json", "log/leaves.jsonl", f"{CHAIN}/HEAD", f"{CHAIN}/{NEWEST}/record.json"]
)
def test_what_may_not_be_read_is_no_damage_that_is_written_past(shared: Archive, shut: str) -> None:
    """A colleague's file with mode 600: the next seal damaged the archive, said nothing, and ended with 0."""
    newest = shared.records()[-1].folder.name
    place = shared.root / shut.replace(NEWEST, newest)
    place.chmod(0)
    with another_person(), pytest.raises(Unread, match=place.name) as raised:
        _seal(shared)
    assert "this user may not read it" in str(raised.value)
    assert len(shared.records()) == 2 and len(list(shared.staging.glob("[!.]*"))) == 1
    found = audit(shared)
    assert not found.damage
    place.chmod(0o666)
    with another_person():
        _seal(shared)
    assert len(shared.records()) == 3 and not audit(shared).damage
