"""Where a secret is kept: three forms, and whatever else is one sentence that does not repeat it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.params.references import Reference, read, wrong


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("env:ORDERS_KEY", Reference("env", "ORDERS_KEY")),
        ("ssm:/orders/{env}/api-key", Reference("ssm", "/orders/prod/api-key")),
        ("secretsmanager:orders/{env}", Reference("secretsmanager", "orders/prod")),
        ("secretsmanager:orders/{env}#api.key", Reference("secretsmanager", "orders/prod", "api.key")),
    ],
)
def test_the_forms(text: str, expected: Reference) -> None:
    assert (wrong(text), read(text, "prod")) == ("", expected)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "env:",
            "env:A-B",
            "env:{env}",
            "ssm:",
            "ssm:a b",
            "ssm:*",
            "ssm:/{stage}/x",
            "secretsmanager:a#",
            "vault:a",
        ),
        *("secretsmanager:#key", "secretsmanager:a*", "ssm:/schlüssel", "env:ΚEY", "ssm:{env", "ssm:a\n"),
    ],
)
def test_what_is_none(text: str) -> None:
    assert wrong(text)


@given(st.text(min_size=12))
def test_a_secret_written_there_by_mistake_is_not_repeated(secret: str) -> None:
    said = wrong(secret)
    assert not said or secret not in said
