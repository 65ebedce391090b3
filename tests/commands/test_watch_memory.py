"""What a watch remembers is a file of its own, whatever has its place."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runbook_lib.commands.watch_memory import Memory

PARAMS: Any = SimpleNamespace(env="prod", release="r1", attempt=1)
LOOK: Any = SimpleNamespace(
    at="2026-11-10T03:00:00Z", decision="SOAK", moment="soaking", failing=(), record=None, back_filled=False
)


def memory(folder: Path) -> Memory:
    return Memory.of(SimpleNamespace(root=folder), PARAMS, "06")  # type: ignore[arg-type]


def test_a_look_is_remembered_by_the_next_watch(tmp_path: Path) -> None:
    memory(tmp_path).add(LOOK)
    assert memory(tmp_path).last() == {**memory(tmp_path).lines[0]} and len(memory(tmp_path).lines) == 1


GOOD = {"at": "2026-11-10T03:00:00Z", "state": ["SOAK", "soaking", []], "kept": False, "back_filled": False}


@pytest.mark.parametrize(
    "line",
    [
        *(json.dumps({key: value for key, value in GOOD.items() if key != missing}) for missing in GOOD),
        *(
            json.dumps({**GOOD, key: odd})
            for key in GOOD
            for odd in (None, {}, "x", [[]])
            if (key, odd) != ("state", [[]])
        ),
        *("null", "[]", "1", '{"at": "2026', "[" * 100_000, json.dumps([GOOD])),
    ],
    ids=lambda line: line[:60],
)
def test_a_line_that_is_not_its_own_is_no_look(tmp_path: Path, line: str) -> None:
    """One without "kept" ended `runbook watch --auto-rollback` in a KeyError, and nobody watched any more."""
    path = memory(tmp_path).path
    path.parent.mkdir()
    path.write_text(f"{line}\n{json.dumps(GOOD)}\n{line}\n")
    assert memory(tmp_path).lines == [GOOD]


@pytest.mark.parametrize("kind", ["a pipe", "a link to a file", "a link to a device", "a link to nothing"])
def test_what_has_its_place_is_neither_waited_for_nor_written_through(tmp_path: Path, kind: str) -> None:
    """`runbook watch` hung for ever on a pipe, and wrote a line into whatever file a link led to."""
    path, other = memory(tmp_path).path, tmp_path / "another's"
    path.parent.mkdir()
    other.write_text("mine\n")
    if kind == "a pipe":
        os.mkfifo(path)
    else:
        path.symlink_to({"a link to a file": other, "a link to a device": "/dev/zero"}.get(kind, tmp_path / "gone"))
    first = memory(tmp_path)
    assert first.lines == []
    first.add(LOOK)
    assert other.read_text() == "mine\n" and not (tmp_path / "gone").exists()
    assert len(memory(tmp_path).lines) == 1 and not path.is_symlink()


def test_one_that_comes_later_only_costs_a_look(tmp_path: Path) -> None:
    one = memory(tmp_path)
    one.path.parent.mkdir()
    os.mkfifo(one.path)
    one.add(LOOK)
    assert len(one.lines) == 1 and one.is_odd


def test_a_folder_in_its_place_is_left_alone(tmp_path: Path) -> None:
    one = memory(tmp_path)
    one.path.mkdir(parents=True)
    memory(tmp_path).add(LOOK)
    assert one.path.is_dir()
