"""Quoted words behind the name of a password on its line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.redact import redact_text
from tests.linear import grows

FORMS = [
    *('{} = os.getenv("X") or "{}"', 'user, {} = "ada", "{}"', '{} = x if y else "{}"', '{} = pw = "{}"'),
    *("{}: SecretStr = SecretStr('{}')", 'let {} = String::from("{}")', '{} = 0x56 "{}"', '{} = Just "{}"'),
    *("Notice: /Stage[main]/X/{}: changed 'old' to '{}'", '@click.option("--{}", default="{}")'),
    *('parser.add_argument("--{}", default="{}")', '{}: str = Field(default="{}")', 'char {}[] = "{}";'),
    *('var {} string = "{}"', 'if {} != "{}": pass', '{{{},"{}"}}', '#{{{} => <<"{}">>}}', '{} ||= "{}"'),
    *('{} := fmt.Sprintf("%s", "{}")', 'String {} = Optional.ofNullable(x).orElse("{}");'),
    "DETAIL:  Key ({})=({}) already exists.",
]
NAMES = st.sampled_from(["password", "db_password", "dbPassword", "DB_PASSWORD", "passwd", "client_secret"])
WORDS = st.from_regex(r"v[a-z]{5,9}(?:-[a-z]{3,9}|[0-9]{2})", fullmatch=True)


WRITTEN = {
    "as it is": str,
    "in a list of lines": lambda text: repr([text + "\n"]),
    "in JSON": lambda text: json.dumps({"message": text}),
}


@pytest.mark.parametrize("way", WRITTEN)
@pytest.mark.parametrize("form", FORMS)
@given(NAMES, WORDS)
def test_whatever_a_language_writes_between_the_value_goes(way: str, form: str, name: str, word: str) -> None:
    shown = redact_text(WRITTEN[way](form.format(name, word)))
    assert word not in shown
    assert redact_text(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        '["password", "user", "host"]',
        'password authentication failed for user "ada"',
        'get_password("orders-db")',
        'password = os.environ["DB_PASSWORD"]',
        'token = auth.split(".")[0]',
        'Unknown parameter "token" in input, must be one of: "name", "id"',
        'password_policy = "strong-one"',
        'secret.arn = "orders-prod"',
        'log.info("password changed", extra={"user": "ada-lovelace"})',
        'if "password" in text: return "found-it"',
        'raise ValueError(f"password must have {least} characters", "weak")',
        'password.encode("utf-8")',
        "{'key': {0: 'DB_PASSWORD', 1: 'LOG_LEVEL'}}",
        "{'key': ['DB_PASSWORD', 'LOG_LEVEL'], 'hosts': ['zebra', 'falcon-lamp']}",
        'the password\'s "rule-of-three" holds',
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.slow
@pytest.mark.parametrize("part", ['password "', "password = ", 'password, "a", ', "'password': ["])
def test_it_takes_time_in_proportion_to_the_text(part: str) -> None:
    assert grows(redact_text, part, 400 * len(part), 10, 0.02) < 40
