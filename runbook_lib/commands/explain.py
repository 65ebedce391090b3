"""`runbook params explain`: the meaning of a key of the parameter files, from the models; makes docs/parameters.md.

`python -m runbook_lib.commands.explain --write` writes the page.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from runbook_lib.act.command import Commands
from runbook_lib.act.requests.load import LoadPlan
from runbook_lib.base.errors import UsageError
from runbook_lib.base.nearest import hint
from runbook_lib.base.project import delivered, params_dir, project_root, read_yaml
from runbook_lib.commands.init.environments import of_folder
from runbook_lib.observe.dashboard.board import Board
from runbook_lib.observe.inventory.rules import Inventory
from runbook_lib.params.explain import Key, keys
from runbook_lib.params.load import Flat
from runbook_lib.params.phases import ENVIRONMENTS
from runbook_lib.params.policy import Policy
from runbook_lib.params.prices import Prices
from runbook_lib.params.service import Service

PAGE = Path("docs") / "parameters.md"
_LONGEST = 60
_HEAD = """# Parameters

Every key of the files in `params/`, made from the models by `python -m runbook_lib.commands.explain --write`; a test
fails where it is not current. The same in a terminal: `runbook params explain gates.phases`.
`runbook params check` reads all files and checks them against each other.

`NAME` stands for any name, `[]` for an item of a list. A key in bold has to be there. Durations say their unit in the
name: `_s`, `_min`, `_h`. A comparison is an operator and a number in quotes, such as `'> 0.99'`.
"""


class File(NamedTuple):
    """A parameter file and its model."""

    name: str
    model: type[BaseModel]
    told: str
    example: str
    """File with an example value for each key, as delivered."""
    others: tuple[str, ...] = ()
    """Other names for it on the command line."""


_ANY = "the choices of one run: a file for each of `environments` in gates.yaml, such as `prod.yaml`, or any name."
FILES = (
    File("ENV", Flat, _ANY, "prod", tuple(ENVIRONMENTS)),
    File("service", Service, "the service: names, contract, limits, who is told.", "service"),
    File("gates", Policy, "the demands: steps, phases, gates, alarms, approvals.", "gates"),
    File("commands", Commands, "the team's own commands: what deploys, shows a difference, tests.", "commands"),
    File("load", LoadPlan, "the load test of staging.", "load"),
    File("inventory", Inventory, "what each resource must be.", "inventory"),
    File("dashboard", Board, "the dashboard's widgets.", "dashboard"),
    File("prices", Prices, "list prices; `prices-REGION.yaml` is another region's.", "prices"),
)


class Explained(NamedTuple):
    """Some keys of one file."""

    file: File
    keys: list[Key]


def explain(asked: str) -> list[Explained]:
    """The keys that `asked` names, in each file that has them: `gates`, `service.api`, `harm.users`; empty: all.

    A team's own name in the path, such as that of a gate or a phase, matches any.

    Raises:
        UsageError: no file has such a key.
    """
    if not asked:
        return [Explained(file, [key for key in _keys(file.model) if "." not in key.path]) for file in FILES]
    found = []
    for file in FILES:
        every, path, whole = list(_keys(file.model)), asked, False
        for name in (file.name, *file.others, *(_environments() if file.model is Flat else ())):
            path = path.removeprefix(f"{name}.yaml.").removeprefix(f"{name}.")
            whole = whole or asked in (name, f"{name}.yaml")
        names = _names(_folder() / f"{file.example}.yaml")
        depths = [_depth(key, path, names) for key in every]
        most = max(depths)
        inside = every if whole else [key for key, depth in zip(every, depths, strict=True) if 0 < depth == most]
        if inside:
            found.append(Explained(file, inside))
    if not found:
        known = [key.path for file in FILES for key in _keys(file.model)]
        raise UsageError(
            f"'{asked}' is not a key of the parameter files; {hint(asked, known) or 'params explain lists them'}"
        )
    return found


def _folder() -> Path:
    """The project's parameters folder; outside a project, that of the delivered files."""
    try:
        return params_dir()
    except UsageError:
        return delivered() / "params"


@functools.cache
def _keys(model: type[BaseModel]) -> tuple[Key, ...]:
    return tuple(keys(model))


def _environments() -> tuple[str, ...]:
    """The project's own environments, each with a flat file of its name."""
    return tuple(of_folder(_folder().parent))


@functools.cache
def _names(file: Path) -> frozenset[str]:
    """The team's own names in a file; a project with other environments has no `prod.yaml`, and needs none."""
    return frozenset(_dotted(read_yaml(file))) if file.is_file() else frozenset()


def _dotted(value: Any) -> set[str]:
    """The names in a file that contain dots themselves."""
    if isinstance(value, dict):
        return {name for name in value if "." in str(name)}.union(*(_dotted(one) for one in value.values()))
    return set().union(*(_dotted(one) for one in value)) if isinstance(value, list) else set()


def _depth(key: Key, asked: str, names: Collection[str]) -> int:
    """Number of parts of a key's path that `asked` matches: all of it, a group around it, or a map of the team's own
    names; 0: no match.

    Args:
        names: the team's own names with dots, such as `lambda.requests`.
    """
    forms = _forms(key, frozenset(names))
    for less, form in enumerate(forms):
        if form.fullmatch(f".{asked}"):
            return len(forms) - less
    return 0


@functools.cache
def _forms(key: Key, names: frozenset[str]) -> tuple[re.Pattern[str], ...]:
    """Patterns of a key's whole path and of each group around it, the longest first."""
    parts = re.sub(r"\[\]", ".[]", key.path).split(".")
    name = "|".join([*map(re.escape, sorted(names, key=len, reverse=True)), r"[^.]+"])
    special = {"[]": r"(?:\.?\[\])?", "NAME": rf"\.(?:{name})"}
    forms = [special.get(part, re.escape(f".{part}")) for part in parts]
    own = key.type == "anything" or (key.type.startswith("name to") and "keys" not in key.type)
    plain = r"(?:\..+)?" if own else ""
    whole = "".join(forms) + plain
    return tuple(map(_compiled, (whole, *("".join(forms[:end]) for end in range(len(forms) - 1, 0, -1)))))


_compiled = functools.cache(re.compile)
"""Keys of one group share the group's pattern; the cache of `re` is too small."""


def page() -> str:
    """docs/parameters.md: every key with type, default, limits, meaning and the delivered value."""
    parts = [_HEAD]
    for file in FILES:
        shown = read_yaml(params_dir() / f"{file.example}.yaml")
        parts += [f"## {file.name}.yaml", "", file.told[:1].upper() + file.told[1:], ""]
        parts += ["| key | what it is | type | default | delivered |", "|---|---|---|---|---|"]
        parts += [_row(key, shown) for key in _keys(file.model)]
        parts.append("")
    return "\n".join(parts)


def _row(key: Key, shown: Any) -> str:
    name = f"**`{key.path}`**" if key.required else f"`{key.path}`"
    type_ = key.type + (f", {key.limits}" if key.limits else "")
    delivered = _delivered(key.path, shown)
    cells = (name, key.told.replace("\n", " "), type_, _code(key.default), _code(delivered))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _code(text: str) -> str:
    return f"`{text if len(text) <= _LONGEST else text[: _LONGEST - 1] + '…'}`" if text else ""


def _delivered(path: str, shown: Any) -> str:
    """The first value of the delivered file at this path, unless it is a group of keys."""
    value = shown
    for part in path.replace("[]", ".[]").split("."):
        if isinstance(value, dict):
            value = next(iter(value.values()), None) if part == "NAME" else value.get(part)
        elif isinstance(value, list) and part == "[]":
            value = next(iter(value), None)
        else:
            return ""
    return "" if value in (None, "", [], {}) or isinstance(value, (dict, list)) else str(value)


def main() -> int:
    """Writes the page, or reports that it does not match the models."""
    path = project_root() / PAGE
    made = page()
    if path.exists() and path.read_text(encoding="utf-8") == made:
        return 0
    if "--write" in sys.argv:
        path.write_text(made, encoding="utf-8")
        return 0
    print(f"{PAGE} is not as the models make it: python -m runbook_lib.commands.explain --write")
    return 1


if __name__ == "__main__":
    sys.exit(main())
