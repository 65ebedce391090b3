"""Bodies by declaration: what is put at a path is found there, and nothing else changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.json_body import at, filled_body, selected, texts, with_value, wrong_in

NAMES = st.sampled_from(("a", "b", "job-id", "_x"))
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(".".join)
BODIES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(NAMES, BODIES, max_size=3), PATHS, st.integers(), st.sampled_from(("", "$.")))
def test_what_is_put_at_a_path_is_found_there(body: dict[str, Any], path: str, value: int, root: str) -> None:
    assert at(with_value(body, root + path, value), path) == value
    first = path.partition(".")[0]
    assert {**with_value(body, path, value), first: 0} == {**body, first: 0}


@pytest.mark.parametrize("body", [None, [], "text", 3, {}, {"a": "text"}, {"a": None}, {"a": [{"b": 1}]}])
def test_nothing_stands_where_there_is_no_such_name(body: object) -> None:
    assert at(body, "a.b") is None


def test_a_template_is_filled_in_its_texts_alone() -> None:
    template = {"a": ["{probe}", {"b": "x-{uuid}-{{y}}"}], "n": 1, "t": True, "z": None}
    assert [path for path, _ in texts(template)] == ["a.0", "a.1.b"]
    assert wrong_in(template, ("probe", "uuid")) == ""
    assert "a.1.b: '{uuid}' is not a placeholder that is known here" in wrong_in(template, ("probe",))
    filled = filled_body(template, {"probe": "p", "uuid": "u"})
    assert filled == {"a": ["p", {"b": "x-u-{y}"}], "n": 1, "t": True, "z": None}


LINE = '{"service": "vpr", "job": {"id": 7, "tags": ["a", {"n": 1.5}]}, "ok": true, "none": null, "a b": "c"}'


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("$.service", "vpr"),
        ("$.job.id", "7"),
        ("$.job.tags[0]", "a"),
        ("$.job.tags[1].n", "1.5"),
        ("$['a b']", "c"),
        ("$.ok", "true"),
        ("$.none", None),
        ("$.job", None),
        ("$.job.tags[5]", None),
        ("$.service.name", None),
        ("$.service!", None),
        ("1", "1"),
        ("", None),
    ],
)
def test_a_selector_finds_one_value_as_text_or_nothing(selector: str, found: str | None) -> None:
    assert selected(LINE, selector) == found


def test_a_line_that_is_no_json_has_no_field() -> None:
    assert selected("Traceback", "$.service") is None
