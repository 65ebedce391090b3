"""Tiles: one for each gate, failing first, and each can be read alone."""

from __future__ import annotations

import datetime as dt

import pytest

from runbook_lib.judge import words
from runbook_lib.judge.model import Evidence, Gate, GateResult
from runbook_lib.judge.terms import Verdict
from runbook_lib.params.load import load_file, params_dir
from runbook_lib.show import multiples
from runbook_lib.show.multiples import Tile

POLICY = load_file(params_dir() / "prod.yaml").policy
START = dt.datetime(2026, 11, 9, 4, 1, tzinfo=dt.UTC)


def at(hours: float) -> dt.datetime:
    return START + dt.timedelta(hours=hours)


def tile(gate: Gate, verdict: Verdict, value: float, since: str | None = None) -> Tile:
    seen = Evidence(measure=gate.measure, kind=gate.kind, start=at(0).isoformat(), end=at(6).isoformat(), query="q")
    result = GateResult(
        gate=gate, verdict=verdict, value=value, low=None, high=None, n=9, reason="r", since=since, evidence=seen
    )
    return Tile(result, words.said(result.verdict), {"so far": [(at(k), value) for k in range(7)]}, [(at(6), value)])


TILES = [
    tile(POLICY.gate("queue_depth"), Verdict.PASS, 2),
    tile(POLICY.gate("generation_time"), Verdict.FAIL, 194, since=at(4).isoformat()),
    tile(POLICY.gate("dlq"), Verdict.INCONCLUSIVE, 0),
]


@pytest.mark.slow
def test_failing_comes_first_and_each_tile_says_all_of_itself() -> None:
    shown = multiples.multiples(TILES, [(at(0), "shift to 10 %")])
    first, *_ = str(shown).splitlines()
    assert first.startswith("P95 VPR generation time (s) FAIL: 194 s; target < 90 s, alert > 120 s")
    assert "shift to 10 % at 2026-11-09 04:01 UTC" in first and "change at 2026-11-09 08:01 UTC" in first
    assert shown._repr_html_().count("<img ") == len(TILES)


@pytest.mark.slow
def test_the_change_of_the_tiles_own_gate_takes_the_place_of_anothers() -> None:
    marks = [(at(0), "shift to 10 %"), (at(3), multiples.CHANGE)]
    first, *others = str(multiples.multiples(TILES, marks)).splitlines()
    assert first.count("change at") == 1 and "change at 2026-11-09 08:01 UTC" in first
    assert all("change at 2026-11-09 07:01 UTC" in one for one in others)


def test_all_tiles_have_one_time_axis_and_their_last_point_is_not_cut() -> None:
    figure = multiples.multiples_figure(TILES, [])
    assert len({axes.get_xlim() for axes in figure.axes}) == 1
    for axes in figure.axes:
        (mark,) = [line for line in axes.lines if line.get_label() == multiples.LOOKS]
        assert not mark.get_clip_on()
        assert "from 2026-11-09" in axes.get_xlabel()


def test_where_no_gate_is_judged_nothing_is_drawn() -> None:
    assert str(multiples.multiples([])) == ""
