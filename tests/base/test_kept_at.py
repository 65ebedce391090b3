"""Where an archive's files are: a folder, or the copy of a bucket."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runbook_lib.base.errors import UsageError
from runbook_lib.base.kept_at import address, archive_root, home_address


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("s3://records/team/a=b", "s3://records/team/a=b"),
        (Path("s3://records/team"), "s3://records/team"),
        ("s3://records/", "s3://records"),
        ("archive", ""),
        ("s3", ""),
        ("./s3:/x", ""),
    ],
)
def test_an_address_is_told_from_a_folder(written: str | Path, meant: str) -> None:
    assert address(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        "s3://",
        "s3://A",
        "s3://records/../x",
        "s3://records//x",
        "s3://records/a b",
        "S3://x",
        "ftp://h/x",
        "file:///x",
        "https:/x",
    ],
)
def test_what_is_no_address_is_one_sentence(written: str) -> None:
    with pytest.raises(UsageError, match="which is not an address such as s3://bucket/prefix"):
        address(written)


def test_an_address_is_told_as_it_was_written() -> None:
    for written in ("ftp://h/x", "s3://"):
        with pytest.raises(UsageError, match=f"archive is '{written}'"):
            address(Path(written))


def test_a_copy_says_what_it_is_the_copy_of(tmp_path: Path) -> None:
    assert archive_root("archive", tmp_path) == tmp_path / "archive" and home_address(tmp_path / "archive") == ""
    root = archive_root("s3://records/team", tmp_path)
    assert root == tmp_path / "archive" / "s3" / "records" / "team"
    assert home_address(root) == "s3://records/team"
    (root / ".home").write_text("s3://\n")
    assert home_address(root) == ""


@pytest.mark.parametrize("put", ["s3://elsewhere/team\n", "s3://records/team/more\n", "\xff", None])
def test_a_bucket_that_somebody_else_wrote_there_is_not_the_archives_home(tmp_path: Path, put: str | None) -> None:
    plain, copy = tmp_path / "archive", archive_root("s3://records/team", tmp_path)
    plain.mkdir(exist_ok=True)
    for folder in (plain, copy):
        (folder / ".home").unlink(missing_ok=True)
        (folder / ".home").write_text(put, "latin-1") if put else os.mkfifo(folder / ".home")
        assert home_address(folder) == ""
    assert home_address(archive_root("s3://records/team", tmp_path)) == "s3://records/team"
    assert home_address(archive_root("s3://records", tmp_path)) == "s3://records"


@pytest.mark.parametrize("written", ["/dev/null", "file", "file/below/it", "nowhere", "nowhere/below"])
def test_what_is_no_folder_is_no_archive(written: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    named = written.partition("/below")[0]
    with pytest.raises(UsageError, match=f"archive is '{written}': .*{named} is not a folder; name one"):
        archive_root(written, tmp_path)
    assert archive_root(written, tmp_path, anyhow=True) == tmp_path / written
    assert archive_root("gone/below", tmp_path) == tmp_path / "gone" / "below"
