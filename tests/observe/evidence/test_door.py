"""Users counted at the door: worlds of known truth, drawn at random, against what the evidence says of them."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.base.window import Window, iso, parse
from runbook_lib.judge.gates.decide import decide
from runbook_lib.judge.gates.gates import judge
from runbook_lib.judge.model import Evidence, Gate, Look
from runbook_lib.judge.terms import Decision, Verdict
from runbook_lib.observe.evidence import door, rates
from runbook_lib.observe.evidence.seen import Answered
from runbook_lib.observe.jobs import access_log
from runbook_lib.observe.jobs.segment import Segment
from runbook_lib.observe.metrics.fetch import Answers, Series
from runbook_lib.observe.traffic.state import Deployment, TrafficState
from runbook_lib.params.load import Params, load_file

PARAMS = load_file(Path(__file__).resolve().parents[3] / "params" / "prod.yaml")
START = dt.datetime(2026, 11, 23, 3, tzinfo=dt.UTC)
END = START + dt.timedelta(hours=24)
NOW = END + dt.timedelta(minutes=5)
LOOK = Look(hours=24, alpha=0.03)
SHIFT = Deployment(number=1, state="BAKING", percent=10, started_at=iso(START - dt.timedelta(minutes=1)))
STATE = TrafficState(dial_percent=10, switch_on=True, weight=10, dial_deployment=SHIFT, history=(SHIFT,))


def gate(id: str) -> Gate:
    return PARAMS.policy.gate(id)


def series(label: str, total: float, at: dt.datetime = START) -> dict[str, Series]:
    """All of it in one point; none where there is nothing."""
    points = ((at + dt.timedelta(minutes=7), float(total)),) if total else ()
    return {label: Series(label, label, "Sum", 60, False, points, False, ())}


def look_at(
    jobs: Segment,
    *,
    requests: float,
    wrong: float = 0,
    broken: float = 0,
    sync: tuple[float, float] = (0, 0),
    before: tuple[float, float] = (0, 0),
    log: list[list[Any]] | None = None,
    params: Params = PARAMS,
) -> Answered:
    told = {
        "async_requests:Sum": requests,
        "async_4xx:Sum": wrong,
        "async_5xx:Sum": broken,
        "sync_requests:Sum": sync[0],
        "sync_4xx:Sum": sync[1],
        "jobs_created:Sum": jobs.n,
        f"{door.REFERENCE}sync_requests": before[0],
        f"{door.REFERENCE}sync_4xx": before[1],
    }
    found: dict[str, Series] = {}
    for label, total in told.items():
        found |= series(label, total)
    live = {"queue_visible": 0, "queue_in_flight": 0, "door": None if log is None else {"counts": log, "cut": False}}
    return Answered(Answers([], found), jobs, live, STATE, params, Window(START, END), NOW, LOOK)


def census(completed: int, failed: int = 0, **more: Any) -> Segment:
    return Segment(start=START, end=END, end_settled=END, completed=completed, failed=failed, **more)


counts = st.integers(0, 400)


@settings(max_examples=200, deadline=None)
@given(completed=st.integers(0, 3000), failed=counts, broken=counts, throttled=counts, waf=counts, mistakes=counts)
def test_with_an_access_log_every_user_is_in_the_rate_once(
    completed: int, failed: int, broken: int, throttled: int, waf: int, mistakes: int
) -> None:
    minute = iso(START + dt.timedelta(minutes=7))
    log = [[minute, 429, "THROTTLED", throttled], [minute, 403, "WAF_FILTERED", waf], [minute, 400, "", mistakes]]
    requests = completed + failed + broken + throttled + waf + mistakes
    wrong = throttled + waf + mistakes
    same = (10.0 * requests, 10.0 * mistakes)
    seen = look_at(census(completed, failed), requests=requests, wrong=wrong, broken=broken, log=log, before=same)
    found = rates.success(seen)
    users = requests - mistakes
    if not users:
        assert not found.n
        return
    assert (found.n, found.bad) == (users, failed + broken + throttled + waf)
    assert found.doubtful == 0
    ledger = found.extra["ledger"]
    if ledger is not None:
        assert (
            ledger["requests"]
            == ledger["accepted"] + ledger["repeats"] + ledger["refused"] + ledger["callers_mistakes"] + ledger["5xx"]
        )


@settings(max_examples=200, deadline=None)
@given(n=st.integers(300, 5000), share=st.floats(0.1, 0.9), mistakes=st.floats(0, 0.01), log=st.booleans())
def test_refusals_never_pass_and_mistakes_never_fail(n: int, share: float, mistakes: float, log: bool) -> None:
    """Five times the alert limit refused is FAIL; the same share of mistakes on both routes is none."""
    refused = round(n * share)
    lines = [[iso(START + dt.timedelta(minutes=7)), 429, "THROTTLED", refused]] if log else None
    sync = (9.0 * n, round(9 * n * mistakes))
    seen = look_at(census(n - refused), requests=n, wrong=refused, sync=sync, before=sync, log=lines)
    for id, evidence in (("success_rate", rates.success(seen)), ("refused", rates.refused(seen))):
        assert judge(gate(id), evidence, look=LOOK).verdict is Verdict.FAIL, evidence
    # The callers' own, as many on the synchronous route: not a failure.
    own = round(n * mistakes)
    lines = [[iso(START + dt.timedelta(minutes=7)), 400, "", own]] if log else None
    seen = look_at(census(n - own), requests=n, wrong=own, sync=sync, before=sync, log=lines)
    for id, evidence in (("success_rate", rates.success(seen)), ("refused", rates.refused(seen))):
        assert judge(gate(id), evidence, look=LOOK).verdict is not Verdict.FAIL, evidence


@given(wrong=st.integers(10, 400))
def test_without_log_and_reference_it_passes_only_where_all_could_be_refusals(wrong: int) -> None:
    """Nor does it fail where all of them could be the callers': the policy allows for 5 %, and no more."""
    seen = look_at(census(1000), requests=1000 + wrong, wrong=wrong)
    result = judge(gate("refused"), rates.refused(seen), look=LOOK)
    if wrong <= 10:
        assert result.verdict is Verdict.PASS, "as few as these pass even if all of them were refusals"
    elif result.verdict is Verdict.FAIL:
        assert wrong / (1000 + wrong) > PARAMS.policy.door.caller_share
    else:
        assert result.verdict is Verdict.INCONCLUSIVE
        assert "cannot be told from the callers' own mistakes" in result.reason
    assert wrong < 150 or result.verdict is Verdict.FAIL, "13 % of all are not believed to be the callers' own"


@settings(max_examples=200, deadline=None)
@given(n=st.integers(300, 5000), new=st.floats(0.1, 1.0), usual=st.floats(0, 0.04), status=st.sampled_from([400, 404]))
def test_a_wave_of_new_mistakes_does_not_pass_though_the_log_says_so(
    n: int, new: float, usual: float, status: int
) -> None:
    """A broken validation or route of ours answers 400 or 404 too; the synchronous route has no more of them."""
    wrong = round(n * new)
    log = [[iso(START + dt.timedelta(minutes=7)), status, "", wrong]]
    before = (20_000.0, round(20_000 * usual))
    seen = look_at(census(n - wrong), requests=n, wrong=wrong, before=before, log=log)
    for id, evidence in (("success_rate", rates.success(seen)), ("refused", rates.refused(seen))):
        result = judge(gate(id), evidence, look=LOOK)
        assert result.verdict in (Verdict.INCONCLUSIVE, Verdict.NO_DATA), result.reason
    assert "more than" in result.reason


@settings(max_examples=200, deadline=None)
@given(
    wrong=st.integers(0, 900),
    lines=st.integers(0, 9000),
    own=st.booleans(),
    metric=st.booleans(),
)
def test_a_log_is_believed_only_where_it_agrees_with_cloudwatch(
    wrong: int, lines: int, own: bool, metric: bool
) -> None:
    """More lines than 4xx, or far fewer, or none of the metric: what the log does not bear out is no mistake."""
    n = 3000
    log = [[iso(START + dt.timedelta(minutes=7)), 400 if own else 429, "", lines]] if lines else []
    seen = look_at(census(n - wrong), requests=n, wrong=wrong if metric else 0, before=(20_000, 0), log=log)
    met = door.read(seen, [seen.whole])
    assert met is not None
    assert met.refused + met.mistakes <= n
    assert met.mistakes <= (lines if own else 0)
    if not own and lines <= n and not (metric and wrong):
        assert met.refused == lines, "without the metric the log is all there is"
    if metric and wrong > 20:
        assert met.refused >= wrong - (min(lines, wrong) if own else 0)


def test_a_throttle_that_hits_both_routes_is_seen_against_the_days_before() -> None:
    """30 % are refused on either route since the rollout; before it none were."""
    seen = look_at(census(210), requests=300, wrong=90, sync=(2700, 810), before=(20_000, 0))
    assert judge(gate("success_rate"), rates.success(seen), look=LOOK).verdict is Verdict.FAIL


def test_a_refusal_that_was_always_there_is_not_believed_to_be_the_callers() -> None:
    """Beyond `caller_share` the comparison proves nothing: neither PASS nor FAIL."""
    seen = look_at(census(210), requests=300, wrong=90, sync=(2700, 810), before=(20_000, 6_000))
    result = judge(gate("success_rate"), rates.success(seen), look=LOOK)
    assert result.verdict is Verdict.INCONCLUSIVE


@settings(max_examples=100, deadline=None)
@given(n=st.integers(200, 5000), missing=st.floats(0.05, 0.9))
def test_accepted_and_no_job_does_not_add_up(n: int, missing: float) -> None:
    gone = round(n * missing)
    found = rates.success(look_at(census(n - gone), requests=n))
    result = judge(gate("success_rate"), found, look=LOOK)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "the ledger does not add up" in result.reason
    assert result.needed is None, "more requests would not decide it"


@settings(max_examples=100, deadline=None)
@given(n=st.integers(20, 5000), missing=st.floats(0.3, 1))
def test_half_of_the_accepted_without_a_job_is_a_matter_for_people_at_any_look(n: int, missing: float) -> None:
    """It may be callers who repeat themselves, so it fails nothing; and it waits for no declared look."""
    gone = round(n * missing)
    result = judge(gate("success_rate"), rates.success(look_at(census(n - gone), requests=n)), look=None)
    assert (result.verdict, result.doubted) == (Verdict.INCONCLUSIVE, True)
    outcome = decide("during", [result], percent=10)
    assert (outcome.decision, outcome.scenario) == (Decision.HOLD, "rollback_1")
    assert "does not add up" in outcome.reason


@settings(max_examples=100, deadline=None)
@given(n=st.integers(20, 5000), missing=st.floats(0, 0.01))
def test_a_few_without_a_job_hold_nothing_up(n: int, missing: float) -> None:
    gone = round(n * missing)
    result = judge(gate("success_rate"), rates.success(look_at(census(n - gone), requests=n)), look=None)
    assert decide("during", [result], percent=10).decision is Decision.SOAK


def test_repeats_are_believed_as_far_as_they_are_declared() -> None:
    """Of 150, six accepted without a job are 4 %: no PASS where no repeats are declared, one where they are."""
    found = rates.success(look_at(census(147), requests=150))
    assert (found.bad, found.doubtful, found.extra["ledger"]["unsure"]) == (3, 3, 3)
    assert judge(gate("success_rate"), found, look=LOOK).verdict is Verdict.INCONCLUSIVE
    policy = PARAMS.policy.model_copy(update={"door": PARAMS.policy.door.model_copy(update={"repeats": 0.02})})
    found = rates.success(look_at(census(490), requests=500, params=PARAMS.model_copy(update={"policy": policy})))
    assert (found.bad, found.extra["ledger"]["repeats"]) == (0, 10)
    assert judge(gate("success_rate"), found, look=LOOK).verdict is Verdict.PASS


ODD = (
    '{"time": NaN, "status": 429}',
    '{"time": 1e20, "status": 429}',
    '{"time": 1, "status": Infinity}',
    "[" * 100_000,
)


@pytest.mark.parametrize("line_", ODD)
def test_a_line_that_cannot_be_is_left_out(line_: str) -> None:
    assert access_log.counted([line_], PARAMS, Window(START, END)) == []


def test_jobs_that_cloudwatch_knows_no_request_of_are_said() -> None:
    found = rates.success(look_at(census(500), requests=0))
    result = judge(gate("success_rate"), found, look=LOOK)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "CloudWatch knows of no submission" in result.reason


@settings(max_examples=100, deadline=None)
@given(polls=st.integers(5_000, 50_000), share=st.floats(0.1, 1.0))
def test_polls_never_hide_submissions(polls: int, share: float) -> None:
    """However many status polls succeed, submissions of which more than twice the limit fail are a FAIL."""
    n = 300
    told = {
        "async_requests:Sum": n,
        "async_5xx:Sum": round(n * share),
        "status_requests:Sum": polls,
        "status_5xx:Sum": 0,
    }
    found: dict[str, Series] = {}
    for label, total in told.items():
        found |= series(label, total)
    seen = Answered(Answers([], found), None, {}, STATE, PARAMS, Window(START, END), NOW, LOOK)
    result = judge(gate("error_rate"), rates.async_5xx(seen), look=LOOK)
    assert result.verdict is Verdict.FAIL
    assert "POST /api/vpr-async" in result.reason


def test_lost_is_what_no_delivery_is_left_for() -> None:
    lost = judge(
        gate("lost_jobs"), rates.lost_jobs(look_at(census(300, vanished=1, vanished_of=300), requests=301)), look=None
    )
    assert lost.verdict is Verdict.FAIL and "1 of 300 were lost" in lost.reason
    seen = look_at(census(300, vanished=4, vanished_of=300), requests=304)
    seen.live["queue_visible"] = 4
    assert judge(gate("lost_jobs"), rates.lost_jobs(seen), look=LOOK).verdict is Verdict.PASS


@pytest.mark.parametrize(("hours", "rules"), [(2, 7), (24, 7), (72, 7), (72, 6)])
def test_the_window_of_lost_jobs_is_that_of_their_n(hours: int, rules: int) -> None:
    """The newest scan sees the jobs that are still in the table, once every delivery of their message is over."""
    start, ttl = END - dt.timedelta(hours=hours), dt.timedelta(seconds=PARAMS.service.job_ttl_s)
    jobs = census(300, vanished_of=120).model_copy(update={"start": start})
    found = rates.lost_jobs(replace(look_at(jobs, requests=300), window=Window(start, END), rules=rules))
    if rules < 7:
        assert (parse(found.start), parse(found.end)) == (start, END)
        return
    deliveries = dt.timedelta(seconds=PARAMS.service.max_receives * PARAMS.service.visibility_timeout_s)
    assert (parse(found.start), parse(found.end)) == (max(start, NOW - ttl), NOW - deliveries)
    older = [note for note in found.notes if "older ones were counted by earlier looks" in note]
    assert len(older) == (NOW - ttl > start) and found.n == 120


def test_an_exhausted_quota_says_so() -> None:
    seen = look_at(census(280, 20, quota=20), requests=300)
    result = judge(gate("llm_quota"), rates.llm_quota(seen), look=LOOK)
    assert result.verdict is Verdict.FAIL
    assert "quota" in result.reason


# the access log itself


def line(status: int, **changed: Any) -> str:
    import json

    at = int((START + dt.timedelta(minutes=3, seconds=20)).timestamp() * 1000)
    return json.dumps(
        {"time": at, "method": "POST", "path": "/api/vpr-async", "status": status, "response_type": "-", **changed}
    )


def test_lines_of_other_routes_methods_and_answers_are_left_out() -> None:
    lines = [
        line(429, response_type="THROTTLED"),
        line(429, response_type="THROTTLED"),
        line(400),
        line(429, path="/api/vpr"),
        line(403, method="GET"),
        line(502),
        line(202),
        "no JSON",
        "[1]",
        '{"status": "x"}',
    ]
    minute = iso(START + dt.timedelta(minutes=3))
    assert access_log.counted(lines, PARAMS, Window(START, END)) == [
        [minute, 400, "", 1],
        [minute, 429, "THROTTLED", 2],
    ]


@pytest.mark.slow
@given(st.lists(st.text(max_size=60) | st.dictionaries(st.text(max_size=8), st.integers() | st.none()).map(str)))
def test_whatever_stands_in_a_log_is_no_error(lines: list[str]) -> None:
    assert access_log.counted(lines, PARAMS, Window(START, END)) == []


class Logs:
    """FilterLogEvents, or a group that does not exist."""

    class exceptions:
        class ResourceNotFoundException(Exception):
            pass

    def __init__(self, lines: list[str] | None) -> None:
        self.lines = lines

    def get_paginator(self, _: str) -> Logs:
        return self

    def paginate(self, **_: Any) -> Any:
        if self.lines is None:
            raise self.exceptions.ResourceNotFoundException
        yield {"events": [{"eventId": str(k), "message": one} for k, one in enumerate(self.lines)]}
        yield {"events": [{"eventId": str(k), "message": one} for k, one in enumerate(self.lines)]}


def test_no_log_is_not_no_refusal() -> None:
    assert access_log.read(Logs(None), PARAMS, Window(START, END)) is None
    assert access_log.read(Logs([]), PARAMS, Window(START, END)) is None


def test_a_page_given_twice_counts_once() -> None:
    found = access_log.read(Logs([line(429, response_type="THROTTLED")]), PARAMS, Window(START, END))
    assert found is not None and [one[-1] for one in found["counts"]] == [1]


@pytest.mark.parametrize("kind", ["rate"])
def test_parts_are_judged_each_by_itself(kind: Any) -> None:
    base = {"measure": "async_5xx", "kind": kind, "start": iso(START), "end": iso(END), "query": "by hand"}
    whole = Evidence.model_validate(
        {
            **base,
            "bad": 40,
            "n": 3000,
            "parts": [{"name": "POST", "bad": 40, "n": 300}, {"name": "GET", "bad": 0, "n": 2700}],
        }
    )
    assert judge(gate("error_rate"), whole, look=LOOK).verdict is Verdict.FAIL
    pooled = judge(gate("error_rate"), whole.model_copy(update={"parts": ()}), look=LOOK)
    assert pooled.verdict is not Verdict.FAIL, "which is what pooling would have hidden"


@pytest.mark.parametrize("status", [400, 404])
@pytest.mark.parametrize(
    ("before", "sync"), [((20_000, 0), (9_000, 2_700)), ((20_000, 6_000), (9_000, 0)), ((0, 0), (9_000, 8_900))]
)
def test_the_stricter_reference_counts_for_mistakes_too(
    status: int, before: tuple[float, float], sync: tuple[float, float]
) -> None:
    """What goes wrong now may go wrong on both routes; and what was wrong before need not be so now."""
    log = [[iso(START + dt.timedelta(minutes=7)), status, "", 300]]
    seen = look_at(census(700), requests=1000, wrong=300, before=before, sync=sync, log=log)
    for id, evidence in (("success_rate", rates.success(seen)), ("refused", rates.refused(seen))):
        assert judge(gate(id), evidence, look=LOOK).verdict is not Verdict.PASS


def test_without_the_days_before_what_both_routes_refuse_is_not_believed() -> None:
    seen = look_at(census(955), requests=1000, wrong=45, sync=(9_000, 450))
    assert judge(gate("success_rate"), rates.success(seen), look=LOOK).verdict is Verdict.INCONCLUSIVE


@given(vanished=st.integers(0, 40), held=st.integers(0, 60), younger=st.integers(0, 40))
def test_messages_of_young_jobs_do_not_explain_old_ones(vanished: int, held: int, younger: int) -> None:
    jobs = census(2900, in_flight=younger, vanished=vanished, vanished_of=2900, lost=vanished)
    seen = look_at(jobs, requests=2900 + vanished)
    seen.live["queue_visible"], seen.live["queue_in_flight"] = held, 0
    found = rates.lost_jobs(seen)
    assert found.bad == max(0, vanished - max(0, held - younger))
    assert 0 <= found.doubtful <= found.bad
    assert found.bad - found.doubtful <= max(0, vanished - held)
    if vanished > held and vanished - held >= 1:
        assert judge(gate("lost_jobs"), found, look=LOOK).verdict is Verdict.FAIL
    if vanished and held <= younger:
        assert judge(gate("lost_jobs"), found, look=LOOK).verdict is not Verdict.PASS
