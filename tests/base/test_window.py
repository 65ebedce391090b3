from __future__ import annotations

import ast
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.errors import UsageError
from runbook_lib.base.window import Window, iso, moment, one_bucket, parse, period_for, when
from runbook_lib.judge import words

T = dt.datetime(2026, 11, 10, 10, 0, tzinfo=dt.UTC)
MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)


def test_a_window_needs_zones_and_order() -> None:
    with pytest.raises(UsageError, match="time zone"):
        Window(dt.datetime(2026, 1, 1), T)  # noqa: DTZ001
    with pytest.raises(UsageError, match="before it starts"):
        Window(T, T - MINUTE)
    berlin = dt.timezone(dt.timedelta(hours=1))
    assert Window(T.astimezone(berlin), T + HOUR).start.tzinfo is dt.UTC


@pytest.mark.parametrize(
    ("now", "end"),
    [(T + DAY + HOUR, T + DAY), (T + DAY, T + DAY - 5 * MINUTE), (T + MINUTE, T), (T - DAY, T)],
)
def test_settled_takes_the_delay_off_the_end(now: dt.datetime, end: dt.datetime) -> None:
    assert Window(T, T + DAY).settled(now, 300) == Window(T, end)


def test_inward_lets_nothing_of_the_neighbours_in() -> None:
    ragged = Window(T + dt.timedelta(seconds=1), T + 10 * MINUTE - dt.timedelta(seconds=1))
    assert ragged.inward(60) == Window(T + MINUTE, T + 9 * MINUTE)
    assert Window(T + dt.timedelta(seconds=1), T + dt.timedelta(seconds=2)).inward(60).empty


def test_since() -> None:
    window = Window(T, T + DAY)
    assert window.since(T + HOUR) == Window(T + HOUR, T + DAY)
    assert window.since(T - HOUR) == window
    assert window.since(T + 2 * DAY).empty


@pytest.mark.parametrize(("age", "period"), [(1, 60), (14.9, 60), (15, 300), (62.9, 300), (63, 3600), (454, 3600)])
def test_old_windows_ask_for_coarser_periods(age: float, period: int) -> None:
    assert period_for(Window(T, T + HOUR), T + dt.timedelta(days=age)) == period


def test_what_cloudwatch_has_dropped_is_said() -> None:
    with pytest.raises(UsageError, match="455 days"):
        period_for(Window(T, T + HOUR), T + 456 * DAY)


@given(
    start=st.integers(28_000_000, 31_000_000), minutes=st.integers(1, 60 * 40), grid=st.sampled_from([60, 300, 3600])
)
def test_one_bucket_on_the_epochs_grid_and_from_the_start(start: int, minutes: int, grid: int) -> None:
    begin = dt.datetime.fromtimestamp(start * 60, dt.UTC)
    window = Window(begin, begin + dt.timedelta(minutes=minutes))
    period = one_bucket(window, grid)
    assert period % grid == 0
    assert period >= window.seconds, "AWS starts its buckets at StartTime: a shorter period would make two"
    assert start * 60 // period == (start * 60 + minutes * 60 - 1) // period, (
        "the emulator cuts at the epoch's multiples"
    )


def test_one_bucket_is_not_much_longer_than_a_soak() -> None:
    for minute in range(0, 24 * 60, 37):
        begin = T + minute * MINUTE
        assert one_bucket(Window(begin, begin + DAY)) < 1.15 * 86400


def test_times_as_text() -> None:
    assert iso(T) == "2026-11-10T10:00:00Z"
    assert iso(T + dt.timedelta(milliseconds=5)) == "2026-11-10T10:00:00.005Z"
    assert parse("2026-11-10T10:00:00Z") == parse("2026-11-10T10:00:00") == parse("2026-11-10T11:00:00+01:00") == T


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("24h", T - dt.timedelta(hours=24)),
        ("7d", T - dt.timedelta(days=7)),
        ("90min", T - dt.timedelta(minutes=90)),
        ("1.5 h", T - dt.timedelta(minutes=90)),
        ("2026-11-09", dt.datetime(2026, 11, 9, tzinfo=dt.UTC)),
        ("2026-11-09T10:00:00+02:00", dt.datetime(2026, 11, 9, 8, tzinfo=dt.UTC)),
    ],
)
def test_a_time_or_how_long_ago(text: str, expected: dt.datetime) -> None:
    assert moment(text, T, "--since") == expected


@pytest.mark.parametrize(
    ("text", "said"), [("yesterday", "neither a time"), ("", "neither a time"), ("2026-12-01", "future")]
)
def test_what_is_no_time_is_one_sentence(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        moment(text, T, "--since")
    assert "--since" in str(raised.value)


# What people read has one time format: `when`. `iso` and its kind are for machines.

LIBRARY = Path(__file__).resolve().parents[2] / "runbook_lib"
FOR_MACHINES = {
    ("act/traffic/flags.py", "until.astimezone(dt.UTC)"),  # read again by `observe`
    ("params/item.py", "later"),  # of a question to DynamoDB
    ("act/guard.py", "self.params.as_of"),  # as it was given, and is no time
    ("steps/rollbacks/mitigation.py", "one.at"),
    ("observe/evidence/levels.py", "told.created_at"),  # the name of an attribute
    ("observe/evidence/levels.py", "told.completed_at"),
}
STAMPS = ("at", "as_of", "due", "began", "ends", "begins", "since", "until")
"""Attributes that are times, as text of machines or as `datetime`; and all that end in `_at`."""


def machine_times(code: str) -> Iterator[str]:
    """Times in the machine's form, or none at all, that stand in a sentence."""
    for scope in ast.walk(ast.parse(code)):
        if not isinstance(scope, ast.FunctionDef):
            continue
        inside = list(ast.walk(scope))
        told = {
            name.id
            for node in inside
            if isinstance(node, ast.Assign)
            for name, value in _pairs(node)
            if isinstance(name, ast.Name) and (_machine(value) or _stamped(value))
        }
        for node in inside:
            if isinstance(node, ast.FormattedValue):
                spec = ast.unparse(node.format_spec) if node.format_spec else ""
                for value in (
                    (node.value.body, node.value.orelse) if isinstance(node.value, ast.IfExp) else [node.value]
                ):
                    named = isinstance(value, ast.Name) and value.id in told
                    stamp = isinstance(value, ast.Attribute) and value.attr in STAMPS and not spec
                    late = isinstance(value, ast.Attribute) and value.attr.endswith("_at") and value.attr != "failed_at"
                    if _machine(value) or named or stamp or (late and not spec) or "-%dT%H" in spec:
                        yield ast.unparse(value)


def _pairs(node: ast.Assign) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Each name with what it is given."""
    for target in node.targets:
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            yield from zip(target.elts, node.value.elts, strict=False)
        else:
            yield target, node.value


def _stamped(node: ast.expr) -> bool:
    """An attribute that is a time; of the first of several, too."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "next" and isinstance(node.args[0], ast.GeneratorExp):
        node = node.args[0].elt
    return isinstance(node, ast.Attribute) and (node.attr in STAMPS or node.attr.endswith("_at"))


def _machine(node: ast.expr) -> bool:
    called = node.func if isinstance(node, ast.Call) else None
    return isinstance(called, ast.Name | ast.Attribute) and ast.unparse(called).split(".")[-1] in ("iso", "isoformat")


@pytest.mark.slow
def test_every_time_in_a_sentence_has_the_form_for_people() -> None:
    assert list(machine_times("def f():\n at = iso(x)\n return f'at {at}, {iso(y)}, {z.sealed_at}, {when(y)}'"))
    found = {
        (file.relative_to(LIBRARY).as_posix(), value)
        for file in LIBRARY.rglob("*.py")
        if "rehearse" not in file.parts and file.name != "verify_standalone.py"
        for value in machine_times(file.read_text())
    }
    assert found == FOR_MACHINES


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59Z"])
def test_a_time_at_the_end_of_the_calendar_is_told_and_ends_nothing(text: str) -> None:
    """A record may say anything: a list goes on."""
    assert when(text)[:4] == text[:4]
    assert words.instant(text)[:4] == text[:4]
