"""Checks a result against a JSON Schema (`contract.result.json_schema`). Nothing is ever fetched: the target of a
`$ref` is in the schema itself, or is one of JSON Schema's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runbook_lib.base.foreign import head

_DATA = ("const", "enum", "default", "examples")
"""Keywords whose values are data, not schemas."""


def fault(found: object, schema: Mapping[str, Any]) -> str:
    """The part of a document that violates a schema, as a sentence; empty: none."""
    from jsonschema.validators import SPECIFICATIONS, validator_for  # type: ignore[import-untyped]  # heavy
    from referencing.exceptions import Unresolvable

    try:
        # jsonschema's default registry would use the network.
        wrong = next(validator_for(schema)(schema, registry=SPECIFICATIONS).iter_errors(found), None)
    except Unresolvable as error:
        return _nowhere(error.ref)
    except RecursionError:
        return "the schema refers to itself without end, or the document is too deep"
    return "" if wrong is None else f"{wrong.json_path}: {head(wrong.message, 200)}"


def wrong_schema(schema: Mapping[str, Any]) -> str:
    """What is wrong with a schema itself, as the end of a sentence; empty: nothing."""
    from jsonschema.exceptions import SchemaError  # type: ignore[import-untyped]
    from jsonschema.validators import SPECIFICATIONS, validator_for
    from referencing import Resource
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    try:
        validator_for(schema).check_schema(schema)
    except SchemaError as error:
        return f"is not a JSON Schema: {error.json_path}: {head(error.message, 200)}"
    except RecursionError:
        return "is too deep to be read"
    resource = Resource.from_contents(schema, default_specification=DRAFT202012)
    resolver = SPECIFICATIONS.resolver_with_root(resource)
    for ref in _refs(schema):
        try:
            resolver.lookup(ref)
        except Unresolvable:
            if ref.startswith("#") or "://" in ref:
                return f"cannot be used: {_nowhere(ref)}"
    return ""


def _nowhere(ref: str) -> str:
    return f"'$ref: {ref}' leads nowhere in the schema, and nothing is fetched; write what it names into `$defs`"


def _refs(schema: object) -> Iterator[str]:
    """Each `$ref` of a schema; none below a nested `$id`, where names have another meaning."""
    if isinstance(schema, Mapping):
        if isinstance(ref := schema.get("$ref"), str):
            yield ref
        for name, inner in schema.items():
            if name not in _DATA and not (isinstance(inner, Mapping) and "$id" in inner):
                yield from _refs(inner)
    elif isinstance(schema, list | tuple):
        for inner in schema:
            yield from _refs(inner)
