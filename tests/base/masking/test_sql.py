"""Secrets in the statements of databases."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.redact import MASK, redact_text

W = "PASS" + "WORD"
WORDS = st.text(string.ascii_lowercase + string.digits, min_size=8, max_size=12).map(lambda text: f"q{text}7")


@pytest.mark.parametrize(
    "statement",
    [
        f"CREATE LOGIN bob WITH {W} = N'{{}}'",
        f"ALTER LOGIN bob WITH {W}=N'{{}}'",
        "EXEC sp_addlogin 'bob', N'{}'",
        f"EXEC sp_{W.lower()} NULL, '{{}}', 'bob'",
        f"UPDATE users SET {W.lower()} = N'{{}}' WHERE id = 1",
        f"INSERT INTO users (name, {W.lower()}) VALUES (N'bob', N'{{}}')",
        "CREATE CREDENTIAL c WITH IDENTITY = N'bob', SECRET = N'{}'",
        f"ALTER ROLE bob {W} E'{{}}'",
        f"ALTER ROLE bob {W} $${{}}$$",
        "UPDATE a SET hash = crypt('{}', gen_salt('bf'))",
        "SELECT pgp_sym_encrypt('x', '{}')",
    ],
)
@given(word=WORDS)
def test_it_is_masked_and_the_statement_stays(statement: str, word: str) -> None:
    assert redact_text(statement.format(word)) == statement.format(MASK)
