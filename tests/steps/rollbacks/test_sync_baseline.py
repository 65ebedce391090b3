"""What scenario 1 returns to, from records and a window: since when the route was asynchronous, and the kept stack."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest

from runbook_lib.record.record import Change, Record
from runbook_lib.steps.rollbacks.sync_baseline import DAY, async_since, same_template

DECIDED = dt.datetime(2026, 11, 23, 3, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def deployed(step: str, at: dt.datetime, *, way_back: bool = False, ok: bool = True) -> Record:
    intent = {"what": "any words", "by_hand": "", "step": step, "way_back": way_back}
    change = Change(intent=intent, outcome={"ok": ok, "aws_at": at.isoformat()})
    facts: dict[str, Any] = {"notebook": "08_phase3_100_percent", "status": "completed", "changes": (change,)}
    return Record.model_validate(facts)


@pytest.mark.parametrize(
    ("moved_on", "earlier", "moves", "since"),
    [
        (False, (), (), None),
        (False, (), (deployed("migrate", DECIDED - HOUR),), None),
        (True, (), (deployed("migrate", DECIDED - 5 * HOUR),), DECIDED - 5 * HOUR),
        (True, (), (deployed("migrate", DECIDED - 9 * HOUR), deployed("migrate", DECIDED - HOUR)), DECIDED - HOUR),
        # Nothing says when: the whole day counts as asynchronous.
        (True, (), (), DECIDED - DAY),
        (True, (), (deployed("migrate", DECIDED - HOUR, ok=False),), DECIDED - DAY),
        (True, (), (deployed("remove_temporary", DECIDED - HOUR),), DECIDED - DAY),
        (True, (), (deployed("migrate", DECIDED - 2 * DAY),), DECIDED - DAY),
        # An earlier run of the rollback brought the route back since the decision; one before it does not count.
        (False, (deployed("async", DECIDED + HOUR, way_back=True),), (), DECIDED - DAY),
        (False, (deployed("async", DECIDED - HOUR, way_back=True),), (), None),
    ],
)
def test_since_when_the_route_was_asynchronous_is_what_the_records_say(
    moved_on: bool, earlier: Sequence[Record], moves: Sequence[Record], since: dt.datetime | None
) -> None:
    asked: list[Sequence[Record]] = []

    def migrations() -> Sequence[Record]:
        asked.append(moves)
        return moves

    assert async_since(DECIDED, moved_on, earlier, migrations) == since
    assert bool(asked) == (since is not None), "records are opened only where it matters"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"a": [1, 2]}, '{"a": [1, 2]}', True),
        ('{"a":1}', '{ "a": 1 }', True),
        ({"a": 1}, {"a": 2}, False),
        ("Resources: {}", "Resources: {}", True),
        ("Resources: {}", '{"Resources": {}}', False),
    ],
)
def test_templates_are_the_same_by_what_they_say(one: Any, other: Any, same: bool) -> None:
    assert same_template(one, other) is same
