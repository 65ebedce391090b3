"""The commands that a reader is told to run, spelled in one place, with the parameters that the run really used.

A notebook knows its parameters, not the file that they came from. So the file is looked for: the environment's own
where it names the same region, else another one of the folder that does, else the region is said beside it. Pasted in
an incident, a command must not act on another region's service.
"""

from __future__ import annotations

import shlex
from contextlib import suppress
from pathlib import Path
from typing import Any

from runbook_lib.base.errors import UsageError
from runbook_lib.base.project import params_dir, read_yaml
from runbook_lib.params.load import Params

_TELLS = ("account_id", "release", "attempt", "archive")
"""What tells files of one environment and region apart: the one that agrees in most of them is named."""


def with_params(params: Params) -> str:
    """`--params params/prod.yaml`, with `--set` where no file says the same."""
    own, folder = f"{params.env}.yaml", _folder(params)
    files = {own: _flat(Path(params.source) / own)}
    if files[own].get("region") == params.region:
        return f"--params {folder}/{own}"
    files |= {path.name: _flat(path) for path in sorted(Path(params.source).glob("*.yaml"))}
    same = {name: flat for name, flat in files.items() if _place(flat) == (params.env, params.region)}
    if not same:
        return f"--params {folder}/{own} --set {shlex.quote(f'region={params.region}')}"
    values = params.flat.model_dump()
    best = max(same, key=lambda name: sum(same[name].get(key) == values[key] for key in _TELLS))
    return f"--params {folder}/{best}"


def _folder(params: Params) -> str:
    """As a reader in the project's folder names it."""
    with suppress(UsageError):
        if Path(params.source).resolve() == params_dir().resolve():
            return "params"
    return shlex.quote(params.source) if Path(params.source).is_dir() else "params"


def _flat(path: Path) -> dict[str, Any]:
    try:
        return read_yaml(path)
    except UsageError:  # not one of ours, or not there: it cannot be named
        return {}


def _place(flat: dict[str, Any]) -> tuple[Any, Any]:
    return flat.get("env"), flat.get("region")


def rollback_1(params: Params) -> str:
    """The command that turns async off."""
    return f"runbook rollback 1 {with_params(params)} --apply --confirm {params.env}"


def offer(params: Params, needed: int) -> str:
    """How `needed` more samples could be had sooner, as a sentence for whoever waits for them."""
    return (
        f"Synthetic traffic shows it sooner, counted apart from the users': `runbook probe {needed} "
        f"{with_params(params)} --apply --confirm {params.env}`."
    )
