"""What a check of the doctor is (`Probe`), what it finds (`Found`), and how all are asked, each by itself.

A probe that breaks costs its own line. One that needs what another did not find says so, and asks nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from runbook_lib.base.aws import Aws, Identity
from runbook_lib.base.aws_errors import one_line
from runbook_lib.base.errors import Exit, RunbookError
from runbook_lib.base.template import filled
from runbook_lib.commands.release import FOLDER as RELEASES
from runbook_lib.params.load import Params
from runbook_lib.params.permissions import Role

T = TypeVar("T")
State = Literal["OK", "WRONG", "NOTE", "not asked"]


@dataclass(frozen=True)
class Found:
    """One line: what was found, and where it is wrong, the one command or edit that mends it."""

    state: State
    said: str
    mend: str = ""
    id: str = ""
    title: str = ""


def ok(said: str) -> Found:
    """As it should be."""
    return Found("OK", said)


def wrong(said: str, mend: str) -> Found:
    """Not as it should be."""
    return Found("WRONG", said, mend)


def note(said: str, mend: str = "") -> Found:
    """Worth knowing; it holds nothing up."""
    return Found("NOTE", said, mend)


def _had(value: T | None) -> T:
    if value is None:  # a probe that needs it names the one that finds it
        raise LookupError("a check before this one did not find it")
    return value


@dataclass
class Ground:
    """What is looked at, and what the probes so far have learnt of it."""

    file: Path
    values: dict[str, Any]
    role: Role = "read-only"
    """Whose permissions are looked at."""
    params: Params | None = None
    aws: Aws | None = None
    identity: Identity | None = None
    here: dt.datetime | None = None
    """This machine's clock when AWS's was asked, and `there`, what AWS said."""
    there: dt.datetime | None = None

    @property
    def told(self) -> str:
        """The parameter file as a reader in the working folder names it."""
        return self.beside(self.file.name)

    def beside(self, name: str) -> str:
        """A file beside the parameter file, likewise."""
        file = (Path(self.params.source) if self.params else self.file.parent) / name
        try:
            return str(file.relative_to(Path.cwd()))
        except (ValueError, FileNotFoundError):
            return str(file)

    @property
    def roles(self) -> str:
        """The folder below `iam/` for these policies: the environment's, or that of a release, which has its own."""
        folder = self.file.resolve().parent
        return folder.name if folder.parent.name == RELEASES else self.file.stem

    @property
    def known(self) -> Params:
        """The parameters, once they are read."""
        return _had(self.params)

    @property
    def clients(self) -> Aws:
        """The clients, once they are made."""
        return _had(self.aws)

    @property
    def who(self) -> Identity:
        """The caller, once AWS has told."""
        return _had(self.identity)


@dataclass(frozen=True)
class Probe:
    """One check, as a declaration."""

    id: str
    title: str
    ask: Callable[[Ground], Found | Iterable[Found]]
    mend: str
    """The command or edit where the probe itself breaks: what AWS or a file says is in the sentence before it.
    `{params}` and `{roles}` in it stand for the parameter file and the folder of its policies."""
    code: Exit
    """Exit code where something is wrong."""
    needs: tuple[str, ...] = ()
    """Probes that must have found nothing wrong."""


@dataclass
class Findings:
    """What all probes found."""

    found: list[Found] = field(default_factory=list)
    code: Exit = Exit.OK

    def bad(self, ids: Sequence[str]) -> str:
        """The first of `ids` that was wrong or was not asked; empty: none."""
        states = {one.id for one in self.found if one.state in ("WRONG", "not asked")}
        return next((id for id in ids if id in states), "")


def examined(probes: Sequence[Probe], ground: Ground, all_: Findings) -> Iterator[Found]:
    """Asks every probe in order: each line as it is found; all of them are kept in `all_`."""
    for probe in probes:
        for one in _asked(probe, ground, all_):
            told = Found(one.state, one.said, one.mend, probe.id, probe.title)
            all_.found.append(told)
            if told.state == "WRONG" and all_.code is Exit.OK:
                all_.code = probe.code
            yield told


def _asked(probe: Probe, ground: Ground, so_far: Findings) -> list[Found]:
    if lacking := so_far.bad(probe.needs):
        return [Found("not asked", f"'{lacking}' has to be right first")]
    mend = filled(probe.mend, {"params": ground.told, "roles": ground.roles})
    try:
        found = probe.ask(ground)
        return [found] if isinstance(found, Found) else list(found)
    except RunbookError as error:
        return [wrong(str(error), mend)]
    except Exception as error:  # one check that breaks does not stop the others
        return [wrong(f"could not be looked at ({type(error).__name__}: {one_line(error)})", mend)]
