"""An item goes into the service's words and comes back in the runbook's own, whatever the service calls things."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.tagged import plain, tagged
from runbook_lib.params.contract import Contract
from runbook_lib.params.item import (
    WORDS,
    attribute,
    bounds,
    is_probe,
    marked,
    own,
    projected,
    result_key,
    status,
    stored,
)
from tests.contracts import contracts

T = dt.datetime(2026, 11, 10, 10, 0, 7, tzinfo=dt.UTC)
OWN: dict[str, Any] = {
    "job_id": "j",
    "created_at": "2026-11-10T10:00:07.000Z",
    "started_at": "2026-11-10T10:00:09.000Z",
    "completed_at": "2026-11-10T10:00:51.000Z",
    "idempotency_key": "k",
    "result_key": "results/j.json",
    "error": "why",
    "ttl": 1_800_000_000,
    "token_usage": {"input": 7, "output": 5},
}


@given(contracts(), st.sampled_from(WORDS), st.booleans())
def test_an_item_comes_back_as_it_was(contract: Contract, word: str, probe: bool) -> None:
    item = {**OWN, "status": word, "source": "probe:p" if probe else "client"}
    inside = stored(item, contract)
    if probe:
        inside = marked(inside, "p", contract)
    found = own(plain(tagged(inside)), contract)
    assert is_probe(found) == probe
    said = {name for name in OWN if name != "token_usage" and attribute(name, contract)} - {"idempotency_key"}
    assert {name: found[name] for name in said} == {name: OWN[name] for name in said}
    running = word == "PROCESSING" and not contract.table.running
    assert found["status"] == ("PENDING" if running else word)
    assert found.get("token_usage") == (OWN["token_usage"] if contract.tokens.told_by == "table" else None)


@given(contracts())
def test_an_expression_asks_for_each_attribute_once(contract: Contract) -> None:
    asked = projected(("job_id", "status", "idempotency_key", "source", "token_usage", "started_at"), contract)
    assert len({*asked.values()}) == len(asked)
    assert "" not in asked.values()
    assert {contract.table.job_id, contract.probe.arrives_in} <= {*asked.values()}


@given(contracts())
def test_no_word_is_taken_for_another_services(contract: Contract) -> None:
    known = {*contract.table.meanings}
    for word in WORDS:
        if word not in known:
            assert status(word, contract) not in WORDS


@given(contracts(), st.integers(0, 3599))
def test_the_bounds_hold_what_was_created_within(contract: Contract, after: int) -> None:
    at = T + dt.timedelta(seconds=after, milliseconds=999)
    written = tagged(stored({"created_at": at.isoformat()}, contract))[contract.table.created_at]
    low, high = bounds(T, T + dt.timedelta(hours=1), contract)
    (kind,) = low
    value = (lambda text: text) if kind == "S" else float
    assert value(low[kind]) <= value(written[kind]) < value(high[kind])


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f+00:00"])
@given(after=st.integers(0, 3599), hour=st.integers(0, 23))
def test_the_bounds_hold_times_in_any_form_of_iso(form: str, after: int, hour: int) -> None:
    start = T.replace(hour=hour)
    low, high = bounds(start, start + dt.timedelta(hours=1), Contract())
    assert low["S"] <= (start + dt.timedelta(seconds=after)).strftime(form) < high["S"]


def test_an_attribute_that_is_null_is_not_there() -> None:
    assert own({"job_id": "j", "started_at": None, "error": None}, Contract()) == {"job_id": "j"}


def test_defaults_are_what_was_before() -> None:
    item = {**OWN, "status": "COMPLETED", "source": "probe:p"}
    assert stored(item, Contract()) == item
    assert own(item, Contract()) == item


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        ({"input": 5.0, "output": 0}, {"input": 5.0, "output": 0}),
        *((usage, None) for usage in ({}, None, {"input": "many", "output": 1}, {"input": True, "output": 1})),
        *((usage, None) for usage in ({"input": 7500, "out": 2200}, {"input": 1, "output": -1})),
    ],
)
def test_tokens_that_are_not_told_are_absent_and_not_zero(usage: object, told: object) -> None:
    assert own({"job_id": "j", "token_usage": usage}, Contract()).get("token_usage") == told


def test_a_copy_forgets_what_was_computed_of_the_original() -> None:
    table = Contract().table
    assert table.meanings["FAILED"] == "FAILED"
    other = table.model_copy(update={"failed": ("BAD",), "error": "why"})
    assert (other.meanings.get("FAILED"), other.meanings["BAD"], dict(other.named)["error"]) == (None, "FAILED", "why")


def test_the_key_of_a_result() -> None:
    bare = Contract.model_validate({"table": {"result_key": ""}})
    assert result_key({"job_id": "j", "status": "COMPLETED"}, bare) == "results/j.json"
    assert result_key({"job_id": "j", "status": "PENDING"}, bare) == ""
    assert result_key({"job_id": "j", "result_key": "a/b"}, Contract()) == "a/b"
