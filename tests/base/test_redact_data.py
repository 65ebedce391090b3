"""No string in this file looks like a secret: each is put together when the test runs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runbook_lib.base import redact_data as room
from runbook_lib.base.masking.places import harmless
from runbook_lib.base.redact import MASK, Pieces, redact_text
from runbook_lib.base.redact_data import redact
from tests.secrets import LINES

PROSE = st.text(st.characters(codec="utf-8"), max_size=40)


@pytest.mark.slow
@given(
    st.recursive(st.none() | st.booleans() | st.integers() | PROSE, lambda x: st.lists(x) | st.dictionaries(PROSE, x))
)
@example({"passphrase\t0": 1})  # a key is a text like any other
def test_structures_keep_their_shape(value: Any) -> None:
    assert redact(redact(value)) == redact(value)
    if isinstance(value, dict):
        assert len(redact(value)) == len(value)
        assert [
            now for key, now in zip(value, redact(value), strict=True) if not now.startswith(redact_text(key))
        ] == []


def test_a_value_behind_a_telling_name_goes_whole() -> None:
    assert redact({"Session" + "Token": "a b", "plain": ("x", 1), "pass" + "word": ""}) == {
        "Session" + "Token": MASK,
        "plain": ["x", 1],
        "pass" + "word": "",
    }


@pytest.mark.parametrize("key", ["{}[db]", "{}[0]", "db_{}['a']", "user[{}]", "user[{}_1]"])
def test_a_key_with_an_index_is_that_name(key: str) -> None:
    for name, masked in (("password", True), ("api_token", True), ("tokens", False), ("size", False)):
        shown = redact({key.format(name): "zebra"})
        assert shown == {key.format(name): MASK if masked else "zebra"}


def test_a_list_of_words_is_a_command_line() -> None:
    secret = "zebra" + "stripe"
    assert redact(["/usr/bin/mysql", f"-p{secret}", "vpr"]) == ["/usr/bin/mysql", f"-p{MASK}", "vpr"]
    assert redact(["sshpass", "-p", secret, "ssh", "h"]) == ["sshpass", "-p", MASK, "ssh", "h"]
    assert redact(["mkdir", "-p", secret]) == ["mkdir", "-p", secret]


def test_texts_of_a_list_behind_a_telling_name_go_and_counts_stay() -> None:
    assert redact({"token": ["zebra", 7, {"count": 1}], "tokens": ["a"]}) == {
        "token": [MASK, 7, {"count": 1}],
        "tokens": ["a"],
    }


def test_texts_below_a_name_go_and_what_describes_them_stays() -> None:
    held = {"name": "db", "db": "zebra", "rotated": "2026-11-01", "on": True, "deeper": {"a": ["zebra"], "id": "x"}}
    masked = {**held, "db": MASK, "deeper": {"a": [MASK], "id": "x"}}
    for name in ("secrets", "credentials", "app_secret"):
        assert redact({name: held}) == {name: masked}


def test_pass_beside_a_user_is_no_verdict() -> None:
    assert redact({"user": "ada", "pass": "zebra"}) == {"user": "ada", "pass": MASK}
    assert redact({"gate": "success", "pass": "3 of 3"}) == {"gate": "success", "pass": "3 of 3"}


@pytest.mark.parametrize("kind", LINES)
@given(data=st.data())
def test_a_key_line_by_line_is_masked_in_a_list_and_in_pieces(kind: str, data: Any) -> None:
    lines, secret = data.draw(LINES[kind])
    pieces = Pieces()
    assert secret not in "".join(map(pieces, ["before", *lines]))
    shown = redact({"lines": ["before", *lines, "after"]})["lines"]
    assert secret not in "".join(shown)
    assert (shown[0], len(shown)) == ("before", len(lines) + 2)
    assert shown[-1] == ("after" if "END" in lines[-1] else MASK)


@given(
    st.text(min_size=1, max_size=20).filter(
        lambda text: text != "." and not text.startswith(("-", "arn:", "$", "{{", "ssm:/"))
    )
)
def test_structures_that_tell_of_a_secret(secret: str) -> None:
    word = "pass" + "word"
    if harmless(secret) or secret.isspace():
        return
    assert redact({"Name": f"DB_{word}", "Value": secret})["Value"] == MASK
    assert redact({"ParameterKey": f"db{word.title()}", "ParameterValue": secret})["ParameterValue"] == MASK
    assert redact(["deploy", f"--{word}", secret, "now"]) == ["deploy", f"--{word}", MASK, "now"]
    assert redact({f"{word}s": [secret, {"old": secret}]}) == {f"{word}s": [MASK, {"old": MASK}]}
    if not any(map(str.isspace, secret)) and secret[0] not in "/\\:\"'<>" and not secret.isdigit():
        assert redact(["curl", "-u", f"me:a{secret}", "x"])[2].startswith(f"me:{MASK}")


def test_a_key_of_a_mapping_is_masked_and_none_is_lost() -> None:
    one, two = ("AK" + "IA" + char * 16 for char in "QZ")
    assert redact({one: 1, two: 2}) == {MASK: 1, f"{MASK} 2": 2}


@given(
    st.lists(st.one_of(st.from_regex(room._TIME, fullmatch=True), st.floats(allow_nan=False), st.none()), max_size=5)
)
def test_times_and_numbers_of_a_list_stay_and_are_passed_over_for_a_reason(value: list[Any]) -> None:
    assert redact(value) == value
    assert [redact_text(one) for one in value if isinstance(one, str)] == [one for one in value if isinstance(one, str)]


def test_a_secret_among_times_is_found() -> None:
    time = "2025-06-16T03:00:00Z"
    secret = "zebra" + "stripe"
    assert redact([time, f"password={secret}", 3.0]) == [time, f"password={MASK}", 3.0]
    assert redact([time, "--password", secret]) == [time, "--password", MASK]
