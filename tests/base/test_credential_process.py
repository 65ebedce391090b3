"""A `credential_process` that never answers ends in a sentence; one that answers late is told and waited for."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from runbook_lib.base import credential_process, telling
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
    with pytest.raises(AwsError, match=r"credential_process python\S* gave no answer within 0 s; check AWS_PROFILE"):
        Aws("us-east-1", tries=1).identity()
    assert time.monotonic() - began < 10


def test_one_that_answers_late_is_waited_for_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile(tmp_path, f"import time\ntime.sleep(1)\nprint('''{json.dumps(ANSWER)}''')\n")
    monkeypatch.setenv("AWS_PROFILE", "tool")
    monkeypatch.setattr(telling, "TELL_AFTER_S", 0.2)
    said: list[str] = []
    monkeypatch.setattr(telling, "tellers", [said.append])
    found = Aws("us-east-1")._session.get_credentials()
    assert found is not None and found.access_key == "test"
    assert said == ["waiting for credential_process, 60 s at most ..."]


def test_what_it_leaves_behind_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent that it starts has its output, too, and no end."""
    (tmp_path / "tool.sh").write_text(f"(sleep 30 &)\necho '{json.dumps(ANSWER)}'\n")
    (tmp_path / "config").write_text(f"[profile tool]\ncredential_process = /bin/sh {tmp_path / 'tool.sh'}\n")
    monkeypatch.setenv("AWS_PROFILE", "tool")
    began = time.monotonic()
    found = Aws("us-east-1")._session.get_credentials()
    assert found is not None and found.access_key == "test" and time.monotonic() - began < 10


@pytest.mark.parametrize("where", ["", ">&2"])
def test_one_that_prints_without_an_end_is_ended_at_once(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tool.sh").write_text(f"while :; do echo zebrastripe{where}; done")
    (tmp_path / "config").write_text(f"[profile tool]\ncredential_process = /bin/sh {tmp_path / 'tool.sh'}\n")
    monkeypatch.setenv("AWS_PROFILE", "tool")
    began = time.monotonic()
    with pytest.raises(AwsError, match=r"credential_process sh printed more than 64 KB and was ended; run it by hand"):
        Aws("us-east-1", tries=1).identity()
    assert time.monotonic() - began < 10


def test_nor_does_what_it_has_begun_print_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was read and dropped for as long as the command ran, with a core for it."""
    (tmp_path / "tool.sh").write_text(f"yes zebrastripe >&2 &\necho $! >{tmp_path / 'pid'}\nsleep 30")
    (tmp_path / "config").write_text(f"[profile tool]\ncredential_process = /bin/sh {tmp_path / 'tool.sh'}\n")
    monkeypatch.setenv("AWS_PROFILE", "tool")
    with pytest.raises(AwsError, match="printed more than 64 KB"):
        Aws("us-east-1", tries=1).identity()
    pid, end = int((tmp_path / "pid").read_text()), time.monotonic() + 10
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < end:
            os.kill(pid, 0)
            time.sleep(0.05)


TOKEN = "zq81" + "xkkwm" + "v72ab"
"""A secret that nothing tells from a word."""
WHOLE = {**ANSWER, "SessionToken": TOKEN, "Expiration": "2099-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("exit 7", "ended with 7 and said nothing; run it by hand"),
        (f"echo {TOKEN} >&2; exit 7", "ended with 7; run it by hand"),
        ("echo token: 0123456789 correct horse >&2; exit 7", "ended with 7; run it by hand"),
        (f"echo {TOKEN}; exit 7", "ended with 7; run it by hand"),
        (f"printf '\\377{TOKEN}' >&2; exit 7", "ended with 7; run it by hand"),
        (f"echo {TOKEN}", "printed no credentials"),
        (f"printf '\\377{TOKEN}'", "printed no credentials"),
        (f"""echo '"{TOKEN}"'""", "printed no credentials"),
        (f"""echo '["{TOKEN}"]'""", "printed no credentials"),
        *(
            (f"echo '{json.dumps({**WHOLE, **wrong})}'", "printed no credentials")
            for wrong in (
                {"Version": TOKEN},
                {"AccessKeyId": None},
                {"SecretAccessKey": {TOKEN: 1}},
                {"SessionToken": [TOKEN]},
                {"AccessKeyId": f"{TOKEN} {TOKEN}"},
                {"Expiration": TOKEN},
                {"Expiration": "2099-01-01"},
            )
        ),
    ],
)
@pytest.mark.parametrize("name", ["tool", "role"])
def test_nothing_that_it_prints_is_ever_shown(
    script: str, says: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile(tmp_path, "")
    (tmp_path / "tool.sh").write_text(script)
    config = (tmp_path / "config").read_text().replace(f"{sys.executable} {tmp_path / 'tool.py'}", "/bin/sh tool.sh")
    (tmp_path / "config").write_text(config)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_PROFILE", name)
    with pytest.raises(AwsError, match=f"credential_process sh {says}") as caught:
        Aws("us-east-1", tries=1).identity()
    shown = str(caught.value)
    assert TOKEN not in shown and "horse" not in shown and "0123456789" not in shown


@pytest.mark.parametrize("command", ["'", "''", "./nothere --password x", "tool.py"])
def test_one_that_cannot_be_begun_says_so(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile(tmp_path, "")
    (tmp_path / "config").write_text(f"[profile tool]\ncredential_process = {command}\n")
    monkeypatch.setenv("AWS_PROFILE", "tool")
    with pytest.raises(AwsError, match=r"credential_process .* could not be begun") as caught:
        Aws("us-east-1", tries=1).identity()
    assert "password" not in str(caught.value)


def test_a_whole_answer_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile(tmp_path, f"print('{json.dumps(WHOLE)}')")
    monkeypatch.setenv("AWS_PROFILE", "tool")
    found = Aws("us-east-1")._session.get_credentials()
    assert found is not None and found.get_frozen_credentials().token == TOKEN
