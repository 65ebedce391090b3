"""Tests of an option that may be said once."""

from __future__ import annotations

import argparse

import pytest

from runbook_lib.base.once import Once


def test_another_value_is_a_mistake_and_the_same_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    def parser() -> argparse.ArgumentParser:
        one = argparse.ArgumentParser()
        one.add_argument("--name", action=Once, default="")
        return one

    assert parser().parse_args([]).name == ""
    assert parser().parse_args(["--name", "a", "--name=a"]).name == "a"
    with pytest.raises(SystemExit):
        parser().parse_args(["--name", "a", "--name", "b"])
    assert "name is said twice" in capsys.readouterr().err
