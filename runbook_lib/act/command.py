"""The team's commands, configured and run as they are: exit status, duration, and the end of their output.

No shell parses them: a placeholder's value cannot become a second command.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from runbook_lib.base.errors import UsageError
from runbook_lib.base.held import held
from runbook_lib.base.output import GOES_ON, lines_of
from runbook_lib.base.project import PROJECT, READER
from runbook_lib.base.redact import Pieces, redact_lines
from runbook_lib.base.template import fault, filled
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.incidents.diff import Kind
from runbook_lib.judge.terms import Frozen
from runbook_lib.params.load import Params
from runbook_lib.record.place import PARAMS

TAIL = 40
"""Number of output lines that are kept."""
GRACE_S = 5.0
"""Seconds between the request to end and the end by force."""
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
PLACEHOLDERS = ("env", "region", "account_id", "release", "step", "guard_alarm_arns")


def placeholders(params: Params, step: str, guard_alarm_arns: str = "") -> dict[str, str]:
    """Values of the commands' placeholders, by name, at a step of the infrastructure."""
    told = {name: getattr(params.flat, name) for name in ("env", "region", "account_id", "release")}
    return {**told, "step": step, "guard_alarm_arns": guard_alarm_arns}


class Command(Frozen):
    """One configured command."""

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)
    """Id of the check that the command becomes."""
    title: str
    """What the command does, as text for people."""
    run: str
    """Program and arguments, split as a shell would; `python` means the running Python."""
    cwd: str = "."
    """Working folder, relative to the project's folder."""
    timeout_s: float = Field(default=1800, gt=0)
    """Seconds after which it is stopped."""
    required: bool = True
    """Whether its failure stops the rollout; else it is advice."""
    notebook: str = ""
    """Stem of the notebook that runs it."""
    env: dict[str, str] = Field(default_factory=dict)
    """Additional environment variables; their values are templates like `run`."""
    shell: Literal["", "sh", "bash"] = ""
    """Shell that runs `run`, for pipes and `&&`; it ends at the first failure. Empty: no shell, so no value can become
    a second command. With a shell, a value that it would read as more than one word is refused.
    """
    differences_exit: int | None = None
    """Exit status of a diff that finds differences."""
    differences_say: str = ""
    """Text that the diff prints in that case, for tools with the same status on failure."""
    agrees_exit: int = 0
    """Exit status of a diff that finds no differences."""
    agrees_say: str = ""
    """Text that the diff prints in that case, for tools with the same status on differences."""

    @model_validator(mode="after")
    def _known_placeholders(self) -> Command:
        for told in (self.run, *self.env.values()):
            if wrong := fault(told, PLACEHOLDERS):
                raise ValueError(f"'{told}': {wrong}")
        if strange := next((name for name in self.env if not _VARIABLE.fullmatch(name)), None):
            raise ValueError(f"env '{strange}': expects the name of an environment variable, letters, digits and _")
        if self.differences_exit == self.agrees_exit and not (self.differences_say and self.agrees_say):
            raise ValueError(
                f"exit status {self.agrees_exit} says that there are differences and that there are none: say by "
                "`differences_say` and `agrees_say` what is printed then"
            )
        try:
            words = shlex.split(self.run)
        except ValueError as error:
            raise ValueError(f"'{self.run}' cannot be split into words: {error}") from None
        if not words or not words[0]:
            raise ValueError(f"run '{self.run}' names no program")
        return self

    def argv(self, values: Mapping[str, str]) -> list[str]:
        """The words to run; a value stays within its word.

        Raises:
            UsageError: `run` is for a shell, which would read a value as more than one word.
        """
        given = {**dict.fromkeys(PLACEHOLDERS, ""), **values}
        if self.shell:
            for name, value in given.items():
                if f"{{{name}}}" in self.run and shlex.quote(value) not in (value, "''"):
                    raise UsageError(f"command '{self.id}': {name} is '{value}', which {self.shell} would take apart")
            strict = "-euo" if self.shell == "bash" else "-eu"
            options = [strict, "pipefail"] if self.shell == "bash" else [strict]
            return [self.shell, *options, "-c", filled(self.run, given)]
        words = [filled(word, given) for word in shlex.split(self.run)]
        return [sys.executable if words[0] == "python" else words[0], *words[1:]]

    def variables(self, values: Mapping[str, str]) -> dict[str, str]:
        """The command's environment variables with their values."""
        given = {**dict.fromkeys(PLACEHOLDERS, ""), **values}
        return {name: filled(told, given) for name, told in self.env.items()}

    def line(self, values: Mapping[str, str]) -> str:
        """The command on one line, to be pasted into a shell."""
        first, *rest = self.argv(values)
        variables = [f"{name}={shlex.quote(told)}" for name, told in self.variables(values).items()]
        return " ".join([*variables, shlex.join(["python" if first == sys.executable else first, *rest])])

    def lacks(self, root: Path) -> str:
        """What this machine lacks to start it: its folder, its program, or a Python file that it names; empty if
        nothing seems to be missing.
        """
        folder = (root / self.cwd).resolve()
        if not folder.is_dir():
            return f"the folder {self.cwd} is not there"
        first, *rest = [self.shell] if self.shell else self.argv({})  # a shell's text may begin with a builtin
        at = folder / first if "/" in first else first  # as seen by a process started in the folder
        if shutil.which(str(at)) is None:
            return f"the program {first} is not installed"
        script = next((word for word in rest if word.endswith(".py")), None)
        return f"the file {script} is not there" if script and not (folder / script).is_file() else ""


class Commands(Frozen):
    """`commands.yaml`: the commands that test, diff and deploy the service."""

    checks: tuple[Command, ...]
    diff: Command
    deploy: Command
    diff_kind: Kind = "auto"
    """Format of the diff. `change-set`: a CloudFormation change set, printed as JSON or left in the stack; `cdk`: the
    text of `cdk diff`; `terraform`: a plan as JSON; `auto`: a change set if there is one, else a plan, else cdk's text;
    `none`: unreadable, so nothing counts as about to be mended.
    """
    diff_show: Command | None = None
    """Prints the differences in a readable form, such as `terraform show -json`. It runs only if there are differences,
    and its output stays out of the record: a plan as JSON shows secrets.
    """
    verify: Command | None = None
    """Checks after a deployment that AWS is as the team's own tool expects it."""

    @model_validator(mode="after")
    def _told_apart(self) -> Commands:
        ids = [one.id for one in self.checks]
        if twice := next((one for one in ids if ids.count(one) > 1), None):
            raise ValueError(f"two checks have the id '{twice}'; the second would replace the first in the record")
        return self

    def of(self, notebook: str) -> tuple[Command, ...]:
        """The checks that a notebook runs."""
        return tuple(one for one in self.checks if one.notebook == notebook)

    @property
    def every(self) -> tuple[Command, ...]:
        """All commands of the file."""
        more = (self.diff_show, self.verify)
        return (*self.checks, self.diff, self.deploy, *(one for one in more if one is not None))

    def named(self, id: str) -> Command:
        """The check called `id`.

        Raises:
            UsageError: no command has that id.
        """
        for one in self.checks:
            if one.id == id:
                return one
        raise UsageError(f"the commands have no check '{id}'; there are: {', '.join(one.id for one in self.checks)}")


@dataclass(frozen=True)
class Ran:
    """The result of a command."""

    command: Command
    line: str
    """The command on one line."""
    code: int | None
    """Exit status; None: the command never began, or was stopped."""
    seconds: float
    tail: tuple[str, ...]
    """The last lines of its output, redacted."""
    problem: str = ""
    """Why there is no exit status."""

    @property
    def ok(self) -> bool:
        """Whether it ended with status 0."""
        return self.code == 0

    @property
    def differs(self) -> bool | None:
        """Whether a diff found differences; None: the diff failed."""
        command = self.command

        def says(words: str) -> bool:
            return not words or any(words in line for line in self.tail)

        if self.code == command.agrees_exit and says(command.agrees_say):
            return False
        return True if self.code == command.differences_exit and says(command.differences_say) else None

    @property
    def said(self) -> str:
        """The result in one sentence."""
        if self.problem:
            return self.problem
        last = next((line for line in reversed(self.tail) if line.strip()), "")
        return f"exit status {self.code} after {self.seconds:.1f} s" + (f": {last.strip()[:160]}" if last else "")

    def facts(self) -> dict[str, Any]:
        """The result as facts for the record."""
        return {"command": self.line, "exit": self.code, "seconds": round(self.seconds, 2), "tail": list(self.tail)}


def run_command(
    command: Command,
    *,
    root: Path,
    values: Mapping[str, str],
    out: Callable[[str], None] | None = None,
    mask: bool = True,
) -> Ran:
    """Runs a command to its end, or to its timeout.

    Args:
        root: folder that `cwd` is relative to.
        values: values of the placeholders.
        out: called with each line as it comes, redacted.
        mask: False leaves the lines unredacted: for output that is used and never kept.

    It raises nothing: a missing program, a missing folder and a timeout are part of the result.
    """
    try:
        argv, line = command.argv(values), command.line(values)
    except UsageError as error:
        return Ran(command, command.run, None, 0.0, (), str(error))
    folder = (root / command.cwd).resolve()
    if not folder.is_dir():
        return Ran(command, line, None, 0.0, (), f"the folder {command.cwd} of the command is not there")
    tail: deque[str] = deque(maxlen=TAIL)
    pieces = Pieces()
    begun, stopped = time.monotonic(), threading.Event()
    process: subprocess.Popen[bytes] | None = None

    def stop() -> None:
        stopped.set()
        _end(process)

    timer = threading.Timer(command.timeout_s, stop)
    try:
        with held():  # a signal does not come between its beginning and its name
            process = subprocess.Popen(
                argv,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # Without this a line of Python's arrives only when the pipe's buffer is full.
                env={**_surroundings(), "PYTHONUNBUFFERED": "1", **command.variables(values)},
            )
        timer.start()
        for text in lines_of(process):
            plain = _COLOURS.sub("", text)
            tail.append(pieces(plain) if mask else plain)
            if out is not None:
                out(tail[-1])
        code = process.wait()
    except OSError as error:
        if process is not None:
            raise
        return Ran(command, line, None, 0.0, (), f"{argv[0]} cannot be started: {error.strerror}; is it installed?")
    finally:
        timer.cancel()
        _end(process)
    seconds = time.monotonic() - begun
    kept = tuple(redact_lines(tail) if mask else tail)  # a name may stand below its value
    if stopped.is_set():
        return Ran(command, line, None, seconds, kept, f"stopped after {command.timeout_s:g} s without an end")
    return Ran(command, line, code, seconds, kept)


_OF_A_KERNEL = {PROJECT, READER, PARAMS, "RUNBOOK_ORIGIN", "RUNBOOK_RUN_ID"}


def _surroundings() -> dict[str, str]:
    """The environment, without a kernel's own: a `runbook` in a command means its own folder's project, as by hand."""
    return {name: value for name, value in os.environ.items() if name not in _OF_A_KERNEL}


def printed(command: Command | None, root: Path, values: Mapping[str, str]) -> str:
    """The full output of a command, unredacted; empty if there is none, or if it fails. Not for the record."""
    if command is None:
        return ""
    lines: list[str] = []
    ran = run_command(command, root=root, values=values, out=lines.append, mask=False)
    return "\n".join(one for one in lines if one != GOES_ON) if ran.ok else ""


def _end(process: subprocess.Popen[bytes] | None) -> None:
    """Ends the command, if it runs, and all its processes: a child left by `uv run` or `cdk` would go on."""
    if process is None or process.poll() is not None:
        return
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)


def command_check(ran: Ran) -> Check:
    """The command as a check: PASS on exit status 0; NO_DATA if it did not run to its end."""
    command = ran.command
    ok = None if ran.code is None else ran.ok
    reason = f"{command.title}: {ran.said}" if ran.ok else f"{command.title}: `{ran.line}`: {ran.said}"
    return check(
        command.id,
        command.title,
        ok,
        reason,
        required=command.required,
        expected="exit status 0",
        found="–" if ran.code is None else f"exit status {ran.code}",
        **ran.facts(),
    )
