"""Secrets that a language keeps apart from their names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.redact import MASK, redact_text
from tests.linear import grows

FORMS = [
    *("API_TOKEN<<EOF\n{}\nEOF\n", "API_TOKEN<<EOF\nzebra\n{}\nEOF\nLEVEL=info\n", "HELLO 3 AUTH ada {}"),
    'Config {{\n    password: Some(\n        "{}",\n    ),\n    user: "ada-lovelace",\n}}',
    *('Password(user="ada", value="{}")', "password: SecretStr = {}", "rootpw --plaintext {}"),
    *("plink -ssh ada@host -pw {} ls", "nodetool -u ada -pw {} status", "curl --oauth2-bearer {} https://h/"),
    *("CREATE SECRET s (TYPE S3, KEY_ID 'a', SECRET '{}')", "spark.hadoop.fs.s3a.secret.key={}"),
    "fs.azure.account.key.N.blob.core.windows.net={}",
    "<property>\n  <name>fs.s3a.secret.key</name>\n  <value>{}</value>\n</property>",
    "<AdministratorPassword><Value>{}</Value><PlainText>true</PlainText></AdministratorPassword>",
]
WORDS = st.from_regex(r"v[a-z]{4,9}(?:-[a-z]{3,9}|[0-9]{2}|)", fullmatch=True)


@pytest.mark.parametrize("form", FORMS)
@given(WORDS)
def test_the_value_goes_and_the_rest_stays(form: str, word: str) -> None:
    shown = redact_text(form.format(word))
    assert word not in shown and MASK in shown
    assert "ada-lovelace" not in form or "ada-lovelace" in shown
    assert redact_text(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "cat <<EOF\nzebra\nEOF\n",
        "LOG_LEVEL<<EOF\ninfo\nEOF\n",
        'token = Unicode("<DEPRECATED>", help="x")',
        'Config(user="ada", value="lovelace")',
        "CREATE SECRET s (TYPE S3)",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.slow
@pytest.mark.parametrize("part", ["API_TOKEN<<EOF\nx\n", "password: Some(\n", "Password(a=1, ", "CREATE SECRET s ("])
def test_it_takes_time_in_proportion_to_the_text(part: str) -> None:
    assert grows(redact_text, part, 400 * len(part), 10, 0.02) < 40
