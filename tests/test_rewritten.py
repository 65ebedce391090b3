"""What is written ahead is what pytest reads."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests import rewritten


def test_a_module_that_was_written_ahead_is_not_taken_apart_again(
    tmp_path: Path, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    from _pytest.assertion import rewrite

    path = tmp_path / "test_a.py"
    path.write_text("def test_it():\n    assert 1 == 2\n")
    assert rewritten.write(pytestconfig, [path]) == 1
    assert rewritten.write(pytestconfig, [path]) == 0
    monkeypatch.setattr(rewrite, "_rewrite_test", None)  # it would be called for one that is not there
    hook = rewrite.AssertionRewritingHook(pytestconfig)
    hook._must_rewrite.add("test_a")
    monkeypatch.syspath_prepend(tmp_path)
    spec = hook.find_spec("test_a", [str(tmp_path)])
    assert spec is not None
    hook.exec_module(module := importlib.util.module_from_spec(spec))
    with pytest.raises(AssertionError, match="1 == 2"):  # the assertion is taken apart
        module.test_it()


def test_all_that_has_tests_is_written() -> None:
    found = rewritten.modules()
    assert Path(__file__) in found and Path(__file__).with_name("conftest.py") in found and len(found) > 400
