"""`runbook release`: a new version of one function, from 10 to 100 % by the notebooks of the phases."""

from __future__ import annotations

from typing import Annotated

import typer

from runbook_lib.base.foreign import word
from runbook_lib.cli.options import AsJson, ParamsFile
from runbook_lib.cli.terminal import prose, say_json

_EXITS = """\b
Exit codes:
  0  the release is ready: its folder is written, or was there
  1  error: AWS not reachable, credentials expired
  2  bad usage: no such function, version or alias
  3  another release is under way: a human is needed"""


def register(app: typer.Typer) -> None:
    """Adds the command to `app`."""
    app.command(epilog=_EXITS)(release)


def release(
    params: ParamsFile,
    function: Annotated[str, typer.Option(help="Its key in names of service.yaml: worker, worker_2, submit.")],
    version: Annotated[str, typer.Option(help="The published version to bring from 10 to 100 %.")],
    alias: Annotated[str, typer.Option(help="Alias that its event source or its route calls.")] = "live",
    name: Annotated[str, typer.Option("--release", help="Id of the release; default: FUNCTION-VERSION.")] = "",
    json_: AsJson = False,
) -> None:
    """Prepare the release of a function's new version: a folder of parameters with the alias's weight.

    Changes nothing in AWS. Afterwards notebooks 06 to 08, watch, status and rollback 1 take the file that it names.

    Example: [bold]runbook release --env prod --function worker --version 7[/bold]
    """
    from runbook_lib.commands.release import prepare

    done = prepare(params, function, version, alias, name)
    if json_:
        said = {"file": str(done.file), "function": done.function, "alias": done.alias, "stable": done.stable}
        say_json({**said, "version": done.version, "written": done.written, "next": done.next})
        return
    prose(f"{done.sentence}; {'written' if done.written else 'as it was'}: {done.file.parent}")
    prose(f"next: {done.next}")
    back = f"runbook rollback 1 --params {word(done.file)} --apply --confirm {word(done.file.stem)}"
    prose(f"the way back, at any time: {back}")
