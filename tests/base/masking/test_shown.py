"""What one form of a text hides, and where its other forms have it."""

from __future__ import annotations

import html

from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.masking.shown import anywhere, masked_in
from runbook_lib.base.redact import MASK


@given(st.text("ab<&\"' 1", min_size=4, max_size=9), st.integers(0, 5), st.sampled_from(["", "\x1b[1m"]))
def test_what_a_mask_has_hidden_is_known_from_the_texts_around_it(hidden: str, more: int, colour: str) -> None:
    secret = f"S{hidden}S"
    text = f"before {colour}{secret} after" + f" | {secret} ." * more
    assert masked_in(text, text.replace(secret, MASK)) == {" ".join(secret.split())}
    assert masked_in(text, text) == set()


def test_it_is_found_as_html_has_it_and_whatever_is_between_its_words() -> None:
    text = f"a {html.escape('x<&y z')} b x<&y\n  z c"
    assert anywhere("x<&y z").sub(MASK, text) == f"a {MASK} b {MASK} c"
