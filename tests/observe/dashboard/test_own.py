"""Each gate on a measure of one's own has a widget, with its limits in the unit that is drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.observe.dashboard.declared import asks, body, declared, encode, thresholds
from runbook_lib.params.load import Params, load_file, read_yaml
from tests import own_gates


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Params:
    return load_file(own_gates.project(tmp_path_factory.mktemp("shop")))


def widgets(params: Params) -> dict[str, Any]:
    return {widget.id: widget for widget in declared(params).widgets}


def test_the_gates_come_after_the_widgets_of_the_file(shop: Params) -> None:
    plain = [one["id"] for one in read_yaml(own_gates.ROOT / "params" / "dashboard.yaml")["widgets"]]
    assert list(widgets(shop)) == [*plain, *(f"gate_{gate['id']}" for gate in own_gates.GATES)]
    assert list(widgets(load_file(own_gates.ROOT / "params" / "prod.yaml"))) == plain


@pytest.mark.parametrize(
    ("gate", "limits"),
    [
        ("declined", [2.0, 5.0]),
        ("served", [98.0, 95.0]),
        ("connections", [80.0, 95.0]),
        ("search_time", [1000.0, 2000.0]),  # drawn in the metric's own milliseconds
        ("basket", [20.0, 10.0]),
    ],
)
def test_target_and_alert_limit_are_drawn_in_the_axis_unit(shop: Params, gate: str, limits: list[float]) -> None:
    axis = widgets(shop)[f"gate_{gate}"].left
    assert [value for _, _, value in thresholds(axis, shop)] == pytest.approx(limits)


def test_cloudwatch_is_told_where_the_metrics_are(shop: Params) -> None:
    board = declared(shop)
    drawn = json.loads(encode(body(board, shop)))["widgets"]
    mine = {one["properties"]["title"]: one["properties"]["metrics"] for one in drawn}
    declined = mine["Gate: Payments declined"]
    assert declined[0][0]["expression"] == "100 * (FILL(part1, 0)) / (FILL(whole1, 0))"
    assert declined[1][:4] == ["Shop/Checkout", "Declined", "Service", "shop-prod"]
    assert mine["Gate: Basket"][0][0]["expression"] == "1 * (FILL(part1, 0)) / (FILL(whole1, 0))"
    assert [row[-1]["stat"] for row in mine["Gate: P95 search time"]] == ["p50", "p95"]
    assert {"declined.bad", "basket.of"} <= {ask.metric_id for ask in asks(board, _window())}


def test_a_gate_that_the_file_draws_has_no_second_widget(shop: Params, tmp_path: Path) -> None:
    file = own_gates.project(tmp_path)
    path = file.with_name("dashboard.yaml")
    board = read_yaml(path)
    line = {"label": "connections", "metric": "connections.value", "stat": "Maximum"}
    left = {"unit": "connections", "gate": "connections", "factor": 1, "lines": [line]}
    board["widgets"].append({"id": "ours", "title": "Ours", "left": left})
    own_gates.written(path, board)
    found = widgets(load_file(file))
    assert "ours" in found and "gate_connections" not in found and "gate_basket" in found


def _window() -> Any:
    import datetime as dt

    from runbook_lib.base.window import Window

    end = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
    return Window(end - dt.timedelta(hours=24), end)
