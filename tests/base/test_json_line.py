"""What a metric filter's selector finds in a line."""

from __future__ import annotations

import pytest

from runbook_lib.base.json_line import selected

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
