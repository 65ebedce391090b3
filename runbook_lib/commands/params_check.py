"""`runbook params check`: reads every parameter file and checks it against the others, without AWS."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runbook_lib.base.errors import UsageError
from runbook_lib.base.foreign import word
from runbook_lib.base.project import named, project_root, read_yaml, visible
from runbook_lib.observe.api_address import unasked
from runbook_lib.observe.evidence.costs import MEASURE, SYNC
from runbook_lib.params import price_list
from runbook_lib.params.load import Params, load_file
from runbook_lib.params.prices import NoPrices

COSTS = (MEASURE, SYNC)
"""Measures that need a price list."""
UNREAD = "not checked: no environment reads a file of this name"


@dataclass(frozen=True)
class Found:
    """One file, as an environment reads it."""

    file: str
    ok: bool
    sentence: str
    note: bool = False
    """Whether it stops no run, and yet something must be written before a gate can pass."""


def check(folder: Path, commands: bool = False) -> list[Found]:
    """The findings in the parameter files of `folder`: each environment with all its files, failures first.

    A sentence about several environments appears once. Each overlay is checked over each environment.

    Args:
        commands: whether to check that this machine has what the team's commands need to start.

    Raises:
        UsageError: the folder has no environment, or is a file.
    """
    named.append(folder.absolute() / "gates.yaml")
    if folder.is_file():
        raise UsageError(
            f"{folder} is a file: expects a folder; for one environment's file say --params {word(folder)}"
        )
    flat, overlays, broken = _sorted_out(folder)
    if not flat and not broken:
        raise UsageError(f"{folder}: holds no environment: a file with `env`")
    found = [*broken]
    for path in flat:
        found += _environment(path, {})
        found += lacking(path) if commands else ()
    told, read = {_mistake(one) for one in found if not one.ok}, {one.file for one in found}
    for overlay in overlays:
        for path in flat:
            over = [*_environment(path, dict(read_yaml(overlay)))]
            read |= {one.file for one in over}
            found.append(_over(overlay, path, told, over))
    if all(one.ok for one in found):  # else an environment may name it that could not be read whole
        left = [path.name for ending in ("yaml", "yml") for path in visible(folder, ending)]
        found += [
            Found(name, True, UNREAD, note=True) for name in left if name not in read | {one.name for one in overlays}
        ]
    said = {_mistake(one) if not one.ok else one.file: one for one in found}
    return sorted(said.values(), key=lambda one: one.ok)


def one(file: Path, commands: bool = False) -> list[Found]:
    """Checks one environment's file, and all that it reads.

    Raises:
        UsageError: it is no flat parameter file.
    """
    if not {"env", "account_id"} <= read_yaml(file).keys():
        raise UsageError(f"{file}: holds no environment: expects a file with `env` and `account_id`")
    found = [*_environment(file, {}), *(lacking(file) if commands else ())]
    return sorted(found, key=lambda each: each.ok)


def _sorted_out(folder: Path) -> tuple[list[Path], list[Path], list[Found]]:
    """Environments, overlays (flat files without `env`), and unreadable files."""
    flat, overlays, broken = [], [], []
    for path in visible(folder, "yaml"):
        try:
            keys = read_yaml(path).keys()
        except UsageError as error:
            broken.append(Found(path.name, False, str(error)))
            continue
        if "env" in keys:
            flat.append(path)
        elif "account_id" in keys:
            overlays.append(path)
    return flat, overlays, broken


def _environment(path: Path, values: dict[str, object]) -> Iterator[Found]:
    try:
        params = load_file(path, values)
    except UsageError as error:
        yield Found(_blamed(str(error), path), False, str(error))
        return
    yield Found(path.name, True, f"{params.env}, account {params.account_id}, {params.region}")
    yield priced(params)
    for name, read in _readers(unasked(params)).items():
        try:
            read()
        except UsageError as error:
            yield Found(f"{name}.yaml", False, str(error))
        else:
            yield Found(f"{name}.yaml", True, "whole, and what it names is there")


def priced(params: Params) -> Found:
    """The prices of the environment's region: their date, or which are missing, where to write them, what waits."""
    folder, region = Path(params.source), params.region
    if not isinstance(params.prices, NoPrices):
        name = price_list.file_of(folder, region).name
        return Found(name, True, f"prices of {region}, looked up on {params.prices.date}")
    waits = [gate.id for gate in params.policy.gates if gate.measure in COSTS and gate.required]
    held = f" and no soak passes its gate {' and '.join(waits)}" if waits else ""
    left, own = price_list.missing(folder, region), price_list.own_file(region)
    named = ", ".join(f"{item} (per {unit})" if unit else item for item, unit in left.items())
    said = f"until all prices of {region} are in {folder.name}/{own}, the cost is NO DATA{held}; missing: {named}"
    return Found(own, True, said, note=True)


def _blamed(sentence: str, path: Path) -> str:
    """The file named at the beginning of the sentence, if it lies beside the environment; else the environment."""
    named = Path(re.split(r", line \d+: |: ", sentence)[0]).name
    return named if (path.parent / named).is_file() else path.name


def lacking(path: Path) -> Iterator[Found]:
    """Each of the team's commands that could not start here."""
    for file, id, lacks in unready(path):
        yield Found(file, False, f"{file}: '{id}' cannot begin: {lacks}")


def unready(path: Path, values: Mapping[str, object] | None = None) -> Iterator[tuple[str, str, str]]:
    """File, command and what it lacks; none if the files are unreadable, which is reported already."""
    from runbook_lib.act.command import Commands

    try:
        params = load_file(path, values)
        every = params.nested(params.commands, Commands).every
    except UsageError:
        return
    for one in every:
        if lacks := one.lacks(project_root(path)):
            yield f"{params.commands}.yaml", one.id, lacks


def _mistake(found: Found) -> str:
    """The sentence without the name of its environment, so that one mistake appears once."""
    return found.sentence.removeprefix(f"{found.file}: ")


def _over(overlay: Path, path: Path, told: Container[str], over: Sequence[Found]) -> Found:
    """The first mistake that comes from the overlay: those in `told` exist without it."""
    found = [one for one in over if not one.ok]
    bad = next((one for one in found if _mistake(one) not in told), None)
    if bad is not None:
        return Found(overlay.name, False, f"{overlay.name} over {path.name}: {bad.sentence}")
    return Found(overlay.name, True, "laid over each environment" if not found else "has no mistake of its own")


def _readers(params: Params) -> dict[str, Callable[[], object]]:
    from runbook_lib.act.command import Commands
    from runbook_lib.act.requests.load import LoadPlan
    from runbook_lib.observe.dashboard.declared import declared
    from runbook_lib.observe.inventory.inspect import rules
    from runbook_lib.rollout import requirement

    own = Path(params.source) / requirement.MAP
    return {
        "service": lambda: params.service,
        "gates": lambda: params.policy,
        "dashboard": lambda: declared(params),
        **({"requirement": lambda: requirement.check(requirement.lines(own), params)} if own.is_file() else {}),
        "inventory": lambda: rules(params),
        "load": lambda: params.nested("load", LoadPlan),
        params.commands: lambda: params.nested(params.commands, Commands),
    }
