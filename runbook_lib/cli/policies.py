"""`runbook policies`: the IAM policies, made from the runbook's calls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from runbook_lib.base.errors import Exit, UsageError
from runbook_lib.cli.options import AsJson, ParamsFile, Set, output
from runbook_lib.cli.terminal import say

_EXITS = """\b
Exit codes:
  0  they are printed or written
  2  bad usage or bad parameters, or the folder cannot be written
  3  files that differ were left alone: a human is needed"""


def register(app: typer.Typer) -> None:
    """Adds the command to `app`."""
    app.command(epilog=_EXITS)(policies)


def policies(
    params: ParamsFile,
    write: Annotated[
        Path | None,
        typer.Option(callback=output, metavar="FOLDER", help="Write one file per policy; default: print them."),
    ] = None,
    repository: Annotated[
        str, typer.Option(metavar="OWNER/NAME", help="GitHub repository whose jobs may assume the role.")
    ] = "",
    bucket: Annotated[str, typer.Option(help="S3 bucket in which CI keeps the archive.")] = "",
    replace: Annotated[bool, typer.Option("--replace", help="With --write: replace files that differ.")] = False,
    set_: Set = None,
    json_: AsJson = False,
) -> None:
    """Write the IAM policies that the runbook needs: exactly the necessary actions, on this service's own resources.

    read-only.json is for plans; operator.json, in addition, for --apply; watch.json for runbook watch; archive.json for
    signatures, witnesses and the bucket; trust.json for a role of GitHub's jobs. Does not ask AWS. A file that differs
    stays as it is, and the difference is shown: give each environment a folder of its own.

    Example: [bold]runbook policies --env prod --write iam/prod --repository our/service --bucket our-runbook[/bold]
    """
    from runbook_lib.commands.policies import documents, text
    from runbook_lib.commands.policies import write as written_to
    from runbook_lib.params.load import load_file
    from runbook_lib.run.launch import overrides

    found = documents(load_file(params, overrides(set_ or [])), repository, bucket)
    if write is None:
        if replace:
            raise UsageError("--replace is about files that are written; add --write FOLDER")
        if json_:
            typer.echo(json.dumps(found))
            return
        for name, document in found.items():
            say(f"{name}:", bold=True)
            typer.echo(text(document), nl=False)
        return
    told = written_to(found, write, replace=replace)
    if json_:
        rows = [{"file": one.file, "written": one.written, "state": one.state} for one in told]
        typer.echo(json.dumps(rows))
    else:
        for one in told:
            say(f"{one.file}: {one.state}")
        for one in told:
            if one.state == "differs":
                say(one.difference)
    raise typer.Exit(int(Exit.HOLD if any(one.state == "differs" for one in told) else Exit.OK))
