"""`runbook archive prune` from the command line: dry by itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from runbook_lib.base.errors import RunbookError
from runbook_lib.cli import archive as noun
from tests.record.test_prune import archive, made  # noqa: F401

app = typer.Typer(rich_markup_mode="rich")
noun.register(app)


def call(root: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["archive", "prune", "--archive", str(root), *words])
    if isinstance(done.exception, RunbookError):
        return int(done.exception.exit_code), str(done.exception)
    assert not isinstance(done.exception, Exception), done.exception
    return done.exit_code, done.stdout


def test_it_is_dry_until_it_is_told_to_apply(archive: object, tmp_path: Path) -> None:  # noqa: F811
    root = tmp_path / "archive"
    before = sorted(root.rglob("*"))
    code, text = call(root, "--older-than", "400d")
    assert code == 0 and "3 records sealed before" in text and "--apply removes them" in text
    assert "kept: 2 records of release open, which is running or in force" in text and sorted(root.rglob("*")) == before
    code, text = call(root, "--older-than", "400d", "--apply")
    assert code == 2 and "--by is empty" in text and sorted(root.rglob("*")) == before
    code, text = call(root, "--older-than", "400d", "--apply", "--by", "Ada", "--json")
    facts = json.loads(text)
    assert code == 0 and facts["applied"] and len(facts["records"]) == 3 and len(facts["tombstones"]) == 1
    code, text = call(root, "--older-than", "400d", "--apply", "--by", "Ada")
    assert code == 0 and text.startswith("0 records sealed before")


@pytest.mark.parametrize(("words", "code"), [(("soon",), 2), (("400d", "--given-up", "new"), 3)])
def test_it_refuses_in_a_sentence(archive: object, tmp_path: Path, words: tuple[str, ...], code: int) -> None:  # noqa: F811
    found, text = call(tmp_path / "archive", "--older-than", *words)
    assert found == code and words[-1] in text and "\n" not in text


def test_a_release_whose_run_is_the_newest_is_told_why_it_cannot_be_given_up_yet(
    archive: object,  # noqa: F811
    tmp_path: Path,
) -> None:
    """It said "it was at work since", of a release that stopped years ago, and no time could be given that helped."""
    _, text = call(tmp_path / "archive", "--older-than", "1d", "--given-up", "new")
    assert "not before" in text and "ages count from the newest run of the archive" in text
    assert "once another release has run" in text


def test_a_time_after_the_newest_run_is_told_as_that(archive: object, tmp_path: Path) -> None:  # noqa: F811
    """It was told as one in the future, with the newest run's time as the time that it is."""
    found, text = call(tmp_path / "archive", "--older-than", "2999-01-01T00:00:00Z")
    assert found == 2
    assert "lies after the newest record of a run. Ages count from that record" in text
    assert "the latest time to give is 20" in text and "future" not in text
