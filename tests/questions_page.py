"""The tables in docs/questions.md, made from their declaration: `python -m tests.questions_page --write`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from runbook_lib.base.project import project_root
from runbook_lib.record.index.tables import TABLES

PAGE = Path("docs") / "questions.md"
_BEGIN = "<!-- columns of {}: made by `python -m tests.questions_page --write`, do not edit -->"
_END = "<!-- end -->"


def columns(table: str) -> str:
    """Each column with its type and meaning, as a Markdown table."""
    rows = ["| column | type | what it is |", "|---|---|---|"]
    return "\n".join([*rows, *(f"| `{one.name}` | {one.type} | {one.told} |" for one in TABLES[table])])


def renewed(page: str) -> str:
    """The page with the tables between its marks made again."""
    for table in TABLES:
        begin = _BEGIN.format(table)
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{columns(table)}\n{_END}{rest.partition(_END)[2]}"
    return page


def questions(page: str) -> dict[str, str]:
    """The questions on the page: heading to SQL."""
    return dict(re.findall(r"^### (.+?)\n.*?```sql\n(.*?)```", page, re.MULTILINE | re.DOTALL))


def main() -> int:
    """Writes the page, or reports that it does not match the tables."""
    path = project_root() / PAGE
    text = path.read_text(encoding="utf-8")
    if text == renewed(text):
        return 0
    if "--write" in sys.argv:
        path.write_text(renewed(text), encoding="utf-8")
        return 0
    print(f"{PAGE} is not as the tables make it: python -m tests.questions_page --write")
    return 1


if __name__ == "__main__":
    sys.exit(main())
