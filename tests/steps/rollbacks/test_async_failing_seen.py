"""What scenario 1 sees once async is off, without AWS: who still calls it, jobs under way, what users get."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runbook_lib.base.window import Window
from runbook_lib.judge.gates.checks import Check
from runbook_lib.observe import aftermath
from runbook_lib.observe.jobs.logs import Failures
from runbook_lib.observe.jobs.segment import Segment
from runbook_lib.observe.metrics.fetch import Answers
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.steps.rollbacks.async_failing_seen import Aftermath
from runbook_lib.steps.rollbacks.incident import Incident
from tests.steps.rollbacks.test_incident import NOW, Stage, acted

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def seen(tmp_path: Path) -> Aftermath:
    """Async was decided upon and read back as off a minute ago, and every client has followed."""
    run = Stage(tmp_path / "archive").run("everything fails")
    run.now, run.aws = NOW, SimpleNamespace(client=lambda _: None)
    made = Aftermath(acted(Incident(run)))
    made.traffic = TrafficState(dial_percent=10, switch_on=False, weight=0), True
    return made


def called(
    monkeypatch: pytest.MonkeyPatch,
    asynchronous: float | None,
    synchronous: float | None,
    errors: float = 0,
    **more: Any,
) -> None:
    """What CloudWatch counts from now on, over ten minutes."""
    facts = {"window": Window(NOW, NOW + 10 * MINUTE), "partial": False, "answers": Answers.from_raw([]), **more}
    found = aftermath.Calls(asynchronous=asynchronous, synchronous=synchronous, errors=errors, **facts)
    monkeypatch.setattr(aftermath, "calls", lambda *_: found)


def noted(seen: Aftermath, id: str) -> Check:
    return seen.run.checks[f"rollback_1.{id}"]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("asynchronous", "synchronous", "more", "verdict", "says"),
    [
        (0.0, 20.0, {}, "PASS", "0 async and 20 synchronous requests in 10 min"),
        (
            3.0,
            20.0,
            {},
            "FAIL",
            "3 async and 20 synchronous requests in 10 min since 2026-11-23 03:12:00 UTC; somebody does",
        ),
        (1.0, 0.0, {}, "FAIL", "somebody does not read the flags"),
        (0.0, 0.0, {}, "INCONCLUSIVE", "0 async and 0 synchronous"),
        (None, None, {}, "INCONCLUSIVE", "CloudWatch knows nothing yet"),
        (0.0, 20.0, {"partial": True}, "INCONCLUSIVE", "CloudWatch knows nothing yet"),
        (0.0, 20.0, {"window": Window(NOW, NOW)}, "INCONCLUSIVE", "CloudWatch knows nothing yet"),
    ],
)
def test_the_split_is_seen_to_go_to_0(
    seen: Aftermath,
    monkeypatch: pytest.MonkeyPatch,
    asynchronous: float | None,
    synchronous: float | None,
    more: dict[str, Any],
    verdict: str,
    says: str,
) -> None:
    called(monkeypatch, asynchronous, synchronous, **more)
    seen.split()
    found = noted(seen, "split_zero")
    assert (found.verdict, found.required, says in found.reason) == (verdict, True, True), found.reason
    assert bool(seen.incident.come_back) == (verdict == "INCONCLUSIVE"), "what time answers is looked at again"


@pytest.mark.parametrize(
    ("counted", "symptom", "explained"),
    [
        ({"late": 3, "completed": 7}, "3 of 10 jobs ended in no report in time (3 late)", "3 jobs came late"),
        ({"failed": 1, "lost": 1, "completed": 8}, "(1 failed, 1 lost)", "1 failed job in the table"),
    ],
)
def test_jobs_that_came_late_are_not_told_as_failed(
    seen: Aftermath, monkeypatch: pytest.MonkeyPatch, counted: dict[str, int], symptom: str, explained: str
) -> None:
    segment = Segment(start=NOW, end=NOW, end_settled=NOW, **counted)
    monkeypatch.setattr(seen, "_segment", lambda: segment)
    monkeypatch.setattr("runbook_lib.observe.jobs.logs.failures", lambda *_, **__: Failures())
    seen.failures()
    assert symptom in seen._failed()[1]
    assert explained in noted(seen, "failures").reason and "no log line" in noted(seen, "failures").reason


def job(id: str, minutes_ago: float, probe: bool = False) -> aftermath.Open:
    return aftermath.Open(job_id=id, status="PENDING", created_at=NOW - minutes_ago * MINUTE, probe=probe)


@pytest.mark.parametrize(
    ("jobs", "verdict", "found", "lost"),
    [
        ([], "PASS", "0", []),
        ([job("young", 2)], "INCONCLUSIVE", "1", []),
        ([job("probe", 2, probe=True)], "PASS", "0", []),
        # Three receives of 660 s: what is older was given up by the queue.
        ([job("lost", 34), job("young", 32)], "INCONCLUSIVE", "1", ["lost"]),
        ([job("lost", 34)], "PASS", "0", ["lost"]),
    ],
)
def test_jobs_under_way_are_followed_to_their_end(
    seen: Aftermath,
    monkeypatch: pytest.MonkeyPatch,
    jobs: list[aftermath.Open],
    verdict: str,
    found: str,
    lost: list[str],
) -> None:
    asked: list[tuple[dt.datetime, dt.datetime]] = []

    def unfinished(_: Any, __: Any, since: dt.datetime, until: dt.datetime) -> list[aftermath.Open]:
        asked.append((since, until))
        return jobs

    monkeypatch.setattr(aftermath, "unfinished", unfinished)
    seen.in_flight()
    told = noted(seen, "in_flight")
    assert (told.verdict, told.found, told.facts["lost"]) == (verdict, found, lost), told.reason
    assert asked[0][1] == seen.effective_at, "a job that came later is not one of before"
    if verdict == "INCONCLUSIVE":
        assert MINUTE <= seen.incident.come_back[0] - seen.now <= dt.timedelta(minutes=6)


@pytest.mark.parametrize("id", ["split", "in_flight"])
def test_asked_before_the_announced_time_it_announces_the_same_time(
    seen: Aftermath, monkeypatch: pytest.MonkeyPatch, id: str
) -> None:
    """It announced a later one at each run, so that whoever came early never arrived."""
    called(monkeypatch, None, None)
    monkeypatch.setattr(aftermath, "unfinished", lambda *_: [job("young", 1)])
    for minutes in (0, 2):
        monkeypatch.setattr(Aftermath, "now", NOW + minutes * MINUTE)
        getattr(seen, id)()
    first, again = seen.incident.come_back
    assert first == again > NOW + 2 * MINUTE
    monkeypatch.setattr(Aftermath, "now", first)
    getattr(seen, id)()
    assert seen.incident.come_back[-1] > first, "and from then on it is looked at again later"


@pytest.mark.parametrize(
    ("total", "errors", "says", "broken"),
    [
        (
            3000.0,
            2880.0,
            "4.0 % of 3,000 users' requests succeeded there (3.3-4.8 %); by that it is broken",
            True,
        ),
        (3000.0, 3.0, "99.9 % of 3,000 users' requests succeeded there", False),
        (0.0, 0.0, "how often it succeeds is not known", False),
    ],
)
def test_the_state_of_the_synchronous_endpoint_is_told_honestly(
    seen: Aftermath, monkeypatch: pytest.MonkeyPatch, total: float, errors: float, says: str, broken: bool
) -> None:
    called(monkeypatch, 0.0, total, errors)
    answers = [
        SimpleNamespace(ok=False, detail="no answer", seconds=29.0),
        SimpleNamespace(ok=True, detail="504", seconds=29.0),
    ]
    monkeypatch.setattr(seen, "_probe", lambda: answers)
    seen.sync_endpoint()
    found = noted(seen, "sync_verified")
    assert found.verdict == "PASS", "it answers, which is all that is asked of it"
    assert says in found.reason and ("restores nothing" in found.reason) == broken, found.reason
    monkeypatch.setattr(seen, "_probe", lambda: answers[:1] * 3)
    seen.sync_endpoint()
    assert noted(seen, "sync_verified").verdict == "FAIL"
