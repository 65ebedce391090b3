"""Rows of records: every column, of any record."""

from __future__ import annotations

import json
import math
from typing import Any

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.record.archive import Archive
from runbook_lib.record.chain import read_record
from runbook_lib.record.index.tables import TABLES, Column, rows_of
from runbook_lib.record.record import Record


def test_a_run_and_an_entry_come_into_their_tables_with_every_column(filled: Archive) -> None:
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    for ref in filled.records():
        for table, rows in rows_of(read_record(ref.folder), ref.folder.name).items():
            found[table] += rows
    assert {name: len(rows) for name, rows in found.items()} == {
        "runs": 3,
        "gates": 0,
        "costs": 0,
        "actions": 2,
        "people": 1,
    }
    for table, rows in found.items():
        assert all(list(row) == [one.name for one in TABLES[table]] for row in rows)
    first = found["actions"][0]
    assert (first["percent_before"], first["percent_after"], first["ok"]) == (0, 10, True)
    assert first["begun_at"] == "2026-11-01 03:00:00.000"
    assert found["people"][0]["person"] == "ada" and found["runs"][0]["decision"] == "SOAK"


def test_gates_and_costs_are_as_the_record_has_them(gate_result: Any) -> None:
    bill = {"usd": 2.5, "infrastructure": 0.001, "llm": 0.05, "infinite": False, "hours": 6.0, "requests": 47}
    none = {"usd": 2.5, "infinite": True}
    record = {"gates": [gate_result()], "evidence": {"cost_per_vpr": {"extra": bill, "n": 46}}}
    record["evidence"]["cost_per_vpr_sync"] = {"extra": none, "n": 0}
    rows = rows_of(record, "x")
    (gate,), (own, other) = rows["gates"], rows["costs"]
    assert (gate["gate"], gate["target"], gate["n"], gate["verdict"]) == ("success_rate", "> 0.99", 301, "PASS")
    assert (own["side"], own["tokens"], own["successes"]) == ("async", 0.05, 46)
    assert other["infrastructure"] == "Infinity" and math.isinf(float(other["infrastructure"]))


def test_every_column_has_a_sentence_and_a_name_that_needs_no_quotes() -> None:
    columns: list[Column] = [one for each in TABLES.values() for one in each]
    assert all(one.told.endswith(".") and one.name.isidentifier() for one in columns)


BASE = duckdb.connect()
_ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.just("2026-11-01"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_DEEP = st.dictionaries(st.sampled_from(["gate", "evidence", "intent", "outcome", "id", "start", "aws_at"]), _ANY)


@given(
    st.dictionaries(st.sampled_from(sorted(Record.model_fields)), _ANY),
    st.lists(_DEEP, max_size=2),
    st.sampled_from(["gates", "changes", "entry", "files"]),
)
def test_whatever_a_record_says_duckdb_takes_its_rows(record: dict[str, Any], deep: list[Any], where: str) -> None:
    record = {**record, where: deep}
    for table, rows in rows_of(record, "x").items():
        for row in rows:
            columns = {one.name: one.type for one in TABLES[table]}
            line = json.dumps(row)
            (found,) = BASE.execute("SELECT from_json(?::JSON, ?)", [line, json.dumps(columns)]).fetchone() or ((),)
            assert list(found) == list(row)
