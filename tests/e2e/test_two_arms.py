"""Gates that compare the arms, through the notebooks: both arms are in the record, and replay from it alone."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook_lib.params.load import load_file, read_yaml
from runbook_lib.record.place import CASE
from runbook_lib.record.record import Record
from runbook_lib.rollout.replay import replay
from tests import comparing

from . import conftest
from .conftest import NOTEBOOK, PHASE2, ROOT, Rollout

pytestmark = [pytest.mark.emulator, pytest.mark.slow]
SETTLED = dt.timedelta(minutes=7)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose gates.yaml has three gates more."""
    folder = tmp_path_factory.mktemp("arms")
    for name in ("params", "notebooks"):
        shutil.copytree(ROOT / name, folder / name)
    found = read_yaml(folder / "params" / "gates.yaml")
    more = comparing.gates({one["id"]: one for one in found["gates"]})
    text = yaml.safe_dump({**found, "gates": [*found["gates"], *more]}, sort_keys=False, allow_unicode=True)
    (folder / "params" / "gates.yaml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def looked(stage: Any, folder: Path) -> tuple[Rollout, Record, Record]:
    """Phase 1 to its end, and three hours of phase 2; the baseline answers with 504, as it does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conftest, "ROOT", folder)
        rollout = Rollout(stage, "arms", folder / "archive").begin()
        rollout.params = load_file(rollout.file, rollout.values)
        rollout.quiet()
        world = rollout.world()
        world.advance_by(hours=1, minutes=5)
        assert rollout.by_hand(folder / "notebooks" / NOTEBOOK.name, **rollout.apply).decision == "SOAK"
        since = dt.datetime.fromisoformat(rollout.state().since)
        world.advance(since + dt.timedelta(hours=12))
        assert rollout.by_hand(folder / "notebooks" / NOTEBOOK.name).decision == "SOAK"
        world.advance(since + dt.timedelta(hours=24) + SETTLED)
        first = rollout.by_hand(folder / "notebooks" / NOTEBOOK.name, **rollout.apply)
        assert first.decision == "PROMOTE", first.told.line
        rollout.approve(PHASE2.stem, "engineering lead")
        assert rollout.by_hand(folder / "notebooks" / PHASE2.name, **rollout.apply).decision == "SOAK"
        world.advance_by(hours=3, minutes=10)
        return rollout, first, rollout.by_hand(folder / "notebooks" / PHASE2.name)


def gate(record: Record, id: str) -> dict[str, Any]:
    return next(one for one in record.gates if one["gate"]["id"] == id)


def test_beside_a_broken_baseline_it_is_no_gate_and_says_so(looked: tuple[Rollout, Record, Record]) -> None:
    for record in looked[1:]:
        found = gate(record, comparing.BASELINE)
        assert found["gate"]["muted"] == "the baseline is itself broken"
        assert "is no gate here: the baseline is itself broken, " in found["reason"]
        assert found["compared"]["value"] > 0.95 and found["compared"]["other_value"] < 0.2
    assert "success beside the baseline INCONCLUSIVE (muted: the baseline is itself broken)" in looked[1].told.line


def test_the_second_phase_is_held_against_the_record_of_the_first(looked: tuple[Rollout, Record, Record]) -> None:
    _, first, second = looked
    own = first.evidence["success"]
    (arms,) = (one for one in second.evidence["success"]["arms"] if one["gate"] == comparing.BEFORE)
    assert 0 < sum(one["other_n"] for one in arms["hours"]) <= own["n"]
    found = gate(second, comparing.BEFORE)
    assert found["gate"]["muted"] is None and found["compared"]["other"] == "the phase before"
    assert found["compared"]["other_n"] == sum(one["other_n"] for one in arms["hours"])
    assert gate(first, comparing.BEFORE)["gate"]["muted"] == "nothing to compare with"
    assert gate(second, comparing.LATENCY)["compared"]["other_n"] > 0


def test_it_replays_to_the_letter_without_the_record_of_the_phase_before(
    looked: tuple[Rollout, Record, Record],
) -> None:
    rollout, _, second = looked
    found = {ref.run_id: replay(rollout.archive, ref) for ref in rollout.refs()}
    assert all(one.identical for one in found.values()), [one.differences for one in found.values()]
    kept = json.loads((rollout.archive.find(second.run_id).folder / CASE).read_text())["seen"]["live"]["before"]
    assert kept["phase"] == NOTEBOOK.stem and set(kept["gates"]) == {comparing.BEFORE, comparing.LATENCY}
