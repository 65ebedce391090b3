"""Clients, and how AWS's answers are read."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from runbook_lib.base.aws import Aws, instant


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
