"""docs/traceability.md: every line of the requirement, and what serves it.

python -m tests.traceability --write     renews the page
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

from runbook_lib.base.project import project_root
from runbook_lib.rollout.requirement import lines

_FENCE = re.compile(r"^```")
_COMMAND_SECTIONS = ("Pre-Deployment Checks", "Deployment Commands", "Monitoring Commands")


def wanted(requirement: str) -> list[tuple[str, str]]:
    """(section, line) of everything in the requirement's Markdown that needs a reference, in order: each open box, the
    rows of the metric table, the numbered steps of the rollbacks, the commands, the notes.
    """
    found: list[tuple[str, str]] = []
    section, fenced = "", False
    for raw in requirement.splitlines():
        line = raw.rstrip()
        if _FENCE.match(line):
            fenced = not fenced
        elif line.startswith("#") and not fenced:
            section = line.lstrip("# ").strip()
        elif line.startswith("- [ ] "):
            found.append((section, line.removeprefix("- [ ] ").strip()))
        elif section.startswith("10.") and re.match(r"\| (?!Metric|-)", line):
            found.append(("Key Metrics", line.split("|")[1].strip()))
        elif section.startswith("Scenario") and re.match(r"\d+\. ", line):
            found.append((section, line.partition(". ")[2].strip()))
        elif section == "Notes" and line.startswith("- "):
            found.append((section, line.removeprefix("- ").strip()))
        elif fenced and section in _COMMAND_SECTIONS and line and not line.startswith(("#", "cd ", " ")):
            whole = line.removesuffix("\\").strip()
            found.append((section, " ".join(whole.split()[:3]) if line.endswith("\\") else whole))
    return found


def page() -> str:
    """The text of docs/traceability.md."""
    told = [
        "# Traceability",
        "",
        "Every line of [the requirement](requirement.md), and what serves it. Made by "
        "`python -m tests.traceability --write` from `params/requirement.yaml`; a test fails "
        "where a line is missing, or names a check that does not exist, and the rehearsal fails where a check was "
        "never made.",
        "",
    ]
    counts = {how: sum(line.how == how for line in lines()) for how in ("automated", "attested", "planned")}
    told += [
        f"{counts['automated']} automated, {counts['attested']} attested (a person vouches, with role, time and link), "
        f"{counts['planned']} planned (see the README's limits).",
    ]
    section = ""
    for line in lines():
        if line.section != section:
            section = line.section
            told += ["", f"## {section}", "", "| Line | Served by | How |", "|---|---|---|"]
        by = "<br>".join(str(one) for one in line.by)
        told.append(f"| {line.text.replace('|', chr(92) + '|')} | {by} | {line.how} |")
    return "\n".join(told) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Prints the page, or writes it."""
    if "--write" in arguments:
        (project_root() / "docs" / "traceability.md").write_text(page(), encoding="utf-8")
    else:
        sys.stdout.write(page())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
