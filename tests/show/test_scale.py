"""All gates on one scale: target 0, alert limit 1, collapse 2; failing first; nothing by colour alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg

from runbook_lib.judge.model import Evidence, Gate, GateResult, Outcome
from runbook_lib.params.policy import Policy
from runbook_lib.record.report import gate_row
from runbook_lib.show import scale
from runbook_lib.show.picture import slim
from runbook_lib.show.scale import sealed_failing_first
from runbook_lib.show.verdicts import gate_table

Find = Callable[[str], Gate]
VALUES = st.floats(0, 1e6)


def test_target_alert_limit_and_collapse_are_at_0_1_and_2(gate: Find) -> None:
    found = [scale.position(gate("success_rate"), value) for value in (1.0, 0.99, 0.985, 0.98, 0.94, 0.9, 0.82)]
    assert found == pytest.approx([-1, 0, 0.5, 1, 1.5, 2, 3])
    assert scale.position(gate("generation_time"), 194) == pytest.approx((194 - 90) / 30), "no collapse is declared"


def test_a_limit_that_is_the_target_is_jumped_over(gate: Find) -> None:
    lost = gate("lost_jobs")
    assert scale.position(lost, 0) == 0
    assert (scale.position(lost, 1e-4) or 0) > 1, "one lost job is beyond the alert limit"


def test_a_split_and_what_is_no_number_have_no_place(gate: Find) -> None:
    assert scale.position(gate("observed_split"), 0.1) is None
    assert scale.position(gate("cost"), float("nan")) is None
    assert scale.position(gate("cost"), float("inf")) == float("inf")


@given(one=VALUES, other=VALUES)
def test_worse_is_never_drawn_as_better_and_thresholds_are_kept(policy: Policy, one: float, other: float) -> None:
    for gate in policy.gates:
        if gate.kind == "split" or gate.alert is None:
            continue
        worse, better = (min, max) if gate.higher_is_better else (max, min)
        bad, good = scale.position(gate, worse(one, other)), scale.position(gate, better(one, other))
        assert bad is not None and good is not None and bad >= good
        if gate.alert.holds(worse(one, other)):
            assert bad >= 1 - 1e-9
        if gate.target.holds(better(one, other)):
            assert good <= 1e-9


def test_failing_is_first_and_what_does_not_decide_last(result: Callable[..., GateResult], outcome: Outcome) -> None:
    aside = result("cost", "FAIL", value=1.0, gate={"required": False})
    order = [(one.gate.id, str(one.verdict)) for one in scale.failing_first([aside, *outcome.results])]
    assert [verdict for _, verdict in order] == ["FAIL", "NO_DATA", "INCONCLUSIVE", "PASS", "PASS", "FAIL"]
    assert (order[0][0], order[-1][0]) == ("success_rate", "cost")


def test_the_figure_says_everything_in_words(outcome: Outcome) -> None:
    figure = scale.gates_figure(outcome.results)
    axes = figure.axes[0]
    texts = [text.get_text() for text in axes.texts]
    assert {"✘ FAIL", "∅ NO DATA", "? INCONCLUSIVE", "✔ PASS"} <= set(texts), "no verdict by colour alone"
    assert "97.96 % (95.0 % to 99.0 %)" in texts or any(text.startswith("97.96 %") for text in texts)
    assert {"> 99 %", "< 98 %", "< 90 %"} <= set(texts)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["target", "alert limit", "collapse"]
    told = figure.get_label()
    for result in outcome.results:
        assert f"{result.gate.title} {result.verdict.replace('_', ' ')}" in told
    assert "target > 99 %, alert < 98 %, collapse < 90 %" in told


@pytest.mark.slow
@pytest.mark.parametrize("on", [lambda draw: draw(), slim], ids=["page", "telephone"])
def test_no_text_covers_another_or_leaves_the_page(
    policy: Policy, result: Callable[..., GateResult], on: Callable[..., Any]
) -> None:
    verdicts = itertools.cycle(("INCONCLUSIVE", "FAIL", "PASS", "NO_DATA"))
    all_of_them = [
        result(
            gate.id,
            next(verdicts),
            value=gate.target.limit * 1.01,
            low=gate.target.limit / 2,
            high=gate.target.limit * 1.2 + 0.01,
            n=306,
        )
        for gate in policy.gates
    ]
    figure = on(lambda: scale.gates_figure(all_of_them))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [(text.get_text(), text.get_window_extent(canvas.get_renderer())) for text in figure.axes[0].texts]
    width, height = canvas.get_width_height()
    for name, box in boxes:
        assert box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height, name
    for (name, box), (other, beside) in itertools.combinations(boxes, 2):
        assert not box.shrunk(0.9, 0.7).overlaps(beside.shrunk(0.9, 0.7)), f"{name} covers {other}"
    assert figure.get_size_inches()[1] < (14 if figure.get_figwidth() < 4 else 7), "one small page"


def test_nothing_judged_draws_nothing() -> None:
    assert str(scale.gates_picture([])) == ""


@pytest.mark.slow
def test_the_picture_is_made(outcome: Outcome) -> None:
    shown: Any = scale.gates_picture(outcome.results)
    assert "<img alt=" in shown._repr_html_()


def test_every_table_of_gates_has_fail_first(result: Callable[..., GateResult]) -> None:
    found = [result("cost", "PASS"), result("dlq", "INCONCLUSIVE"), result("error_rate", "FAIL")]
    told = str(gate_table(found))
    assert told.index("FAIL") < told.index("Error rate") + 200
    assert told.index("Error rate (each") < told.rindex("DLQ depth") < told.rindex("Cost per VPR")


@pytest.mark.parametrize(
    ("id", "ends", "at"),
    [
        ("success_rate", (-0.005, -0.009, 0.001), (0.5, 0.9, -0.1)),
        ("error_rate", (0.005, -0.001, 0.009), (0.5, -0.1, 0.9)),
        ("error_rate", (0.9, 0.8, 0.95), (scale.WORST,) * 3),
    ],
)
def test_two_arms_lie_at_0_where_they_are_as_good_and_at_1_at_the_margin(
    result: Callable[..., GateResult], id: str, ends: tuple[float, float, float], at: tuple[float, ...]
) -> None:
    both = {"other": "the baseline", "value": 0.99, "other_value": 0.995, "other_n": 2700}
    both |= dict(zip(("difference", "low", "high"), ends, strict=True))
    compared = {"against": "baseline", "margin": 0.01}
    found = result(id, "PASS", value=0.99, n=300, gate=compared, compared=both)
    dot, whisker = scale._places(found)
    assert (dot, *whisker) == pytest.approx(at)
    assert [text for _, text in scale._lines(found.gate)] == ["as good", "1 point worse"]
    alone = result(id, "INCONCLUSIVE", value=0.99, n=300, gate=compared)
    assert scale._places(alone) == (None, []) and "nothing to compare with" in texts(alone)
    told = str(gate_table([found]))
    assert "against 99.5 %" in told and "at most 1 point" in told and "300 and 2,700" in told


def texts(result: GateResult) -> list[str]:
    (axes,) = scale.gates_figure([result]).axes
    return [text.get_text() for text in axes.texts]


NAMES = ("cost", "dlq", "error_rate", "success_rate", "queue_depth")
SAID = ("INCONCLUSIVE", "PASS", "FAIL", "PASS", "NO_DATA")


@pytest.mark.parametrize("interim", [False, True])
def test_report_and_record_have_the_gates_in_the_order_of_the_figure(policy: Policy, interim: bool) -> None:
    evidence = Evidence(measure="success", kind="rate", query="", start="2026-11-10", end="2026-11-11")
    results = []
    for at, (name, verdict) in enumerate(zip(NAMES, SAID, strict=True)):
        gate = policy.gate(name).model_copy(update={"severity": at % 3 + 1, "required": at != 2})
        given = {"verdict": verdict, "value": None, "low": None, "high": None, "n": None, "reason": "so"}
        results.append(GateResult.model_validate({"gate": gate, "evidence": evidence, **given}))
    figure = [one.gate.title for one in scale.failing_first(results, interim)]
    sealed = [one.model_dump(mode="json") for one in results]
    rows = sorted((gate_row(one, interim=interim) for one in sealed), key=lambda row: row["order"])
    assert [row["title"] for row in rows] == figure and figure[-1] == "Error rate (each async route, 5xx)"
    if not interim:
        assert [one["gate"]["title"] for one in sealed_failing_first(sealed)] == figure


def test_checks_and_gates_of_another_version_are_ordered_by_their_verdict() -> None:
    found = [{"verdict": "PASS"}, {"verdict": "FAIL", "gate": "cost"}, {"verdict": "NO_DATA"}]
    assert [one["verdict"] for one in sealed_failing_first(found)] == ["FAIL", "NO_DATA", "PASS"]
