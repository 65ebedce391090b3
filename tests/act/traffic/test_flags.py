"""The flag documents are AppConfig's own feature-flag format."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.act.traffic.flags import (
    describe,
    dial_document,
    encode,
    made_by,
    same_value,
    switch_document,
    told,
    value_of,
)


@given(st.one_of(st.integers(0, 100), st.floats(0, 100)))
def test_a_dial_reads_back_as_it_was_set(percent: float) -> None:
    content = encode(dial_document("f", percent))
    assert value_of(content, "f") == {"enabled": True, "percent": percent}
    assert same_value(content, dial_document("f", percent))


def test_the_dial_is_a_constrained_attribute() -> None:
    document = dial_document("f", 10)
    assert document["version"] == "1"
    assert document["flags"]["f"]["attributes"]["percent"]["constraints"] == {
        "type": "number",
        "minimum": 0,
        "maximum": 100,
        "required": True,
    }
    assert json.loads(encode(dial_document("f", 10.0)))["values"]["f"]["percent"] == 10


@pytest.mark.parametrize("percent", [-0.1, 100.1, float("nan"), float("inf")])
def test_a_dial_out_of_bounds_is_refused(percent: float) -> None:
    with pytest.raises(ValueError, match="expects 0 to 100"):
        dial_document("f", percent)


def test_time_stamps_of_appconfig_do_not_matter_and_values_do() -> None:
    stamped: dict[str, Any] = dial_document("f", 10)
    stamped["flags"]["f"]["_createdAt"] = stamped["values"]["f"]["_updatedAt"] = "2026-11-01T00:00:00Z"
    assert same_value(encode(stamped), dial_document("f", 10))
    assert not same_value(encode(stamped), dial_document("f", 11))
    assert not same_value(encode(stamped), dial_document("g", 10))
    assert same_value(encode(switch_document("f", False)), switch_document("f", False))
    assert not same_value(encode(switch_document("f", True)), switch_document("f", False))


@pytest.mark.parametrize("content", [b"", b"[]", b'{"values": 1}', b'{"values": {"f": 3}}', b"\xff", b"{}"])
def test_what_is_no_flag_document_says_nothing(content: bytes) -> None:
    assert value_of(content, "f") is None
    assert not same_value(content, switch_document("f", False))


@pytest.mark.parametrize("enabled", [None, [], {}, "", "false", "true", 0, 1, 10**30])
def test_what_is_neither_on_nor_off_says_nothing(enabled: Any) -> None:
    """Read back, it was told as "could NOT be turned off" of what was off; read before, as off of what was on."""
    assert value_of(encode({"values": {"f": {"enabled": enabled}}}), "f") is None


@given(st.from_regex(r"[\w.-]{1,20}", fullmatch=True), st.integers(1, 9), st.sampled_from(["1a2b", "0" * 12]))
def test_a_description_is_told_in_words_and_never_quoted(release: str, attempt: int, run: str) -> None:
    ours = describe(release=release, notebook="rollback_1_async_failing", attempt=attempt, run=run)
    assert made_by(ours) == f"rollback_1_async_failing (run {run})"
    said = told("deployment 4", "2026-11-23T03:05:59Z", ours, "COMPLETE")
    assert said == f"deployment 4, of 2026-11-23 03:05:59 UTC, by rollback_1_async_failing (run {run})"


def test_what_a_person_wrote_is_quoted_and_how_it_stands_is_said_where_it_is_not_in_force() -> None:
    at = "2026-11-23T03:05:59Z"
    assert told("step 2", at, "by hand").endswith("UTC, described as 'by hand'")
    assert told("step 2", None, None) == "step 2, of an unknown time, without a description"
    assert told("deployment 3", at, "by hand", "ROLLED_BACK").endswith(", rolled back")


def test_a_document_without_the_flag_says_that_there_is_none() -> None:
    assert value_of(encode(switch_document("g", True)), "f") == {}
