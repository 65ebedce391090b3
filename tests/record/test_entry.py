"""What a person puts into the chain is sealed like a run, and counts only while it is unaltered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from runbook_lib.base.errors import ArchiveError
from runbook_lib.params.load import Params, load_file
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
