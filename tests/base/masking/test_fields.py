"""Objects whose fields tell of each other: what AWS, Terraform and others answer, as a mapping and as text."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.redact import MASK, redact_text
from runbook_lib.base.redact_data import redact
from tests.secrets import SECRETS

X = "zebra" + "stripe"
W = "pass" + "word"
TOLD: list[Any] = [
    {"Parameter": {"Name": f"/prod/db/{W}", "Type": "Secure" + "String", "Value": X, "Version": 3}},
    {"Parameter": {"Name": "/prod/db/x", "Type": "Secure" + "String", "Version": 1, "Value": X}},
    {"Value": X, "Name": f"db/{W}"},
    {"Outputs": [{"OutputKey": f"Db{W.title()}", "OutputValue": X, "ExportName": "a"}]},
    {"Parameters": {"Foo": {"Type": "String", "NoEcho": True, "Default": X}}},
    {"Parameters": {"Foo": {"Default": X, "AllowedValues": ["a"], "NoEcho": "true"}}},
    {"ParameterValue": X, "NoEcho": True, "ParameterKey": "Foo"},
    {"AuthParameters": {"ApiKeyAuthParameters": {"ApiKeyName": "X-Foo", "ApiKeyValue": X}}},
    {"HeaderParameters": [{"Key": "X-Foo", "Value": X, "IsValue" + "Secret": True}]},
    {"CustomHeaders": {"Items": [{"HeaderName": "X-Api-" + "Key", "HeaderValue": X}]}},
    {"Item": {"name": {"S": f"db_{W}"}, "value": {"S": X}}},
    {"Item": {"value": {"S": X}, "name": {"S": f"db_{W}"}}},
    {"Item": {f"db_{W}": {"S": X}, "id": {"S": "a"}}},
    {"outputs": {"conn": {"value": X, "type": "string", "sensitive": True}}},
    {"type": "random_" + W, "name": "db", "instances": [{"attributes": {"length": 16, "result": X}}]},
    {"resources": [{"type": "random_" + W, "change": {"after": {"bcrypt_" + "hash": X}}}]},
    {"environment": [{"name": "API_" + "KEY_PROD", "value": X}]},
    {"headers": [{"name": "Cookie", "value": X}, {"name": "Accept", "value": "a"}]},
    {"headers": [{"name": "set-cookie", "value": X}]},
    {"value": X, "name": "Set-Cookie"},
    {"cookies": [{"name": "sid", "value": X, "path": "a"}]},
]
KEPT: list[Any] = [
    {"Parameter": {"Name": "/prod/db/host", "Type": "String", "Value": X}},
    {"Outputs": [{"OutputKey": "QueueName", "OutputValue": X}]},
    {"Parameters": {"Foo": {"NoEcho": False, "Default": X}, "Bar": {"NoEcho": True}}},
    {"outputs": {"a": {"value": X, "sensitive": False}, "b": {"sensitive": True}}},
    {"Item": {"name": {"S": "stage"}, "value": {"S": X}}},
    {"type": "random_id", "instances": [{"attributes": {"result": X}}]},
    {"headers": [{"name": "Cookie-Policy", "value": X}]},
    {"Key": "backups/2026", "value": X, "case": "insensitive: true"},
]
WRITTEN: dict[str, Callable[[Any], str]] = {
    "one line": json.dumps,
    "lines": lambda value: json.dumps(value, indent=2),
    "no blanks": lambda value: json.dumps(value, separators=(",", ":")),
    "within json": lambda value: json.dumps(json.dumps(value)),
    "python": str,
}


@pytest.mark.parametrize("way", WRITTEN)
def test_a_value_goes_that_another_field_tells_to_be_secret(way: str) -> None:
    write = WRITTEN[way]
    for value in TOLD:
        assert redact_text(write(value)) == write(value).replace(X, MASK)


def test_it_goes_as_a_mapping_too() -> None:
    for value in TOLD:
        assert redact(value) == json.loads(json.dumps(value).replace(X, MASK))


@pytest.mark.parametrize("way", WRITTEN)
def test_what_no_field_tells_to_be_secret_stays(way: str) -> None:
    for value in KEPT:
        assert redact(value) == value
        assert redact_text(WRITTEN[way](value)) == WRITTEN[way](value)


@pytest.mark.parametrize(
    "text",
    [
        "Parameters:\n  Foo:\n    Type: String\n    NoEcho: true\n    Default: {}\n  Bar:\n    Default: a\n",
        "  Foo:\n    Default: '{}'\n    NoEcho: 'true'\nResources: {{}}\n",
        "- Name: x\n  Type: Secure" + "String\n  Value: {}\n- Name: y\n  Type: String\n  Value: a\n",
        'output "conn" {{\n  value     = "{}"\n  sensitive = true\n}}\noutput "b" {{\n  value = "b"\n}}\n',
    ],
)
def test_it_goes_in_yaml_and_in_terraforms_source(text: str) -> None:
    assert redact_text(text.format(X)) == text.format(MASK)


@given(data=st.data(), kind=st.sampled_from(sorted(SECRETS)))
def test_a_mapping_hides_what_its_json_hides(data: Any, kind: str) -> None:
    text, secret = data.draw(SECRETS[kind])
    planted: list[Any] = [{"stdout": text, "at": "now"}, {"a": [{"b": text}]}]
    try:
        planted += [json.loads(text), {"answer": json.loads(text)}]
    except ValueError:
        planted += [{"name": "a", "value": text}]
    for value in planted:
        as_text, as_value = redact_text(json.dumps(value)), json.dumps(redact(value))
        assert (secret in as_text) == (secret in as_value), value
