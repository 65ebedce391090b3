"""The requirement line by line and what serves each line: the map, its page, and the lines that a rollout left out.

python -m runbook_lib.rollout.requirement --write     renews docs/traceability.md
"""

from __future__ import annotations

import fnmatch
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runbook_lib.base.delivered import delivered
from runbook_lib.base.errors import UsageError
from runbook_lib.base.nearest import hint
from runbook_lib.params.load import Params, params_dir, project_root, read_yaml
from runbook_lib.params.phases import HERE
from runbook_lib.params.sentence import shown
from runbook_lib.record.record import Record

MAP = "requirement.yaml"
"""Name of the map in the project's `params/`; a project without one uses the delivered map."""
ACCEPTANCE = "Acceptance Criteria"
Kind = Literal["decision", "gate", "check", "param", "command", "rollback", "planned"]
_FENCE = re.compile(r"^```", re.M)
_COMMAND_SECTIONS = ("Pre-Deployment Checks", "Deployment Commands", "Monitoring Commands")


@dataclass(frozen=True)
class Reference:
    """A reference to one thing that serves a line."""

    kind: Kind
    notebook: str = ""
    env: str = ""
    id: str = ""
    attested: bool = False

    def __str__(self) -> str:
        place = f"`{self.notebook}` in {self.env}" if self.env else f"`{self.notebook}`, if it is needed"
        match self.kind:
            case "decision":
                return f"{place}: PROMOTE"
            case "gate":
                return f"{place}: gate `{self.id}`"
            case "check" | "rollback":
                return f"{place}: check `{self.id}`"
            case "param":
                return f"parameter {self.id}"
            case "command":
                return f"command `{self.id}`"
            case _:
                return f"not built yet: `{self.id}`"


@dataclass(frozen=True)
class Line:
    """One line of the requirement."""

    section: str
    text: str
    by: tuple[Reference, ...]

    @property
    def how(self) -> str:
        """Automated, attested by a person, or still to be built."""
        if any(one.kind == "planned" for one in self.by):
            return "planned"
        return "attested" if any(one.attested for one in self.by) else "automated"


def reference(text: str) -> Reference:
    """Parses a reference of the map.

    Raises:
        UsageError: it is none.
    """
    attested = text.endswith(" ~")
    first, _, rest = text.removesuffix(" ~").partition(" ")
    if first in ("param", "command", "planned"):
        return Reference(first, id=rest)  # type: ignore[arg-type]
    if first == "rollback" and len(rest.split()) == 2:
        return Reference("rollback", rest.split()[0], id=rest.split()[1])
    notebook, at, env = first.partition("@")
    if not at or not rest:
        raise UsageError(
            f"requirement.yaml: {shown(text)} is not a reference (notebook@env and a check, a gate or 'decision')"
        )
    if rest == "decision":
        return Reference("decision", notebook, env)
    if rest.startswith("gate:"):
        return Reference("gate", notebook, env, rest.removeprefix("gate:"))
    return Reference("check", notebook, env, rest, attested)


def _known() -> Path:
    """Path of the map of the current project, else of the delivered one."""
    own = params_dir() / MAP
    return own if own.is_file() else delivered() / "params" / MAP


def lines(path: Path | None = None, env: str = HERE) -> list[Line]:
    """The lines of the project's map, in its order.

    Args:
        env: whose rollout they are about: what stands for `{env}` in a reference.

    Raises:
        UsageError: it is missing or wrong.
    """
    found = []
    for section, rows in read_yaml(path or _known()).items():
        if not isinstance(rows, dict):
            raise UsageError(f"requirement.yaml: '{section}' is {shown(rows)}, expects lines with their references")
        for text, by in rows.items():
            given: Sequence[Any] = by if isinstance(by, list) else [by]
            found.append(
                Line(section, str(text), tuple(reference(str(one).replace(f"@{HERE}", f"@{env}")) for one in given))
            )
    return found


def check(found: Iterable[Line], params: Params) -> None:
    """Checks that the notebooks, environments and gates that the lines refer to are declared.

    Raises:
        UsageError: one is not; the acceptance would miss it in every record.
    """
    policy = params.policy
    known = {
        "notebook": {*policy.steps, *policy.rollbacks},
        "environment": {*policy.environments, HERE},
        "gate": {gate.id for gate in policy.gates},
    }
    for line in found:
        for one in line.by:
            for what, name in (("notebook", one.notebook), ("environment", one.env), ("gate", _gate_of(one))):
                if name and name not in known[what]:
                    raise UsageError(
                        f"requirement.yaml: '{line.section}: {shown(line.text)[1:-1]}' refers to the {what} "
                        f"{shown(name)}, which is not there; {hint(name, known[what])}"
                    )


def _gate_of(one: Reference) -> str:
    return one.id if one.kind == "gate" else ""


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


def matches(one: Reference, id: str) -> bool:
    """Whether a check's id matches the reference's pattern."""
    return fnmatch.fnmatchcase(id, one.id)


def serves(one: Reference, record: Record) -> bool:
    """Whether a record contains what the reference names, with any verdict."""
    if record.notebook != one.notebook or record.env != one.env:
        return False
    match one.kind:
        case "decision":
            return record.decision == "PROMOTE"
        case "gate":
            return any((gate.get("gate") or {}).get("id") == one.id for gate in record.gates)
        case "check":
            return any(matches(one, str(check.get("id"))) for check in record.checks)
        case _:
            return False


def unserved(records: Iterable[Record], env: str = HERE) -> list[str]:
    """Lines whose notebook, check or gate is in no record of the rollout to `env`. References to parameters, commands,
    planned things and rollbacks do not count, for a rollout may do without a rollback.
    """
    kept = list(records)
    found = []
    for line in lines(env=env):
        for one in line.by:
            if one.kind in ("decision", "gate", "check") and not any(serves(one, record) for record in kept):
                found.append(f"{line.section}: {line.text} ({one})")
    return found


def page() -> str:
    """The text of docs/traceability.md."""
    told = [
        "# Traceability",
        "",
        "Every line of [the requirement](requirement.md), and what serves it. Made by "
        "`python -m runbook_lib.rollout.requirement --write` from `params/requirement.yaml`; a test fails "
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
