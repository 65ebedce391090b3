"""One grammar of placeholders: a plain name in braces, known where it stands; whatever else is one sentence."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.template import fault, fields, filled, partly

NAMES = st.text(string.ascii_lowercase + "_", min_size=1, max_size=6).filter(lambda one: one[0] != "_")
PLAIN = st.text(string.ascii_letters + "-/. {}", max_size=6).map(lambda one: one.replace("{", "{{").replace("}", "}}"))


@pytest.mark.parametrize(
    "wrong", ["{env!r}", "{env:d}", "{env:>9999999}", "{env.x}", "{env[0]}", "{}", "{0}", "{", "}", "a{env", "{ env }"]
)
def test_what_is_more_than_a_name_is_no_placeholder(wrong: str) -> None:
    assert fault(f"shop-{wrong}", ("env",)).endswith("is not a placeholder: there is {env}, as it stands here")


def test_a_name_that_is_not_known_is_told_with_the_nearest() -> None:
    assert "did you mean '{env}'?" in fault("{evn}", ("env", "stage"))
    assert fault("{env}", ()) == "'{env}' is a placeholder, and none is filled in here"


@given(st.lists(st.tuples(PLAIN, NAMES)), st.dictionaries(NAMES, st.text(max_size=5)))
def test_what_is_no_fault_is_filled_as_python_fills_it(parts: list[tuple[str, str]], values: dict[str, str]) -> None:
    text = "".join(f"{plain}{{{name}}}" for plain, name in parts)
    assert fields(text) == tuple(name for _, name in parts)
    if fault(text, values):
        assert any(name not in values for _, name in parts)
    else:
        assert filled(text, values) == text.format(**values)


@given(st.text(st.sampled_from("{}!:.[]0aenv "), max_size=12))
def test_any_text_is_filled_or_refused(text: str) -> None:
    said = fault(text, ("env",))
    if said:
        assert "\n" not in said
    else:
        assert filled(text, {"env": "{prod}"}) == text.format(env="{prod}")


@given(st.lists(st.tuples(PLAIN, NAMES)), st.dictionaries(NAMES, st.text(max_size=5)))
def test_filled_in_two_steps_is_filled_in_one(parts: list[tuple[str, str]], later: dict[str, str]) -> None:
    text = "".join(f"{plain}{{{name}}}" for plain, name in parts)
    now = {name: f"{{{name}}}" for name in fields(text) if name not in later}
    assert filled(partly(text, now), later) == filled(text, {**now, **later})
