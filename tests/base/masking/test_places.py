"""An ARN names a thing, and whoever has to grant a permission needs it whole."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.redact import MASK, forget, know, mask_emails, redact_text
from runbook_lib.base.redact_data import redact

_WORDS = ["secret", "token", "auth-token", "password", "db_password", "api-key", "prod/db-AbCdE1", "live12345", "key"]
_WORDS += ["credentials", "x-api-key", "abc-123-def", "Passphrase", "cookie", "authorization", "v1", "*", "7", "a.b"]
_PARTS = st.lists(st.sampled_from(_WORDS), min_size=1, max_size=4)
_SERVICES = ["secretsmanager", "lambda", "states", "ssm", "iam", "sqs", "kms", "execute-api", "s3"]
ARNS = st.builds(
    lambda service, region, account, parts, sign: f"arn:aws:{service}:{region}:{account}:{sign.join(parts)}",
    st.sampled_from(_SERVICES),
    st.sampled_from(["us-east-1", "", "eu-west-2"]),
    st.sampled_from(["000000000101", "", "1", "aws"]),
    _PARTS,
    st.sampled_from([":", "/"]),
)
SENTENCES = [
    "{}",
    "User: arn:aws:iam::1:user/ci may not perform: secretsmanager:GetSecretValue on resource: {} because no",
    "the secret {} and the password {}, the token ({}) is unknown",
    "secrets:\n  db: {}\n  token: {}\n",
    "password = {}; api_key: '{}'",
    "DB_PASSWORD={}\n--token {} --secret-id {}",
    "GET https://h/x?secret={}&token={}",
    "| secret | arn |\n|---|---|\n| {} | {} |\n",
    "'{}' has no policy",
    "kind: Secret\nstringData:\n  x: {}\n",
    "+secrets:\r\n+  db: {}\r\n",
]


@given(ARNS, st.sampled_from(SENTENCES))
def test_no_arn_is_masked_in_a_sentence(arn: str, sentence: str) -> None:
    text = sentence.replace("{}", arn)
    assert redact_text(text) == text


@given(ARNS, st.sampled_from(["SecretArn", "secret", "Resource", "token", "passwords", "x"]))
def test_no_arn_is_masked_in_a_value_or_a_key(arn: str, name: str) -> None:
    for value in ({name: arn}, {name: [arn, arn]}, {"Name": "DB_TOKEN", "Value": arn}):
        assert redact(value) == value
        for text in (json.dumps(value), json.dumps(value, indent=1), json.dumps(json.dumps(value)), str(value)):
            assert redact_text(text) == text
    for value in ({arn: 3}, {arn: {"count": 3}}):
        assert redact(value) == value
        for text in (json.dumps(value), json.dumps(value, indent=1), json.dumps(json.dumps(value)), str(value)):
            assert arn in redact_text(text)


@given(
    ARNS, st.sampled_from([" password={}", ", token='{}'", "\nDB_PASSWORD: {}", '", "password": "{}"', "&api_key={}"])
)
def test_a_secret_behind_an_arn_is_masked(arn: str, behind: str) -> None:
    secret = "zebra7" * 4
    assert redact_text(arn + behind.format(secret)) == arn + behind.format(MASK)


def test_an_arn_that_is_a_name_has_a_value() -> None:
    secret = "zebra7" * 4
    arn = "arn:aws:ssm:us-east-1:1:parameter/prod/db/password"
    for text in ("{}: {}", "{}={}", '{{"{}": "{}"}}'):
        assert redact_text(text.format(arn, secret)) == text.format(arn, MASK)


def test_what_is_known_or_has_the_shape_of_a_secret_is_masked_in_an_arn_too() -> None:
    shaped = "AK" + "IA" + "Q" * 16
    assert redact_text(f"arn:aws:iam::1:user/{shaped}") == f"arn:aws:iam::1:user/{MASK}"
    know("quite-a-long-one")
    try:
        assert redact_text("arn:aws:iam::1:user/quite-a-long-one") == f"arn:aws:iam::1:user/{MASK}"
    finally:
        forget()
    said = "arn:aws:sts::1:assumed-role/rollout/ada.l+x@example.com"
    assert redact_text(said) == said
    mask_emails(True)
    try:
        assert redact_text(said) == f"arn:aws:sts::1:assumed-role/rollout/{MASK}"
    finally:
        mask_emails(False)


@pytest.mark.parametrize("value", ["ssm:/prod/api/key", "ssm:/prod/token/db1"])
def test_the_place_of_a_secret_is_none(value: str) -> None:
    for text in (f"secrets:\n  key: {value}", f"password: {value}", f"api_key='{value}'", f"the token is {value}"):
        assert redact_text(text) == text
