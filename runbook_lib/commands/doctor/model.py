"""The doctor's checks (`Probe`), their results (`Found`), and the loop that runs each by itself.

A probe that breaks costs only its own line. A probe that needs the result of a failed one says so, and asks nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from runbook_lib.base.aws import Aws, Identity
from runbook_lib.base.aws_errors import sentence
from runbook_lib.base.errors import Exit, RunbookError
from runbook_lib.base.foreign import one_line, word
from runbook_lib.base.template import filled
from runbook_lib.commands.doctor.mends import mend_of
from runbook_lib.commands.release import FOLDER as RELEASES
from runbook_lib.params.load import Params
from runbook_lib.params.permissions import Role

T = TypeVar("T")
State = Literal["OK", "WRONG", "NOTE", "not asked"]


@dataclass(frozen=True)
class Found:
    """One line: the finding and, if it is wrong, the one command or edit that mends it."""

    state: State
    said: str
    mend: str = ""
    id: str = ""
    title: str = ""


def ok(said: str) -> Found:
    """A finding that is right."""
    return Found("OK", said)


def wrong(said: str, mend: str) -> Found:
    """A finding that is wrong."""
    return Found("WRONG", said, mend)


def note(said: str, mend: str = "") -> Found:
    """A finding worth knowing that stops nothing."""
    return Found("NOTE", said, mend)


def _had(value: T | None) -> T:
    if value is None:  # a probe that needs it names the one that finds it
        raise LookupError("a check before this one did not find it")
    return value


@dataclass
class Ground:
    """The subject of the checks, and what earlier probes have learnt about it."""

    file: Path
    values: dict[str, Any]
    role: Role = "read-only"
    """Role whose permissions are checked."""
    params: Params | None = None
    aws: Aws | None = None
    identity: Identity | None = None
    here: dt.datetime | None = None
    """This machine's clock when AWS was asked for its own, `there`."""
    there: dt.datetime | None = None

    @property
    def told(self) -> str:
        """The parameter file as a reader in the working folder names it."""
        return self.beside(self.file.name)

    def beside(self, name: str) -> str:
        """The name of a file beside the parameter file, in the same form."""
        file = (Path(self.params.source) if self.params else self.file.parent) / name
        try:
            return str(file.relative_to(Path.cwd()))
        except (ValueError, FileNotFoundError):
            return str(file)

    @property
    def roles(self) -> str:
        """The folder below `iam/` for these policies: the environment's, or a release's own."""
        folder = self.file.resolve().parent
        return folder.name if folder.parent.name == RELEASES else self.file.stem

    @property
    def known(self) -> Params:
        """The parameters, after they were read."""
        return _had(self.params)

    @property
    def clients(self) -> Aws:
        """The clients, after they were made."""
        return _had(self.aws)

    @property
    def who(self) -> Identity:
        """The caller, after AWS has answered."""
        return _had(self.identity)


@dataclass(frozen=True)
class Probe:
    """One check, as a declaration."""

    id: str
    title: str
    ask: Callable[[Ground], Found | Iterable[Found]]
    mend: str
    """The command or edit if the probe itself breaks: the sentence before it has the error of AWS or the file.
    `{params}` and `{roles}` in it mean the parameter file and the folder of its policies."""
    code: Exit
    """Exit code if something is wrong."""
    needs: tuple[str, ...] = ()
    """Ids of the probes that must have succeeded before."""


@dataclass
class Findings:
    """The results of all probes."""

    found: list[Found] = field(default_factory=list)
    code: Exit = Exit.OK

    def bad(self, ids: Sequence[str]) -> str:
        """The first of `ids` that failed or was skipped; empty: none."""
        states = {one.id for one in self.found if one.state in ("WRONG", "not asked")}
        return next((id for id in ids if id in states), "")


def examined(probes: Sequence[Probe], ground: Ground, all_: Findings) -> Iterator[Found]:
    """Runs every probe in order: yields each line as it is found, and keeps all of them in `all_`."""
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
    mend = filled(probe.mend, {"params": word(ground.told), "roles": ground.roles})
    try:
        found = probe.ask(ground)
        return [found] if isinstance(found, Found) else list(found)
    except RunbookError as error:
        return [wrong(str(error), mend_of(error) or mend)]
    except Exception as error:  # one broken check does not stop the others
        said = sentence(error) or f"{type(error).__name__}: {one_line(error)}"
        return [wrong(f"could not be looked at ({said})", mend_of(error) or mend)]
