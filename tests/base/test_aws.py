"""Clients, and how AWS's answers are read."""

from __future__ import annotations

import datetime as dt
import os
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.aws import OLDEST, Aws, instant
from runbook_lib.base.errors import AwsError


@pytest.mark.parametrize(
    "value",
    [
        *(1762135200, 1762135200.25, "2025-11-03T02:00:00Z", "2025-11-03T02:00:00.250+00:00", "1762135200"),
        *("2025-11-03T04:00:00+02:00", "Mon, 03 Nov 2025 02:00:00 GMT", "20251103"),
    ],
)
def test_times_are_those_that_botocore_reads_and_in_utc(value: object) -> None:
    from botocore.utils import parse_timestamp

    read = instant(value)
    assert read == parse_timestamp(value)
    assert read.tzinfo is dt.UTC


def test_what_is_no_time_is_refused() -> None:
    with pytest.raises(ValueError, match="Invalid timestamp"):
        instant("yesterday")


def test_the_models_of_services_are_read_once_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.loaders import JSONFileLoader

    Aws("us-east-1", "http://127.0.0.1:9").client("sqs")
    read: list[str] = []
    real = JSONFileLoader.load_file
    monkeypatch.setattr(JSONFileLoader, "load_file", lambda self, path: (read.append(path), real(self, path))[1])
    Aws("us-east-1", "http://127.0.0.1:9").client("sqs")
    assert not [path for path in read if "service-2" in path]


def test_models_of_ones_own_are_found_where_the_configuration_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """AWS_DATA_PATH is somebody's wish: a session with another one has other models."""
    Aws("us-east-1", "http://127.0.0.1:9").client("sqs")
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    inside = Aws("us-east-1", "http://127.0.0.1:9")._session._session.get_component("data_loader")
    assert str(tmp_path) in inside.search_paths
    monkeypatch.delenv("AWS_DATA_PATH")
    outside = Aws("us-east-1", "http://127.0.0.1:9")._session._session.get_component("data_loader")
    assert str(tmp_path) not in outside.search_paths


NEVER = {"date": "Fri, 31 Dec 9999 23:59:59 GMT"}
"""From it no time can be counted on."""


@pytest.mark.parametrize(
    "headers", [{}, {"date": ""}, {"date": "Thu, 01 Jan 1970 00:00:00 GMT"}, {"date": "now"}, NEVER]
)
def test_without_aws_clock_only_who_cannot_wait_goes_on(
    headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy took the Date away, or made up one of its own: nothing is judged by that, but async can be turned off."""
    aws, who = Aws("us-east-1", "http://127.0.0.1:9"), {"Account": "0", "Arn": "arn"}
    answer = {**who, "ResponseMetadata": {"HTTPHeaders": headers}}
    monkeypatch.setattr(aws.client("sts"), "get_caller_identity", lambda: answer)
    with pytest.raises(AwsError, match=r"AWS's answer carries .*its clock is not known"):
        aws.identity()
    before = dt.datetime.now(dt.UTC)
    found = aws.identity(any_clock=True)
    assert before <= found.now <= dt.datetime.now(dt.UTC)
    assert "its clock is not known" in found.trouble


@pytest.mark.parametrize(
    "at", [OLDEST, dt.datetime(2026, 2, 28, tzinfo=dt.UTC), dt.datetime(2199, 1, 1, tzinfo=dt.UTC)]
)
def test_the_clock_is_that_of_the_answer(at: dt.datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    aws = Aws("us-east-1", "http://127.0.0.1:9")
    headers: Any = {"date": format_datetime(at, usegmt=True)}
    answer = {"Account": "0", "Arn": "arn", "ResponseMetadata": {"HTTPHeaders": headers}}
    monkeypatch.setattr(aws.client("sts"), "get_caller_identity", lambda: answer)
    for any_clock in (False, True):
        found = aws.identity(any_clock=any_clock)
        assert (found.now, found.trouble) == (at, "")


def test_a_bundle_of_certificates_that_is_a_pipe_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took 20 s, and then AWS was said not to answer."""
    os.mkfifo(tmp_path / "ca.pem")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with pytest.raises(AwsError, match=r"AWS_CA_BUNDLE is '.*ca\.pem', which is a pipe or a device"):
        Aws("us-east-1", "https://127.0.0.1:9")


@pytest.mark.parametrize(("file", "held"), [("endpoints", b'{"x": '), ("sts/2011-06-15/service-2", b"\xff\xfe")])
def test_broken_descriptions_of_services_are_named(
    file: str, held: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was the profile's credentials that were not available."""
    path = tmp_path / f"{file}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(held)
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    with pytest.raises(AwsError, match=r"in AWS_DATA_PATH .* cannot be read"):
        Aws("us-east-1", "http://127.0.0.1:9").client("sts")
