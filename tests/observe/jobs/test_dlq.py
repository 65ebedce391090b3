"""Which job a dead letter is about."""

from __future__ import annotations

import pytest

from runbook_lib.observe.jobs.dlq import job_of


@pytest.mark.parametrize(
    ("body", "job"),
    [
        ('{"job_id": "a"}', "a"),
        ('{"job_id": 7}', "7"),
        ('{"job_id": true}', None),
        ('{"job_id": ""}', None),
        ("[]", None),
        ("no JSON", None),
        ("[" * 200_000, None),
    ],
)
def test_an_id_may_be_a_number(body: str, job: str | None) -> None:
    assert job_of(body, "job_id") == job
