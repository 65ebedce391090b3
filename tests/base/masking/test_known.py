"""A secret that is known is masked in whatever form it comes back. The password of an address in the environment is
masked in every text, however the address is written.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runbook_lib.base.foreign import address
from runbook_lib.base.masking.known import is_address, without_login
from runbook_lib.base.redact import LEAST, MASK, forget, know, redact_text

WRITTEN: dict[str, Callable[[str], str]] = {
    "plain": str,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON of PHP": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "JSON of Go": lambda text: (
        json.dumps(text)[1:-1].replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    ),
    "Python": lambda text: repr(text)[1:-1],
    "bytes of Python": lambda text: repr(text.encode())[2:-1],
    "HTML": html.escape,
    "XML": lambda text: html.escape(text, quote=False),
    "an address": quote,
    "a part of an address": lambda text: quote(text, safe=""),
    "a form": quote_plus,
    "small hexadecimal of an address": lambda text: quote(text, safe="").lower(),
}
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=LEAST, max_size=40)
NASTY = "ab\"c'\\d/e<f>+gh&ij=k"


@given(SECRETS, st.sampled_from(sorted(WRITTEN)), st.sampled_from(sorted(WRITTEN)))
@example(NASTY, "JSON", "JSON")
@example(NASTY, "an address", "an address")
@example(NASTY, "HTML", "JSON")
@example("Q" * LEAST, "plain", "plain")
def test_it_is_masked_in_every_way_of_writing_and_in_one_within_the_other(secret: str, inner: str, outer: str) -> None:
    forget()
    written = WRITTEN[outer](WRITTEN[inner](secret))
    know(secret)
    said = redact_text(f"the key {written} was refused")
    assert MASK in said and written not in said


@given(SECRETS, st.text(st.characters(codec="ascii"), max_size=5), st.text(st.characters(codec="ascii"), max_size=5))
def test_it_is_masked_in_base64_beside_anything_and_in_hexadecimal(secret: str, before: str, behind: str) -> None:
    forget()
    know(secret)
    raw = f"{before}{secret}{behind}".encode()
    for packed in (base64.b64encode(raw), base64.urlsafe_b64encode(raw)):
        said = redact_text(f"got {packed.decode()} back").split()
        assert MASK in said[1] and len(said[1].replace(MASK, "")) <= len(before) * 2 + len(behind) * 2 + 6
    for shown in (raw.hex(), raw.hex().upper(), secret.upper(), secret.lower()):
        assert MASK in redact_text(f"got {shown} back")


ESCAPED: dict[str, Callable[[str], str]] = {
    "a shell": shlex.quote,
    "a shell, between two quotes": lambda text: re.sub(r'(["\\$`])', r"\\\1", text),
    "a shell, each sign": lambda text: re.sub(r"([^A-Za-z0-9])", r"\\\1", text),
    "SQL and YAML": lambda text: text.replace("'", "''"),
    "CSV": lambda text: text.replace('"', '""'),
    "settings": lambda text: text.replace("%", "%%"),
    "a command of Windows": lambda text: re.sub("([&|<>^])", r"^\1", text),
    "numbers of HTML": lambda text: re.sub("[^A-Za-z0-9]", lambda one: f"&#{ord(one[0])};", text),
    "numbers of a program": lambda text: re.sub("[^A-Za-z0-9]", lambda one: f"\\x{ord(one[0]):02x}", text),
    "a pattern": re.escape,
}


@pytest.mark.parametrize("way", ESCAPED)
@given(secret=SECRETS.map(lambda text: f"{text}ab7"))
@example(secret=NASTY)
@example(secret="000000^Xab7")
@example(secret="%00*00000A0AGab7")
@example(secret="00000<\\Xab7")
@example(secret="000'\\'00ab7")
@example(secret="Q$\\$'^'\"'\"ab7")
def test_it_is_masked_whole_as_a_language_escapes_it(way: str, secret: str) -> None:
    forget()
    know(secret)
    said = redact_text(f"value {ESCAPED[way](secret)} end")
    assert MASK in said and len(said) <= len(f"value {MASK} end") + 4


@pytest.mark.parametrize("text", ["COMPLETED", "the weight of 10 % is in force", "a" * 5])
def test_what_is_another_text_stays(text: str) -> None:
    forget()
    know("Zq7" * 4)
    assert redact_text(text) == text


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
