"""What can go wrong on the way to AWS and back is one sentence, whatever it is."""

from __future__ import annotations

import builtins
import datetime as dt
import json
import re
import string
from collections.abc import Iterator
from email.utils import format_datetime
from inspect import signature
from types import SimpleNamespace
from typing import Any

import pytest
from botocore import exceptions as bc
from botocore.parsers import ResponseParserError, create_parser
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.aws import Aws, aws_errors
from runbook_lib.base.aws_errors import EXPIRED, SKEWED, perhaps_done, sentence
from runbook_lib.base.errors import AwsError, Unreadable, UsageError
from runbook_lib.base.foreign import one_line
from runbook_lib.base.redact import MASK, redact_text

PAGE = "<!DOCTYPE html>\n<html><head><title>Sign in to\nGuest WiFi</title></head><body>" + "<p>x</p>\n" * 999


def kinds(base: type[Exception] = bc.BotoCoreError) -> Iterator[type[Exception]]:
    """Every subclass that botocore and boto3 have."""
    for one in base.__subclasses__():
        yield one
        yield from kinds(one)


def made(kind: type[Exception]) -> Exception:
    """An error of `kind`, its fields filled in."""
    fields = [name for _, name, _, _ in string.Formatter().parse(str(getattr(kind, "fmt", ""))) if name]
    for more in ({}, {"error": OSError("no route")}, {"name": "x", "reason": "y", "last_response": {}}):
        try:
            return kind(**dict.fromkeys(fields, "x\ny") | more)
        except TypeError:
            continue
    wanted = [one for one in signature(kind).parameters.values() if one.kind is one.POSITIONAL_OR_KEYWORD]
    return kind(*["x\ny"] * (len(wanted) or 1))


PYTHON = {name: kind for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, Exception)}
KINDS = sorted({*kinds(), *kinds(bc.ClientError)}, key=lambda kind: (kind.__module__, kind.__name__))


NAMES = re.compile(rf"\b({'|'.join([*PYTHON, 'ResponseParserError', 'JSONDecodeError', 'ParserError'])})\b")
"""Names that nobody who runs a rollout knows."""


def told(error: Exception) -> str:
    with pytest.raises(AwsError) as caught, aws_errors("asking"):
        raise error
    said = str(caught.value)
    assert said.startswith("asking: ") and len(said) > len("asking: x")
    assert said.isprintable(), "one line, no control characters"
    assert len(said) < 600
    assert not NAMES.search(said)
    return said


@pytest.mark.parametrize(
    "kind", [one for one in KINDS if not issubclass(one, bc.ClientError)], ids=lambda k: k.__name__
)
def test_every_error_of_botocore_is_one_sentence(kind: type[Exception]) -> None:
    told(made(kind))


def refused(code: str, message: str, **headers: str) -> bc.ClientError:
    answer: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPHeaders": headers}}
    return bc.ClientError(answer, "GetCallerIdentity")


@pytest.mark.parametrize("code", sorted(EXPIRED))
def test_a_sign_in_that_is_over_says_sign_in_again(code: str) -> None:
    assert "sign in again" in told(refused(code, "The security token included in the request is expired"))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        *((code, "Request has expired") for code in sorted(SKEWED)),
        ("SignatureDoesNotMatch", "Signature expired: 20261127T101010Z is now earlier than 20261127T102010Z"),
        ("InvalidSignatureException", "Signature not yet current: 20261127T101010Z is still later than ..."),
    ],
)
def test_a_clock_that_is_off_says_the_clock(code: str, message: str) -> None:
    aws = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=21)
    said = told(refused(code, message, date=format_datetime(aws)))
    assert "clock" in said and "21 min ahead" in said and "sign in" not in said
    assert "clock" in told(refused(code, message))


def test_a_secret_that_is_wrong_is_no_clock() -> None:
    said = told(refused("SignatureDoesNotMatch", "The request signature we calculated does not match"))
    assert "clock" not in said and "SignatureDoesNotMatch" in said


@pytest.mark.parametrize(
    ("cause", "says"),
    [
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)", "https://h/ speaks no TLS"),
        (
            "[Errno 2] No such file or directory",
            "AWS_CA_BUNDLE is '/ca.pem', which is no file with certificates (No such",
        ),
        (
            "[X509: NO_CERTIFICATE_OR_CRL_FOUND] no certificate or crl found (_ssl.c:4154)",
            "(no certificate or crl found",
        ),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate", "cannot be trusted"),
    ],
)
def test_what_is_wrong_with_a_connection_by_tls_is_named(
    cause: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/ca.pem")
    assert says in told(bc.SSLError(endpoint_url="https://h/", error=cause))


@pytest.mark.parametrize("error", [refused("502", PAGE), ResponseParserError(f"Unable to parse response: b'{PAGE}'")])
def test_a_web_page_is_told_by_its_title(error: Exception) -> None:
    said = told(error)
    assert "a web page (Sign in to Guest WiFi)" in said
    assert "<" not in said


def test_secrets_of_a_failing_credential_process_are_taken_out() -> None:
    error = bc.CredentialRetrievalError(
        provider="custom-process", error_msg="aws_secret_access_key=wJalrXUtnFEMIK7MDENG"
    )
    assert "wJalr" not in told(error)


def test_what_answers_for_credentials_is_not_quoted() -> None:
    """As botocore says it, of the address in AWS_CONTAINER_CREDENTIALS_FULL_URI."""
    body = "Received non 200 response 403 from container metadata: zq81xk" + "kwmv72ab\nis spent"
    for error in (
        bc.MetadataRetrievalError(error_msg=body),
        bc.CredentialRetrievalError(provider="container-role", error_msg=f"Error retrieving metadata: {body}"),
    ):
        said = told(error)
        assert "zq81xk" not in said and "spent" not in said and "403" in said


@pytest.mark.parametrize("user", ["ana", "zq81xk" + "kwmv72ab", "a:b", "ana%40x"])
def test_who_signs_in_at_an_address_is_not_shown(user: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    aws = Aws("us-east-1", f"http://{user}@127.0.0.1:9/x", tries=1)
    assert aws.endpoint == "http://127.0.0.1:9/x"
    with pytest.raises(AwsError) as caught:
        aws.identity()
    assert user not in str(caught.value) and "@127.0.0.1:9" in str(caught.value)


def test_nobody_can_be_asked_for_a_code_in_a_notebook() -> None:
    class StdinNotImplementedError(NotImplementedError):
        """As IPython's."""

    assert "MFA" in told(StdinNotImplementedError("getpass was called, but this frontend does not support it"))


def test_an_answer_without_what_was_asked_for_is_no_fault_of_the_reader() -> None:
    assert "AWS's answer cannot be read (without 'Items'); does a proxy" in told(KeyError("Items"))


@pytest.mark.parametrize("module", ["botocore.credentials", "botocore.parsers", "botocore.utils", "urllib3.x"])
@pytest.mark.parametrize("words", [(), ("",), ("what it says",)])
def test_no_class_of_python_is_named(module: str, words: tuple[str, ...]) -> None:
    """Whatever botocore lets out of its inside."""
    for kind in PYTHON.values():
        if issubclass(kind, (UnicodeError, ExceptionGroup)) or kind is BaseExceptionGroup:
            continue
        inside: dict[str, Any] = {"__name__": module, "kind": kind, "words": words}
        exec("def fails():\n    raise kind(*words)", inside)
        with pytest.raises(AwsError) as caught, aws_errors("asking"):
            inside["fails"]()
        assert not NAMES.search(str(caught.value)), kind


@pytest.mark.parametrize("error", [UsageError("x"), ValueError("ours"), KeyboardInterrupt()])
def test_what_is_not_about_aws_goes_on(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, aws_errors("asking"):
        raise error
    assert caught.value is error


@given(st.text())
def test_a_foreign_text_is_one_line(text: str) -> None:
    said = one_line(text)
    assert said.isprintable() and len(said) <= 300


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"AWS_PROFILE": "nothere"}, "nothere"),
        ({"AWS_ENDPOINT_URL": "localhost:4566"}, "expects http:// or https://"),
        ({"AWS_DEFAULTS_MODE": "fast"}, "AWS_DEFAULTS_MODE"),
        ({"AWS_STS_REGIONAL_ENDPOINTS": "x"}, "STS regional endpoints"),
        ({"AWS_PROFILE": "fails"}, "credentials are not available"),
        ({"AWS_PROFILE": "prose"}, "credential_process"),
        ({"AWS_PROFILE": "orphan"}, "nothere"),
        ({"AWS_PROFILE": "a"}, "Infinite loop"),
        ({"AWS_CONFIG_FILE": "broken"}, "Unable to parse config file"),
        ({"AWS_ACCESS_KEY_ID": "a"}, "missing: AWS_SECRET_ACCESS_KEY; set both"),
        ({"HTTPS_PROXY": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, "HTTPS_PROXY"),
    ],
)
def test_each_wrong_setting_is_a_sentence(
    env: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    role = "role_arn = arn:aws:iam::000000000101:role/x\n"
    (tmp_path / "config").write_text(
        "[profile fails]\ncredential_process = /bin/false\n[profile prose]\ncredential_process = /bin/echo hello\n"
        f"[profile orphan]\n{role}source_profile = nothere\n"
        f"[profile a]\n{role}source_profile = b\n[profile b]\n{role}source_profile = a\n"
    )
    (tmp_path / "broken").write_text("no config [")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"AWS_CONFIG_FILE": str(tmp_path / "config"), **env}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(AwsError, match=says) as caught:
        Aws("us-east-1").identity()
    assert str(caught.value).isprintable()
    assert "~/.aws" not in str(caught.value), "another file is used"


@pytest.mark.parametrize("own", [None, "/srv/a/credentials"])
def test_the_files_that_are_used_are_named(own: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """People were sent to ~/.aws/config, which nothing reads where a variable names another file."""
    for name, value in (("AWS_CONFIG_FILE", "/srv/{a}/config"), ("AWS_SHARED_CREDENTIALS_FILE", own)):
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    errors = [
        bc.ProfileNotFound(profile="x"),
        bc.ConfigNotFound(path="x"),
        bc.InfiniteLoopConfigError(source_profile="a", visited_profiles=["a"]),
        bc.InvalidConfigError(error_msg="x"),
    ]
    for error in errors:
        said = told(error)
        assert "/srv/{a}/config" in said and "~" not in said
        assert ("/srv/a/credentials" in said) is bool(own)


@pytest.mark.parametrize("end", ["\n", "\r\nHost: elsewhere", "'\n"])
def test_a_credential_that_cannot_be_sent_is_not_quoted(end: str) -> None:
    """A session token with a line break at its end, as `$(cat token; echo)` in a file of variables leaves it."""
    token = "IQoJb3JpZ2lu" + "X2VjEJr//////" + "EaCXVz" + end
    told = ValueError(f"Invalid header value {token.encode()!r}")
    with pytest.raises(AwsError) as raised, aws_errors("asking"):
        raise bc.HTTPClientError(error=told)
    for shown in (str(raised.value), redact_text(str(told)), redact_text(repr({"error": str(told)}))):
        assert "IQoJ" not in shown
        assert MASK in shown
    assert redact_text(redact_text(str(told))) == redact_text(str(told))


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "HTTPS_PROXY", "https_proxy"])
@pytest.mark.parametrize("value", ["http://[::1", "http://", "http://host:99999", "http://:80"])
def test_an_address_that_is_none_is_named_with_its_variable(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    said = sentence(ValueError("Invalid IPv6 URL"))
    assert said is not None and said.startswith(f"{name} is '{value}'")


@pytest.mark.parametrize("value", ["a\nb", "a b", "tö", "a\x00b".replace("\x00", "\x7f"), "ab\r"])
def test_a_token_that_is_none_is_named_and_not_shown(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", f"zebra{value}")
    said = sentence(ValueError("Invalid header value"))
    assert said is not None and "zebra" not in said
    assert said.startswith("AWS_SESSION_TOKEN contains an invalid character")


@pytest.mark.parametrize("code", [{}, {"Code": None}, {"Code": ""}])
def test_a_refusal_without_a_code_is_none_of_aws(code: dict[str, Any]) -> None:
    answer: Any = {"Error": code, "ResponseMetadata": {"HTTPStatusCode": 500}}
    said = told(bc.ClientError(answer, "GetCallerIdentity"))
    assert "it refuses without a code (HTTP 500)" in said and "None" not in said


def test_what_breaks_off_is_not_said_to_be_silent() -> None:
    said = told(bc.ConnectionClosedError(endpoint_url="http://a.example"))
    assert "http://a.example gives no whole answer" in said and "does not answer" not in said


@pytest.mark.parametrize("text", ["[default]\nregion = x\nzebra\n", "[default]\nx = 1\nx = 2\n", "\n\nzebra = 1\n"])
def test_a_configuration_that_cannot_be_read_is_named_with_its_line(
    text: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(text)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(AwsError, match=rf"{tmp_path}/config, line 3; check") as caught:
        Aws("us-east-1")
    assert "zebra" not in str(caught.value)


def test_a_socks_proxy_is_named_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:9")
    assert "HTTPS_PROXY is 'socks5://127.0.0.1:9': a SOCKS proxy cannot be used" in told(bc.HTTPClientError(error="x"))


@pytest.mark.parametrize("answer", [b"\x1f\x8bnot", b'{"SomeWord": "zK8-unnamed"}', b"zK8-unnamed " * 900, b""])
def test_an_answer_that_is_none_is_not_quoted(answer: bytes) -> None:
    """It may be anything; only a web page's title helps."""
    parser = create_parser("query")
    with pytest.raises(AwsError) as caught, aws_errors("asking"):
        parser.parse({"body": answer, "headers": {}, "status_code": 200}, None)
    said = str(caught.value)
    assert "the answer is not from AWS: Unable to parse response" in said and "proxy or a login page" in said
    assert "zK8" not in said and "x1f" not in said and "retries" not in said


@pytest.mark.parametrize("read", [int, float, json.loads])
@pytest.mark.parametrize("text", ["many", "", "{", "1_0x"])
def test_a_text_of_aws_that_is_no_number_or_no_json_is_an_answer_that_cannot_be_read(read: Any, text: str) -> None:
    """A queue's depth comes as text."""
    with (
        pytest.raises(AwsError, match=r"^asking: AWS's answer cannot be read \(.+\); does a proxy"),
        aws_errors("asking"),
    ):
        read(text)


def test_a_mistake_of_a_person_in_between_stays_one() -> None:
    with pytest.raises(UsageError, match=r"^a mistake$"), aws_errors("asking"):
        raise UsageError("a mistake")


def _of_http(status: int, asked: str, **headers: str) -> str:
    answer = {"HTTPStatusCode": status, "HTTPHeaders": headers}
    return told(bc.ClientError({"Error": {"Code": str(status)}, "ResponseMetadata": answer}, asked))


@given(
    st.integers(300, 499) | st.just(511), st.sampled_from(["GetCallerIdentity", "ListApplications", "StopDeployment"])
)
def test_a_login_page_s_own_code_is_not_said_to_be_aws_s(status: int, asked: str) -> None:
    """Every request was answered 511 by a portal: "AWS answered 511 to GetCallerIdentity"."""
    said = _of_http(status, asked)
    assert f"the answer to {asked} is not from AWS (HTTP {status}); does a proxy or a login page" in said
    assert f"AWS answered {status} to {asked}" in _of_http(status, asked, **{"x-amzn-requestid": "1f"})


@pytest.mark.parametrize(("status", "asked"), [(503, "ListApplications"), (502, "Publish"), (404, "HeadObject")])
def test_what_aws_sends_without_a_code_of_its_own_is_its_answer(status: int, asked: str) -> None:
    assert f"AWS answered {status} to {asked}" in _of_http(status, asked)


def test_a_redirect_of_head_is_a_proxy_s() -> None:
    assert "not from AWS (HTTP 302)" in _of_http(302, "HeadObject")


def _answered(code: str, status: int) -> Exception:
    return bc.ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Publish")


@pytest.mark.parametrize(
    ("error", "perhaps"),
    [
        (_answered("AccessDenied", 403), False),
        (_answered("InternalFailure", 500), True),
        (_answered("502", 502), True),
        (_answered("", 200), True),
        (bc.ReadTimeoutError(endpoint_url="x"), True),
        (bc.ConnectionClosedError(endpoint_url="x"), True),
        (ResponseParserError("no XML"), True),
        (Unreadable("without MessageId"), True),
        (bc.EndpointConnectionError(endpoint_url="x"), False),
        (bc.ConnectTimeoutError(endpoint_url="x"), False),
        (bc.SSLError(endpoint_url="x", error="x"), False),
        (bc.ProxyConnectionError(proxy_url="x"), False),
        (bc.NoCredentialsError(), False),
        (AwsError("opening sns: no region"), False),
    ],
)
def test_what_aws_may_have_done_all_the_same(error: Exception, perhaps: bool) -> None:
    assert perhaps_done(error) is perhaps


def test_half_of_a_pair_of_credentials_is_not_told_as_none() -> None:
    """Signing in does not mend it."""
    said = sentence(bc.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"))
    assert said and "missing: AWS_SECRET_ACCESS_KEY" in said and "sign in (" not in said
