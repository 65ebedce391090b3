"""A load test judged: each verdict at its edge, and the arithmetic of the drain."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.judge.gates.checks import Check
from runbook_lib.judge.model import Gate
from runbook_lib.judge.planning import load
from runbook_lib.judge.planning.load import Job, Met
from runbook_lib.judge.terms import Verdict

SUBMIT = Gate.model_validate(
    {
        "id": "submit_latency",
        "title": "P95 submit latency",
        "kind": "quantile",
        "quantile": 0.95,
        "measure": "submit_latency",
        "unit": "s",
        "target": "< 3",
        "alert": "> 5",
        "implausible": "< 0.005",
        "why": "test",
    }
)


def user(n: int, **changes: Any) -> Met:
    return Met.model_validate(
        {
            "at": n * 0.01,
            "job_id": f"job-{n}",
            "submit_s": 0.2,
            "submit_status": 202,
            "poll_status": 200,
            "polls": 1,
            "outcome": "COMPLETED",
            "waited_s": 5.0,
            "downloaded": True,
            **changes,
        }
    )


def users(n: int = 100, **changes: Any) -> list[Met]:
    return [user(i, **changes) for i in range(n)]


def job(created: float = 0.0, *, started: float | None = None, spent: float = 45.0, **changes: Any) -> Job:
    begun = created if started is None else started
    done = {"completed": begun + spent, "stored": begun + spent}
    return Job.model_validate({"status": "COMPLETED", "created": created, "started": begun, **done, **changes})


def served(met: list[Met], n: int | None = None, **more: Any) -> dict[str, Check]:
    return {one.id: one for one in load.served(met, len(met) if n is None else n, SUBMIT, **more)}


def test_a_good_test_passes_everywhere() -> None:
    assert {id: one.verdict for id, one in served(users()).items()} == dict.fromkeys(
        ("load.accepted", "load.concurrent", "load.submit_p95", "load.throttles", "load.downloaded"), Verdict.PASS
    )


@pytest.mark.parametrize(
    ("change", "failing", "said"),
    [
        ({"submit_status": 503, "outcome": "", "job_id": ""}, {"load.accepted", "load.throttles"}, "1 x 503"),
        ({"submit_status": 429, "outcome": "", "job_id": ""}, {"load.accepted", "load.throttles"}, "1 x 429"),
        ({"submit_status": 0, "outcome": "error: X", "job_id": ""}, {"load.accepted"}, "1 x no answer"),
        ({"submit_status": 200}, {"load.accepted"}, "1 x 200"),
        ({"poll_status": 429, "outcome": "", "downloaded": False}, {"load.throttles"}, "1 of 100 users"),
        ({"poll_status": 404, "outcome": "", "downloaded": False}, set(), ""),
        ({"downloaded": False}, {"load.downloaded"}, "job-7"),
        ({"outcome": "gave up", "downloaded": False}, set(), ""),
        ({"waited_s": 0.2}, {"load.concurrent"}, "99 conversations"),
    ],
)
def test_one_bad_conversation_fails_what_it_is_about(change: dict[str, Any], failing: set[str], said: str) -> None:
    met = users()
    met[7] = user(7, **change)
    found = served(met)
    assert {id for id, one in found.items() if one.verdict is Verdict.FAIL} == failing
    assert said in " ".join(found[id].reason for id in failing)


def test_users_who_left_no_word_were_not_accepted() -> None:
    found = served(users(98), 100)["load.accepted"]
    assert found.verdict is Verdict.FAIL
    assert "98 of 100" in found.reason and "2 users left no result" in found.reason


def test_nobody_there_is_no_data() -> None:
    found = served([], 100)
    assert found["load.accepted"].verdict is Verdict.FAIL
    rest = {one.verdict for id, one in found.items() if id != "load.accepted"}
    assert rest == {Verdict.NO_DATA}


@pytest.mark.parametrize(
    ("throttled", "verdict", "said"),
    [(None, "PASS", "has no point about throttles yet"), (0.0, "PASS", "counts 0"), (2.0, "FAIL", "counts 2")],
)
def test_throttles_that_only_cloudwatch_saw_count(throttled: float | None, verdict: str, said: str) -> None:
    found = served(users(), throttled=throttled)["load.throttles"]
    assert found.verdict == verdict and said in found.reason


@pytest.mark.parametrize(
    ("times", "verdict", "said"),
    [
        ([0.2] * 94 + [2.9] * 6, "PASS", "at most 2.90 s"),
        ([0.2] * 94 + [3.1] * 6, "FAIL", "3.10 s"),
        ([0.2] * 95 + [9.0] * 5, "FAIL", "does not exclude the alert limit"),
        ([0.2] * 98 + [9.0] * 2, "FAIL", "does not exclude the alert limit"),
        ([0.2] * 99 + [9.0], "PASS", "at most 0.20 s"),
        ([0.2] * 58, "NO_DATA", "too few"),
        ([0.001] * 100, "NO_DATA", "unit"),
    ],
)
def test_the_submissions_p95_and_its_bound(times: list[float], verdict: str, said: str) -> None:
    found = served([user(i, submit_s=seconds) for i, seconds in enumerate(times)])["load.submit_p95"]
    assert found.verdict == verdict, found.reason
    assert said in found.reason


def test_how_many_at_once() -> None:
    assert load.at_once([]) == 0
    assert load.at_once([user(0, at=0, waited_s=1), user(1, at=1, waited_s=1)]) == 1
    assert load.at_once([user(0, at=0, waited_s=2), user(1, at=1, waited_s=2), user(2, at=1.5, waited_s=9)]) == 3


def test_nothing_is_lost_when_every_job_is_completed_and_stored() -> None:
    met = users(20)
    found = load.none_lost(met, {one.job_id: job() for one in met})
    assert found.verdict is Verdict.PASS and "all 20" in found.reason


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        ({"job-3": None}, "job-3 (not in the table)"),
        ({"job-3": job(stored=None)}, "job-3 (COMPLETED without a report)"),
        ({"job-3": Job(status="FAILED")}, "job-3 (FAILED)"),
        ({"job-3": Job(status="PROCESSING")}, "job-3 (PROCESSING)"),
    ],
)
def test_a_lost_job_is_named(jobs: dict[str, Job | None], said: str) -> None:
    met = users(20)
    known = {**{one.job_id: job() for one in met}, **jobs}
    found = load.none_lost(met, {id: one for id, one in known.items() if one is not None})
    assert found.verdict is Verdict.FAIL
    assert said in found.reason and found.facts["lost"] == ["job-3"] and found.found == "19"


def test_many_lost_jobs_are_counted_and_the_first_named() -> None:
    found = load.none_lost(users(20), {})
    assert "20 accepted jobs 20 are lost" in found.reason and "and" not in found.found
    assert "17 more" in found.reason and len(found.facts["lost"]) == 20


def test_an_accepted_user_without_a_job_of_their_own_has_lost_one() -> None:
    met = [*users(5), user(5, job_id=""), user(6, job_id="job-0")]
    found = load.none_lost(met, {one.job_id: job() for one in met})
    assert found.verdict is Verdict.FAIL
    assert "without a job id" in found.reason and "job of another user" in found.reason and found.found == "5"


def test_nothing_accepted_is_no_proof() -> None:
    assert load.none_lost([user(0, job_id="", submit_status=500)], {}).verdict is Verdict.NO_DATA


@pytest.mark.parametrize(
    ("arrivals", "service_s", "workers", "expected"),
    [
        ([0.0] * 100, 45.0, 5, 900.0),
        ([0.0] * 101, 45.0, 5, 945.0),
        ([0.0], 45.0, 5, 45.0),
        ([0.0, 10.0, 20.0], 1.0, 5, 21.0),
        ([0.0, 1.0, 2.0], 10.0, 1, 30.0),
        ([100.0, 101.0], 10.0, 1, 20.0),
    ],
)
def test_the_predicted_drain(arrivals: list[float], service_s: float, workers: int, expected: float) -> None:
    assert load.predicted_drain(arrivals, service_s, workers) == pytest.approx(expected)


def scheduled(n: int, workers: int, spent: float) -> dict[str, Job]:
    """All there at 0, done by this many workers without a pause."""
    return {f"job-{i}": job(0.0, started=i // workers * spent, spent=spent) for i in range(n)}


@pytest.mark.parametrize(("really", "verdict"), [(5, "PASS"), (4, "FAIL"), (2, "FAIL")])
def test_a_hundred_jobs_of_45_s_on_five_workers_take_15_min(really: int, verdict: str) -> None:
    """Fewer workers at work than configured are found out."""
    seen = load.drain(scheduled(100, really, 45), 5)
    assert seen is not None and seen.predicted_s == 900
    assert load.drained(seen, 1.2).verdict == verdict


def test_the_slack_is_for_what_is_fixed() -> None:
    seen = load.drain({"a": job(0.0, started=1.0, spent=1.0)}, 5)
    assert load.drained(seen, 1.2).verdict is Verdict.FAIL
    assert load.drained(seen, 1.2, slack_s=2).verdict is Verdict.PASS


def test_a_rehearsals_scale_is_said() -> None:
    """In a rehearsal the worker counts the LLM's 45 s and sleeps a fraction of it: both are shown."""
    jobs = {f"{i}": job(0.0, started=i // 5 * 0.1, spent=0.1, completed=i // 5 * 0.1 + 45.1) for i in range(100)}
    seen = load.drain(jobs, 5)
    assert seen is not None
    assert (seen.service_s, seen.full_s) == (pytest.approx(0.1), pytest.approx(45.1))
    found = load.drained(seen, 1.2)
    assert found.ok and "45.1 s" in found.reason and "15 min" in found.reason
    real = load.drained(load.drain(scheduled(100, 5, 45), 5), 1.2)
    assert "scale" not in real.reason


def test_without_times_there_is_no_drain_to_judge() -> None:
    assert load.drain({}, 5) is None
    assert load.drain({"a": Job(status="PENDING", created=0.0)}, 5) is None
    assert load.drain({"a": job()}, 0) is None
    assert load.drained(None, 1.2).verdict is Verdict.NO_DATA


@pytest.mark.parametrize(
    ("jobs", "service_s", "workers", "late", "enough"),
    [(100, 45, 5, 70, 17), (100, 45, 17, 0, 17), (30, 45, 5, 0, 5), (100, 301, 5, 100, None), (100, 0, 5, 0, 5)],
)
def test_who_gives_up_at_productions_pace(jobs: int, service_s: float, workers: int, late: int, enough: Any) -> None:
    found = load.clients_wait(users(1), jobs, service_s, workers, 300)
    assert not found.required and found.ok is (late == 0)
    assert found.found == f"{late} of {jobs} give up" and found.facts["workers_enough"] == enough


def test_enough_workers_are_enough_and_one_less_is_not() -> None:
    enough = load.clients_wait([], 100, 45, 5, 300).facts["workers_enough"]
    assert load.predicted_drain([0.0] * 100, 45, enough) <= 300 < load.predicted_drain([0.0] * 100, 45, enough - 1)


def test_users_who_gave_up_here_are_counted_too() -> None:
    found = load.clients_wait([user(0, outcome="gave up")], 1, 45, 5, 300)
    assert not found.ok and "1 of 1 users gave up" in found.reason


@pytest.mark.parametrize(
    ("status", "over"), [("COMPLETED", True), ("FAILED", True), ("PROCESSING", False), ("", False)]
)
def test_which_jobs_are_over(status: str, over: bool) -> None:
    assert Job(status=status).finished is over
