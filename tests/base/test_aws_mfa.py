"""A profile with an MFA device: the code is asked for once, before a kernel starts that could ask nobody."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest

from runbook_lib.base import aws as room
from runbook_lib.base import credential_sources
from runbook_lib.base.aws import Aws
from runbook_lib.base.errors import AwsError
from runbook_lib.run.launch import find_notebook, launch

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
[profile base]
aws_access_key_id = test
aws_secret_access_key = test
[profile coded]
role_arn = arn:aws:iam::000000000103:role/r
source_profile = base
mfa_serial = arn:aws:iam::000000000103:mfa/somebody
[profile through]
role_arn = arn:aws:iam::000000000103:role/q
source_profile = coded
[profile plain]
role_arn = arn:aws:iam::000000000103:role/r
source_profile = base
[profile looping]
role_arn = arn:aws:iam::000000000103:role/r
source_profile = looping2
[profile looping2]
role_arn = arn:aws:iam::000000000103:role/r
source_profile = looping
"""
ANSWER = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>assumed</AccessKeyId><SecretAccessKey>assumed-{number}</SecretAccessKey><SessionToken>t</SessionToken>
<Expiration>{until}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""


class Sts(BaseHTTPRequestHandler):
    codes: ClassVar[list[str]] = []

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if "TokenCode" in body:
            self.codes.append(body.partition("TokenCode=")[2].partition("&")[0])
        until = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        answer = ANSWER.format(number=len(self.codes), until=until).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[str], str]], None]]:
    """Sets who is asked for the code."""
    (tmp_path / "config").write_text(CONFIG)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(room, "_ASSUMED", {})
    monkeypatch.setattr(Sts, "codes", [])

    def set_prompter(prompter: Callable[[str], str]) -> None:
        monkeypatch.setattr(credential_sources, "code", prompter)

    with ThreadingHTTPServer(("127.0.0.1", 0), Sts) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        yield set_prompter
        server.shutdown()


@pytest.mark.parametrize("profile", ["coded", "through"])
def test_the_code_is_asked_for_once_in_a_process(
    profile: str, asked: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts: list[str] = []
    asked(lambda text: (prompts.append(text), "123456")[1])
    monkeypatch.setenv("AWS_PROFILE", profile)
    found = [Aws("us-east-1").by_code() for _ in range(3)]
    assert len(prompts) == 1 and Sts.codes == ["123456"] and found[0] == found[1] == found[2]
    assert found[0]["AWS_SECRET_ACCESS_KEY"].startswith("assumed-") and found[0]["AWS_SESSION_TOKEN"] == "t"


@pytest.mark.parametrize("profile", ["plain", "base", "looping", ""])
def test_who_needs_no_code_keeps_credentials_that_renew_themselves(
    profile: str, asked: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(lambda _: pytest.fail("asked"))
    if profile:
        monkeypatch.setenv("AWS_PROFILE", profile)
    assert Aws("us-east-1").by_code() == {}
    monkeypatch.setenv("AWS_PROFILE", "coded")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    assert Aws("us-east-1").by_code() == {}, "a session of the environment goes before the profile"


def test_the_kernel_gets_the_session_and_nobody_after_it(
    asked: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, str]] = []

    def executed(*_: Any, **__: Any) -> None:
        seen.append({key: value for key, value in os.environ.items() if key.startswith("AWS_")})
        raise AwsError("enough")

    asked(lambda _: "123456")
    monkeypatch.setenv("AWS_PROFILE", "coded")
    monkeypatch.setattr("papermill.execute_notebook", executed)
    monkeypatch.chdir(ROOT)
    before = dict(os.environ)
    with pytest.raises(AwsError, match="enough"):
        launch(find_notebook("06"), ROOT / "params" / "prod.yaml")
    assert seen[0]["AWS_ACCESS_KEY_ID"] == "assumed" and dict(os.environ) == before


def test_where_nobody_can_be_asked_no_kernel_starts(
    asked: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(_: str) -> str:
        raise EOFError

    asked(nobody)
    monkeypatch.setenv("AWS_PROFILE", "coded")
    monkeypatch.setattr("papermill.execute_notebook", lambda *_, **__: pytest.fail("started"))
    monkeypatch.chdir(ROOT)
    with pytest.raises(AwsError, match="asks for an MFA code, and nobody can be asked here; sign in first"):
        launch(find_notebook("06"), ROOT / "params" / "prod.yaml")
