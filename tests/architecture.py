"""The rooms of `runbook_lib` and the arrows between them, drawn from the imports.

`make architecture` writes the picture into docs/architecture.md; a test fails where it is not current.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- picture: made by `make architecture`, do not edit -->", "<!-- end of the picture -->"


def floors() -> list[list[str]]:
    """The rooms from the top floor down, as the contract in pyproject.toml has them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one["containers"] == ["runbook_lib"])
    return [[room.strip() for room in floor.split("|")] for floor in layers]


@cache
def arrows() -> set[tuple[str, str]]:
    """(room, room that it imports), type checking left out."""
    found = set()
    for path in sorted((ROOT / "runbook_lib").rglob("*.py")):
        parts = path.relative_to(ROOT / "runbook_lib").parts
        if len(parts) < 2:
            continue
        for module in _imported(ast.parse(path.read_text("utf-8"))):
            room = module.removeprefix("runbook_lib.").split(".")[0]
            if module.startswith("runbook_lib.") and room != parts[0]:
                found.add((parts[0], room))
    return found


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.expr):  # has no import in it
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.ImportFrom) and node.module == "runbook_lib":
            yield from (f"runbook_lib.{one.name}" for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        yield from _imported(node)


def picture() -> str:
    """A mermaid flowchart; an arrow that follows from others is left out."""
    known = arrows()
    below: dict[str, set[str]] = {}
    for floor in reversed(floors()):
        for room in floor:
            direct = {low for high, low in known if high == room}
            below[room] = direct | set().union(*(below[one] for one in direct), set())
    lines = ["```mermaid", "flowchart TD"]
    for floor in floors():
        for room in floor:
            direct = {low for high, low in known if high == room}
            needed = {one for one in direct if not any(one in below[other] for other in direct - {one})}
            lines += [f"  {room}[{room}/] --> {low}[{low}/]" for low in sorted(needed)]
    return "\n".join([*lines, "```"])


def page(text: str) -> str:
    """The page with the picture as it is now."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{picture()}\n{END}{tail}"


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(page(PAGE.read_text("utf-8")), encoding="utf-8")
    print(picture())
