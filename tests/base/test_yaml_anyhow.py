"""A file is read as far as it can be; what is wrong costs one value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook_lib.base.errors import UsageError
from runbook_lib.base.yaml_anyhow import Odd, read_anyhow
from runbook_lib.base.yaml_file import read_yaml

ROOT = Path(__file__).resolve().parents[2]
PLAIN = st.one_of(st.integers(-999, 999), st.booleans(), st.text("abc xyz", max_size=5), st.none())
WHOLE = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.recursive(PLAIN, st.lists, max_leaves=4))
MISTAKES = {
    "twice": "workers: 7\nworkers: 8\n",
    "a date": "when: 2026-99-99\n",
    "a tag": "odd: !!int x\n",
    "a foreign tag": "odd: !what x\n",
    "itself": "loop: &l [*l]\n",
    "a list as a key": "? [1]\n: 2\n",
    "many": "a1: &a [x,x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{chr(98 + n)}1: &{chr(98 + n)} [{','.join(f'*{chr(97 + n)}' for _ in range(10))}]\n" for n in range(6)),
    "no end": "open: [1, 2\n",
    "a tab": "x:\n\t- 1\n",
    "no alias": "x: *nowhere\n",
}


def read(folder: Path, text: str) -> dict[str, Any]:
    (folder / "a.yaml").write_text(text, encoding="utf-8")
    return read_anyhow(folder / "a.yaml")


@pytest.mark.parametrize("file", sorted((ROOT / "params").glob("*.yaml")), ids=lambda file: file.name)
def test_a_file_without_a_mistake_is_what_it_is(file: Path) -> None:
    assert read_anyhow(file) == read_yaml(file, odd_numbers=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(whole=WHOLE, mistake=st.sampled_from(sorted(MISTAKES)), above=st.booleans())
def test_a_mistake_elsewhere_costs_nothing(tmp_path: Path, whole: dict[str, Any], mistake: str, above: bool) -> None:
    text = yaml.safe_dump({"needed": whole}) + "region: eu-west-1\n"
    found = read(tmp_path, MISTAKES[mistake] + text if above else text + MISTAKES[mistake])
    assert (found["needed"], found["region"]) == (whole, "eu-west-1")


def test_a_key_twice(tmp_path: Path) -> None:
    found = read(tmp_path, "a: 1\nb: x\na: 1\nb: y\nc: {d: 1, e: 2}\nc: {e: 3, f: 4}\n")
    assert (found["a"], found["c"]["d"], found["c"]["f"]) == (1, 1, 4)
    assert isinstance(found["b"], Odd) and found["b"].last == "y" and "'b' appears twice: 'x'" in found["b"]
    assert isinstance(found["c"]["e"], Odd) and "'e' appears twice: 2" in found["c"]["e"]


def test_what_is_merged_is_overridden(tmp_path: Path) -> None:
    found = read(tmp_path, "a: &a {x: 1, y: 2}\nb: &b {x: 3, z: 4}\nc: {<<: [*a, *b], y: 5}\n")
    assert found["c"] == {"x": 1, "y": 5, "z": 4}


@pytest.mark.parametrize("text", ["", "- a\n", "x", "[" * 100, "\ta"])
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError):
        read(tmp_path, text)
