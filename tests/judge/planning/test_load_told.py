"""What a load test's report shows: every check's title, words, wanted and found, and facts, to the letter."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.judge.gates.checks import Check
from runbook_lib.judge.model import Gate
from runbook_lib.judge.planning import load
from runbook_lib.judge.planning.load import Drain, Job, Met
from runbook_lib.judge.planning.load_told import marked, undrained, until_done, untold
from runbook_lib.judge.terms import Verdict
from tests.judge.planning.test_load import SUBMIT, user

THROTTLED = {"submit_status": 429, "outcome": "", "job_id": "", "downloaded": False}
DONE = Job(status="COMPLETED", created=0.0, started=0.0, completed=45.0, stored=45.0)


def users(n: int, *others: dict[str, Any], **every: Any) -> list[Met]:
    """`n` users, the last of them changed as the others say."""
    return [user(i, **every, **(others[i - n] if i - n >= -len(others) else {})) for i in range(n)]


def told(one: Check) -> tuple[str, str, str, str, str]:
    return one.verdict.value, one.title, one.reason, one.expected, one.found


def served(name: str, met: list[Met], n: int | None = None, gate: Gate = SUBMIT, **more: Any) -> Check:
    found = {one.id: one for one in load.served(met, len(met) if n is None else n, gate, **more)}
    return found[f"load.{name}"]


@pytest.mark.parametrize(
    ("name", "met", "n", "verdict", "title", "reason", "expected", "found"),
    [
        (
            "accepted",
            users(3),
            3,
            "PASS",
            "Every submission accepted",
            "3 of 3 submissions were accepted",
            "3",
            "3",
        ),
        (
            "accepted",
            users(5, {"submit_status": 0}, {"submit_status": 429}, {"submit_status": 429}),
            7,
            "FAIL",
            "Every submission accepted",
            "2 of 7 submissions were accepted (1 x no answer, 2 x 429), 2 users left no result",
            "7",
            "2",
        ),
        (
            "concurrent",
            users(3),
            3,
            "PASS",
            "All users at the same time",
            "3 conversations were under way at once",
            "3",
            "3",
        ),
        (
            "concurrent",
            users(3),
            2,
            "PASS",
            "All users at the same time",
            "3 conversations were under way at once",
            "2",
            "3",
        ),
        (
            "concurrent",
            users(3, {"at": 60.0}),
            3,
            "FAIL",
            "All users at the same time",
            "2 conversations were under way at once, expects 3; raise spawn_per_s in load.yaml",
            "3",
            "2",
        ),
        (
            "downloaded",
            users(3),
            3,
            "PASS",
            "Every finished report downloaded",
            "3 of 3 users who were told COMPLETED downloaded their report",
            "3",
            "3",
        ),
        (
            "downloaded",
            users(6, *[{"downloaded": False}] * 4, {"outcome": "gave up", "downloaded": False}),
            6,
            "FAIL",
            "Every finished report downloaded",
            "1 of 5 users who were told COMPLETED downloaded their report; not job-1, job-2, job-3",
            "5",
            "1",
        ),
        (
            "throttles",
            users(3),
            3,
            "PASS",
            "Nothing throttled",
            "0 of 3 users were turned away (429, 5xx); CloudWatch has no point about throttles yet",
            "0",
            "0 users",
        ),
        (
            "throttles",
            users(3, THROTTLED, {"poll_status": 503}),
            3,
            "FAIL",
            "Nothing throttled",
            "2 of 3 users were turned away (429, 5xx); CloudWatch has no point about throttles yet",
            "0",
            "2 users",
        ),
        (
            "submit_p95",
            users(2, submit_status=0),
            2,
            "NO_DATA",
            "p95 of the submission",
            "no submission was answered",
            "< 3 s",
            "",
        ),
    ],
)
def test_what_the_users_met(
    name: str, met: list[Met], n: int, verdict: str, title: str, reason: str, expected: str, found: str
) -> None:
    assert told(served(name, met, n)) == (verdict, title, reason, expected, found)


@pytest.mark.parametrize(
    ("throttled", "reason", "found"),
    [
        (0.0, "0 of 1 users were turned away (429, 5xx); CloudWatch counts 0 throttled invocations", "0 users"),
        (
            2.0,
            "0 of 1 users were turned away (429, 5xx); CloudWatch counts 2 throttled invocations",
            "0 users, 2 invocations",
        ),
    ],
)
def test_what_cloudwatch_counted(throttled: float, reason: str, found: str) -> None:
    seen = served("throttles", users(1), throttled=throttled)
    assert (seen.reason, seen.expected, seen.found) == (reason, "0", found)


@pytest.mark.parametrize(
    ("times", "verdict", "reason", "found", "facts"),
    [
        (
            [0.2] * 99 + [9.0],
            "PASS",
            "p95 of 100 submissions is 0.20 s, target < 3 s; with 95 % it is at most 0.20 s",
            "0.20 s",
            {"value_s": 0.2, "bound_s": 0.2},
        ),
        (
            [0.2] * 98 + [9.0] * 2,
            "FAIL",
            "p95 of 100 submissions is 0.20 s, target < 3 s; with 95 % it is at most 9.00 s, "
            "which does not exclude the alert limit",
            "0.20 s",
            {"value_s": 0.2, "bound_s": 9.0},
        ),
        (
            [0.2] * 94 + [3.0004] * 6,
            "FAIL",
            "p95 of 100 submissions is 3.0004 s, target < 3 s",
            "3.0004 s",
            {"value_s": 3.0004},
        ),
        (
            [0.2] * 58,
            "NO_DATA",
            "p95 of 58 submissions is 0.20 s, target < 3 s; 58 submissions are too few for a bound",
            "0.20 s",
            {"value_s": 0.2},
        ),
        (
            [0.001] * 100,
            "NO_DATA",
            "p95 of 100 submissions is 0.00 s, target < 3 s: not plausible; is the unit right?",
            "0.00 s",
            {},
        ),
    ],
)
def test_the_submissions_p95(
    times: list[float], verdict: str, reason: str, found: str, facts: dict[str, float]
) -> None:
    seen = served("submit_p95", [user(i, submit_s=seconds) for i, seconds in enumerate(times)])
    assert told(seen) == (verdict, "p95 of the submission", reason, "< 3 s", found)
    assert seen.facts == facts


def test_another_quantile_is_called_by_its_own_name() -> None:
    """The median of 3, 6 and 30 submissions: 0.4 s, whatever the slow ones are."""
    median = Gate.model_validate({**SUBMIT.model_dump(), "quantile": 0.5})
    met = [user(i, submit_s=0.4 if i < 20 else 2.0) for i in range(30)]
    seen = served("submit_p95", met, gate=median)
    assert seen.title == "p50 of the submission"
    assert seen.reason == "p50 of 30 submissions is 0.40 s, target < 3 s; with 95 % it is at most 0.40 s"


@pytest.mark.parametrize(
    ("values", "q", "expected"),
    [([3.0], 0.95, 3.0), ([2.0, 1.0], 0.0, 1.0), ([2.0, 1.0], 0.5, 1.0), ([2.0, 1.0], 0.51, 2.0)],
)
def test_a_quantile_is_one_of_the_values(values: list[float], q: float, expected: float) -> None:
    assert load.quantile(values, q) == expected


GONE = {"job-0": DONE, "job-1": Job(status="FAILED")}


@pytest.mark.parametrize(
    ("met", "jobs", "verdict", "reason", "expected", "found", "lost"),
    [
        (
            users(2),
            {"job-0": DONE, "job-1": DONE},
            "PASS",
            "all 2 accepted jobs are COMPLETED and have their report",
            "2",
            "2",
            [],
        ),
        (users(2), GONE, "FAIL", "of 2 accepted jobs 1 are lost: job-1 (FAILED)", "2", "1", ["job-1"]),
        (
            users(4),
            GONE,
            "FAIL",
            "of 4 accepted jobs 3 are lost: job-1 (FAILED), job-2 (not in the table), job-3 (not in the table)",
            "4",
            "1",
            ["job-1", "job-2", "job-3"],
        ),
        (
            users(5),
            GONE,
            "FAIL",
            "of 5 accepted jobs 4 are lost: job-1 (FAILED), job-2 (not in the table), job-3 (not in the table), 1 more",
            "5",
            "1",
            ["job-1", "job-2", "job-3", "job-4"],
        ),
        (
            users(3, {"job_id": ""}, {"job_id": "job-0"}),
            {"job-0": DONE},
            "FAIL",
            "of 3 accepted jobs 2 are lost: 1 accepted without a job id, 1 answered with the job of another user",
            "3",
            "1",
            [],
        ),
        (users(2, submit_status=500, job_id=""), {}, "NO_DATA", "no job was accepted", "0", "0", []),
    ],
)
def test_what_became_of_the_jobs(
    met: list[Met], jobs: dict[str, Job], verdict: str, reason: str, expected: str, found: str, lost: list[str]
) -> None:
    seen = load.none_lost(met, jobs)
    assert seen.id == "load.none_lost"
    assert told(seen) == (verdict, "No job lost", reason, expected, found)
    assert seen.facts == {"lost": lost}


@pytest.mark.parametrize(
    ("seen", "verdict", "reason", "found"),
    [
        (
            Drain(100, 45.0, 45.0, 1090.0, 900.0, 5),
            "PASS",
            "100 jobs of 45.0 s on 5 workers should take 900 s; they took 1090 s",
            "1090 s",
        ),
        (
            Drain(100, 45.0, 45.0, 1090.25, 900.0, 5),
            "FAIL",
            "100 jobs of 45.0 s on 5 workers should take 900 s; they took 1090.2 s",
            "1090.2 s",
        ),
        (
            Drain(100, 45.0, 85.0, 900.0, 900.0, 5),
            "PASS",
            "100 jobs of 45.0 s on 5 workers should take 900 s; they took 900 s",
            "900 s",
        ),
        (
            Drain(3000, 22.5, 45.0, 900.0, 900.0, 5),
            "PASS",
            "3000 jobs of 22.5 s on 5 workers should take 900 s; they took 900 s (a rehearsal's scale: by the worker's "
            "own account a job takes 45.0 s, and 3000 of them at once would take 450 min)",
            "900 s",
        ),
    ],
)
def test_a_drain_against_its_prediction(seen: Drain, verdict: str, reason: str, found: str) -> None:
    """900 s by 1.2, and ten for what is fixed, are 1,090 s; own account and clock apart by half are a rehearsal's."""
    one = load.drained(seen, 1.2, slack_s=10)
    assert (one.id, told(one)) == (
        "load.drained",
        (verdict, "Drained within 1.2 x the predicted time", reason, "<= 1090 s", found),
    )
    assert one.facts == {
        "service_s": seen.service_s,
        "full_s": seen.full_s,
        "predicted_s": seen.predicted_s,
        "taken_s": seen.taken_s,
    }


def test_a_drain_that_nothing_tells_of() -> None:
    one = load.drained(None, 1.5)
    assert (one.id, told(one)) == (
        "load.drained",
        (
            "NO_DATA",
            "Drained within 1.5 x the predicted time",
            "table and bucket do not tell when the jobs began and ended",
            "",
            "",
        ),
    )


@pytest.mark.parametrize("unknown", ["created", "started", "completed", "stored"])
def test_a_job_with_an_unknown_time_is_left_out_of_the_drain(unknown: str) -> None:
    """Two jobs of 0.5 s on one worker, from 100 on; what is known of a third would change every figure."""
    jobs = {
        "a": Job(status="COMPLETED", created=100.0, started=100.0, completed=100.5, stored=100.5),
        "b": Job(status="COMPLETED", created=100.0, started=100.5, completed=101.0, stored=101.0),
        "c": Job(status="COMPLETED", created=90.0, started=90.0, completed=130.0, stored=130.0),
    }
    jobs["c"] = jobs["c"].model_copy(update={unknown: None})
    assert load.drain(jobs, 1) == Drain(2, 0.5, 0.5, 1.0, 1.0, 1)


CROWD = "users gave up in this test; at production's pace a burst of"
SAYS_300 = "and clients give up after 300 s"


@pytest.mark.parametrize(
    ("met", "jobs", "service_s", "workers", "verdict", "reason", "found", "enough", "gave_up"),
    [
        # 300 s are six rounds of 45 s: 30 of 100 served by five, all by 17.
        (
            users(2),
            100,
            45.04,
            5,
            "FAIL",
            f"0 of 2 {CROWD} 100 jobs of 45 s takes 5 workers 15 min, {SAYS_300}: 70 of them unserved; "
            "17 workers would serve all of them",
            "70 of 100 give up",
            17,
            0,
        ),
        # At 300.5 s a job not even the first is done in time.
        (
            users(2),
            10,
            300.5,
            5,
            "FAIL",
            f"0 of 2 {CROWD} 10 jobs of 300.5 s takes 5 workers 10 min, {SAYS_300}: 10 of them unserved; "
            "no concurrency would do",
            "10 of 10 give up",
            None,
            0,
        ),
        # 600 rounds of half a second.
        (
            users(2),
            601,
            0.5,
            1,
            "FAIL",
            f"0 of 2 {CROWD} 601 jobs of 0.5 s takes 1 workers 5 min, {SAYS_300}: 1 of them unserved; "
            "2 workers would serve all of them",
            "1 of 601 give up",
            2,
            0,
        ),
        (
            users(2, outcome="gave up"),
            720,
            50.0,
            120,
            "FAIL",
            f"2 of 2 {CROWD} 720 jobs of 50 s takes 120 workers 5 min, {SAYS_300}: 0 of them unserved",
            "0 of 720 give up",
            120,
            2,
        ),
        (
            users(2),
            3600,
            60.0,
            30,
            "FAIL",
            f"0 of 2 {CROWD} 3600 jobs of 60 s takes 30 workers 120 min, {SAYS_300}: 3450 of them unserved; "
            "720 workers would serve all of them",
            "3450 of 3600 give up",
            720,
            0,
        ),
    ],
)
def test_a_burst_as_the_clients_see_it(
    met: list[Met],
    jobs: int,
    service_s: float,
    workers: int,
    verdict: str,
    reason: str,
    found: str,
    enough: int | None,
    gave_up: int,
) -> None:
    one = load.clients_wait(met, jobs, service_s, workers, 300)
    assert (one.id, one.required) == ("load.clients_wait", False)
    assert told(one) == (verdict, "A burst as the clients see it", reason, "nobody gives up", found)
    assert one.facts == {"workers_enough": enough, "gave_up": gave_up}


def test_jobs_without_the_mark_of_a_probe_fail_the_test() -> None:
    jobs = {"a": DONE, "b": DONE.model_copy(update={"probe": False})}
    found = marked(jobs, "origin")
    assert (found.verdict, found.found) == (Verdict.FAIL, "1")
    assert (
        found.reason == "1 of 2 jobs bear the mark in 'origin'; not b: the users' figures count them (contract.probe)"
    )
    assert marked({"a": DONE}, "origin").verdict is Verdict.PASS
    assert marked({}, "origin").verdict is Verdict.NO_DATA


@pytest.mark.parametrize(
    ("ids", "unmarked", "verdict", "reason", "found"),
    [
        ("ab", "", "PASS", "2 of 2 jobs bear the mark in 'origin'", "2"),
        ("", "", "NO_DATA", "0 of 0 jobs bear the mark in 'origin'", "0"),
        (
            "a",
            "hgfedcb",
            "FAIL",
            "1 of 8 jobs bear the mark in 'origin'; not b, c, d: the users' figures count them (contract.probe)",
            "1",
        ),
    ],
)
def test_the_marks_to_the_letter(ids: str, unmarked: str, verdict: str, reason: str, found: str) -> None:
    jobs = {**dict.fromkeys(ids, DONE), **dict.fromkeys(unmarked, DONE.model_copy(update={"probe": False}))}
    one = marked(jobs, "origin")
    assert (one.id, one.required) == ("load.marked", True)
    assert told(one) == (verdict, "Every job marked as a probe", reason, str(len(jobs)), found)


def test_an_api_that_tells_no_user_is_not_asked_for_the_report() -> None:
    found = untold()
    assert (found.id, *told(found)) == (
        "load.downloaded",
        "PASS",
        "Every finished report downloaded",
        "not asked: this service's API tells no user that a report is there; table and bucket say whether one is lost",
        "",
        "",
    )


@pytest.mark.parametrize(
    ("status", "accepted", "taken"), [(202, None, 1), (200, None, 0), (201, True, 1), (202, False, 0)]
)
def test_what_was_accepted_says_the_contract_or_in_older_records_202(
    status: int, accepted: bool | None, taken: int
) -> None:
    assert Met(at=0, submit_status=status, accepted=accepted).taken == bool(taken)


def test_a_user_whom_the_api_tells_nothing_is_there_until_his_job_has_ended() -> None:
    """His requests take 60 ms, so a hundred of them were never there together; their jobs were."""
    met = [Met(at=i / 25, job_id=str(i), submit_s=0.06, submit_status=202, waited_s=0.06) for i in range(100)]
    jobs = {str(i): DONE.model_copy(update={"created": 1000 + i / 25, "stored": 1045 + i / 25}) for i in range(100)}
    assert served("concurrent", met).verdict is Verdict.FAIL
    assert served("concurrent", until_done(met, jobs)).verdict is Verdict.PASS
    assert until_done(met, {}) == met, "a job that is in no table keeps nobody"


def test_a_drain_that_nothing_can_tell_holds_nobody() -> None:
    assert (undrained().verdict, undrained().required) == (Verdict.NO_DATA, False)
    assert undrained().title == "Drained in the predicted time"


def test_a_job_that_the_table_or_the_bucket_does_not_time_keeps_nobody_longer_than_his_requests() -> None:
    met = [Met(at=0.0, job_id="a", submit_s=0.06, submit_status=202, waited_s=0.06)]
    for job in (DONE.model_copy(update={"created": None}), DONE.model_copy(update={"stored": None})):
        assert until_done(met, {"a": job}) == met
