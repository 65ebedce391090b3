"""Dial and switch in this process: only AppConfig bakes a shift, and only it takes one back."""

from __future__ import annotations

import datetime as dt

import pytest

from runbook_lib.rehearse.quick.local_flags import LocalFlags
from runbook_lib.rehearse.quick.local_world import Local
from runbook_lib.rehearse.world.scenario import find
from tests.elsewhere import HOMES, params_of

NOW = dt.datetime(2026, 11, 10, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize("bakes", [True, False])
def test_a_shift_bakes_or_is_in_force_at_once_and_for_good(bakes: bool) -> None:
    flags = LocalFlags(bakes=bakes)
    flags.shift(10, NOW, "06")
    assert (flags.weight, flags.baking, len(flags.deployments)) == (10, bakes, 2 if bakes else 1)
    flags.tick(NOW + dt.timedelta(hours=25))
    assert (flags.weight, flags.baking) == (10, False)


@pytest.mark.parametrize("kind", sorted({*HOMES} - {"lambda-alias"}))
def test_a_quick_play_of_another_home_has_no_rollback_of_aws(kind: str) -> None:
    """A quick play of a project by parameter said that AppConfig had taken the weight back."""
    assert not Local(params_of(kind), find("healthy"), 7).flags.bakes
