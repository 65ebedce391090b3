"""What a user left unsigned is known to that user alone."""

from __future__ import annotations

import pytest

from runbook_lib.base.own_files import cache_of
from runbook_lib.record.archive import Archive
from runbook_lib.record.log import unsigned
from runbook_lib.record.log.note import Checkpoint


@pytest.mark.parametrize("content", [b"", b"{}", b"00\n{}", b"\xff\n[]"])
def test_a_note_of_what_was_left_unsigned_is_the_users_own(archive: Archive, content: bytes) -> None:
    made = Checkpoint("rollout-runbook/x", 3, b"\x01" * 32)
    unsigned.keep(archive.root, None, made)
    first = unsigned.since(archive.root, made)
    assert first is not None and first.size == 0
    file = cache_of(archive.root) / unsigned.FILE
    whole = file.read_bytes()
    for text in (content, whole.replace(b"\\n3\\n", b"\\n4\\n")):
        file.write_bytes(text)
        assert unsigned.since(archive.root, made) is None
