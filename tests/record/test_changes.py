"""A change to AWS in words."""

from __future__ import annotations

from runbook_lib.record.changes import change_row
from runbook_lib.record.record import Change


def test_changes_in_words() -> None:
    intent = {"what": "dial", "before": {"dial_percent": 0}, "after": {"dial_percent": 10}, "undo": "back"}
    done = Change(intent=intent, outcome={"ok": True, "read_back": {"dial_percent": 10}})
    assert change_row(done) == {
        "what": "dial",
        "before": "dial percent 0",
        "after": "dial percent 10",
        "came": "dial percent 10",
        "undo": "back",
        "by_hand": "",
        "state": "done",
    }
    bad = change_row(Change(intent={}, outcome={"ok": False, "read_back": None, "error": "timeout"}))
    assert (bad["came"], bad["state"], bad["undo"]) == ("not as meant: – (timeout)", "bad", "–")
    held = change_row(Change(intent={}, outcome={"ok": True, "read_back": {"enabled": False}, "error": "it failed"}))
    assert (held["state"], "failed" in held["came"]) == ("done", False), "what was read back decides"
    assert change_row(Change(intent=intent))["state"] == "open"
    assert change_row(Change(intent={"after": "on"}, outcome={"ok": None}))["state"] == "open"


def test_a_change_is_read_by_people() -> None:
    digest = "e7d14108a579936ade436666d91cfd548f48e3c983c05a5acef667ea121dbaa0"
    described = "runbook release=r notebook=06 run=1"
    intent = {
        "what": "dial 0 % -> 10 %",
        "before": {"percent": 0.0, "sha256": ""},
        "after": {"percent": 10.0, "sha256": digest, "description": described, "busy": True},
        "undo": "turn the switch off; by hand: aws appconfig start-deployment",
    }
    row = change_row(Change(intent=intent, outcome={"ok": True, "read_back": {"differs": False, "taken_back": ""}}))
    assert (row["what"], row["before"]) == ("dial 0 % → 10 %", "percent 0")
    assert (row["after"], row["came"]) == ("percent 10, sha256 e7d14108a579…", "differs: no")
    assert (row["undo"], row["by_hand"]) == ("turn the switch off", "aws appconfig start-deployment")
    intent["after"] = {"description": "a person's own words"}
    assert change_row(Change(intent=intent))["after"] == "description a person's own words"


def test_a_time_in_a_change_is_read_by_people() -> None:
    back = {"enabled": False, "started_at": "2026-11-01T04:00:49.897000+00:00", "note": "at 2026-11-01"}
    row = change_row(Change(intent={}, outcome={"ok": True, "read_back": back}))
    assert row["came"] == "enabled: no, started at 2026-11-01 04:00:49 UTC, note at 2026-11-01"


def test_many_changes_that_are_alike_are_counted() -> None:
    names = [f"alarm-{place}" for place in range(9)]
    intent = {
        "before": {"states": dict.fromkeys(names, "OK"), "left": []},
        "after": {**dict.fromkeys(names, "as declared"), "topic": "new"},
        "undo": "delete the new ones: " + "aws cloudwatch delete-alarms " * 9,
    }
    row = change_row(Change(intent=intent, outcome={"ok": True, "read_back": {"left": names}}))
    assert (row["before"], row["after"]) == ("states 9 OK, left none", "9 as declared, topic new")
    assert row["came"] == "left alarm-0, alarm-1, alarm-2, alarm-3 and 5 more"
    assert row["undo"] == "delete the new ones" and row["by_hand"].startswith("aws cloudwatch delete-alarms")
    bare = change_row(Change(intent={"undo": "aws cloudwatch set-alarm-state --state-value OK; " * 9}))
    assert bare["undo"] == "by the commands" and bare["by_hand"].startswith("aws cloudwatch")
