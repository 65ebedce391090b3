"""`runbook doctor`: what is ready and what is not, each line with the command or edit that mends it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runbook_lib.base.errors import UsageError
from runbook_lib.base.project import environments, params_dir
from runbook_lib.cli.options import AsJson, Set, file_option
from runbook_lib.cli.terminal import prose, say, say_json, say_line

if TYPE_CHECKING:
    from runbook_lib.commands.doctor.model import Found

_EXITS = """\b
Exit codes (of the first line that is wrong):
  0  everything is as it must be
  1  AWS cannot be asked, or does not allow what is needed
  2  this machine, the folder or a parameter is wrong
  3  the account lacks a resource or a setting: a human is needed"""
_COLOURS = {"OK": "green", "WRONG": "red", "NOTE": "yellow", "not asked": None}


_UNDER = " " * 11
"""Indentation of a line's text."""


def register(app: typer.Typer) -> None:
    """Adds the command to `app`."""
    app.command(epilog=_EXITS)(doctor)


def doctor(
    params: Annotated[
        Path | None,
        file_option("Default: the first environment."),
    ] = None,
    role: Annotated[
        str, typer.Option(help="Role whose permissions are checked: read-only, operator, watch or archive.")
    ] = "read-only",
    set_: Set = None,
    json_: AsJson = False,
) -> None:
    """Check that all is ready: this machine, the folder, the connection to AWS, permissions, resources, channels.

    Each line is OK, or says what is wrong and the one command or edit that mends it. The checks do not depend on each
    other; a check that needs the result of a failed one says so. Changes nothing, here or in AWS.

    Example: [bold]runbook doctor --env prod --role operator[/bold]
    """
    from runbook_lib.commands.doctor.model import Findings
    from runbook_lib.commands.doctor.probes import doctor as look
    from runbook_lib.params.permissions import ROLES
    from runbook_lib.run.launch import overrides

    chosen = next((one for one in ROLES if one == role), None)
    if chosen is None:
        raise UsageError(f"--role is '{role}', expects one of {', '.join(ROLES)}")
    findings = Findings()
    for found in look(params or _first(), overrides(set_ or []), chosen, findings):
        if not json_:
            _show(found)
    if json_:
        say_json({"exit_code": int(findings.code), "checks": [asdict(one) for one in findings.found]})
    raise typer.Exit(int(findings.code))


def _first() -> Path:
    folder = params_dir()
    for name in environments(folder):
        return folder / f"{name}.yaml"
    raise UsageError(f"{folder}: holds no environment: a file with `env` and `account_id`; `runbook init` writes them")


def _show(found: Found) -> None:
    """Prints a line, on a terminal fitted to its width; in a pipe one record per line, with tabs between its fields."""
    if not sys.stdout.isatty():
        from runbook_lib.base import foreign

        say_line("\t".join(foreign.field(one) for one in (found.state, found.id, found.said, found.mend)))
        return
    said = f"{found.state:<9}  {found.title}: {found.said}"
    prose(said, hang=_UNDER, fg=_COLOURS[found.state], bold=found.state == "WRONG" or None)
    if found.mend and found.state != "OK":
        say(f"{_UNDER}-> {found.mend}")
