"""What a person puts into the chain is sealed like a run, and counts only while it is unaltered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from pydantic import ValidationError

from runbook_lib.base.errors import ArchiveError
from runbook_lib.cli.ending import changed
from runbook_lib.params.load import Params, load_file
from runbook_lib.record import entry as entries
from runbook_lib.record.archive import Archive
from runbook_lib.record.entry import Entry, book, enter, same_role

PARAMS = Path(__file__).parents[2] / "params"


def params(env: str = "prod", **more: Any) -> Params:
    return load_file(PARAMS / f"{env}.yaml", {"release": "r1", "operator": "Olga", **more})


def entry(item: str = "code_review", at: str = "2026-11-20T09:00:00+00:00", **more: Any) -> Entry:
    return Entry(**{"kind": "attestation", "item": item, "by": "Ada L.", "role": "reviewer", "at": at, **more})


def test_an_entry_is_a_sealed_record_of_its_own(archive: Archive) -> None:
    ref = enter(archive, params(), entry(link="https://example.org/review/1"), "arn:aws:iam::1:user/ada")
    archive.verify(ref)
    record = archive.load(ref)
    assert (record.notebook, record.origin, record.status, record.decision) == ("entry", "entry", "completed", None)
    assert (record.env, record.release, record.operator) == ("prod", "r1", "Olga")
    assert record.caller_arn == "arn:aws:iam::1:user/ada"
    assert record.as_of == "2026-11-20T09:00:00+00:00"
    assert record.entry is not None and record.entry["link"] == "https://example.org/review/1"
    assert "code_review" in (ref.folder / "journal.jsonl").read_text()
    assert not list(archive.staging.glob("[a-z0-9]*"))


def test_they_come_back_in_the_order_they_were_said_and_by_kind(archive: Archive) -> None:
    enter(archive, params(), entry("later", "2026-11-21T10:00:00+01:00"))
    enter(archive, params(), entry("earlier", "2026-11-21T08:30:00+00:00"))
    enter(archive, params(), entry(kind="note", item="", text="PagerDuty was slow"))
    assert [one.entry.item for one in book(archive, "prod", "r1", "attestation").entered] == ["earlier", "later"]
    (said,) = book(archive, "prod", "r1", "note").entered
    assert said.entry.text == "PagerDuty was slow"


def test_only_those_of_the_release_and_where_asked_of_the_environment(archive: Archive) -> None:
    enter(archive, params("staging"), entry("here"))
    enter(archive, params("prod"), entry("there"))
    enter(archive, params("prod", release="r2"), entry("another"))
    assert [one.entry.item for one in book(archive, "staging", "r1").entered] == ["here"]
    assert {one.entry.item for one in book(archive, None, "r1").entered} == {"here", "there"}
    assert {one.env for one in book(archive, None, "r1").entered} == {"staging", "prod"}


def test_an_altered_entry_does_not_count_and_is_named(archive: Archive) -> None:
    enter(archive, params(), entry("kept"))
    ref = enter(archive, params(), entry("forged"))
    path = ref.folder / "record.json"
    raw = json.loads(path.read_text())
    raw["entry"]["by"] = "Mallory"
    path.write_text(json.dumps(raw))
    found = book(archive, "prod", "r1")
    assert [one.entry.item for one in found.entered] == ["kept"]
    (sentence,) = found.altered
    assert ref.folder.name in sentence and "altered after it was sealed" in sentence


@pytest.mark.parametrize(
    "wrong",
    [{"by": ""}, {"by": "   "}, {"at": "2026-11-20T09:00:00"}, {"at": "yesterday"}, {"kind": "rumour"}],
)
def test_nobody_and_no_time_are_no_entry(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        entry(**wrong)


def test_a_run_id_is_taken_once(archive: Archive) -> None:
    enter(archive, params(), entry(), run_id="abc123")
    with pytest.raises(ArchiveError, match="letters and digits"):
        enter(archive, params(), entry(), run_id="abc-123")


def test_a_record_that_is_no_entry_is_passed_over(archive: Archive) -> None:
    from runbook_lib.record.archive import seal_staged

    staging = archive.stage("prod", "r1", "entry", "abc", "entry")
    seal_staged(archive, staging, status="died")
    assert book(archive, "prod", "r1") == book(Archive(archive.root / "empty"), "prod", "r1")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("QA", "qa", True), ("Engineering  Lead", "engineering lead", True), ("lead", "engineering lead", False)],
)
def test_roles_are_compared_whatever_case_and_spaces(one: str, other: str, same: bool) -> None:
    assert same_role(one, other) is same


@pytest.mark.parametrize("late", [False, True])
def test_whoever_ends_the_command_at_the_seal_is_not_told_that_nothing_was_changed(
    late: bool, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry was there, and the sentence said `nothing was changed`: an attestation was thought not to be given."""
    seal = entries.seal_staged

    def ended(*given: Any, **named: Any) -> None:
        if late:
            seal(*given, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(entries, "seal_staged", ended)
    with pytest.raises(KeyboardInterrupt):
        enter(archive, params(), entry())
    assert len(archive.records()) == late
    assert changed() == "; the entry (attestation) may have been sealed before that: `runbook archive list` shows it"


def test_what_was_sealed_is_told_by_whatever_fails_after_it_and_what_was_not_is_not(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(entries, "seal_staged", Mock(side_effect=ArchiveError("no room")))
        with pytest.raises(ArchiveError, match="no room"):
            enter(archive, params(), entry())
    assert changed() == "; nothing else was changed"  # it said that the text is kept and that nothing was changed
    enter(archive, params(), entry())
    assert changed() == "; the entry (attestation) was sealed before that"


def test_a_log_that_may_not_be_read_is_told_in_one_sentence(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sentences came of it, one said that the entry may have been sealed, and the other one that it was not."""
    enter(archive, params(), entry())
    file = str(archive.root / "log" / "checkpoint")

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied", file)

    monkeypatch.setattr("runbook_lib.record.archive.ready", denied)
    with pytest.raises(ArchiveError, match=f"^{file}: Permission denied; what was said is kept in .*archive sync"):
        enter(archive, params(), entry("other"))
    assert changed() == "; nothing else was changed"
