"""The words that people read: one set, explained in one table."""

from __future__ import annotations

import re
import signal
from typing import Any

import pytest
from pydantic_core import core_schema

from runbook_lib.judge.terms import COMPARABLE, MEASURES, OF_CHECKS, Frozen, Word, measure_told
from runbook_lib.params.load import project_root

DOCS = project_root() / "docs"


def test_the_docs_have_one_table_of_all_words_in_the_order_of_every_table() -> None:
    rows = re.findall(r"^\| \*\*([A-Z0-9 ]+)\*\* \|", (DOCS / "verdicts.md").read_text(), re.MULTILINE)
    assert rows[: len(OF_CHECKS)] == [str(word) for word in OF_CHECKS]
    assert sorted(rows) == sorted(map(str, Word))


def test_the_glossary_has_the_words_of_the_trade() -> None:
    told = re.findall(r"^\| \*\*([^*]+)\*\* \|", (DOCS / "glossary.md").read_text(), re.MULTILINE)
    words = ["dial", "switch", "weight", "bake", "guard", "soak", "look", "attempt", "deviation", "ledger", "VPR"]
    assert [word for word in words if word not in told] == []


@pytest.mark.parametrize(
    ("measure", "words"),
    [
        ("success", "success"),
        ("lost_jobs", "lost jobs"),
        ("llm_quota", "LLM quota"),
        ("dlq_depth", "DLQ depth"),
        ("async_5xx", "async 5xx"),
        ("cost_per_vpr", "cost per success"),
        ("cost_per_vpr_sync", "cost per success, sync"),
        ("a_measure_of_a_team", "a measure of a team"),
    ],
)
def test_a_measure_in_words(measure: str, words: str) -> None:
    assert measure_told(measure) == words


def test_what_can_be_compared_is_a_share() -> None:
    assert {MEASURES[one] for several in COMPARABLE.values() for one in several} == {"rate", "quantile"}


class Slow:
    """A type during whose description, while a model is built, somebody presses Ctrl-C."""

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return core_schema.int_schema()


def test_ctrl_c_while_a_model_is_built_is_neither_lost_nor_a_fault_of_the_model() -> None:
    class Model(Frozen):
        number: Slow

    Model.__pydantic_complete__ = False
    with pytest.raises(KeyboardInterrupt):
        Model.model_rebuild(force=True)
    assert Model.model_validate({"number": 3}).number == 3  # type: ignore[comparison-overlap]
