"""Clients, and how AWS's answers are read."""

from __future__ import annotations

import datetime as dt

import pytest

from runbook_lib.base.aws import instant


@pytest.mark.parametrize(
    "value", [1762135200, 1762135200.25, "2025-11-03T02:00:00Z", "2025-11-03T02:00:00.250+00:00", "1762135200"]
)
def test_times_are_those_that_botocore_reads_and_in_utc(value: object) -> None:
    from botocore.utils import parse_timestamp

    read = instant(value)
    assert read == parse_timestamp(value)
    assert read.tzinfo is dt.UTC


def test_what_is_no_time_is_refused() -> None:
    with pytest.raises(ValueError, match="Invalid timestamp"):
        instant("yesterday")
