"""What CloudWatch takes as a name, and what it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.params.cloudwatch_names import check, dimension, dimension_value, name_of_metric, namespace
from runbook_lib.params.metrics import METRICS, Metric


@pytest.mark.parametrize("id", METRICS)
def test_those_of_the_catalogue_are_taken(id: str) -> None:
    assert list(check(id, METRICS[id])) == []


@pytest.mark.parametrize("wrong", ["", "  ", " x", "x\n", "a\nb", "a\x07b", "x" * 256])
def test_what_no_name_can_be_is_refused_everywhere(wrong: str) -> None:
    assert namespace(wrong) and name_of_metric(wrong) and dimension(wrong)
    assert len(wrong) == 256 or dimension_value(wrong)


def test_a_colon_begins_neither_a_namespace_nor_a_dimension() -> None:
    assert namespace(":x") and dimension(":x")
    assert not dimension_value(":x") and not name_of_metric(":x")
    assert dimension_value("x" * 1025) and not dimension_value("x" * 1024)
    assert namespace("Größe") and dimension("Größe") and dimension_value("Größe")


@given(st.text(max_size=300))
def test_a_namespace_that_is_taken_is_one_by_the_documentation(text: str) -> None:
    if not namespace(text):
        assert 1 <= len(text) <= 255 or "{" in text
        assert text.isascii() and text.isprintable() and not text.startswith(":")


def test_nothing_is_filled_into_names() -> None:
    metric = Metric(namespace="Shop/{env}", name="Of-{env}", dimensions={"S{env}": "{env}", "T": "x"})
    assert [(key, value) for key, value, _ in check("m", metric)] == [
        ("m.name", "'Of-{env}'"),
        ("m.dimensions", "'S{env}'"),
    ]


@pytest.mark.parametrize("name", ["Requests{status=500}", "http.server.requests/5xx %", "a}", "{", "{0}", "Größe"])
def test_a_name_that_cloudwatch_takes_is_taken_as_it_stands(name: str) -> None:
    assert list(check("m", Metric(namespace="Shop", name=name, dimensions={"Route": "/orders/{{id}}"}))) == []
