"""What a phase takes from earlier looks."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

from runbook_lib.errors import ArchiveError
from runbook_lib.observe.census import Segment
from runbook_lib.phase import Phase

T0 = dt.datetime(2026, 11, 2, 3, tzinfo=dt.UTC)


def segment(completed: int) -> dict[str, Any]:
    end = T0 + dt.timedelta(hours=1)
    return Segment(start=T0, end=end, end_settled=end, completed=completed).model_dump(mode="json")


class Archive:
    """Three records: one in order, one altered, one of another attempt."""

    def records(self, **_: Any) -> list[str]:
        return ["in order", "altered", "other attempt"]

    def verify(self, ref: str) -> None:
        if ref == "altered":
            raise ArchiveError("20261102-abc: its hash is not that of its content")

    def load(self, ref: str) -> Any:
        return SimpleNamespace(attempt=2 if ref == "other attempt" else 1, census=(segment(len(ref)),))


def test_an_altered_record_or_another_attempt_counts_nothing_and_is_named() -> None:
    said: list[str] = []
    phase = Phase.__new__(Phase)
    phase.run = SimpleNamespace(  # type: ignore[assignment]
        archive=Archive(), notebook="06", journal=SimpleNamespace(append=lambda _, text: said.append(text))
    )
    phase.params = SimpleNamespace(flat=SimpleNamespace(env="prod", release="r", attempt=1))  # type: ignore[assignment]
    assert [each.completed for each in phase._counted_before()] == [len("in order")]
    assert said == ["an earlier look is not used: 20261102-abc: its hash is not that of its content"]
