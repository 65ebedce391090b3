"""The password of an address in the environment is masked in every text, however the address is written."""

from __future__ import annotations

import pytest

from runbook_lib.base.foreign import address
from runbook_lib.base.masking.addresses import is_address, without_login
from runbook_lib.base.redact import redact_text


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("ada:Sommer2026x@proxy.corp:80x80", "[redacted]@proxy.corp:80x80"),
        ("http:/ada:So mm@er@h:9", "http:/[redacted]@h:9"),
        ("http//ada:x@h", "http//[redacted]@h"),
        ("https://tok'en<@h/p", "https://[redacted]@h/p"),
        ("http://h:9/p", "http://h:9/p"),
        ("http://h:9/p@q", "http://h:9/p@q"),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_its_login(written: str, shown: str) -> None:
    assert without_login(written) == shown == address(written)


def test_which_variables_are_addresses() -> None:
    names = ("https_proxy", "FTP_PROXY", "AWS_ENDPOINT_URL_S3", "NO_PROXY", "no_proxy", "AWS_PROFILE", "PROXY_USER")
    assert [name for name in names if is_address(name)] == ["https_proxy", "FTP_PROXY", "AWS_ENDPOINT_URL_S3"]


def test_what_the_environment_has_is_masked_wherever_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http:/ada:Sommer2026x@h:9")
    monkeypatch.setenv("https_proxy", "bob:mountain@h:9")
    assert redact_text("tried ada:Sommer2026x at h, then Sommer2026x") == "tried [redacted] at h, then [redacted]"
    assert redact_text("a mountain of bob:mountain@h") == "a mountain of [redacted]@h"
