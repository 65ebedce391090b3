"""`runbook params check`: the parameter files, without AWS."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from runbook_lib.base.errors import Exit
from runbook_lib.cli.options import AsJson, written
from runbook_lib.cli.terminal import say

_EXITS = """\b
Exit codes:
  0  every file can be read, and what it names is there
  2  one of them is wrong; the sentence names file, key and value"""
app = typer.Typer(help="The parameter files: read and check them offline.", no_args_is_help=True)


def register(parent: typer.Typer) -> None:
    """Adds the commands to `parent`."""
    parent.add_typer(app, name="params")


@app.callback()
def _group() -> None:
    """The parameter files: read and check them offline."""


@app.command(epilog=_EXITS)
def check(
    folder: Annotated[
        Path | None, typer.Argument(callback=written, help="Folder of the files; without it the project's params/.")
    ] = None,
    commands: Annotated[
        bool,
        typer.Option("--commands", help="Also whether folder and program of each of the team's commands are here."),
    ] = False,
    json_: AsJson = False,
) -> None:
    """Read every parameter file and hold it against the others. Asks neither AWS nor the archive.

    With --commands also what this machine, or a job of CI, lacks to run the commands of commands.yaml.

    Example: [bold]runbook params check --commands[/bold]
    """
    from runbook_lib.base.project import params_dir
    from runbook_lib.commands import params_check

    found = params_check.check(folder or params_dir(), commands)
    if json_:
        typer.echo(json.dumps([asdict(one) for one in found]))
    else:
        for one in found:
            say(
                f"{'ok  ' if one.ok else 'FAIL'}  {one.file}: {one.sentence.removeprefix(f'{one.file}: ')}",
                fg=None if one.ok else "red",
            )
    raise typer.Exit(int(Exit.OK if all(one.ok for one in found) else Exit.USAGE))
