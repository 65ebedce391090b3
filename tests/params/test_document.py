"""A schema that cannot be used is one sentence, and nothing is ever fetched for it."""

from __future__ import annotations

from typing import Any
from urllib import request

import pytest

from runbook_lib.params.document import fault, wrong_schema


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(request, "urlopen", asked)


@pytest.mark.parametrize("ref", ["#/d/x", "#gone", "http://127.0.0.1:9/x.json", "other.json"])
def test_a_reference_that_leads_nowhere_is_a_sentence(ref: str) -> None:
    schema = {"properties": {"n": {"$ref": ref}}}
    if ref != "other.json":
        assert f"'$ref: {ref}' leads nowhere" in wrong_schema(schema)
    assert "leads nowhere in the schema, and nothing is fetched" in fault({"n": 1}, schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"$defs": {"a": {"type": "object"}}, "$ref": "#/$defs/a"},
        {"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"a": {}}, "$ref": "#/definitions/a"},
        {"$ref": "https://json-schema.org/draft/2020-12/schema"},
        {"const": {"$ref": "#/no/schema"}, "properties": {"$ref": {"type": "string"}}},
    ],
)
def test_what_leads_somewhere_is_fine(schema: dict[str, Any]) -> None:
    assert wrong_schema(schema) == ""


def test_a_schema_without_end_is_a_sentence() -> None:
    assert "without end" in fault({}, {"$ref": "#"})
    assert "not a JSON Schema" in wrong_schema({"type": "objekt"})
