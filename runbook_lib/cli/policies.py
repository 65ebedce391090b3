"""`runbook policies`: the IAM policies, written from the calls that the runbook makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from runbook_lib.cli.options import AsJson, ParamsFile, Set, written
from runbook_lib.cli.terminal import say

_EXITS = """\b
Exit codes:
  0  they are printed or written
  2  bad usage or bad parameters, or the folder cannot be written"""


def register(app: typer.Typer) -> None:
    """Adds the command to `app`."""
    app.command(epilog=_EXITS)(policies)


def policies(
    params: ParamsFile,
    write: Annotated[
        Path | None, typer.Option(callback=written, metavar="FOLDER", help="Write one file each; else print them.")
    ] = None,
    repository: Annotated[
        str, typer.Option(metavar="OWNER/NAME", help="On GitHub: whose jobs may assume the role.")
    ] = "",
    bucket: Annotated[str, typer.Option(help="S3 bucket in which CI keeps the archive.")] = "",
    set_: Set = None,
    json_: AsJson = False,
) -> None:
    """Write the IAM policies that the runbook needs: no action less, none more, on this service's own resources.

    read-only.json for plans; operator.json beside it for --apply; watch.json for runbook watch; archive.json for
    signatures, witnesses and the bucket; trust.json for a role of GitHub's jobs. Asks nothing of AWS.

    Example: [bold]runbook policies --env prod --write iam --repository our/service --bucket our-runbook[/bold]
    """
    from runbook_lib.commands.policies import documents, text
    from runbook_lib.commands.policies import write as written_to
    from runbook_lib.params.load import load_file
    from runbook_lib.run.launch import overrides

    found = documents(load_file(params, overrides(set_ or [])), repository, bucket)
    if write is None:
        if json_:
            typer.echo(json.dumps(found))
            return
        for name, document in found.items():
            say(f"{name}:", bold=True)
            typer.echo(text(document), nl=False)
        return
    told = written_to(found, write)
    if json_:
        typer.echo(json.dumps([{"file": file, "written": new} for file, new in told]))
        return
    for file, new in told:
        say(f"{file}: {'written' if new else 'as it was'}")
