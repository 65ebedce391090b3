"""Where the project's files lie, and YAML read from them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.errors import UsageError
from runbook_lib.base.project import params_dir, read_yaml

NAMES = st.text("abcdefgh_", min_size=1, max_size=6)


@given(keys=st.lists(NAMES, min_size=1, max_size=8, unique=True), deep=st.booleans(), data=st.data())
def test_a_key_that_stands_twice_is_refused(
    tmp_path_factory: pytest.TempPathFactory, keys: list[str], deep: bool, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("yaml") / "a.yaml"
    twice = data.draw(st.one_of(st.none(), st.sampled_from(keys)))
    lines = [f"{key}: 1" for key in (*keys, *([twice] if twice else []))]
    path.write_text("\n".join(["top:", *(f"  {line}" for line in lines)] if deep else lines) + "\n")
    if twice is None:
        assert (read_yaml(path)["top"] if deep else read_yaml(path)) == dict.fromkeys(keys, 1)
        return
    with pytest.raises(UsageError, match=f"line {len(lines) + deep}: not valid YAML .the key '{twice}' stands twice."):
        read_yaml(path)


@pytest.mark.parametrize("path", sorted(params_dir(Path(__file__).parent).glob("*.yaml")), ids=lambda one: one.name)
def test_no_file_of_ours_has_a_key_twice(path: Path) -> None:
    assert read_yaml(path)


def test_an_anchor_may_be_merged_and_overridden(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\n")
    assert read_yaml(path)["b"] == {"x": 3, "y": 2}
