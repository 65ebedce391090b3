"""Who let a job in: as GitHub's API says, or one sentence that says why it cannot be asked."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.base.errors import Refused
from runbook_lib.observe.ci.reviews import asked
from tests.github import RUN, github, review


def test_the_job_asks_who_let_it_in() -> None:
    reviews = [
        review("grace"),
        review("grace"),
        review("ada", environment="Approve-Prod"),
        review("hugo", environment="dev"),
        review("eve", "rejected"),
        review("max", "pending"),
    ]
    with github({**RUN, "triggering_actor": {"login": "nina"}}, reviews) as job:
        found = asked(job, "approve-prod")
    assert (found.repository, found.environment, found.run, found.attempt) == ("acme/orders", "approve-prod", 42, 1)
    assert found.started_by == ("olga", "nina") and found.approved_by == ("grace", "ada")
    assert found.rejected_by == ("eve",)


@pytest.mark.parametrize(
    ("run", "reviews", "code", "says"),
    [
        ({**RUN, "id": 41}, [], 200, "cannot be read"),
        ({**RUN, "actor": None, "triggering_actor": None}, [], 200, "cannot be read"),
        ([], [], 200, "cannot be read"),
        (RUN, {"message": "x"}, 200, "cannot be read"),
        ({**RUN, "run_attempt": 2}, [], 200, "this job is of attempt 1 of run 42, and GitHub tells of attempt 2"),
        (RUN, [{"state": []}], 200, "cannot be read"),
        (RUN, [{"state": "approved", "environments": 3}], 200, "cannot be read"),
        (RUN, b"<html>", 200, "does not answer with JSON"),
        (RUN, b"[" * 100_000, 200, "does not answer with JSON"),
        (RUN, [], 403, r"answered 403; approve in a job of GitHub that has `permissions: actions: read`"),
        (RUN, [], 500, "answered 500"),
        (RUN, [], 302, "answered 302"),
    ],
)
def test_another_answer_is_one_sentence(run: Any, reviews: Any, code: int, says: str) -> None:
    with github(run, reviews, code) as job, pytest.raises(Refused, match=says):
        asked(job, "approve-prod")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("GITHUB_TOKEN", "", "GITHUB_TOKEN is not set"),
        ("GITHUB_API_URL", "http://elsewhere.invalid", "is no https address"),
        ("GITHUB_API_URL", "http://127.0.0.1.elsewhere.invalid", "is no https address"),
        ("GITHUB_API_URL", "http://127.0.0.1:9", "does not answer"),
        ("GITHUB_REPOSITORY", "acme/orders/../../user", "is none"),
        ("GITHUB_RUN_ID", "42/../41", "is none"),
    ],
)
def test_what_is_no_job_of_github_asks_nobody(name: str, value: str, says: str) -> None:
    with github(RUN, []) as job, pytest.raises(Refused, match=says) as found:
        asked({**job, name: value}, "approve-prod")
    assert "the-jobs-own" not in str(found.value)
