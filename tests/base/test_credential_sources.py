"""What a container, the instance, a token in a file or a sign-in do wrong is said of them, and ends."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import MetadataRetrievalError
from botocore.utils import ContainerMetadataFetcher
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runbook_lib.base import aws as clients
from runbook_lib.base import credential_sources, telling
from runbook_lib.base.aws import Aws
from runbook_lib.base.aws_errors import Unhad, aws_errors
from runbook_lib.base.credential_sources import Container, Instance
from runbook_lib.base.errors import AwsError
from runbook_lib.base.telling import tellers

FULL = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
URI = "http://127.0.0.1:1/x"
WHOLE = {"AccessKeyId": "a", "SecretAccessKey": "b", "Token": "c", "Expiration": "2099-01-01T00:00:00Z"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    return tmp_path


def container(answer: Any, **more: str) -> Any:
    """The provider beside a service that gives `answer`, or raises it, or is asked."""

    def retrieve(*_: Any, **__: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer() if callable(answer) else answer

    fetcher: Any = SimpleNamespace(retrieve_full_uri=retrieve)
    return Container(environ={FULL: URI, **more}, fetcher=fetcher)


def test_what_a_container_gives_is_taken() -> None:
    assert container(WHOLE).load().access_key == "a"
    assert Container(environ={}).load() is None


@pytest.mark.parametrize("answer", [None, {}, [], "x", {**WHOLE, "Expiration": "zebra"}, ValueError("no host")])
def test_what_a_container_does_wrong_is_said_of_its_variable(answer: Any) -> None:
    with pytest.raises(Unhad, match=rf"{FULL} \({URI}\) gives no credentials: .*; check {FULL}, or unset it") as caught:
        container(answer).load()
    assert "AWS_PROFILE" not in str(caught.value)


def test_the_body_of_a_refusal_is_not_quoted() -> None:
    refusal = MetadataRetrievalError(error_msg="Received non 200 response 500 from container metadata: zebra")
    with pytest.raises(Unhad, match="non 200 response 500 from container metadata; check") as caught:
        container(refusal).load()
    assert "zebra" not in str(caught.value)


def test_a_foreign_host_and_a_token_that_is_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(Unhad, match=r"Unsupported host '10\.1\.2\.3'"):
        Container(environ={FULL: "http://10.1.2.3/x"}, fetcher=ContainerMetadataFetcher()).load()
    file = tmp_path / "token"
    with pytest.raises(Unhad, match=rf"TOKEN_FILE is '{file}', which cannot be read \(No such file"):
        container(WHOLE, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(file)).load()


def test_who_waits_for_a_service_is_told_for_which_and_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    tellers.append(told.append)
    monkeypatch.setattr(telling, "TELL_AFTER_S", 0.05)
    monkeypatch.setattr(credential_sources, "MOST_S", 0.2)
    slow = lambda *_: time.sleep(5)  # noqa: E731
    with pytest.raises(Unhad, match="gives no credentials: no whole answer within 0 s"):
        container(slow).load()
    instance: Any = SimpleNamespace(retrieve_iam_role_credentials=slow)
    with pytest.raises(Unhad, match="the instance's metadata service gives no credentials"):
        Instance(iam_role_fetcher=instance).load()
    assert [line[:40] for line in told] == [f"waiting for {FULL}"[:40], "waiting for the instance's metadata serv"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"x", "holds no token"),
        (b"\xff" * 9, "holds no"),
    ],
)
@pytest.mark.parametrize("by", ["variable", "profile"])
def test_a_token_of_a_web_identity_that_is_none_is_named(
    content: bytes | None, says: str, by: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, role = home / "token", "arn:aws:iam::000000000103:role/r"
    if content is not None:
        file.write_bytes(content)
    if by == "variable":
        monkeypatch.setenv("AWS_ROLE_ARN", role)
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(file))
    else:
        (home / ".aws").mkdir()
        (home / ".aws/config").write_text(f"[profile w]\nrole_arn = {role}\nweb_identity_token_file = {file}\n")
        monkeypatch.setenv("AWS_PROFILE", "w")
    name = "AWS_WEB_IDENTITY_TOKEN_FILE" if by == "variable" else "web_identity_token_file in ~/.aws/config"
    with pytest.raises(AwsError, match=f"{name} is '{file}', which {says}.*; check it"):
        Aws("us-east-1", tries=1).identity()


@pytest.fixture
def silent() -> Iterator[str]:
    """An endpoint that takes a question and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("kept", ["zebra", '{"accessToken": "x", "expiresAt": "zebra"}', None])
def test_a_sign_in_that_cannot_be_used_is_said_and_who_signs_in_does_not_wait_for_ever(
    kept: str | None, home: Path, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = "https://a.example/start"
    cache = home / ".aws/sso/cache" / f"{hashlib.sha1(start.encode()).hexdigest()}.json"
    cache.parent.mkdir(parents=True)
    cache.write_text(kept or '{"accessToken": "x", "expiresAt": "2099-01-01T00:00:00Z"}')
    monkeypatch.setattr("botocore.credentials.SSOProvider._SSO_TOKEN_CACHE_DIR", str(cache.parent))
    (home / ".aws/config").write_text(
        f"[profile s]\nsso_start_url = {start}\nsso_region = us-east-1\n"
        "sso_account_id = 000000000103\nsso_role_name = r\n"
    )
    monkeypatch.setenv("AWS_PROFILE", "s")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSO", silent)
    monkeypatch.setattr(clients, "WHO_S", 0.2)
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    says = f"keeps in {cache} cannot be used" if kept else rf"{silent}\S* does not answer"
    with pytest.raises(AwsError, match=says):
        Aws("us-east-1", tries=1).identity()


@pytest.mark.slow
@pytest.mark.parametrize(("typed", "code"), [("123456\n", "123456"), ("", None), ("  \n", None)])
def test_without_a_terminal_the_mfa_code_is_read_from_standard_input_and_no_python_warns(
    typed: str, code: str | None
) -> None:
    asking = "from runbook_lib.base.credential_sources import code; print(code('Enter MFA code: '))"
    asked = [sys.executable, "-c", asking]
    done = subprocess.run(asked, input=typed, capture_output=True, text=True, start_new_session=True, check=False)
    assert done.stdout.strip() == (code or "")
    assert done.stderr.splitlines()[-1:] == ([] if code else ["EOFError: Enter MFA code: "]), done.stderr
    assert "Warning" not in done.stderr


def test_a_kernel_that_can_ask_is_the_one_that_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getpass", lambda prompt: f" {prompt}6 ")
    assert credential_sources.code("12345") == "123456"


@pytest.mark.parametrize(
    "typed", ["", "12345", "1234567", "12345x", "\udcff12345", UnicodeDecodeError("utf-8", b"", 0, 1, "x")]
)
def test_what_is_typed_and_is_no_code_is_said_so(typed: str | Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was "Invalid length for parameter TokenCode", or the credential_process to check."""

    def type_(_: str) -> str:
        if isinstance(typed, Exception):
            raise typed
        return typed

    monkeypatch.setattr(getpass, "getpass", type_)
    with pytest.raises(AwsError, match=r"^signing in: what was typed is no MFA code"), aws_errors("signing in"):
        credential_sources.code("code: ")


SIGNED_IN = {
    "accessToken": "t",
    "expiresAt": "2099-01-01T00:00:00Z",
    "refreshToken": "r",
    "clientId": "c",
    "clientSecret": "s",
    "registrationExpiresAt": "2099-01-01T00:00:00Z",
}
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.none(), max_size=1),
    st.sampled_from(["9" * 400, "2099-13-45", "0001-01-01T00:00:00+14:00", {}]),
)
KEPT = st.one_of(
    st.fixed_dictionaries({}, optional=dict.fromkeys(SIGNED_IN, ODD)).map(lambda odd: json.dumps({**SIGNED_IN, **odd})),
    ODD.map(json.dumps),
    st.just("[" * 100_000),
)
PYTHON = re.compile(r"<class|NoneType|object|Error|Python|recursion|Parameter validation|argument|C long|subscript")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(["old", "new"]), KEPT)
@example("new", json.dumps({**SIGNED_IN, "accessToken": 5}))
@example("old", json.dumps({**SIGNED_IN, "accessToken": None}))
@example("old", "[" * 100_000)
@example("new", json.dumps({**SIGNED_IN, "expiresAt": "9" * 400}))
@example("new", json.dumps({**SIGNED_IN, "expiresAt": "2001-01-01T00:00:00Z", "clientSecret": 5}))
def test_what_a_sign_in_keeps_is_never_told_in_words_of_python(
    sso: dict[str, Path], monkeypatch: pytest.MonkeyPatch, profile: str, kept: str
) -> None:
    file = sso[profile]
    file.write_text(kept)
    monkeypatch.setenv("AWS_PROFILE", profile)
    with pytest.raises(AwsError) as caught:
        Aws("us-east-1", tries=1).identity()
    told = str(caught.value)
    assert f"keeps in {file} cannot be used" in told or "the sign-in has expired" in told or "does not answer" in told
    assert not PYTHON.search(told.replace(str(file), "")), told


@pytest.fixture
def sso(home: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """The file of the sign-in of a profile of either kind, where nothing answers."""
    start, cache = "https://a.example/start", home / ".aws/sso/cache"
    cache.mkdir(parents=True)
    both = "sso_account_id = 000000000103\nsso_role_name = r\n"
    where = f"sso_start_url = {start}\nsso_region = us-east-1\n"
    (home / ".aws/config").write_text(
        f"[profile old]\n{where}{both}[profile new]\nsso_session = my\n{both}[sso-session my]\n{where}"
    )
    for one in ("credentials.SSOProvider", "tokens.SSOTokenProvider"):
        monkeypatch.setattr(f"botocore.{one}._SSO_TOKEN_CACHE_DIR", str(cache))
    monkeypatch.setattr(clients, "WHO_S", 0.2)
    monkeypatch.setattr("runbook_lib.base.patience.AGAIN_S", ())
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    names = {profile: hashlib.sha1(key.encode()).hexdigest() for profile, key in (("old", start), ("new", "my"))}
    return {profile: cache / f"{name}.json" for profile, name in names.items()}
