"""`runbook params explain`: every key of every delivered file is told, and the page is made of the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.errors import UsageError
from runbook_lib.base.project import params_dir, read_yaml
from runbook_lib.commands.explain import FILES, PAGE, File, explain, main, page
from runbook_lib.commands.init.answers import of_flags
from runbook_lib.commands.init.folder import planned, write
from runbook_lib.params.explain import keys

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=[file.name for file in FILES])
def test_every_key_says_what_it_is(file: File) -> None:
    assert [key.path for key in keys(file.model) if not key.told] == []


def test_the_page_is_current() -> None:
    assert (ROOT / PAGE).read_text() == page(), "python -m runbook_lib.commands.explain --write"
    assert main() == 0


def written(value: Any, path: str = "") -> Iterator[str]:
    """Every path of a file, as it is written."""
    for name, inside in value.items() if isinstance(value, dict) else ():
        here = f"{path}.{name}" if path else str(name)
        yield here
        yield from written(inside, here)


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=[file.name for file in FILES])
def test_whatever_a_delivered_file_holds_can_be_asked_for(file: File) -> None:
    for path in written(read_yaml(params_dir() / f"{file.example}.yaml")):
        assert file in [one.file for one in explain(f"{file.name}.{path}")], path


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        ("harm.users", "harm.users"),
        ("gates.yaml", "environments"),
        ("gates.phases.06_phase1_10_percent.percent", "phases.NAME.percent"),
        ("phases.07.looks.hours", "phases.NAME.looks[].hours"),
        ("service.api.routes", "api.routes"),
        ("", "env"),
        ("prod.yaml", "env"),
        ("staging.attempt", "attempt"),
    ],
)
def test_a_key_is_asked_for_as_one_would_write_it(asked: str, first: str) -> None:
    assert explain(asked)[0].keys[0].path == first


def test_a_key_that_there_is_not_is_a_sentence_with_the_nearest() -> None:
    with pytest.raises(
        UsageError, match=r"'harm.user' is not a key of the parameter files; did you mean 'harm.users'\?"
    ):
        explain("harm.user")


@pytest.mark.parametrize("asked", ["phases.07_phase2_50_percent.aprovers", "steps.x.nonsense", "gates.gates[].targt"])
def test_a_key_that_is_wrong_below_a_name_of_one_s_own_is_told(asked: str) -> None:
    with pytest.raises(UsageError, match="is not a key of the parameter files"):
        explain(asked)


def test_a_page_that_is_not_current_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("runbook_lib.commands.explain.page", lambda: "another")
    monkeypatch.setattr("sys.argv", ["explain"])
    assert main() == 1 and "--write" in capsys.readouterr().out


def test_outside_of_a_project_the_delivered_files_are_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert [one.file.name for one in explain("harm.users")] == ["gates"]


def test_in_a_project_with_environments_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = of_flags("invoice-press", environments={"qa": "development", "live-eu": "production"})
    answers.complete()
    write(tmp_path, planned(answers))
    monkeypatch.chdir(tmp_path)
    assert explain("gates.phases")[0].file.name == "gates"
    assert [key.path for key in explain("live-eu.region")[0].keys] == ["region"]
    assert {key.path for key in explain("qa")[0].keys} >= {"account_id", "release"}
