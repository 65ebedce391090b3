"""What is recognised by lines is so whatever ends them and whatever stands before each."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.base.masking import edges
from runbook_lib.base.redact import MASK, redact_text
from tests.secrets import BREAKS, BY_LINES, FRONTS


def _written(text: str, front: str, end: str) -> str:
    return "".join(f"{front}{line}{end}" for line in text.rstrip("\n").split("\n"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", BY_LINES)
@settings(max_examples=max(15, settings.default.max_examples // 6))
@given(data=st.data())
def test_no_break_and_no_sign_before_a_line_hides_a_secret(kind: str, data: Any) -> None:
    text, secret = data.draw(BY_LINES[kind])
    for front in FRONTS.values():
        for end in BREAKS.values():
            shown = redact_text(f"first{end}{_written(text, front, end)}last{end}")
            assert secret not in shown, (front, end, shown)
            assert shown.startswith(f"first{end}") and shown.endswith(f"last{end}"), (front, end, shown)
            assert redact_text(shown) == shown


@pytest.mark.slow
@pytest.mark.parametrize("end", BREAKS.values(), ids=BREAKS)
@pytest.mark.parametrize("front", FRONTS.values(), ids=FRONTS)
def test_what_is_not_masked_keeps_its_bytes(front: str, end: str) -> None:
    """The breaks too, each its own."""
    secret = "zebra" + "stripe1"
    held = f"x: {secret}\n  y: |\n    {secret}\n    {secret}"
    text = f"kind: Secret\nmetadata:\n  name: db\nstringData:\n  {held}\ntype: Opaque"
    shown = redact_text(f"a\nb\r\nc\r{_written(text, front, end)}d\r\ne\rf\n")
    kept = f"kind: Secret\nmetadata:\n  name: db\nstringData:\n  x: {MASK}\n  y: {MASK}\ntype: Opaque"
    assert shown == f"a\nb\r\nc\r{_written(kept, front, end)}d\r\ne\rf\n"


def test_a_diff_is_read_without_its_signs() -> None:
    old, new = "zebra" + "stripe1", "zebra" + "stripe2"
    diff = (
        "--- a/x.yaml\n+++ b/x.yaml\n@@ -1,4 +1,4 @@\n kind: Secret\n stringData:\n-  x: {}\n+  x: {}\n type: Opaque\n"
    )
    assert redact_text(diff.format(old, new)) == diff.format(MASK, MASK)
    coloured = "\x1b[32m+password: |\x1b[m\n\x1b[32m+  {}\x1b[m\n"
    assert old not in redact_text(coloured.format(old))
    told = json.dumps({"error": f"+kind: Secret\r\n+stringData:\r\n+  x: {old}\r\n"})
    assert redact_text(told) == told.replace(old, MASK)


@pytest.mark.slow
@pytest.mark.parametrize("end", BREAKS.values(), ids=BREAKS)
@pytest.mark.parametrize("front", FRONTS.values(), ids=FRONTS)
@pytest.mark.parametrize(
    "text",
    [
        "the password has rules\nit must be long\nand has no name in it",
        "secrets:\n  name: db\n  arn: arn:aws:x\nhost: h",
        "kind: ConfigMap\ndata:\n  x: abc",
        "user,token,host\nada,12,db1",
        "a password is asked\n\nnobody has one",
        "- take the token\n- look at the key\n  twice",
    ],
)
def test_what_is_no_secret_stays_with_any_break_and_front(text: str, front: str, end: str) -> None:
    said = _written(text, front, end)
    assert redact_text(said) == said


@given(st.lists(st.sampled_from(["a", "b", "", "+", "\n", "\r", "\r\n", "\u2028", "> ", "-", " "]), max_size=20))
def test_lines_come_back_as_they_were(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert edges.breaks_alike(text, lambda one: one) == text
    assert edges.without_fronts(text, lambda one: one) == text
    assert edges.breaks_alike(text, lambda one: one.replace("a", "c")) == text.replace("a", "c")
    assert edges.without_fronts(text, lambda one: one.replace("a", "c")).replace("c", "a") == text
