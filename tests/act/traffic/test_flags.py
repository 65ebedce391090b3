"""The flag documents are AppConfig's own feature-flag format."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.act.traffic.flags import dial_document, encode, same_value, switch_document, value_of


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
    assert value_of(content, "f") == {}
    assert not same_value(content, switch_document("f", False))
