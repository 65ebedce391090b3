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
    assert write(found, folder) == [(str(folder / name), True) for name in found]
    assert write(found, folder) == [(str(folder / name), False) for name in found]
    (folder / "operator.json").write_text("{}")
    assert [Path(name).name for name, new in write(found, folder) if new] == ["operator.json"]
    archive = json.loads((folder / "archive.json").read_text())
    assert [one["Resource"] for one in archive["Statement"]] == [
        "arn:aws:s3:::our-records",
        "arn:aws:s3:::our-records/archive/*",
    ]


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
