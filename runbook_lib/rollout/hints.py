"""The commands that a reader is told to run, in one place, with the parameters that the run really used.

A notebook knows its parameters, not their file. So it looks for the file that agrees with them best, the environment's
own first, and adds `--set` for each value that differs. A command that is pasted in an incident must not act on another
region's service.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from runbook_lib.base.errors import UsageError
from runbook_lib.base.foreign import word
from runbook_lib.base.project import READER, params_dir, read_yaml, visible
from runbook_lib.params.load import Flat, Params

_TELLS = ("account_id", "region", "release", "archive")
"""Parameters that a command must have right: it names the file that agrees in most of them, and sets the rest."""

_SHARED = ("release", "archive")
"""Parameters that are the same in all environments of a rollout."""


def with_params(params: Params, *, env: str = "", attempt: int | None = None) -> str:
    """The options for the parameters, such as `--params params/prod.yaml`, with `--set` where the file differs.

    Args:
        env: another environment than that of `params`: its own file is named, with the release and the archive of the
            rollout; account and region are its own.
        attempt: of a phase; None: the command is the same in every attempt, as a rollback's is.
    """
    where = env or params.env
    same = _of(params, where)
    tried = {} if attempt is None else {"attempt": attempt}
    if not same:
        return f"--params {_file(params, f'{where}.yaml')}"
    wanted = _tells(params) | tried
    best = _nearest(same, wanted)
    told = (*_TELLS, *tried) if where == params.env else _SHARED
    given = [key for key in told if _said(same[best], key) != wanted[key]]
    return " ".join([f"--params {_file(params, best)}", *(f"--set {word(f'{key}={wanted[key]}')}" for key in given)])


def filed(params: Params) -> Params:
    """The parameters with the attempt that their file has: another one, of a run, is of the phase that ran."""
    same = _of(params, params.env)
    if not same:
        return params
    attempt = _said(same[_nearest(same, _tells(params))], "attempt")
    return params.model_copy(update={"flat": params.flat.model_copy(update={"attempt": attempt})})


def _of(params: Params, env: str) -> dict[str, dict[str, Any]]:
    """The parameter files of an environment, its own first: among several that agree, it is the one people know."""
    files = {path.name: _flat(path) for path in visible(Path(params.source), "yaml")}
    return {
        name: files[name]
        for name in sorted(files, key=lambda one: one != f"{env}.yaml")
        if files[name].get("env") == env
    }


def _tells(params: Params) -> dict[str, Any]:
    return params.flat.model_dump(include=set(_TELLS))


def _nearest(files: dict[str, dict[str, Any]], wanted: dict[str, Any]) -> str:
    """The name of the file, the first of several, that agrees with most of the wanted values."""
    return max(files, key=lambda name: sum(_said(files[name], key) == value for key, value in wanted.items()))


def _said(flat: dict[str, Any], key: str) -> Any:
    return flat.get(key, Flat.model_fields[key].default)


def _file(params: Params, name: str) -> str:
    """A file beside the parameters, as a reader in the project's folder names it in a command."""
    folder = params.source if Path(params.source).is_dir() else "params"
    with suppress(UsageError, FileNotFoundError):
        if Path(params.source).resolve() == params_dir(Path(os.environ.get(READER) or Path.cwd())).resolve():
            folder = "params"
    return word(f"{folder}/{name}")


def _flat(path: Path) -> dict[str, Any]:
    try:
        there = path.stat()
    except OSError:
        return {}
    return _read(path, (there.st_ino, there.st_size, there.st_mtime_ns))


@lru_cache(maxsize=64)
def _read(path: Path, _state: tuple[int, ...]) -> dict[str, Any]:
    """Reads the file, and caches it until it changes: a run names many commands."""
    try:
        return read_yaml(path)
    except UsageError:  # not a parameter file: it cannot be named
        return {}


def run(params: Params, notebook: str, *, env: str = "", attempt: int | None = None, apply: bool = False) -> str:
    """The command that runs a notebook.

    Args:
        attempt: another attempt than that of `params`; only phases have one.
    """
    tried = (attempt or params.attempt) if notebook in params.policy.phases else None
    line = f"runbook run {notebook} {with_params(params, env=env, attempt=tried)}"
    return f"{line} --apply --confirm {env or params.env}" if apply else line


def rollback(params: Params, number: int) -> str:
    """The command of a rollback: 1 turns async off, 2 and 3 mitigate."""
    return f"runbook rollback {number} {with_params(params)} --apply --confirm {params.env}"


def rollback_1(params: Params) -> str:
    """The command that turns async off."""
    return rollback(params, 1)


def status(params: Params, env: str) -> str:
    """The command that shows where the rollout of another environment stands."""
    return f"runbook status {with_params(params, env=env)}"


def undo(params: Params, check: str) -> str:
    """The command that puts back a setting that a mitigation changed."""
    return f"runbook deviation undo {check} {with_params(params)} --apply --confirm {params.env}"


def adopt(params: Params, check: str) -> str:
    """The command that makes such a setting the one of the infrastructure's code; NAME is who says so."""
    return f"runbook deviation adopt {check} --by NAME {with_params(params)}"


def redrive(params: Params) -> str:
    """The command that shows what driving the dead letters again would do; `--apply` then does it."""
    return f"runbook dlq redrive {with_params(params)}"


def offer(params: Params, needed: int) -> str:
    """A sentence that says how to get `needed` more samples sooner."""
    return (
        f"Synthetic traffic shows it sooner, counted apart from the users': `runbook probe {needed} "
        f"{with_params(params)} --apply --confirm {params.env}`."
    )
