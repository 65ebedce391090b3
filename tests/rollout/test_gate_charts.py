"""Every gate of every phase has its timeline, of what it judges, in its unit and with its limits."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.window import Window, iso, parse
from runbook_lib.judge.case import Case
from runbook_lib.judge.gates import sequence
from runbook_lib.judge.model import Arms, Evidence, Gate, GateResult, Outcome
from runbook_lib.judge.terms import RULES
from runbook_lib.observe.evidence import course, measure
from runbook_lib.observe.evidence.seen import Answered
from runbook_lib.observe.metrics.fetch import Answers, Series
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.params.load import load_file
from runbook_lib.record.record import Record
from runbook_lib.rehearse.quick import player
from runbook_lib.rehearse.world.scenario import load
from runbook_lib.rollout.case import case_of
from runbook_lib.rollout.gate_charts import judged, tiles, weights
from runbook_lib.rollout.so_far import CHANGE
from runbook_lib.show import multiples as drawing
from runbook_lib.show.levels import Level, thresholds
from runbook_lib.show.multiples import PERCENT, Tile
from tests.judge.gates import test_against as against

pytestmark = pytest.mark.slow  # two rollouts are played
PARAMS = load_file(Path(__file__).parents[2] / "params" / "prod.yaml")


@dataclass(frozen=True)
class Looked:
    """One look of a play."""

    notebook: str
    seen: Answered
    case: Case
    outcome: Outcome

    @cached_property
    def tiles(self) -> dict[str, Tile]:
        """Gate to its tile; made once for all tests."""
        made = tiles(self.seen, self.case, self.outcome.results, ())
        return {tile.result.gate.id: tile for tile in made}


@pytest.fixture(scope="module")
def looks() -> dict[str, list[Looked]]:
    """Looks of two plays, as the judge had them: scenario to its looks, in order. All that were declared, each sixth of
    the hourly ones.
    """
    found: dict[str, list[Looked]] = {}
    asks, measured = measure.asks, measure.measure
    with pytest.MonkeyPatch.context() as patch:
        made: list[Answered] = []

        def asked(params: Any, window: Any, now: dt.datetime) -> Any:
            return [*asks(params, window, now), *course.asks(params, window, now)]

        def measuring(*given: Any) -> dict[str, Evidence]:
            made.append(Answered(*given))
            return measured(*given)

        def cased(params: Any, spec: Any, now: Any, evidence: Any, look: Any, **more: Any) -> Case:
            case = case_of(params, spec, now, evidence, look, **more)
            name = next(name for name, one in params.policy.phases.items() if one is spec)
            if case.look is not None or len(made) % 6 == 1:
                found[scenario].append(Looked(name, made[-1], case, case.verdict()))
            return case

        patch.setattr(player.measure, "asks", asked)
        patch.setattr(player.measure, "measure", measuring)
        patch.setattr(player, "case_of", cased)
        for scenario in ("healthy", "backlog_by_spike"):
            found[scenario] = []
            player.InProcess(PARAMS, load(scenario), 2).play()
    return found


def of_axis(result: GateResult) -> float:
    assert result.value is not None
    return PERCENT * result.value if result.gate.unit == "ratio" else result.value


def every(looks: dict[str, list[Looked]]) -> list[Looked]:
    return [one for each in looks.values() for one in each]


def test_each_gate_of_each_phase_has_its_timeline(looks: dict[str, list[Looked]]) -> None:
    assert {one.notebook for one in every(looks)} >= {name for name in PARAMS.policy.phases if name >= "06"}
    for one in every(looks):
        assert set(one.tiles) == {gate.id for gate in PARAMS.policy.gates}


def test_unit_and_limits_are_those_of_the_gates_declaration(looks: dict[str, list[Looked]]) -> None:
    made = list(looks["backlog_by_spike"][-1].tiles.values())
    axes = drawing.multiples_figure(made).axes
    for tile, one in zip(drawing.ordered(made), axes, strict=True):
        gate = tile.result.gate
        assert one.get_ylabel() == ("%" if gate.unit == "ratio" else gate.unit)
        words = [text.get_text().lstrip("↑↓ ") for text in one.texts]
        limits = thresholds(gate, collapse=True)
        assert {name for name, *_ in limits} <= set(words), gate.id
        assert gate.kind == "split" or len(limits) == sum(
            x is not None for x in (gate.target, gate.alert, gate.collapse)
        )
        heights = [line.get_ydata()[0] for line in one.lines if len(set(line.get_ydata())) == 1]
        shown = [at * (PERCENT if gate.unit == "ratio" else 1) for _, at, *_ in limits]
        low, high = one.get_ylim()
        assert all(any(math.isclose(at, y) for y in heights) for at in shown if low < at < high / 1.2), gate.id


def test_a_split_is_held_against_the_weight_in_force(looks: dict[str, list[Looked]]) -> None:
    for one in every(looks):
        ((name, at, spans),) = one.tiles["observed_split"].beside
        assert not spans
        assert at == PERCENT * (one.case.evidence["observed_split"].weight or 0) and f"{at:g} %" in name


def test_the_last_value_drawn_is_the_value_judged(looks: dict[str, list[Looked]]) -> None:
    compared = set()
    for one in every(looks):
        for id, tile in one.tiles.items():
            result = tile.result
            if result.value is None or math.isinf(result.value):
                continue
            assert tile.looks[-1] == (parse(result.evidence.end), pytest.approx(of_axis(result))), id
            ends = [points[-1][1] for name, points in tile.series.items() if points and not name.startswith("every")]
            if result.gate.kind in ("rate", "split", "quantile") and ends:
                assert any(end == pytest.approx(of_axis(result)) for end in ends), (id, ends, of_axis(result))
                compared.add(id)
            if result.gate.kind == "gauge":
                (points,) = tile.series.values()
                if result.gate.measure != "dlq_depth":
                    assert [value for _, value in points] == list(result.evidence.values), id
                compared.add(id)
    assert compared >= {
        "success_rate",
        "refused",
        "error_rate",
        "generation_time",
        "lambda_errors",
        "observed_split",
        "queue_depth",
        "dlq",
        "throttling",
    }


def test_the_cost_by_the_kpis_comes_to_what_is_judged_by_the_census(looks: dict[str, list[Looked]]) -> None:
    """Another source of the same figure: a few jobs in flight apart."""
    one = looks["healthy"][-1]
    tile = one.tiles["cost"]
    (points,) = tile.series.values()
    assert points[-1][1] == pytest.approx(of_axis(tile.result), rel=0.05)


def test_the_interval_ends_with_the_one_that_is_judged(looks: dict[str, list[Looked]]) -> None:
    one = looks["healthy"][-1]
    tile = one.tiles["refused"]
    evidence = one.case.evidence["refused"]
    assert evidence.bad is not None and evidence.n and one.case.look is not None
    low, high = sequence.at_declared(evidence.bad, evidence.n, one.case.confidence, len(one.case.looks))
    assert tile.band[-1][1:] == (pytest.approx(PERCENT * low), pytest.approx(PERCENT * high))


def test_a_weight_that_was_taken_back_stays_under_its_own_looks(looks: dict[str, list[Looked]]) -> None:
    mine = [one for one in looks["healthy"] if one.notebook == "06_phase1_10_percent"]
    (first, second), last = mine[:2], mine[-1].tiles["observed_split"].result
    records = [
        Record.model_validate({"gates": [result.model_dump(mode="json") for result in one.outcome.results]})
        for one in (first, second)
    ]
    end = parse(last.evidence.end)
    taken = last.evidence.model_copy(update={"start": iso(end), "end": iso(end + dt.timedelta(hours=1)), "weight": 0.0})
    dark = last.model_copy(update={"evidence": taken})
    low, high = sorted(weights(records, dark), key=lambda level: level.at)
    assert (low.name, low.spans) == ("weight 0 %", ((end, end + dt.timedelta(hours=1)),))
    judged_to = [parse(one.tiles["observed_split"].result.evidence.end) for one in (first, second)]
    assert high.name == "weight 10 %" and [to for _, to in high.spans] == judged_to
    assert weights(records, dark.model_copy(update={"value": None})) == (Level("weight 10 %", 10.0),), "not judged"
    alone = dark.model_copy(update={"value": None})
    assert weights([], alone) == (Level("weight 0 %", 0.0, ((end, end + dt.timedelta(hours=1)),)),), (
        "not since the shift"
    )
    tile = replace(mine[-1].tiles["observed_split"], beside=(low, high))
    (axes,) = drawing.multiples_figure([tile]).axes
    drawn = [line for line in axes.lines if len(line.get_xdata()) == 2 and set(line.get_ydata()) in ({0.0}, {10.0})]
    assert len(drawn) == 3, "none from edge to edge"
    assert "weight 0 % 0 (" in drawing.describe(tile)


def test_what_earlier_looks_judged_is_drawn_beside_it(looks: dict[str, list[Looked]]) -> None:
    mine = [one for one in looks["healthy"] if one.notebook == "06_phase1_10_percent"]
    first, last = mine[0], mine[-1]
    gates = [result.model_dump(mode="json") for result in first.outcome.results]
    record = Record.model_validate({"notebook": "06", "status": "completed", "gates": gates})
    found = judged([record], last.outcome.results)
    for result in first.outcome.results:
        if result.value is not None and result.evidence.end < last.case.evidence[result.gate.measure].end:
            assert (parse(result.evidence.end), result.value) in found[result.gate.id]
    assert len(found["success_rate"]) == 2


def test_a_quantile_that_fails_by_a_change_is_drawn_in_the_unit_of_its_gate() -> None:
    """Its course counts samples beyond the limit, in percent: no curve for an axis in seconds."""
    start = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    rows = tuple(((start + dt.timedelta(minutes=5 * k)).isoformat(), int(k > 100) * 9, 10) for k in range(144))
    window = Window(start, start + dt.timedelta(hours=12))
    gate = PARAMS.policy.gate("submit_latency")
    seen = Evidence(
        **{"measure": gate.measure, "kind": "quantile", "start": iso(window.start), "end": iso(window.end)},
        **{"query": "by hand", "value": 4.0, "n": 1440, "course": rows},
    )
    case = Case(gates=(gate,), evidence={gate.measure: seen}, moment="during")
    label = f"{course.COURSE}{gate.measure}"
    series = Series(label, "async_latency", "p95", 900, False, ((start, 900.0), (window.end, 4000.0)), False, ())
    state = TrafficState(dial_percent=10, switch_on=True, weight=10)
    told = Answered(Answers([], {label: series}), None, {}, state, PARAMS, window, window.end, None)
    (tile,) = tiles(told, case, case.verdict().results, ())
    assert tile.result.since is not None and tile.unit == "s"
    assert {name: [value for _, value in rows] for name, rows in tile.series.items()} == {"every 15 min": [0.9, 4.0]}


@pytest.mark.parametrize("gate", [against.RATE, against.ERRORS, against.LATENCY], ids=lambda gate: gate.id)
def test_a_gate_that_compares_draws_both_arms_hour_by_hour_and_its_margin(gate: Gate) -> None:
    hours = (*against.hours(0, 30, 2, 270)[:12], *against.hours(3, 30, 2, 270)[12:])
    evidence = against.seen(gate, Arms(gate=gate.id, other="the other arm", share=0.1, hours=hours))
    case = Case(rules=3, gates=(gate,), evidence={gate.measure: evidence}, looks=against.LOOKS, moment="during")
    (tile,) = tiles(None, case, case.verdict().results, ())  # type: ignore[arg-type]
    up = gate is against.RATE
    assert set(tile.series) == {"async", "the other arm"}
    mine, theirs = tile.series["async"], tile.series["the other arm"]
    assert (
        [at for at, _ in mine] == [parse(one.at) + dt.timedelta(hours=1) for one in hours] == [at for at, _ in theirs]
    )
    assert mine[11][1] == (100 if up else 0) and mine[-1][1] == pytest.approx(95 if up else 5)
    assert {round(value, 6) for _, value in theirs} == {round(100 - 200 / 270 if up else 200 / 270, 6)}
    ((name, edge, _),) = tile.beside
    assert edge == pytest.approx(theirs[-1][1] + (-1 if up else 1) * 100 * (gate.margin or 0)) and "worse" in name
    (axes,) = drawing.multiples_figure([tile]).axes
    assert axes.get_ylabel() == "%" and thresholds(gate) == []
    said = drawing.describe(tile)
    assert "async" in said and "the other arm" in said and "at most" in said


def test_a_canary_that_became_worse_is_drawn_since_then_beside_the_other_arm_s_margin() -> None:
    hours = (*against.hours(0, 30, 2, 270)[:18], *against.hours(12, 30, 2, 270)[18:])
    evidence = against.seen(against.RATE, Arms(gate=against.RATE.id, other="the other arm", share=0.1, hours=hours))
    case = Case(
        rules=RULES, gates=(against.RATE,), evidence={"success": evidence}, looks=against.LOOKS, moment="during"
    )
    (tile,) = tiles(None, case, case.verdict().results, ())  # type: ignore[arg-type]
    assert tile.result.since == "2026-01-05T18:00:00Z"
    assert [(at.hour, round(value, 3)) for at, value in tile.series[CHANGE]] == [
        (at % 24, 60.0) for at in range(19, 25)
    ]
    said = drawing.describe(tile)
    assert "since the change 60 to 60" in said and "change at 2026-01-05 18:00 UTC" in said
    drawing.multiples_figure([tile])
