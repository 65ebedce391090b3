"""Numbers on the command line: those that nobody can mean are refused, whatever the option."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from typing import Any

import click
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.errors import UsageError
from runbook_lib.cli.app import app
from runbook_lib.cli.options import MOST, number


def numbers(command: Any, path: str = "runbook") -> Iterator[tuple[str, Any]]:
    """Every option and argument that is a number, with its command."""
    for name, below in getattr(command, "commands", {}).items():
        yield from numbers(below, f"{path} {name}")
    for param in command.params:
        if any(word in type(param.type).__name__.casefold() for word in ("int", "float")) or param.type in (
            click.INT,
            click.FLOAT,
        ):
            yield f"{path} {param.opts[0]}", param


FOUND = dict(numbers(typer.main.get_command(app)))


def test_the_numbers_are_found() -> None:
    assert {"runbook watch --interval", "runbook probe count", "runbook dlq redrive --max"} <= FOUND.keys()
    assert len(FOUND) >= 11


@pytest.mark.parametrize("where", sorted(FOUND))
def test_every_number_is_held_to_what_somebody_can_mean(where: str) -> None:
    param = FOUND[where]
    context = click.Context(click.Command("x"))
    assert inspect.unwrap(param.callback) is not None
    for value in (math.nan, math.inf, -math.inf, 1e300, MOST + 1):
        with pytest.raises(UsageError, match=f"^{param.opts[0]} is .* expects a number of at most 1,000,000,000$"):
            param.callback(context, param, value)
    assert param.callback(context, param, 7) == 7


@given(st.floats())
def test_what_passes_is_finite_and_comes_back_as_it_is(value: float) -> None:
    param: Any = typer.CallbackParam(param_decls=["--x"])
    try:
        assert number(param, value) == value
        assert abs(value) <= MOST
    except UsageError:
        assert not abs(value) <= MOST
