"""What the two mitigations share, without AWS: the gates that called for it, judged by orders that are given."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runbook_lib.act.traffic.switch import Turned
from runbook_lib.base.errors import UsageError
from runbook_lib.judge.gates.remedies import Order
from runbook_lib.judge.terms import Verdict
from runbook_lib.params.load import Params, load_file
from runbook_lib.record.archive import Archive
from runbook_lib.steps.rollbacks import mitigation as module
from runbook_lib.steps.rollbacks.mitigation import Mitigation, declared

PARAMS = load_file(Path(__file__).resolve().parents[3] / "params" / "prod.yaml")


def mitigation(folder: Path, params: Params = PARAMS) -> Mitigation:
    run = SimpleNamespace(archive=Archive(folder), notebook="rollback_2_queue_backlog", guard=None)
    incident: Any = SimpleNamespace(id="rollback_2", run=run, params=params, earlier=[])
    return Mitigation(incident, ("a.setting",), "backlog")


def order(gate: str, verdict: Verdict) -> Order:
    return Order(gate=gate, verdict=verdict, words=f"{gate} is {verdict}")


@pytest.mark.parametrize(
    ("verdicts", "says", "told"),
    [
        ((), "PASS", "no gate calls for it"),
        ((Verdict.PASS, Verdict.PASS), "PASS", "g0 is PASS; g1 is PASS"),
        ((Verdict.PASS, Verdict.INCONCLUSIVE), "INCONCLUSIVE", "g1 is INCONCLUSIVE"),
        ((Verdict.FAIL, Verdict.INCONCLUSIVE), "FAIL", "g0 is FAIL"),
    ],
)
def test_one_gate_out_of_order_is_enough_and_one_that_is_open_is_waited_for(
    tmp_path: Path, verdicts: tuple[Verdict, ...], says: str, told: str
) -> None:
    found = mitigation(tmp_path).gates_check([order(f"g{n}", one) for n, one in enumerate(verdicts)])
    assert (found.id, found.verdict, found.reason) == ("rollback_2.gates", says, told)


@pytest.mark.parametrize(("gate", "falls"), [("queue_depth", True), ("generation_time", False), ("other", False)])
def test_the_table_of_remedies_says_whether_scenario_1_is_the_answer(tmp_path: Path, gate: str, falls: bool) -> None:
    remedy = PARAMS.policy.remedies["backlog"]
    table = remedy.model_copy(update={"gates": {"queue_depth": "switch_off", "generation_time": "hold"}})
    made = mitigation(tmp_path, with_remedies({"backlog": table}))
    assert made.not_cured(lambda: [order(gate, Verdict.FAIL)]) == (
        f"{gate} is FAIL: this did not cure it" if falls else ""
    )
    assert made.not_cured(lambda: [order(gate, Verdict.PASS)]) == ""


@pytest.mark.parametrize(("weight", "number", "key"), [(0.0, 7, "7"), (0.0, 0, "run1"), (100.0, 7, "")])
def test_people_are_told_of_a_fall_if_it_took_the_users_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weight: float, number: int, key: str
) -> None:
    """After the migration the switch changes nothing for them; they were told that the synchronous endpoint is back."""
    made, told = mitigation(tmp_path), []
    made.run = made.incident.run = SimpleNamespace(
        **{**vars(made.run), "applying": True, "run_id": "run1", "aws": None, "guard": None}
    )
    made.incident.note = lambda *checks, **_: checks
    made.incident.tell = lambda what, key: told.append((what, key))
    switch = SimpleNamespace(switch_off=lambda _: Turned(True, "the switch is off", number))
    monkeypatch.setattr(module, "home_of", lambda *_: switch)
    state = SimpleNamespace(weight=weight, migrated=weight > 0)
    monkeypatch.setattr(module.weights, "read_traffic", lambda *_: state)
    monkeypatch.setattr(module, "instead", lambda *_: ("it has no effect any more", ""))
    (fell,) = made.fall_back("the curve does not turn")
    assert (fell.verdict is Verdict.PASS) is (weight == 0)
    assert told == ([("async is off; the synchronous endpoint takes all requests", key)] if key else [])


def test_without_a_remedy_in_the_table_no_gate_is_asked(tmp_path: Path) -> None:
    def asked() -> list[Order]:
        raise AssertionError("nothing is to be asked")

    assert mitigation(tmp_path, with_remedies({})).not_cured(asked) == ""


def with_remedies(table: dict[str, Any]) -> Params:
    return PARAMS.model_copy(update={"policy": PARAMS.policy.model_copy(update={"remedies": table})})


def test_a_rollback_without_its_numbers_is_refused_in_one_sentence() -> None:
    with pytest.raises(UsageError, match=r"gates\.yaml: the rollback of this notebook has no 'backlog:'"):
        declared(None, "backlog")
