"""`runbook archive` and `runbook replay` over records with hostile texts, and over damaged ones."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from runbook_lib.base.errors import RunbookError, UsageError
from runbook_lib.cli import archive as noun
from runbook_lib.cli import replay
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.entry import Entry, sealed
from runbook_lib.record.journal import Journal
from runbook_lib.record.place import RecordRef, new_run_id

app = typer.Typer(rich_markup_mode="rich")
noun.register(app)
replay.register(app)


def sealed_with(folder: Path, reason: str, env: str = "dev", release: str = "r1") -> RecordRef:
    """A record that holds, with that text wherever a record has one."""
    archive = Archive(folder / "archive")
    staging = archive.stage(env, release, "06_phase1_10_percent", new_run_id(), "interactive")
    journal = Journal(staging)
    params = {"env": env, "release": release, "mode": "plan", "operator": reason}
    journal.append("opened", run_id=staging.name, notebook="06_phase1_10_percent", params=params)
    journal.append("warning", text=reason)
    journal.append("intent", id="i", what=reason, before={reason: reason})
    outcome = {"decision": "HOLD", "said": None, "reason": reason, "next": reason}
    journal.append("decision", moment="step", outcome=outcome)
    journal.append("closed", decision="HOLD")
    return seal_staged(archive, staging, status="completed")


@pytest.fixture
def seal(tmp_path: Path) -> Callable[..., RecordRef]:
    return lambda reason="fine": sealed_with(tmp_path, reason)


def call(root: Path, *words: str) -> tuple[int, Result]:
    done = CliRunner().invoke(app, [*words, "--archive", str(root / "archive")])
    if isinstance(done.exception, RunbookError):
        return int(done.exception.exit_code), done
    if isinstance(done.exception, Exception):
        raise done.exception
    return done.exit_code, done


@pytest.mark.slow
@pytest.mark.parametrize("text", ["[/x]", "[bold]x", "\x1b[2J", "<b>`", "\\[/", "[link=https://a]b", "a\tb\nc"])
@pytest.mark.parametrize("more", [(), ("--markdown",), ("--json",)])
def test_a_record_with_any_text_is_shown(
    tmp_path: Path, seal: Callable[..., RecordRef], text: str, more: tuple[str, ...]
) -> None:
    ref = seal(text)
    code, done = call(tmp_path, "archive", "show", ref.run_id, *more)
    assert code == 0 and "\x1b" not in done.stdout
    code, done = call(tmp_path, "archive", "list")
    assert code == 0 and done.stdout.startswith(f"{ref.run_id}\t") and done.stdout.count("\n") == 1


def test_damaged_records_are_named_and_the_end_is_not_0(tmp_path: Path, seal: Callable[..., RecordRef]) -> None:
    good, bad = seal(), seal()
    path = bad.folder / "record.json"
    path.write_text(path.read_text().replace("fine", "\\ud800"))
    code, done = call(tmp_path, "archive", "list")
    assert code == 1 and bad.folder.name in str(done.exception) and good.folder.name not in str(done.exception)
    assert len(done.stdout.splitlines()) == 2
    code, done = call(tmp_path, "archive", "list", "--json")
    assert code == 1 and [row["intact"] for row in json.loads(done.stdout)] == [True, False]
    code, done = call(tmp_path, "replay", "--all")
    assert code == 1 and bad.folder.name in done.output
    code, done = call(tmp_path, "replay", "--all", "--json")
    assert code == 1 and len(json.loads(done.stdout)) == 2


def test_a_whole_archive_ends_with_0(tmp_path: Path, seal: Callable[..., RecordRef]) -> None:
    seal()
    assert [call(tmp_path, *words)[0] for words in (("archive", "list"), ("replay", "--all"))] == [0, 0]


def test_what_is_wrong_with_a_chain_is_said_once(tmp_path: Path, seal: Callable[..., RecordRef]) -> None:
    first, *_ = [seal() for _ in range(6)]
    path = first.folder / "record.json"
    path.write_bytes(path.read_bytes() + b" ")
    code, done = call(tmp_path, "archive", "list")
    assert code == 1 and str(done.exception).count(first.folder.name) == 1
    told: list[str] = []
    archive = Archive(tmp_path / "archive")
    assert list(archive.trusted(archive.records(), told.append)) == [] and len(told) == 1


def test_what_a_person_said_is_shown_and_nothing_is_shown_as_python(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    entry = Entry(kind="note", item="", by="Ana", at="2026-11-23T03:00:00+00:00", text="it was the queue")
    ref = sealed(archive, {"env": "dev", "release": "r1"}, entry)
    code, done = call(tmp_path, "archive", "show", ref.run_id)
    assert code == 0 and "it was the queue" in done.output and "Ana" in done.output
    assert "{'" not in done.output and "[{" not in done.output


def test_a_list_is_narrowed_by_verdict_and_time_and_never_leaves_out_damage(
    tmp_path: Path, seal: Callable[..., RecordRef]
) -> None:
    refs = [seal(), seal()]
    for words, count in (
        (("--verdict", "hold"), 2),
        (("--verdict", "PROMOTE"), 0),
        (("--verdict", "PROMOTE", "--verdict", "HOLD", "--since", "1h"), 2),
        (("--since", "2020-01-01"), 2),
    ):
        code, done = call(tmp_path, "archive", "list", "--json", *words)
        assert (code, len(json.loads(done.stdout))) == (0, count)
    assert call(tmp_path, "archive", "list", "--since", "soon")[0] == 2
    (refs[0].folder / "journal.jsonl").write_text("")
    code, done = call(tmp_path, "archive", "list", "--json", "--verdict", "PROMOTE")
    assert code == 1 and refs[0].run_id in {row["run"] for row in json.loads(done.stdout)}


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--verdict", "BANANA", "PLANNED, SOAK, PROMOTE, HOLD, ROLLBACK"),
        ("--verdict", "promot", "did you mean 'PROMOTE'?"),
        ("--since", "99999999999999d", "neither a time such as"),
        ("--since", "1e3h", "neither a time such as"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(tmp_path: Path, option: str, value: str, told: str) -> None:
    (tmp_path / "archive").mkdir()
    done = CliRunner().invoke(app, ["archive", "list", option, value, "--archive", str(tmp_path / "archive")])
    assert isinstance(done.exception, UsageError) and told in str(done.exception) and value in str(done.exception)


def test_a_list_is_narrowed_by_the_number_of_a_notebook_and_says_who_and_why(
    tmp_path: Path, seal: Callable[..., RecordRef]
) -> None:
    seal("fine")
    (row,) = json.loads(call(tmp_path, "archive", "list", "--json", "--notebook", "06")[1].stdout)
    assert (row["operator"], row["reason"]) == ("fine", "fine")
    assert json.loads(call(tmp_path, "archive", "list", "--json", "--notebook", "0")[1].stdout) == []
    assert json.loads(call(tmp_path, "archive", "list", "--json", "--notebook", "07")[1].stdout) == []


def test_a_filter_that_nothing_can_meet_says_what_there_is(tmp_path: Path, seal: Callable[..., RecordRef]) -> None:
    seal()
    for words, told in (
        (("--env", "prd"), "no record of environment prd; there are: dev"),
        (("--env", "dev", "--release", "r2"), "no record of release r2; there are: r1"),
        (("--release", "r2"), "no record of release r2; there are: r1"),
        (("--notebook", "zzz"), "no record of notebook zzz; there are: "),
        (("--notebook", "06_phase1"), "no record of notebook 06_phase1; there are: "),
        (("--notebook", "07"), "no record of notebook 07; there are: "),
    ):
        code, done = call(tmp_path, "archive", "list", *words)
        assert (code, done.stdout) == (0, "") and told in done.stderr
    _, done = call(tmp_path, "archive", "list", "--env", "dev", "--verdict", "ROLLBACK", "--json")
    assert done.stdout == "[]\n" and done.stderr == "", "it is known, and nothing decided that"


def test_since_and_older_than_part_the_archive_in_two(tmp_path: Path, seal: Callable[..., RecordRef]) -> None:
    at = dt.datetime.strptime(seal().sealed, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=dt.UTC)
    time.sleep(0.01)  # so that a millisecond after it is not in the future
    for moved, listed in ((0, 1), (1, 0)):
        since = (at + dt.timedelta(milliseconds=moved)).isoformat()
        _, done = call(tmp_path, "archive", "list", "--since", since)
        assert done.stdout.count("\n") == listed


@pytest.mark.parametrize(("word", "told"), [("ASYNC IS OFF", "ASYNC IS OFF"), (None, None)])
def test_a_terminal_shows_one_word_for_what_a_record_decided(word: str | None, told: str | None) -> None:
    """It showed "decision SOAK" above "word ASYNC IS OFF": two words for one run. `--json` has both, as before."""
    shown = {"sealed": "2026-11-23T03:00:00Z", "decision": "SOAK" if word else None, "word": word, "as_of": None}
    found = noun._for_people(shown)
    assert found["decision"] == told and "word" not in found and found["sealed"] == "2026-11-23 03:00 UTC"


def test_one_form_of_a_record_at_a_time(tmp_path: Path) -> None:
    """`--json` was passed over."""
    _, done = call(tmp_path, "archive", "show", "x", "--json", "--markdown")
    assert isinstance(done.exception, UsageError) and "not both" in str(done.exception)
