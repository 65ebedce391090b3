"""A setting of AWS's clients that is wrong is named with its value, and none that is right or has no part in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runbook_lib.base import aws_settings
from runbook_lib.base.aws import Aws
from runbook_lib.base.errors import AwsError


def failed() -> str:
    with pytest.raises(AwsError) as caught:
        Aws("us-east-1", "http://127.0.0.1:9", tries=1).identity()
    return str(caught.value)


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    files = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", *files):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.parametrize(
    ("name", "value", "expects"),
    [
        ("AWS_PROFILE", "", "unset it, or set it to a profile of ~/.aws/config"),
        ("AWS_DEFAULT_PROFILE", "  ", "unset it, or set it to a profile of ~/.aws/config"),
        ("AWS_METADATA_SERVICE_TIMEOUT", "abc", "expects a whole number"),
        ("AWS_METADATA_SERVICE_TIMEOUT", "", "expects a whole number"),
        ("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "1e3", "expects a whole number"),
    ],
)
def test_a_variable_is_named_with_its_value(
    name: str, value: str, expects: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    said = failed()
    assert f"{name} is '{value}'" in said and expects in said


@pytest.mark.parametrize(
    ("line", "expects"),
    [
        (
            "metadata_service_timeout = abc",
            "metadata_service_timeout of the profile 'default' in {file} is 'abc'",
        ),
        (
            "metadata_service_num_attempts = 1.5",
            "num_attempts of the profile 'default' in {file} is '1.5'",
        ),
        ("api_versions = abc", "api_versions of the profile 'default' in {file} is 'abc', expects lines of its own"),
    ],
)
def test_a_line_of_the_profile_is_named_with_its_value(
    line: str, expects: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "config"
    file.write_text(f"[default]\n{line}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    assert expects.format(file=file) in failed()


def test_what_has_no_part_in_it_is_not_blamed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("[default]\ns3 = abc\n[profile other]\nmetadata_service_timeout = abc\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    assert "no AWS credentials found" in failed()
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "absent"))
    assert aws_settings.wrong_setting(of_the_profile=True) is None


@given(value=st.integers(-(10**17), 10**17), spaces=st.sampled_from(["", " ", "\t"]))
def test_a_whole_number_is_none_of_these(value: int, spaces: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_METADATA_SERVICE_TIMEOUT", f"{spaces}{value}{spaces}")
        patch.delenv("AWS_CONFIG_FILE", raising=False)
        assert aws_settings.wrong_setting(of_the_profile=False) is None


ADDRESSES = [
    "ada:Sommer2026x@proxy.corp:80x80",
    "CORP\\ada:Sommer2026x@127.0.0.1:9x",
    "http//ada:Sommer2026x@127.0.0.1:9",
    "http:/ada:Sommer2026x@127.0.0.1:9",
    "http:ada:Sommer2026x@127.0.0.1:9",
    "http://ada:Sommer\\2026x@127.0.0.1:9",
    "http://ada:Sommer#2026x@127.0.0.1:9",
    "http://ada:Som/mer2026x@127.0.0.1:9",
    "socks5://ada:Som'mer2026x@127.0.0.1:9",
    "ada:Sommer 2026x@127.0.0.1:9",
    'http://ada:Sommer"2026x@127.0.0.1:9',
    "http://ada:Sommer 2026x@127.0.0.1:9",
    "http://ada:Sommer<2026x@127.0.0.1:9",
    "http://ada:Som@mer2026x@127.0.0.1:9",
]


@pytest.mark.parametrize("value", ADDRESSES)
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "AWS_ENDPOINT_URL"])
def test_the_password_of_a_proxy_or_an_endpoint_is_never_told(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its place tells that it is an address, whatever is wrong with it; a part of a password is a secret, too."""
    for one in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(one, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv(name, value)
    endpoint = None if name.startswith("AWS_") else "https://127.0.0.1:9"
    with pytest.raises(AwsError) as caught:
        Aws("us-east-1", endpoint, tries=1).identity()
    said = str(caught.value)
    assert "Som" not in said and "mer2026x" not in said and "2026x" not in said, said
    assert value.startswith("socks") or "[redacted]@" in said or "127.0.0.1:9" in said, said


ENDS = st.text(" \t\r\n\xa0\x0b", min_size=1, max_size=3)
ADDRESSES = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "HTTPS_PROXY", "HTTP_PROXY")


@given(name=st.sampled_from(ADDRESSES), end=ENDS)
@example(name="AWS_ENDPOINT_URL", end="\n")
@example(name="HTTPS_PROXY", end="\n")
def test_a_blank_behind_an_address_can_be_seen(name: str, end: str) -> None:
    """The sentence showed an address in order: `'http://127.0.0.1:1', which is not an address`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, f"http://127.0.0.1:1{end}")
        said = aws_settings.wrong_setting(of_the_profile=False) or ""
    shown = end.encode("unicode_escape").decode()
    assert said == f"{name} is 'http://127.0.0.1:1{shown}', which is not an address such as http://host:8080"


@pytest.mark.parametrize("value", ["\n", " \n"])
def test_a_line_break_alone_is_one_sentence_of_one_line(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_METADATA_SERVICE_TIMEOUT"):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            said = aws_settings.wrong_setting(of_the_profile=False) or ""
        assert f"{name} is '" in said and "\\n'" in said and len(said.splitlines()) == 1


def test_a_blank_before_an_address_is_nothing_to_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", " http://127.0.0.1:1")
    assert aws_settings.wrong_setting(of_the_profile=False) is None
