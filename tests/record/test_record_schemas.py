"""The formats in the package and in the docs are those of the models, and records and leaves keep to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from runbook_lib.record.archive import Archive
from runbook_lib.record.place import RecordRef
from tests.schemas_page import FOLDER, MODELS, renewed, schema, written

DOCS = Path(__file__).parents[2] / "docs" / "audit.md"


@pytest.mark.parametrize("file", MODELS)
def test_the_schema_in_the_package_is_that_of_the_model(file: str) -> None:
    assert (FOLDER / file).read_text() == written(file), "python -m tests.schemas_page --write"
    jsonschema.Draft202012Validator.check_schema(schema(file))
    assert all(one.get("description") for one in schema(file)["properties"].values())


def test_the_page_has_every_field() -> None:
    assert DOCS.read_text() == renewed(DOCS.read_text()), "python -m tests.schemas_page --write"


def test_what_is_sealed_and_logged_keeps_to_them(archive: Archive, sealed: Callable[..., RecordRef]) -> None:
    ref = sealed("SOAK", ("warning", {"text": "x"}), ("intent", {"id": "a", "what": "dial"}))
    record, leaf = (json.loads((FOLDER / file).read_text()) for file in MODELS)
    jsonschema.validate(json.loads((ref.folder / "record.json").read_text()), record)
    for line in (archive.root / "log" / "leaves.jsonl").read_text().splitlines():
        jsonschema.validate(json.loads(line), leaf)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"schema": 1}, leaf)
