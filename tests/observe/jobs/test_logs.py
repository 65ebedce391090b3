from __future__ import annotations

import datetime as dt
import functools
import json
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.base.errors import AwsError
from runbook_lib.base.redact import MASK
from runbook_lib.base.window import Window
from runbook_lib.observe.jobs import logs as module
from runbook_lib.observe.jobs.logs import failures, redact, signature, spoke
from runbook_lib.params.load import Params
from tests.secrets import BY_LINES

T = dt.datetime(2026, 11, 10, 10, 0, tzinfo=dt.UTC)
WINDOW = Window(T, T + dt.timedelta(hours=1))
KEY = "AKIA" + "ABCDEFGHIJKLMNOP"
JWT = "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0In0." + "c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"GET https://b.s3.amazonaws.com/r.json?X-Amz-Signature=abc123&X-Amz-Credential={KEY} failed", "abc123"),
        (f"used {KEY}", KEY),
        (f"Authorization: Bearer {JWT}", JWT),
        (f"token was {JWT}", JWT),
        ('{"password": "hunter2hunter2"}', "hunter2"),
        ("api_key=topsecretvalue and so on", "topsecretvalue"),
        ('{\\"client_secret\\": \\"abcdefgh12\\"}', "abcdefgh12"),
        ("connect postgres://user:pa55word@host/db", "pa55word"),
        ('{"password": "correct horse battery"}', "horse"),
        ("connect(password='a,b;c d')", "c d"),
        ('{"password": ["correct horse", "battery"]}', "horse"),
        ('{"auth_token": {"first": "correct"}}', "correct"),
        ('password="correct horse batt', "horse"),
        ("api_key: [correct, horse]", "correct"),
    ],
)
def test_secrets_are_taken_out(text: str, secret: str) -> None:
    assert secret in text
    assert secret not in redact(text)
    assert secret not in signature(text)
    assert redact(redact(text)) == redact(text)


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    ["a", "-", "a_", "http://", "https://a?", "password", "password ", "secret_", "0", "0a", "1.", " ", "\\", "["],
)
def test_the_time_is_linear_in_the_line(piece: str) -> None:
    """A word of 200,000 letters, such as a picture in a job's message, took half an hour."""
    began = time.process_time()
    signature(piece * (40_000 // len(piece)))
    assert time.process_time() - began < 2


def test_ordinary_words_stay() -> None:
    text = "RateLimitError: too many requests, retry after 20 s (input_tokens 7500)"
    assert redact(text) == text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Task timed out after 300.02 seconds", "Task timed out after 300.11 seconds"),
        ("job 2f0c9f7e-1111-4222-8333-444455556666 failed", "job aa0c9f7e-1111-4222-8333-444455556667 failed"),
        ("2026-11-10T10:00:00.123Z ERROR x", "2026-11-11T11:00:00Z ERROR x"),
        ("request deadbeef0123 lost", "request 0123deadbeef99 lost"),
        ("took 45s", "took 9s"),
    ],
)
def test_failures_of_a_kind_have_one_signature(one: str, other: str) -> None:
    assert signature(one) == signature(other)


def test_different_failures_have_different_signatures() -> None:
    assert signature("RateLimit: a") != signature("Timeout: a")
    assert len(signature("word " * 1000)) <= 300


class Logs:
    """FilterLogEvents with AWS's one-term patterns, in pages of one."""

    class exceptions:
        class ResourceNotFoundException(Exception):
            pass

    def __init__(self, *lines: tuple[int, str], missing: bool = False) -> None:
        self.lines, self.missing, self.requests = lines, missing, []

    def get_paginator(self, name: str) -> Logs:
        assert name == "filter_log_events"
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        self.requests.append(request)
        if self.missing:
            raise self.exceptions.ResourceNotFoundException
        term = request.get("filterPattern", "").strip('"')
        for place, (second, line) in enumerate(self.lines):
            stamp = int((T.timestamp() + second) * 1000)
            if term in line:
                yield {"events": [{"timestamp": stamp, "message": line, "eventId": str(place), "logStreamName": "s"}]}
            yield {}


def test_failures_are_grouped_and_counted_once(params: Params) -> None:
    def line(job: int) -> str:
        return json.dumps(
            {"level": "ERROR", "message": "VPRJobFailed", "job_id": job, "reason": f"LLM Exception {job}, FAILED"}
        )

    logs = Logs(
        (10, line(1)),
        (30, line(2)),
        (20, line(3)),
        (40, "2026-11-10T10:00:40Z req-1 Task timed out after 300.00 seconds"),
        (50, json.dumps({"level": "INFO", "message": "done", "job_id": "NO-ERROR-1"})),
    )
    found = failures(logs, params, WINDOW)
    assert [(one.text, one.count) for one in found] == [
        ("VPRJobFailed: LLM Exception <n>, FAILED", 3),
        ("<time> req-<n> Task timed out after <n> seconds", 1),
    ]
    assert (found[0].first, found[0].last) == (T + dt.timedelta(seconds=10), T + dt.timedelta(seconds=30))
    assert found[0].example == "VPRJobFailed: LLM Exception 1, FAILED"
    request = logs.requests[0]
    assert request["logGroupName"] == "/aws/lambda/careervp-vpr-worker-lambda-prod"
    assert request["endTime"] == int(WINDOW.end.timestamp() * 1000) - 1


def test_an_example_shows_no_secret(params: Params) -> None:
    logs = Logs((1, json.dumps({"level": "ERROR", "message": "LLM Exception: api_key=sk-notreal-0123456789 refused"})))
    (found,) = failures(logs, params, WINDOW)
    assert "notreal" not in found.example + found.text
    assert found.example == "LLM Exception: api_key=[redacted] refused"


@pytest.mark.parametrize("kind", BY_LINES)
@settings(max_examples=5)
@given(data=st.data())
def test_an_error_of_several_lines_shows_no_secret(kind: str, data: st.DataObject, params: Params) -> None:
    text, secret = data.draw(BY_LINES[kind])
    for end in ("\n", "\r\n"):
        error = {"level": "ERROR", "message": "VPRJobFailed", "error": text.replace("\n", end)}
        (found,) = failures(Logs((1, json.dumps(error))), params, WINDOW)
        assert secret not in found.example + found.text and MASK in found.text


def test_a_log_of_whole_jobs_is_read_in_seconds(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line had the job's text in it: 200,000 letters a line, searched for secrets from end to end."""
    text = json.dumps([{"key": "a/b", "job": place, "user": "ana"} for place in range(4000)])
    lines = [json.dumps({"level": "ERROR", "message": f"Exception {place}", "error": text}) for place in range(30)]
    left = functools.partial(module._Left, letters=1_000_000)
    monkeypatch.setattr(module, "_Left", left)
    began = time.process_time()
    found = failures(Logs(*enumerate(lines)), params, WINDOW)
    assert time.process_time() - began < 2
    assert found.cut
    assert sum(one.count for one in found) == -(-1_000_000 // len(lines[0]))
    assert not failures(Logs(*enumerate(lines[:2])), params, WINDOW).cut


@pytest.mark.parametrize("before", range(1985, 2001))
def test_a_secret_at_the_end_of_what_is_read_is_not_shown_in_part(before: int, params: Params) -> None:
    """The rest is thrown away with what follows it."""
    masked = f"Exception pass{'word'}={'Qx' * 1000}"[:before]
    (found,) = failures(Logs((1, f"{masked} {KEY} {'and ' * 100}")), params, WINDOW)
    assert KEY[:6] not in found.example + found.text


def test_no_log_group_no_failures(params: Params) -> None:
    assert failures(Logs(missing=True), params, WINDOW) == []
    assert failures(Logs((1, "ERROR x")), params, Window(T, T)) == []


@pytest.mark.parametrize(
    ("logs", "told"),
    [(Logs((1, "START RequestId")), True), (Logs(), False), (Logs(missing=True), False)],
)
def test_whether_a_function_spoke_at_all(logs: Logs, told: bool, params: Params) -> None:
    """A silent log is not one without errors."""
    assert spoke(logs, params, WINDOW) is told


def test_a_refusal_is_one_sentence(params: Params) -> None:
    logs = boto3.client("logs", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(logs) as stub:
        stub.add_client_error("filter_log_events", "AccessDeniedException", "no")
        with pytest.raises(AwsError, match="FilterLogEvents"):
            failures(logs, params, WINDOW)
        stub.add_client_error("filter_log_events", "AccessDeniedException", "no")
        with pytest.raises(AwsError, match="FilterLogEvents"):
            spoke(logs, params, WINDOW)
        wanted = {"logGroupName": ANY, "startTime": ANY, "endTime": ANY, "filterPattern": ANY}
        stub.add_client_error("filter_log_events", "ResourceNotFoundException", "no such group", expected_params=wanted)
        assert failures(logs, params, WINDOW) == []
