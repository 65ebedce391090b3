"""Numbers on the command line: those that nobody can mean are refused, whatever the option."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest
import typer
from hypothesis import example, given
from hypothesis import strategies as st
from typer.testing import CliRunner

from runbook_lib.base.errors import UsageError
from runbook_lib.cli.app import app
from runbook_lib.cli.options import MOST, ArchiveRoot, number
from runbook_lib.params.load import params_dir


def numbers(group: typer.Typer) -> Iterator[tuple[str, Any]]:
    """Every option and argument that is a number: `command.parameter`, and what typer is told of it."""
    for below in group.registered_groups:
        yield from numbers(below.typer_instance)  # type: ignore[arg-type]
    for command in group.registered_commands:
        assert command.callback is not None
        found = inspect.signature(command.callback, eval_str=True).parameters
        for name, param in found.items():
            kind, *told = get_args(param.annotation) or (param.annotation,)
            if kind in (int, float):
                yield f"{command.callback.__name__}.{name}", told[0]


FOUND = dict(numbers(app))


def test_the_numbers_are_found() -> None:
    assert {"watch.interval", "status.interval", "probe.count", "redrive.most", "plan_steps.first"} <= FOUND.keys()


@pytest.mark.parametrize("where", sorted(FOUND))
def test_every_number_is_held_to_what_somebody_can_mean(where: str) -> None:
    assert FOUND[where].callback is number


@given(st.floats() | st.integers())
@example(math.nan)
@example(math.inf)
@example(1e300)
@example(10**30)
@example(10**400)
def test_what_passes_is_finite_and_comes_back_as_it_is(value: float) -> None:
    param: Any = SimpleNamespace(opts=["--interval"], param_type_name="option", name="interval")
    try:
        assert number(param, value) == value and abs(value) <= MOST
    except UsageError as error:
        assert not abs(value) <= MOST
        assert str(error).startswith("--interval is ")


ASKED = typer.Typer()


@ASKED.command()
def asked(archive: ArchiveRoot = Path("archive")) -> None:
    typer.echo(str(archive))


@pytest.mark.parametrize(
    ("files", "words", "told"),
    [
        ({}, [], "archive"),
        ({"prod": "archive"}, [], "archive"),
        ({"prod": "s3://records/team", "dev": "s3://records/team"}, [], "s3:/records/team"),
        ({"prod": "records"}, [], "{root}/records"),
        ({"prod": "s3://records/team"}, ["--archive", "elsewhere"], "elsewhere"),
        ({"prod": "s3://records/team"}, ["--archive", "archive"], "archive"),
        ({"prod": "archive", "dev": "s3://records/team"}, ["--archive", "s3://records/team"], "s3:/records/team"),
    ],
)
def test_where_no_archive_is_named_it_is_that_of_the_parameters(
    files: dict[str, str], words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project(tmp_path, files))
    done = CliRunner().invoke(ASKED, words)
    assert done.exit_code == 0 and done.stdout.strip() == told.format(root=tmp_path), done.output


def test_parameters_that_name_several_archives_are_asked_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project(tmp_path, {"dev": "archive", "prod": "s3://records/team"}))
    done = CliRunner().invoke(ASKED, [])
    assert isinstance(done.exception, UsageError)
    assert "several archives: archive (dev), s3://records/team (prod); say by --archive" in str(done.exception)


def project(folder: Path, archives: dict[str, str]) -> Path:
    (folder / "params").mkdir()
    (folder / "params" / "gates.yaml").write_text("")
    (folder / "params" / "broken.yaml").write_text("env: [\n")
    (folder / "params" / "rehearsal.yaml").write_text("archive: archive/rehearsal\n")
    for env, archive in archives.items():
        (folder / "params" / f"{env}.yaml").write_text(f"env: {env}\narchive: {archive}\n")
    return folder


WRITES = [
    ["dlq", "export", "--env", "prod", "--out"],
    ["policies", "--env", "prod", "--write"],
    ["init", "--service", "orders", "--offline", "--into"],
    ["archive", "site", "--out"],
    ["archive", "export", "--csv"],
    ["archive", "export", "--parquet"],
]


@pytest.mark.parametrize("place", ["", "log/x", "env=prod/x", "env=prod/release=r1/entry/x", "new/below"])
@pytest.mark.parametrize("words", WRITES, ids=" ".join)
def test_nothing_is_written_into_an_archive(
    words: list[str], place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dead letters beside the log damaged the archive, and the command ended with 0."""
    monkeypatch.chdir(params_dir().parent)
    root = tmp_path / "records"
    (root / "log").mkdir(parents=True)
    (root / "log" / "tree.json").write_text("{}", "utf-8")
    (root / "env=prod" / "release=r1").mkdir(parents=True)
    link = tmp_path / "link"
    link.symlink_to(root)
    before = sorted(root.rglob("*"))
    for start in (root, link):
        done = CliRunner().invoke(app, [*words, str(start / place)])
        told = str(done.exception) + done.output
        assert done.exit_code != 0 and "lies in the archive, which holds sealed records only" in told, told
    assert sorted(root.rglob("*")) == before
