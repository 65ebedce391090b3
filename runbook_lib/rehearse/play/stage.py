"""The stage of a rehearsal: overridden parameters, environment of this process, progress on the terminal."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from runbook_lib.act.guard import begun
from runbook_lib.base.errors import UsageError
from runbook_lib.base.nearest import hint
from runbook_lib.params.load import Params, load, project_root, read_yaml
from runbook_lib.params.phases import ENVIRONMENTS, PhaseStep, stand_in


@dataclass(frozen=True)
class Places:
    """The project's environments that the delivered three stand for."""

    dev: str
    staging: str
    prod: str

    @property
    def every(self) -> tuple[str, ...]:
        """Each once."""
        return tuple(dict.fromkeys((self.dev, self.staging, self.prod)))


PRODUCTION = "RUNBOOK_REHEARSED_PRODUCTION"
"""Environment variable with the one of several productions that is played, for the commands that notebooks run, too."""


def places() -> Places:
    """As `environments` of the project's gates.yaml says."""
    return _places(project_root(), os.environ.get(PRODUCTION, ""))


def _environments(root: Path) -> dict[str, Any]:
    """Name of each environment of the project to its kind."""
    return dict(read_yaml(root / "params" / "gates.yaml").get("environments") or ENVIRONMENTS)


@lru_cache(maxsize=8)
def _places(root: Path, production: str) -> Places:
    known = _environments(root)
    found = Places(**stand_in(known))
    return replace(found, prod=production) if known.get(production) == "production" else found


def in_production(env: str) -> None:
    """Plays the rollout of this environment, one of several with users.

    Raises:
        UsageError: the project has no such environment with users.
    """
    mine = [name for name, kind in _environments(project_root()).items() if kind == "production"]
    if env not in mine:
        said = hint(env, mine) or f"there is {', '.join(mine)}"
        raise UsageError(f"--production is '{env}', which is not an environment with users here; {said}")
    os.environ[PRODUCTION] = env


def overlaid(env: str, release: str) -> dict[str, Any]:
    """The flat parameters of `env`, overridden by `params/rehearsal.yaml`: production's own, on a small stage."""
    return {**read_yaml(project_root() / "params" / f"{env}.yaml"), **overlay_only(release)}


def params_of(env: str, release: str) -> Params:
    """The environment's parameters on the stage, validated."""
    return load(overlaid(env, release), source=f"params/{env}.yaml with params/rehearsal.yaml")


def overlay_only(release: str) -> dict[str, Any]:
    """The values that the rehearsal overrides, for a run with `params/<env>.yaml`.

    Each rehearsal has an archive of its own, like its AWS: deviations of an earlier one are not open there.
    Environments in several regions are played in production's: one embedded AWS has one world.
    """
    overlay = read_yaml(project_root() / "params" / "rehearsal.yaml")
    return {**overlay, **_region(), "release": release, "archive": f"{overlay['archive']}/{release}"}


def _region() -> dict[str, str]:
    """Production's region, if an environment of the rehearsal is in another one."""
    mine = {env: str(read_yaml(project_root() / "params" / f"{env}.yaml")["region"]) for env in places().every}
    return {"region": mine[places().prod]} if len(set(mine.values())) > 1 else {}


@contextmanager
def only(environment: Mapping[str, str]) -> Iterator[None]:
    """Shows this process and its kernels only the embedded AWS: hides every `AWS_*` variable of the caller. What is
    changed there is no change that a command tells of when it ends in an error.
    """
    before, told = dict(os.environ), list(begun)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        begun[:] = told


class Progress:
    """The current step and its duration: a spinner on a terminal, plain lines elsewhere."""

    def __init__(self, quiet: bool = False) -> None:
        from rich.console import Console

        out = sys.stderr if quiet else sys.stdout
        # Outside a terminal, rich would use 80 columns and break every table.
        self.console = Console(file=out, highlight=False, soft_wrap=True, width=None if out.isatty() else 140)
        self.began = time.monotonic()

    @contextmanager
    def step(self, title: str) -> Iterator[list[str]]:
        """One step; texts appended to the list are printed behind its title when it is done."""
        said: list[str] = []
        start = time.monotonic()
        try:
            if self.console.is_terminal:
                with self.console.status(title):
                    yield said
            else:
                yield said
        except BaseException:
            self.console.print(f"[red]✘[/] {title} ({time.monotonic() - start:.1f} s)")
            raise
        tail = f": {said[-1]}" if said else ""
        self.console.print(f"[green]✔[/] {title}{tail} [dim]({time.monotonic() - start:.1f} s)[/]")

    def say(self, text: str) -> None:
        """Prints one line."""
        self.console.print(text)

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began


def before(steps: Mapping[str, PhaseStep], notebook: str) -> list[str]:
    """Each `notebook@environment` that `notebook` requires, and what those require in turn; each after its needs."""
    found: dict[str, None] = {}
    for wanted in (*steps[notebook].requires, *steps[notebook].requires_to_shift):
        found |= dict.fromkeys([*before(steps, wanted.partition("@")[0]), wanted])
    return list(found)


def take_as_passed(archive: Path, params: Params, notebook: str, at: str = "", *, elsewhere: bool = False) -> None:
    """Seals a record with PROMOTE for each step that `notebook` depends on, so that a play can begin there.

    For practice only: the reason of each says that nothing was proven.

    Args:
        at: the instant of their judgement, ISO 8601; empty: none.
        elsewhere: only those in environments that this rehearsal does not play: another production's preflight.
    """
    for wanted in before(params.policy.steps, notebook):
        name, _, env = wanted.partition("@")
        if not elsewhere or env not in places().every:
            _passed(archive, params, name, env, at)


def _passed(archive: Path, params: Params, name: str, env: str, at: str) -> None:
    from runbook_lib.record import recording
    from runbook_lib.record.archive import Archive, seal_staged
    from runbook_lib.record.journal import Journal

    _, staging, run_id, _ = recording.staged(archive, env, params.release, name, "practice")
    journal = Journal(staging)
    flat = {**params.flat.model_dump(mode="json"), "env": env, "mode": "apply", "as_of": at}
    recording.opened(journal, run_id, name, "practice", flat)
    reason = "taken as passed, for practice; nothing was proven"
    said = None if name in params.policy.phases else "DONE"  # what promotes nothing says so, as when it is run
    journal.append("closed", decision="PROMOTE", said=said, reason=reason, next="")
    seal_staged(Archive(archive), staging, status="completed")


def shown(path: Path | str) -> str:
    """A path as the user would type it: relative to the working folder, if it lies below."""
    try:
        return str(Path(path).resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
