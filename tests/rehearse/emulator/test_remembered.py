"""What is kept is what would have been computed."""

from __future__ import annotations

import datetime as dt

from runbook_lib.rehearse.emulator.remembered import of_text


def test_a_string_is_computed_once_and_anything_else_each_time() -> None:
    asked: list[object] = []

    def double(value: object) -> object:
        asked.append(value)
        return value, value

    quick = of_text(double)
    assert [quick("a"), quick("a"), quick("b")] == [("a", "a"), ("a", "a"), ("b", "b")]
    assert asked == ["a", "b"]
    assert quick(1) == (1, 1) and quick(True) == (True, True)
    assert quick(None) == (None, None) and quick([1]) == ([1], [1])
    assert asked == ["a", "b", 1, True, None, [1]]


def test_times_read_through_it_are_those_of_the_emulator() -> None:
    from ministack.services import cloudwatch

    quick = of_text(cloudwatch._parse_ts)
    noon = dt.datetime(2026, 11, 3, 12, tzinfo=dt.UTC)
    for given in ("2026-11-03T12:00:00Z", "2026-11-03T12:00:00+00:00", f"{noon.timestamp()}", noon, noon.timestamp()):
        assert quick(given) == quick(given) == noon.timestamp()
    assert quick("") is None and quick(None) is None
