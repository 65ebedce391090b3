"""Calls are written down by name where somebody asks for it, once each, and nothing else of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_lib.base import calls
from runbook_lib.base.aws import Aws
from runbook_lib.base.errors import AwsError


def test_a_call_is_noted_before_it_is_answered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "calls.txt"
    monkeypatch.setenv(calls.FILE, str(file))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    aws = Aws("us-east-1", "http://127.0.0.1:9", tries=1)
    for _ in range(2):
        with pytest.raises(AwsError):
            aws.identity()
    with pytest.raises(AwsError):
        aws.clock()
    assert file.read_text() == "sts.GetCallerIdentity\n"
    assert calls.heard(file) == {"sts.GetCallerIdentity"}


def test_nobody_asks_and_nothing_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(calls.FILE, raising=False)
    calls.note("sqs.SendMessage")
    monkeypatch.setenv(calls.FILE, str(tmp_path / "gone" / "calls.txt"))
    calls.note("sqs.SendMessage")
    assert not list(tmp_path.iterdir())
