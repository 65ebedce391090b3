"""A name and its value in a text with doubled quotes, and empty texts, which are none."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.base.redact import MASK, redact_text
from tests.secrets import SECRETS

V = "zebra" + "fish7"
FORMS = (
    '1,"{{""password"": ""{}""}}"',
    '""api_{key}"": ""{}""',
    'password=""{}""',
    '<property name=""password"" value=""{}""/>',
    '"a ""b"" c","password: ""{}"" """,1',
    '"{{""x"": """", ""password"": ""{}""}}"',
    '1;"{{""a"": ""b\\""c"", ""password"": ""{}""}}";2',
    'body = ""password"": ""{}',
    '"two\n""lines"": password=""{}"""',
)


@pytest.mark.parametrize("form", FORMS)
def test_it_is_masked_and_the_rest_stays(form: str) -> None:
    text = form.replace("{key}", "key")
    assert redact_text(text.format(V)) == text.format(MASK)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SECRETS)
@settings(max_examples=max(2, settings.default.max_examples // 50))
@given(data=st.data())
def test_what_is_masked_bare_is_masked_in_a_cell(kind: str, data: st.DataObject) -> None:
    text, secret = data.draw(SECRETS[kind])
    doubled = text.replace('"', '""')
    for written in [f'1,"{doubled}",""', *[doubled] * ('""' not in text)] if doubled != text else []:
        shown = redact_text(written)
        assert (secret in shown) <= (secret in redact_text(text)), written
        assert redact_text(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        'password="", user=""',
        'password="",user="bob"',
        'docker run -e PASSWORD="" -e X="" img',
        'password = ""\ntoken = ""\n',
        '{"password": "", "api_key": "", "n": ""}',
        '["", "password", "", "x"]',
        '"""The password\'s ""rule""."""\n\n"""Another."""',
        'f("", password="")',
        '""""""',
        '"' * 5 + "password" + '"' * 5,
    ],
)
def test_an_empty_text_is_no_doubled_quote(text: str) -> None:
    assert redact_text(text) == text
