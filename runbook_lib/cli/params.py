"""`runbook params check` and `explain`: the parameter files, without AWS."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from runbook_lib.base.errors import Exit, UsageError
from runbook_lib.cli.misuse import Group
from runbook_lib.cli.options import AsJson, file_option, written
from runbook_lib.cli.terminal import Column, prose, say_json, table

_EXITS = """\b
Exit codes:
  0  every file can be read, and what it names is there
  2  one of them is wrong; the sentence names file, key and value"""
app = typer.Typer(cls=Group, help="The parameter files: read and check them offline.", no_args_is_help=True)


def register(parent: typer.Typer) -> None:
    """Adds the commands to `parent`."""
    parent.add_typer(app, name="params")


@app.callback()
def _group() -> None:
    """Read and check the parameter files offline."""


@app.command(epilog=_EXITS)
def check(
    folder: Annotated[
        Path | None, typer.Argument(callback=written, help="Folder of the files; default: the project's params/.")
    ] = None,
    params: Annotated[
        Path | None,
        file_option("Only this flat parameter file, such as params/prod.yaml, or its environment, and what it reads."),
    ] = None,
    commands: Annotated[
        bool,
        typer.Option("--commands", help="Also check that folder and program of each of the team's commands exist."),
    ] = False,
    json_: AsJson = False,
) -> None:
    """Read every parameter file and check it against the others. Asks neither AWS nor the archive.

    With --commands also show what this machine, or a job of CI, lacks for the commands of commands.yaml.

    Example: [bold]runbook params check --commands[/bold]

    Example: [bold]runbook params check --params releases/worker-7/prod.yaml[/bold]
    """
    from runbook_lib.base.project import params_dir
    from runbook_lib.commands import params_check

    if folder is not None and params is not None:
        raise UsageError("params check: expects a FOLDER with its environments or --params FILE, one of the two")
    if params is None:
        found = params_check.check(folder or params_dir(), commands)
    else:
        found = params_check.one(params, commands)
    if json_:
        say_json([asdict(one) for one in found])
    else:
        for one in found:
            state, colour = ("FAIL", "red") if not one.ok else ("NOTE", "yellow") if one.note else ("ok  ", None)
            prose(f"{state}  {one.file}: {one.sentence.removeprefix(f'{one.file}: ')}", hang=" " * 6, fg=colour)
    raise typer.Exit(int(Exit.OK if all(one.ok for one in found) else Exit.USAGE))


@app.command()
def explain(
    key: Annotated[
        str,
        typer.Argument(help="Key, or a group of them: gates, service.api, harm.users; default: the top of each."),
    ] = "",
    json_: AsJson = False,
) -> None:
    """Explain a key of the parameter files: type, default, limits and meaning (docs/parameters.md has them all).

    Example: [bold]runbook params explain approvals[/bold]
    """
    from runbook_lib.commands.explain import explain

    found = explain(key)
    if json_:
        rows = [{"file": f"{one.file.name}.yaml", **each._asdict()} for one in found for each in one.keys]
        say_json(rows)
        return
    columns = (
        Column("key", "path"),
        Column("type", "type", rank=1),
        Column("default", "default", rank=2),
        Column("what it is", "told", prose=True),
    )
    for one in found:
        rows = [
            {
                "path": each.path,
                "type": each.type + (f", {each.limits}" if each.limits else ""),
                "default": "required" if each.required else each.default,
                "told": each.told.replace("\n", " "),
            }
            for each in one.keys
        ]
        table(f"{one.file.name}.yaml: {one.file.told.replace('`', '')}", columns, rows)
