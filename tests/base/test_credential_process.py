"""A `credential_process` that never answers ends in a sentence; one that answers late is told and waited for."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from runbook_lib.base import credential_process, patience
from runbook_lib.base.aws import Aws
from runbook_lib.base.errors import AwsError

ANSWER = {"Version": 1, "AccessKeyId": "test", "SecretAccessKey": "test"}


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def profile(folder: Path, script: str) -> None:
    (folder / "tool.py").write_text(script)
    process = f"credential_process = {sys.executable} {folder / 'tool.py'}\n"
    role = "[profile role]\nrole_arn = arn:aws:iam::000000000103:role/r\nsource_profile = tool\n"
    (folder / "config").write_text(f"[profile tool]\n{process}{role}")


@pytest.mark.parametrize("name", ["tool", "role"])
def test_one_that_never_answers_is_given_up(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile(tmp_path, "import time\ntime.sleep(30)\n")
    monkeypatch.setenv("AWS_PROFILE", name)
    monkeypatch.setattr(credential_process, "MOST_S", 0.5)
    began = time.monotonic()
    with pytest.raises(AwsError, match="credential_process gave no answer within 0 s; check AWS_PROFILE"):
        Aws("us-east-1", tries=1).identity()
    assert time.monotonic() - began < 10


def test_one_that_answers_late_is_waited_for_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile(tmp_path, f"import time\ntime.sleep(1)\nprint('''{json.dumps(ANSWER)}''')\n")
    monkeypatch.setenv("AWS_PROFILE", "tool")
    monkeypatch.setattr(credential_process, "TELL_AFTER_S", 0.2)
    said: list[str] = []
    monkeypatch.setattr(patience, "tellers", [said.append])
    found = Aws("us-east-1")._session.get_credentials()
    assert found is not None and found.access_key == "test"
    assert said == ["waiting for credential_process, 60 s at most ..."]


@pytest.mark.parametrize("words", ["", "correct horse battery staple", "token: 0123456789"])
def test_of_one_that_fails_the_exit_code_is_told_and_none_of_its_words(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any of them may be the secret itself, and the sentence is sealed into a record."""
    profile(tmp_path, f"import sys\nprint({words!r}, file=sys.stderr)\nraise SystemExit(7)\n")
    monkeypatch.setenv("AWS_PROFILE", "tool")
    with pytest.raises(AwsError) as told:
        Aws("us-east-1", tries=1).identity()
    assert "credential_process ended with 7; run it by hand to see what it says; check AWS_PROFILE" in str(told.value)
    assert not words or words not in str(told.value)
