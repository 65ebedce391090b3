"""Sealed gates are in the order of the figure, in reports, Markdown and terminals; checks by their verdict."""

from __future__ import annotations

import pytest

from runbook_lib.judge.model import Evidence, GateResult
from runbook_lib.params.policy import Policy
from runbook_lib.record.order import failing_first
from runbook_lib.record.report import gate_row
from runbook_lib.show import scale

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
        assert [one["gate"]["title"] for one in failing_first(sealed)] == figure


def test_checks_and_gates_of_another_version_are_ordered_by_their_verdict() -> None:
    found = [{"verdict": "PASS"}, {"verdict": "FAIL", "gate": "cost"}, {"verdict": "NO_DATA"}]
    assert [one["verdict"] for one in failing_first(found)] == ["FAIL", "NO_DATA", "PASS"]
