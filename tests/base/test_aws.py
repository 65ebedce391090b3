"""Clients, and how AWS's answers are read."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.aws import Aws, dated, instant
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


DATES: dict[str, Any] = {
    "none": {},
    "a clock that was just started": {"date": "Thu, 01 Jan 1970 00:00:01 GMT"},
    "a year that nobody lives to see": {"date": "Fri, 31 Dec 9999 23:59:59 GMT"},
    "a day that is none": {"date": "Mon, 99 Nov 2026 07:00:00 GMT"},
    "words": {"date": "yesterday <b>"},
    "empty": {"date": ""},
    "no headers": None,
}
"""What may stand for the Date of an answer (a proxy takes it out, a clock is not set) and is none."""


@pytest.mark.parametrize("headers", DATES.values(), ids=DATES)
def test_an_answer_without_a_time_is_a_sentence_and_holds_up_no_rollback(headers: Any) -> None:
    aws = Aws("us-east-1", "http://127.0.0.1:9")
    answer = {"Account": "000000000101", "Arn": "arn:x", "ResponseMetadata": {"HTTPHeaders": headers}}
    aws._clients["sts"] = SimpleNamespace(get_caller_identity=lambda: answer)
    with pytest.raises(AwsError, match=r"^AWS's answer has .*: its clock is not known") as caught:
        aws.identity()
    assert str(caught.value).isprintable()
    found, here = aws.identity(lenient=True), dt.datetime.now(dt.UTC)
    assert (found.account, found.arn) == ("000000000101", "arn:x")
    assert abs((found.now - here).total_seconds()) < 5 and "this machine's clock is taken" in found.doubt


@given(st.text(max_size=40) | st.binary(max_size=20) | st.integers() | st.none())
def test_any_date_is_a_time_or_a_sentence(said: Any) -> None:
    try:
        found = dated({"ResponseMetadata": {"HTTPHeaders": {"date": said}}})
    except AwsError as error:
        assert str(error).isprintable()
    else:
        assert found.tzinfo is dt.UTC


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
