"""No string in this file looks like a secret: each is put together when the test runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base import redact as room
from runbook_lib.base.redact import MASK, redact, redact_text
from runbook_lib.record.journal import FILE, Journal
from runbook_lib.record.redact_notebook import redact_notebook

UPPER = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", min_size=16, max_size=16)
HEX = st.text("0123456789abcdef", min_size=32, max_size=64)
HEX64 = st.text("0123456789abcdef", min_size=64, max_size=64)
TOKEN = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=24, max_size=60).filter(
    lambda text: any(char.isdigit() for char in text)
)
PEM = "PRIVATE " + "KEY"
PROSE = st.text(st.characters(codec="utf-8"), max_size=40)

SECRETS: dict[str, st.SearchStrategy[tuple[str, str]]] = {
    "access key": UPPER.map(lambda x: ("AK" + "IA" + x, "AK" + "IA" + x)),
    "session key": UPPER.map(lambda x: ("key AS" + "IA" + x + ".", x)),
    "secret key": TOKEN.map(lambda x: (f"aws_secret_access_{'key'} = {x}", x)),
    "secret in json": TOKEN.map(lambda x: (json.dumps({"SecretAccess" + "Key": x}), x)),
    "escaped json": TOKEN.map(lambda x: (json.dumps(json.dumps({"session_" + "token": x})), x)),
    "presigned": HEX.map(lambda x: (f"https://b.s3.amazonaws.com/k?X-Amz-Date=1&X-Amz-Sig{'nature'}={x}&a=1", x)),
    "presigned credential": TOKEN.map(lambda x: (f"GET /k?X-Amz-Cred{'ential'}={x}%2F2026", x)),
    "presigned token": TOKEN.map(lambda x: (f"?X-Amz-Security-{'Token'}={x}", x)),
    "bearer": TOKEN.map(lambda x: (f"Authorization: Bear{'er'} {x}", x)),
    "basic": TOKEN.map(lambda x: (f"basi{'c'} {x}==", x)),
    "jwt": st.tuples(TOKEN, TOKEN, TOKEN).map(lambda x: (f"ey{'J'}{x[0]}.{x[1]}.{x[2]}", x[1])),
    "signature": HEX64.map(lambda x: (f"AWS4-HMAC-SHA256 Credential=a, Sig{'nature'}={x}", x)),
    "code host": TOKEN.map(lambda x: (f"g{'hp'}_{x}", x)),
    "llm": TOKEN.map(lambda x: (f"s{'k'}-ant-{x}", x)),
    "chat": TOKEN.map(lambda x: (f"xo{'xb'}-{x}", x)),
    "webhook": TOKEN.map(lambda x: (f"https://hooks.sla{'ck.com'}/services/T0/B0/{x}", x)),
    "pager": HEX.map(lambda x: (f'"routing_{"key"}": "{x}"', x)),
    "pager url": HEX.map(lambda x: (f"https://events.pager{'duty.com'}/integration/{x}/enqueue", x)),
    "password in url": TOKEN.map(lambda x: (f"postgres://user:{x}@host/db", x)),
    "password": TOKEN.map(lambda x: (f"DB_PASS{'WORD'}={x}", x)),
    "private key": TOKEN.map(lambda x: (f"-----BEGIN RSA {PEM}-----\n{x}\n-----END RSA {PEM}-----", x)),
}


@pytest.mark.parametrize("kind", SECRETS)
@given(data=st.data())
def test_a_secret_never_survives_whatever_stands_around_it(kind: str, data: Any) -> None:
    text, secret = data.draw(SECRETS[kind])
    before, after = (data.draw(PROSE.filter(lambda prose: secret not in prose)) for _ in range(2))
    shown = redact_text(f"{before}\n{text}\n{after}")
    assert secret not in shown
    assert MASK in shown


@pytest.mark.parametrize("kind", SECRETS)
@given(data=st.data())
def test_redacting_twice_is_redacting_once(kind: str, data: Any) -> None:
    once = redact_text(data.draw(SECRETS[kind])[0] + data.draw(PROSE))
    assert redact_text(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "sha256 " + "0123456789abcdef" * 4,
        "arn:aws:sts::000000000101:assumed-role/rollout/a.engineer",
        '{"token_usage": {"input": 2500, "output": 1800}, "input_tokens": 2500}',
        "input_tokens: 250000000, output_tokens: 12345678",
        "run 4f1c9a7be210, account 000000000101, release 2026.11-vpr-async",
        "https://abc123.execute-api.us-east-1.amazonaws.com/prod/api/vpr-async?id=12345678",
        "task-7-of-the-plan, disk-0123456789abcdef, sk-short-1",
        "basic health check of the queue passed",
        "idempotency_key=job-12345678",
        "the next token is 5 characters long",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact_text(text) == text


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | PROSE, lambda x: st.lists(x) | st.dictionaries(PROSE, x))
)
def test_structures_keep_their_shape(value: Any) -> None:
    assert redact(redact(value)) == redact(value)
    if isinstance(value, dict):
        assert redact(value).keys() == value.keys()


def test_a_value_behind_a_telling_name_goes_whole() -> None:
    assert redact({"Session" + "Token": "a b", "plain": ("x", 1), "pass" + "word": ""}) == {
        "Session" + "Token": MASK,
        "plain": ["x", 1],
        "pass" + "word": "",
    }


def test_the_journal_takes_secrets_out(tmp_path: Path) -> None:
    key = "AK" + "IA" + "Q" * 16
    journal = Journal(tmp_path)
    journal.append("note", text=f"found {key}", nested=[{"k": key}])
    journal.attach("answers.json", json.dumps([key]))
    assert key not in (tmp_path / FILE).read_text()
    assert key not in (tmp_path / "answers.json").read_text()


def test_a_notebook_is_redacted_in_place_and_its_pictures_stay() -> None:
    key = "AK" + "IA" + "Q" * 16
    outputs: list[dict[str, Any]] = [
        {"output_type": "stream", "name": "stdout", "text": [key[:9], key[9:]]},
        {"output_type": "error", "ename": "E", "evalue": key, "traceback": [key]},
        {"output_type": "display_data", "data": {"text/html": [key], "image/png": key, "application/json": {"a": key}}},
    ]
    notebook = {
        "cells": [{"cell_type": "code", "source": [f"x = '{key}'"], "outputs": outputs}, {"source": "text"}],
        "metadata": {"papermill": {"parameters": {"reason": key}}},
    }
    redact_notebook(notebook)
    pictures = outputs[2]["data"].pop("image/png")
    assert pictures == key
    assert key not in json.dumps(notebook)


@pytest.mark.parametrize("text", ["token " + "a-" * 100_000, "secret " + "secret_" * 20_000, "://" + "a.b+" * 50_000])
def test_long_chains_are_read_once_not_again_and_again(text: str) -> None:
    # With a quadratic pattern each of these takes hours: whoever breaks it will not see this test end.
    assert redact_text(text) == text


def test_an_image_within_html_stays_whole_and_what_stands_around_it_is_redacted() -> None:
    drawn = "iVBORw0KGgo" + "Qk0+/x" * 20 + "+AKIA" + "Q" * 16 + "/ghp" + "eyJ" * 30 + "=="
    image = f"data:image/png;base64,{drawn}"
    said = f'<p>password="hunter22"</p><img src="{image}"><p>Authorization: Bearer abc123def456ghi7</p>'
    redacted = redact_text(said)
    assert image in redacted
    assert "hunter22" not in redacted
    assert "abc123def456ghi7" not in redacted
    assert redact_text(redacted) == redacted


def test_only_a_long_picture_is_taken_for_one() -> None:
    assert "hunter22" not in redact_text("data:image/png;base64,QUJD password='hunter22'")
    assert "AKIA" + "Q" * 16 not in redact_text("data:image/png;base64," + "AKIA" + "Q" * 16)


def _thorough(text: str) -> str:
    """Every pattern, whatever the text: what the words in front of them may only make quicker."""
    for _, pattern, replacement in room._PATTERNS:
        text = pattern.sub(replacement, text)
    for pattern in room._NAMED:
        text = pattern.sub(room.KEEP, text)
    return text


_WORDS = st.sampled_from(
    [
        *("Bearer ", "BASIC ", "eyJ", "AKIA", "ghp_", "xoxb-", "hooks.slack.com/services/", "Signature=", "&X-Amz-"),
        *("Credential=", "AWS4-HMAC-SHA256 ", "://", "user:", "@host", f"-----BEGIN {PEM}-----", "?Signature="),
        *("pass" + "word", "Secret", "session-token", "api_key", "ACCESS_KEY_ID", "webhook url", "x-amz-credential"),
        *("\u017fecret", "to\u212aen", "MY_", "passphrase", "authorization", "events.pagerduty.com/integration/"),
        *(" ", "=", ": ", " => ", '"', '\\"', "'", ".", "-", "a1" * 8, "A1" * 8, "\n", "\u00df"),
    ]
)


@given(st.lists(st.one_of(_WORDS, st.text(max_size=4)), max_size=12).map("".join))
def test_looking_for_a_word_first_finds_no_less(text: str) -> None:
    assert room._redact(text) == _thorough(text)
