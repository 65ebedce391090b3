"""Secrets of headers: read where they are kept, filled in as they are, masked from then on."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.act.requests.load import spoken
from runbook_lib.base.errors import AwsError
from runbook_lib.base.redact import MASK, redact_text
from runbook_lib.base.redact_data import redact
from runbook_lib.base.template import filled
from runbook_lib.observe.references import with_secrets
from runbook_lib.params.contract import Contract
from runbook_lib.params.service import Routes

VALUE = "kept {elsewhere} 0815"
REFERENCES = ("env:OUR_KEY", "ssm:/ours/{env}/key", "secretsmanager:ours/{env}", "secretsmanager:all/{env}#ours")


class Kept:
    """Parameter Store and Secrets Manager with one value."""

    def __init__(self, value: Any = VALUE, refuses: str = "") -> None:
        self.value, self.refuses, self.asked = value, refuses, list[str]()

    def client(self, _: str) -> Any:
        return SimpleNamespace(get_parameter=self._parameter, get_secret_value=self._secret)

    def _parameter(self, *, Name: str, WithDecryption: bool) -> Any:
        self._ask(Name)
        assert WithDecryption
        return {"Parameter": {"Value": self.value}}

    def _secret(self, *, SecretId: str) -> Any:
        self._ask(SecretId)
        return {"SecretString": json.dumps({"ours": self.value}) if SecretId.startswith("all/") else self.value}

    def _ask(self, name: str) -> None:
        self.asked.append(name)
        if self.refuses:
            raise ClientError({"Error": {"Code": self.refuses, "Message": f"no {name}"}}, "Get")


def told(reference: str) -> Contract:
    """A contract whose submissions and questions have a secret header."""
    return Contract.model_validate(
        {
            "secrets": {"api_key": reference},
            "submit": {"headers": {"X-Api-Key": "{api_key}", "X-Id": "{uuid}"}},
            "status": {"headers": {"Authorization": "Key {api_key}"}},
        }
    )


@pytest.mark.parametrize("reference", REFERENCES)
def test_each_kind_is_read_and_stands_in_the_headers(reference: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_KEY", VALUE)
    kept = Kept()
    found = with_secrets(told(reference), kept, "prod")
    assert filled(found.submit.headers["X-Api-Key"], {}) == VALUE
    assert found.submit.headers["X-Id"] == "{uuid}"
    assert filled(found.status.headers["Authorization"], {}) == f"Key {VALUE}"
    assert all("prod" in one for one in kept.asked)
    assert len(kept.asked) == (not reference.startswith("env"))


def test_the_load_test_sends_it_and_has_it_on_no_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_KEY", VALUE)
    routes = Routes(sync="/a", submit="/b", status="/c/{job_id}")
    plan = spoken(with_secrets(told("env:OUR_KEY"), Kept(), "prod"), routes, "load-1")
    assert plan["submit"]["headers"]["X-Api-Key"] == VALUE
    assert plan["submit"]["headers"]["X-Id"] == "@@uuid@@"


def test_nothing_is_asked_for_a_contract_without_secrets() -> None:
    kept, plain = Kept(), Contract()
    assert with_secrets(plain, kept, "prod") is plain
    assert kept.asked == []


@pytest.mark.parametrize("reference", REFERENCES[1:])
@pytest.mark.parametrize("code", ["ParameterNotFound", "AccessDeniedException"])
def test_a_secret_that_cannot_be_had_is_named(reference: str, code: str) -> None:
    with pytest.raises(AwsError, match=r"contract\.secrets\.api_key"):
        with_secrets(told(reference), Kept(refuses=code), "prod")


@pytest.mark.parametrize(
    "value", ["", "short", "two\nlines of it", " with a space before", "with an ümlaut", "a\x00bcdefgh"]
)
@pytest.mark.parametrize("reference", REFERENCES[1:])
def test_what_no_header_takes_is_told_without_the_value(reference: str, value: str) -> None:
    with pytest.raises(AwsError) as caught:
        with_secrets(told(reference), Kept(value), "prod")
    assert not value or value not in str(caught.value)


def test_a_variable_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OUR_KEY", raising=False)
    with pytest.raises(AwsError, match="the variable OUR_KEY is not set"):
        with_secrets(told("env:OUR_KEY"), Kept(), "prod")


@pytest.mark.parametrize("value", ["no JSON", "[1]", '{"other": "value of it"}', '{"ours": 12345678}'])
def test_a_field_that_is_not_there(value: str) -> None:
    kept = Kept()
    kept._secret = lambda **_: {"SecretString": value}  # type: ignore[method-assign]
    with pytest.raises(AwsError, match="not a JSON object with a text at 'ours'"):
        with_secrets(told(REFERENCES[3]), kept, "prod")


@given(
    st.text("abcXYZ0189\"'\\{}/+=-. ", min_size=8, max_size=40).filter(lambda one: one == one.strip()),
    st.text(max_size=9),
)
def test_wherever_it_is_sent_back_it_is_masked(value: str, around: str) -> None:
    with_secrets(told("ssm:key"), Kept(value), "prod")
    assert value not in redact_text(f"{around}{value}{around}").replace(MASK, "")
    assert value not in json.dumps(redact({"echo": [value, f"x{value}y"]})).replace(MASK, "")
