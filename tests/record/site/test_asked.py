"""What is asked of the index, and how two runs' settings are told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.record.archive import Archive
from runbook_lib.record.index.kept import index
from runbook_lib.record.site.asked import Asked, comparison, settings


@pytest.mark.slow
def test_a_rollout_has_its_own_rows_oldest_first_and_the_list_the_newest(real: Archive) -> None:
    with index(real, lambda told: None) as made, Asked(made.file) as asked:
        runs = asked.runs()
        assert [run["at"] for run in runs] == sorted((run["at"] for run in runs), reverse=True)
        found = [asked.rollout(one["env"], one["release"]) for one in asked.rollouts()]
        assert sum(len(one.runs) for one in found) == len(runs)
        for one in found:
            assert [run["at"] for run in one.runs] == sorted(run["at"] for run in one.runs)
            assert {row["run"] for row in one.gates} <= {run["run"] for run in one.runs}
        for gate in asked.gates():
            open_ = [row for row in asked.gate(gate["gate"]) if row["verdict"] == "INCONCLUSIVE"]
            assert gate["inconclusive"] == sum(row["moment"] != "during" for row in open_), (
                "an interim look decides nothing"
            )
        judged = sum(gate["judged"] for gate in asked.gates())
        assert (
            judged
            == sum(len(asked.gate(gate["gate"])) for gate in asked.gates())
            == sum(len(one.gates) for one in found)
        )


def test_settings_are_one_a_leaf_and_lists_of_what_has_an_id_are_told_by_it() -> None:
    record = {
        "params": {"env": "prod", "operator": "", "attempt": 2},
        "policy": {"gates": [{"id": "success", "target": "> 0.99"}], "roles": ["lead", "QA"]},
    }
    assert settings(record) == {
        "params.env": "prod",
        "params.attempt": "2",
        "policy.gates.success.target": "> 0.99",
        "policy.roles": '["lead", "QA"]',
    }
    assert settings({}) == settings({"params": None, "policy": [1]}) == {} or "policy" in settings({"policy": [1]})


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=12,
    )
)
def test_any_settings_can_be_told(value: object) -> None:
    assert all(isinstance(told, str) for told in settings({"params": value, "policy": value}).values())


@pytest.mark.parametrize(
    ("told", "limit"), [("> 0.99", 0.99), ("<= 5", 5.0), (None, None), ("", None), ("about 5", None)]
)
def test_a_limit_is_read_or_there_is_none(told: str | None, limit: float | None) -> None:
    found = comparison(told)
    assert (found.limit if found else None) == limit
