"""The page of an entry: who, in which role, what, when, on which evidence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest

from runbook_lib.record import said
from runbook_lib.record.entry import Kind
from runbook_lib.record.links import Links
from runbook_lib.record.record import Record
from runbook_lib.record.report import report_html
from runbook_lib.show.whole import KEPT

ENTRY = {
    "by": "Ada L.",
    "role": "engineering lead",
    "at": "2026-11-09T04:20:27Z",
    "link": "https://example.org/review/1",
    "text": "the soak was clean",
}


def entry(kind: str, item: str = "07_phase2_50_percent", **more: Any) -> Record:
    told = {"kind": kind, "item": item, **ENTRY, **more}
    return Record(entry=told, origin="entry", notebook="entry", status="completed", env="prod", run_id="c" * 12)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_says_who_which_role_what_when_and_on_which_evidence(kind: str) -> None:
    page = report_html(None, entry(kind))
    for told in ("Ada L.", "engineering lead", "07_phase2_50_percent", "2026-11-09 04:20 UTC", "the soak was clean"):
        assert told in page, told
    assert f'<a href="{ENTRY["link"]}" rel="noreferrer">' in page
    assert "without a decision" not in page and "CLOSED" not in page and "No executed notebook" not in page
    assert kind in said.KINDS and said.KINDS[kind].word in page


def test_what_was_not_said_is_told_and_a_note_has_no_item() -> None:
    page = report_html(None, entry("note", "", role="", link=""))
    assert "none was said" in page and "none was given" in page
    assert f"Ada L. noted on {KEPT}2026-11-09 04:20 UTC</span>." in page
    assert said.title(entry("note", "")) == "Note"


@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,x", "//host/x", "/etc/passwd", "see the wiki"])
def test_evidence_that_is_no_address_is_text(link: str) -> None:
    assert [row["address"] for row in said.rows(entry("approval", link=link)) if row["name"] == "Evidence"] == [""]
    assert f'href="{link}"' not in report_html(None, entry("approval", link=link))


def test_an_approval_says_which_records_it_signs_off_and_leads_there() -> None:
    signed = {"requires": "06_phase1_10_percent@prod", "run_id": "a" * 12, "hash": "b" * 64, "at": ENTRY["at"]}
    page = report_html(None, entry("approval", facts={"evidence": [signed]}))
    words = re.sub("<[^>]+>", "", page)
    assert f"run {'a' * 12} of 06_phase1_10_percent@prod, as of 2026-11-09 04:20 UTC, hash {'b' * 64}" in words
    for strange in ("06", [1], [{}], {"a": 1}, None):
        assert "Signed off" in report_html(
            None, entry("approval", facts={"evidence": [signed, *([strange] if strange else [])]})
        )
        assert report_html(None, entry("approval", facts={"evidence": strange}))


def test_secrets_are_not_told() -> None:
    assert "hunter22" not in report_html(None, entry("attestation", "code_review", text="password=hunter22"))


def test_an_approval_leads_to_the_records_that_there_were_to_see(tmp_path: Path) -> None:
    seen = tmp_path / "env=prod" / "release=unknown" / "06_phase1_10_percent" / f"20261109T000000.000Z-{'a' * 12}"
    seen.mkdir(parents=True)
    (seen / "report.html").touch()
    record = entry("approval")
    page = report_html(None, record, Links(tmp_path, record))
    (address,) = re.findall(rf'<a href="([^"]+)">06_phase1_10_percent {"a" * 12}</a>', page)
    assert (tmp_path / "env=prod/release=unknown/entry/x" / address).resolve() == seen / "report.html"


def test_a_command_says_what_it_has_done() -> None:
    record = Record(origin="command", notebook="dlq", status="completed", notes=("3 dead letters were driven again",))
    page = report_html(None, record)
    assert "DONE" in page and "3 dead letters were driven again." in page
    assert "without a decision" not in page


def test_a_note_says_first_what_was_noted() -> None:
    assert said.headline(entry("note"))[3] == ENTRY["text"]
    assert "Ada L. (engineering lead) noted" in said.headline(entry("note"))[5]
    assert (
        said.headline(entry("note", text=""))[3].startswith("Ada L.") and not said.headline(entry("note", text=""))[5]
    )


def test_what_an_entry_keeps_for_machines_stands_row_by_row_and_nothing_twice() -> None:
    facts = {"was": 5, "value": 10, "why": "a backlog", "run_id": "d" * 12, "at": ENTRY["at"], "by": ENTRY["by"]}
    page = report_html(None, entry("deviation", "inventory.worker.concurrency", facts=facts))
    for name, text in (("Was", "5"), ("Value", "10"), ("Why", "a backlog"), ("Run id", "d" * 12)):
        assert f"<dt>{name}</dt><dd>{text}</dd>" in page
    assert page.count("<dt>By</dt>") == 0 and page.count("<dt>At</dt>") == 0


@pytest.mark.parametrize(
    ("act", "says"),
    [
        ("opened", "Jobs table: billing was changed by hand from PAY_PER_REQUEST to PROVISIONED."),
        ("undone", "Jobs table: billing was put back from PROVISIONED to PAY_PER_REQUEST."),
        ("adopted", "Jobs table: billing: PROVISIONED was adopted into the code."),
        ("withdrawn", "Jobs table: billing stayed at PAY_PER_REQUEST: the change to PROVISIONED was refused."),
    ],
)
def test_a_deviation_says_first_what_was_changed_and_each_fact_once(act: str, says: str) -> None:
    facts = {"act": act, "title": "Jobs table: billing", "was": "PAY_PER_REQUEST", "value": "PROVISIONED"}
    facts |= {
        "why": "throttled",
        "notebook": "rollback_3",
        "run_id": "d" * 12,
        "incident": f"rollback_3 run {'d' * 12}",
    }
    record = entry("deviation", "inventory.table.billing", facts=facts, text="opened: all of it once more")
    assert said.headline(record)[3] == says and "Ada L." in said.headline(record)[5]
    page = report_html(None, record)
    for row in ("<dt>Before</dt><dd>PAY_PER_REQUEST", "<dt>After</dt><dd>PROVISIONED", "<dt>Why</dt><dd>throttled"):
        assert row in page
    assert "In their words" not in page and page.count("d" * 12) == (2 if act == "opened" else 1)


def test_what_a_run_recorded_has_no_role_and_the_run_is_its_evidence() -> None:
    """The page said "Role none was said", "Evidence none was given", and named a run without a way to it."""
    facts = {"act": "opened", "title": "Billing", "was": "a", "value": "b", "why": "throttled", "run_id": "d" * 12}
    facts |= {"notebook": "rollback_3", "incident": f"rollback_3 run {'d' * 12}"}
    of = entry("deviation", facts=facts, role="", link="")
    assert not {"Role", "Evidence"} & {row["name"] for row in said.rows(of)}
    page = re.sub("<[^>]+>", "", report_html(None, of))
    assert f"runbook archive show {'d' * 12}" in page
    by_hand = entry("deviation", facts={**facts, "run_id": "", "incident": ""}, role="", link="")
    assert {"Role", "Evidence"} <= {row["name"] for row in said.rows(by_hand)}


def test_who_called_is_said_once_and_a_note_s_words_too() -> None:
    record = entry("note").model_copy(
        update={"operator": "arn:aws:iam::1:user/a", "caller_arn": "arn:aws:iam::1:user/a"}
    )
    page = report_html(None, record)
    assert page.count("arn:aws:iam::1:user/a") == 1 and page.count(ENTRY["text"]) == 1


def test_a_role_that_the_name_begins_with_is_not_said_twice() -> None:
    page = said.headline(entry("approval", by="Engineering Lead (rehearsal)"))[3]
    assert page.startswith("Engineering Lead (rehearsal) approved")
    assert said.headline(entry("approval"))[3].startswith("Ada L. (engineering lead) approved")
    assert said.headline(entry("approval", by="Engineering Leader"))[3].startswith("Engineering Leader (engineering")


def test_a_deviation_names_its_settings_and_not_what_is_only_for_the_next_run() -> None:
    units = {"jobs": {"read": 100, "write": 100}, "index": {"read": 5, "write": 5}}
    inside = {"units": units, "units_before": None, "symptom": True}
    facts = {"act": "opened", "title": "Jobs table: billing", "was": "a", "value": "b", "facts": inside}
    rows = {row["name"]: row["text"] for row in said.rows(entry("deviation", facts=facts), [("facts", "units jobs …")])}
    assert rows["Units"] == "jobs read 100, write 100; index read 5, write 5"
    assert not {"To undo it", "Symptom", "Units before"} & set(rows)


def test_a_tombstone_names_the_records_that_are_gone_and_leads_to_none(tmp_path: Path) -> None:
    path = "env=prod/release=r1/06_phase1_10_percent/20261130T001503.592Z-bcf4128aeed8"
    leaf = {"schema": 1, "index": 22, "path": path, "sealed_at": "2026-11-30T00:15:03.592+00:00"}
    record = entry("tombstone", "", facts={"records": {path: {"previous": None, "leaf": leaf}}})
    (tmp_path / path).mkdir(parents=True)
    (tmp_path / path / "report.html").touch()
    page = report_html(None, record, Links(tmp_path, record))
    told = re.sub(r"<[^>]*>", "", page)
    assert "06_phase1_10_percent bcf4128aeed8, 2026-11-30 00:15 UTC" in told
    assert "leaf" not in told and "report.html" not in page
