"""A telling name with another word behind it, and a value that looks drawn or does not."""

from __future__ import annotations

import pytest

from runbook_lib.base.masking.suffixed import suffixed
from runbook_lib.base.redact import MASK, redact, redact_text

DRAWN = "Zx9mQw27" + "LkPt3R"


@pytest.mark.parametrize("name", ["DB_PASSWORD_ORDERS", "apiKeyAcme", "TOKEN_PARTNER_X", "client_secret_of_billing"])
def test_a_drawn_value_goes_and_a_word_stays(name: str) -> None:
    assert suffixed(name, DRAWN)
    assert redact({name: DRAWN}) == {name: MASK}
    for text in ("{}={}", "{}: '{}'", '{{"{}": "{}"}}', "-e {}={} -v"):
        assert redact_text(text.format(name, DRAWN)) == text.format(name, MASK)
        for plain in ("orders", "orders-db-2026", "20261130T054251.830Z-9a76c91d7971", "12.5", "arn:aws:s3:::a-B1c2D3"):
            assert redact_text(text.format(name, plain)) == text.format(name, plain)
            assert redact({name: plain}) == {name: plain}
