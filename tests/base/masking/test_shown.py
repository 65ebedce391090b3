"""What one form of a text hides, and where its other forms have it."""

from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.masking.shown import anywhere, masked_in, narrower
from runbook_lib.base.redact import MASK, redact_text


@given(st.text("ab<&\"' 1", min_size=4, max_size=9), st.integers(0, 5), st.sampled_from(["", "\x1b[1m"]))
def test_what_a_mask_has_hidden_is_known_from_the_texts_around_it(hidden: str, more: int, colour: str) -> None:
    secret = f"S{hidden}S"
    text = f"before {colour}{secret} after" + f" | {secret} ." * more
    assert masked_in(text, text.replace(secret, MASK)) == {" ".join(secret.split())}
    assert masked_in(text, text) == set()


def test_it_is_found_as_html_has_it_and_whatever_is_between_its_words() -> None:
    text = f"a {html.escape('x<&y z')} b x<&y\n  z c"
    assert anywhere("x<&y z").sub(MASK, text) == f"a {MASK} b {MASK} c"


@pytest.mark.parametrize("blank", [" ", "\t", "."])
@pytest.mark.parametrize("many", [1, 5, 12, 13, 20, 60])
@pytest.mark.parametrize(
    "text",
    [
        'password{}= "{value}"',
        '      + password{}= "{value}"',
        "Passphrase:{}{value}",
        '"password"{}: "{value}"',
        "LOG:   info\nDB_PASSWORD:{}{value}\nLEVEL:  info",
        "mysql --password{}{value}",
        "password is{}{value}",
    ],
)
def test_blanks_between_a_name_and_its_value_hide_nothing(text: str, many: int, blank: str) -> None:
    """With thirteen of them a password stayed, as in the aligned output of Terraform and kubectl."""
    value = "cobalt" + "pebble1201"
    if blank == "." and not text.endswith(":{}{value}"):
        return
    shown = redact_text(text.format(blank * many, value=value))
    assert value not in shown and shown.count(MASK) == 1


def test_what_is_far_from_a_name_stays() -> None:
    text = "password = x" + "\n" * 4 + "size            1201 kB\n"
    assert narrower("size            12\n" * 9) == ""
    assert redact_text(text).endswith("size            1201 kB\n")


def test_a_word_that_is_a_wide_value_stays_elsewhere() -> None:
    assert redact_text('"password"                 : "info"\nlevel info here') == (
        f'"password"                 : "{MASK}"\nlevel info here'
    )
