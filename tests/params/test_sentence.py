"""One sentence of what pydantic found: no line breaks, no words of pydantic's, nothing endless."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from runbook_lib.base.errors import UsageError
from runbook_lib.cli.ending import ending
from runbook_lib.judge.terms import Frozen
from runbook_lib.params.load import Flat
from runbook_lib.params.policy import Policy
from runbook_lib.params.sentence import in_words, one_line, sentence, shown, suggested
from runbook_lib.params.service import Service
from runbook_lib.params.written import strictly


class Inner(Frozen):
    id: str
    few: tuple[int, ...] = ()
    side: Literal["left", "right"] = "left"


class Outer(Frozen):
    name: str = Field(default="x", pattern=r"^[a-z]+$", max_length=5)
    share: float = Field(default=0.5, gt=0, lt=1)
    count: int = Field(default=1, ge=1, multiple_of=1)
    inner: tuple[Inner, ...] = Field(default=(), max_length=2)
    by: dict[str, int] = Field(default_factory=dict, max_length=1)


@pytest.mark.parametrize(
    "values",
    [
        {"db_password": "Zq7vK2mXw9LpR4tB"},
        {"db": {"password": "Zq7vK2mXw9LpR4tB"}},
        {"credentials": ["Zq7vK2mXw9LpR4tB"]},
        {"inner": [{"id": "a", "api_key": "Zq7vK2mXw9LpR4tB"}]},
        {"name": "password=Zq7vK2mXw9LpR4tB"},
    ],
)
def test_a_password_that_was_put_beside_the_parameters_is_repeated_by_no_sentence(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        Outer.model_validate(values)
    told = sentence(raised.value, Outer, values, "prod.yaml", None)
    assert "Zq7vK2mXw9LpR4tB" not in told and told.startswith("prod.yaml: ")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"name": "X"}, "'name' is 'X': expects text of the form ^[a-z]+$"),
        ({"name": None}, "'name' is empty: expects text"),
        ({"by": None}, "'by' is empty: expects names with their values"),
        ({"count": "5m"}, "'count' is '5m': expects a whole number, without quotes and unit"),
        ({"share": "5 %"}, "'share' is '5 %': expects a number, without quotes and unit"),
        ({"share": "half"}, "'share' is 'half': expects a number"),
        ({"name": "abcdefg"}, "'name' is 'abcdefg': expects text of 5 characters at most"),
        ({"name": "a\nb" * 90}, "…"),
        ({"share": 0}, "'share' is 0: expects a number greater than 0"),
        ({"share": 1}, "'share' is 1: expects a number less than 1"),
        ({"share": [1]}, "'share' is [1]: expects a number"),
        ({"count": 0}, "'count' is 0: expects 1 or more"),
        ({"count": 1.5}, "'count' is 1.5: expects a whole number"),
        ({"inner": [{"id": "a", "side": "up"}]}, "'inner.a.side' is 'up': expects 'left' or 'right'"),
        ({"inner": [{"id": "a", "few": [1, "2"]}]}, "'inner.a.few.1' is '2': expects a whole number"),
        ({"inner": [{"side": "left"}]}, "'inner.0.id' is missing"),
        ({"inner": "a"}, "'inner' is 'a': expects a list"),
        ({"by": {"a": 1, "b": 2}}, "'by': expects 1 of them at most"),
        ({"by": 5}, "'by' is 5: expects names with their values"),
        ({"nam": "x"}, "unknown key 'nam' (value 'x'); did you mean 'name'?"),
    ],
)
def test_it_names_key_value_and_what_is_expected(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as error:
        strictly(Outer, values)
    said = sentence(error.value, Outer, values, "a.yaml", None)
    assert said.startswith("a.yaml: ") and told in said and "\n" not in said and "Input" not in said, said
    assert len(said) < 300


@given(
    name=st.text("abcdefgh_", min_size=1, max_size=12).filter(lambda one: one not in Outer.model_fields),
    value=st.text("xyz1"),
)
def test_a_name_that_was_set_on_the_command_line_is_not_looked_for_in_the_file(name: str, value: str) -> None:
    """`--set bogus=1` was "params/prod.yaml: unknown key 'bogus'"."""
    with pytest.raises(ValidationError) as error:
        strictly(Outer, {name: value})
    said = sentence(error.value, Outer, {name: value}, "a.yaml", None, given=[name])
    if error.value.errors()[0]["type"] == "extra_forbidden":
        assert said.startswith(f"--set {name}={value!r}: no parameter '{name}'; "), said


def test_long_values_and_words_are_cut() -> None:
    assert shown("x" * 500).endswith(" …") and shown((1, 2)) == "[1, 2]"
    assert one_line("a" * 500 + " b\nc") == "a" * 100 + "… b c"


@pytest.mark.parametrize("model", [Policy, Service, Flat])
def test_every_form_of_a_text_is_told_in_words(model: type[BaseModel]) -> None:
    """No reader of a file has to read a regular expression."""
    forms = set(re.findall(r'"pattern": ("(?:[^"\\\\]|\\\\.)*")', json.dumps(model.model_json_schema())))
    assert [one for one in forms if not in_words(json.loads(one))] == []


@given(st.text(max_size=70))
def test_a_name_that_is_suggested_is_one(text: str) -> None:
    name = suggested(text)
    assert not name or re.fullmatch(r": '[a-z][a-z0-9_]{0,59}'", name), name


def test_names_as_other_tools_write_them_are_turned_into_ours() -> None:
    assert [suggested(one) for one in ("DeclinedPayments", "success-rate", "http.5xx", "declined", "5xx")] == [
        ": 'declined_payments'",
        ": 'success_rate'",
        ": 'http_5xx'",
        "",
        "",
    ]


_YAML = st.recursive(
    st.one_of(st.dates(), st.datetimes(), st.integers(), st.booleans(), st.text("ab'", max_size=3), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.one_of(st.dates(), st.text("k")), inner)),
    max_leaves=4,
)


@given(_YAML)
def test_a_date_is_shown_as_it_was_written(value: Any) -> None:
    assert "datetime" not in shown(value) and "(" not in shown(value)


def test_a_date_where_a_number_belongs_is_told_as_a_date() -> None:
    assert shown(dt.date(2026, 11, 1)) == "2026-11-01"
    assert shown([dt.date(2026, 11, 1), "a"]) == "[2026-11-01, 'a']"


@pytest.mark.parametrize("name", ["password=Hunter-22", "token: Abc.Def-123", "DB_PASSWORD=Xy-1"])
def test_a_secret_is_not_said_again_in_a_proposal(name: str) -> None:
    """'password=[redacted]' was followed by how to write it: 'password_hunter_22'."""
    assert suggested(name) == ""
    said = ending(UsageError(f"it is '{name.replace('a', chr(0x430))}', and so on"))[0]
    assert not any(part in said for part in ("unter", "123", "Xy"))
