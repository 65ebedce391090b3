"""The formats for other programs, made from the models: JSON Schemas in the package, tables of fields in docs/audit.md.

`python -m tests.schemas_page --write` renews both.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from runbook_lib.base.project import project_root
from runbook_lib.params.explain import docs
from runbook_lib.record.log.leaf import Leaf
from runbook_lib.record.record import SCHEMA, Record

FOLDER = Path(__file__).parents[1] / "runbook_lib" / "record" / "schemas"
PAGE = Path("docs") / "audit.md"
LEAF = int(Leaf.model_fields["schema_version"].default)
MODELS: dict[str, tuple[str, type[Record] | type[Leaf]]] = {
    f"record-{SCHEMA}.json": ("record", Record),
    f"leaf-{LEAF}.json": ("leaf", Leaf),
}


def schema(file: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one of `MODELS`."""
    model = MODELS[file][1]
    made = model.model_json_schema(by_alias=True, mode="serialization")
    for name, text in docs(model).items():
        field = model.model_fields[name].alias or name
        made["properties"][field] = dict(sorted({**made["properties"][field], "description": text}.items()))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": file, **made}


def written(file: str) -> str:
    """That schema as the text of its file."""
    return json.dumps(schema(file), indent=1, ensure_ascii=False) + "\n"


def fields(file: str) -> str:
    """Each field with its type and meaning, as a Markdown table."""
    rows = ["| field | type | what it is |", "|---|---|---|"]
    for name, one in schema(file)["properties"].items():
        rows.append(f"| `{name}` | {_type(one)} | {' '.join(str(one.get('description', '')).split())} |")
    return "\n".join(rows)


def _type(one: dict[str, Any]) -> str:
    if "anyOf" in one:
        return " or ".join(map(_type, one["anyOf"]))
    if "$ref" in one:
        return str(one["$ref"].rpartition("/")[2])
    if "const" in one or "enum" in one:
        return " or ".join(f"`{value}`" for value in one.get("enum", [one.get("const")]))
    inner = one.get("items")
    return f"array of {_type(inner)}" if inner else str(one.get("type", "any"))


def renewed(page: str) -> str:
    """The page with the tables between its marks made again."""
    for file, (name, _) in MODELS.items():
        begin, end = (
            f"<!-- fields of the {name}: made by `python -m tests.schemas_page`, do not edit -->",
            "<!-- end -->",
        )
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{fields(file)}\n{end}{rest.partition(end)[2]}"
    return page


def main() -> int:
    """Writes the files, or reports what does not match the models."""
    page = project_root() / PAGE
    wanted = {FOLDER / file: written(file) for file in MODELS} | {page: renewed(page.read_text(encoding="utf-8"))}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--write" in sys.argv:
        FOLDER.mkdir(exist_ok=True)
        for path in stale:
            path.write_text(wanted[path], encoding="utf-8")
        return 0
    for path in stale:
        print(f"{path} is not as the models make it: python -m tests.schemas_page --write")
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main())
