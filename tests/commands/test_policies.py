"""`runbook policies`: documents as files, written where they differ and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runbook_lib.base.errors import UsageError
from runbook_lib.commands.policies import REPOSITORY, documents, write
from runbook_lib.params.load import load_file, params_dir

PARAMS = load_file(params_dir() / "prod.yaml")


def test_a_second_time_nothing_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "iam"
    found = documents(PARAMS, "our/service", "our-records")
    assert [(one.file, one.state) for one in write(found, folder)] == [
        (str(folder / name), "written") for name in found
    ]
    assert {one.state for one in write(found, folder)} == {"as it was"}
    archive = json.loads((folder / "archive.json").read_text())
    assert [one["Resource"] for one in archive["Statement"]] == [
        "arn:aws:s3:::our-records",
        "arn:aws:s3:::our-records/archive/*",
    ]


def test_what_a_person_edited_is_left_alone_and_the_difference_told(tmp_path: Path) -> None:
    found = documents(PARAMS, "our/service")
    write(found, tmp_path)
    edited = (tmp_path / "operator.json").read_text().replace("application/*", "application/a1b2c3d")
    (tmp_path / "operator.json").write_text(edited)
    told = {Path(one.file).name: one for one in write(documents(PARAMS), tmp_path)}
    assert {name for name, one in told.items() if one.state == "differs"} == {"operator.json", "trust.json"}
    assert "-" in told["operator.json"].difference and "application/a1b2c3d" in told["operator.json"].difference
    assert (tmp_path / "operator.json").read_text() == edited
    assert "repo:our/service" in (tmp_path / "trust.json").read_text()


def test_another_environments_files_are_left_alone(tmp_path: Path) -> None:
    write(documents(PARAMS), tmp_path)
    before = {one.name: one.read_text() for one in tmp_path.iterdir()}
    assert "written" not in {one.state for one in write(documents(load_file(params_dir() / "dev.yaml")), tmp_path)}
    assert {one.name: one.read_text() for one in tmp_path.iterdir()} == before


def test_asked_to_replace_it_replaces(tmp_path: Path) -> None:
    (tmp_path / "operator.json").write_text("{}")
    told = {Path(one.file).name: one.state for one in write(documents(PARAMS), tmp_path, replace=True)}
    assert set(told.values()) == {"written"}
    assert json.loads((tmp_path / "operator.json").read_text())["Statement"]


def test_a_role_that_has_nothing_to_do_has_no_file() -> None:
    assert set(documents(PARAMS)) == {"read-only.json", "operator.json", "watch.json", "trust.json"}
    assert REPOSITORY in json.dumps(documents(PARAMS)["trust.json"])


@pytest.mark.parametrize(("repository", "bucket"), [("ours", ""), ("our/*", ""), ("", "Ours"), ("", "a/b"), ("", "*")])
def test_a_name_that_is_none_is_refused(repository: str, bucket: str) -> None:
    with pytest.raises(UsageError, match="expects"):
        documents(PARAMS, repository, bucket)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "iam").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write(documents(PARAMS), tmp_path / "iam")
