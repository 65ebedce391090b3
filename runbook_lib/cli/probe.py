"""`runbook probe`: synthetic requests, marked and counted separately, if users are too few for a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from runbook_lib.base.errors import Exit
from runbook_lib.base.telling import busy
from runbook_lib.cli.options import AsJson, Confirm, ParamsFile, Set, number
from runbook_lib.cli.terminal import prose, say, say_json

if TYPE_CHECKING:
    from runbook_lib.act.requests.probe import Probe

_EXITS = """\b
Exit codes:
  0  planned; or sent, and the probes passed or were too few to say
  1  error: AWS not reachable, credentials expired
  2  bad usage or bad parameters; nothing was sent
  3  the probes fail by the rules of the users' gate, or sending them was refused: a human is needed"""


def register(app: typer.Typer) -> None:
    """Adds the command to `app`."""
    app.command(epilog=_EXITS)(probe)


def probe(
    count: Annotated[int, typer.Argument(callback=number, help="Number of probes.")],
    params: ParamsFile,
    per_minute: Annotated[
        float | None,
        typer.Option(help="Submissions per minute; default and limit: a quarter of the workers' capacity."),
    ] = None,
    set_: Set = None,
    apply: Annotated[bool, typer.Option("--apply", help="Send them. Also needs --confirm.")] = False,
    confirm: Confirm = "",
    json_: AsJson = False,
) -> None:
    """Send synthetic requests through the real API, and judge them separately from the users'.

    Each is a whole client: it submits, polls until the report is there or a client would give up, and downloads it.
    They are marked as probes, so no gate counts them; they cost real tokens, so the plan shows the cost first. Their
    result is a sealed record.

    Example: [bold]runbook probe 149 --env prod --apply --confirm prod[/bold]
    """
    from runbook_lib.commands.probe import run_probes
    from runbook_lib.run.launch import asked

    values = asked(set_ or [], apply=apply, confirm=confirm)

    def told(one: Probe, number: int, of: int) -> None:
        if not json_:
            said = f"{one.total_s:.1f} s" if one.ok else f"failed at {one.failed_at}: {one.detail}"
            say(f"probe {number} of {of}: {said}", err=True)

    with busy("probing: a probe ends when its report is there, or a client would give up"):
        done = run_probes(params, values, count, per_minute, told=told)
    if json_:
        say_json(done.as_dict())
    else:
        prose(f"{done.verdict + ': ' if done.verdict else ''}{done.sentence}", bold=True)
        if done.record:
            say(f"record: {done.record}")
    raise typer.Exit(int(Exit.HOLD if done.verdict in ("FAIL", "NO_DATA") else Exit.OK))
