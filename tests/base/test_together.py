"""What belongs on one line is found in a text of either form."""

from __future__ import annotations

import html

import pytest

from runbook_lib.base import together

TEXT = "< 90 % since 2026-11-02 04:03 UTC, 1.2-31.7 % (n = 20), with --confirm prod; >= 10, $0.01-$0.05 (us-east-1)"
KEPT = ["< 90 %", "2026-11-02 04:03 UTC", "1.2-31.7 %", "n = 20", "--confirm", ">= 10", "$0.01-$0.05", "us-east-1"]


@pytest.mark.parametrize(("signs", "form"), [("[<>]", str), ("&[lg]t;", html.escape)])
def test_the_same_parts_are_found_in_text_and_in_markup(signs: str, form: type[str]) -> None:
    assert together.pattern(signs).findall(form(TEXT)) == [form(one) for one in KEPT]
