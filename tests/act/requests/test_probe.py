"""Probes: whole clients at a steady pace; what fails is a probe that failed, with the step and the reason."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest

from runbook_lib.act.requests import probe as room
from runbook_lib.act.requests.probe import Probe, probe, spoilt
from runbook_lib.base.errors import Refused
from runbook_lib.params.service import Routes
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.sandbox.deploy import Sandbox

ROUTES = Routes(sync="/api/vpr", submit="/api/vpr-async", status="/api/vpr/status/{job_id}")


def test_probes_of_the_real_handlers_succeed_and_are_marked(embedded: EmbeddedAws, sandbox: Sandbox) -> None:
    ended: list[Probe] = []
    found = probe(
        sandbox.api_url, ROUTES, 3, per_minute=600, probe_id="topup", deadline_s=30, poll_s=0.1, done=ended.append
    )
    assert [one.ok for one in found] == [True] * 3 and ended == found
    assert all(0 < one.submit_s < one.total_s for one in found)
    table, sources = sandbox.params.name("table"), set()
    for one in found:
        item = embedded.client("dynamodb").get_item(TableName=table, Key={"job_id": {"S": one.job_id}})["Item"]
        sources.add(item["source"]["S"])
    assert sources == {"probe:topup-1", "probe:topup-2", "probe:topup-3"}


class Scripted:
    """A client whose n-th job ends as the script says."""

    script: dict[str, str]

    def __init__(self, url: str, routes: Routes, probe_id: str, deadline_s: float, poll_s: float, **_: object) -> None:
        self.job_id, self.ends = probe_id, self.script.get(probe_id.rpartition("-")[2], "")

    def _act(self, step: str) -> str:
        if self.ends == step:
            raise OSError("gone")
        return "fine"

    def submit(self) -> str:
        return self._act("submit")

    def mark(self) -> str:
        return self._act("mark")

    def poll(self) -> str:
        return self._act("poll")

    def download(self) -> str:
        return self._act("download")


def test_a_failure_names_its_step_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scripted, "script", {"2": "poll", "3": "download", "5": "poll"}, raising=False)
    monkeypatch.setattr(room, "Conversation", Scripted)
    waits: list[float] = []
    found = probe("x", ROUTES, 5, per_minute=2, probe_id="p", deadline_s=60, poll_s=1, sleep=waits.append)
    by_id = {one.job_id: one for one in found}
    assert {id for id, one in by_id.items() if one.ok} == {"p-1", "p-4"}
    assert (by_id["p-3"].failed_at, by_id["p-3"].detail) == ("download", "OSError: gone")
    assert spoilt(found) == {"poll: OSError: gone": 2, "download: OSError: gone": 1}
    assert waits == [30.0] * 4, "one each half minute, and none before the first"


def test_nothing_counts_before_a_mark_has_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first that is accepted is looked up; the others are not even sent where its mark is missing."""
    monkeypatch.setattr(Scripted, "script", {"1": "submit", "2": "mark"}, raising=False)
    monkeypatch.setattr(room, "Conversation", Scripted)
    begun: list[float] = []
    given: dict[str, Any] = {"per_minute": 2, "probe_id": "p", "deadline_s": 60, "poll_s": 1, "sleep": begun.append}
    with pytest.raises(Refused, match="one was sent, and nothing of it counts: OSError: gone"):
        probe("x", ROUTES, 5, behind=cast(Any, object()), **given)
    assert len(begun) == 1
    monkeypatch.setattr(Scripted, "script", {"1": "submit", "3": "mark"}, raising=False)
    found = probe("x", ROUTES, 5, behind=cast(Any, object()), **given)
    assert [one.ok for one in sorted(found, key=lambda one: one.job_id)] == [False, True, True, True, True]


def test_ctrl_c_ends_it_without_waiting_for_what_was_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scripted, "script", {}, raising=False)
    monkeypatch.setattr(room, "Conversation", Scripted)

    def interrupted(_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        probe("x", ROUTES, 5, per_minute=2, probe_id="p", deadline_s=60, poll_s=1, sleep=interrupted)


def test_ctrl_c_says_that_what_is_under_way_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on, told = threading.Event(), list[str]()
    monkeypatch.setattr(Scripted, "script", {}, raising=False)
    monkeypatch.setattr(Scripted, "poll", lambda _: goes_on.wait(20) and "")
    monkeypatch.setattr(room, "Conversation", Scripted)
    monkeypatch.setattr(room, "tell", lambda text: (told.append(text), goes_on.set()))

    def interrupted(_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        probe("x", ROUTES, 5, per_minute=2, probe_id="p", deadline_s=60, poll_s=1, sleep=interrupted)
    assert told == ["interrupted; 1 under way ends when the report is there, in 60 s at most; once more ends at once"]
