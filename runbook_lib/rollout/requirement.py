"""The requirement line by line and what serves each line: the map, and the lines that a rollout left out."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runbook_lib.base.errors import UsageError
from runbook_lib.base.nearest import hint
from runbook_lib.base.project import delivered
from runbook_lib.params.load import Params, params_dir, read_yaml
from runbook_lib.params.phases import HERE
from runbook_lib.params.sentence import shown
from runbook_lib.record.record import Record

MAP = "requirement.yaml"
"""Name of the map in the project's `params/`; a project without one uses the delivered map."""
ACCEPTANCE = "Acceptance Criteria"
Kind = Literal["decision", "gate", "check", "param", "command", "rollback", "planned"]


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
