"""`runbook dlq list|redrive|export`: the contents of the dead-letter queue, and the safe way to empty it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runbook_lib.base.errors import Exit
from runbook_lib.base.foreign import field, short
from runbook_lib.base.window import when
from runbook_lib.cli.misuse import Group
from runbook_lib.cli.options import Apply, AsJson, Confirm, ParamsFile, Reason, Set, number, output
from runbook_lib.cli.terminal import prose, say, say_json

if TYPE_CHECKING:
    from runbook_lib.observe.jobs.dlq import Rest

app = typer.Typer(cls=Group, help="The dead-letter queue: list it, export it, drive it again.", no_args_is_help=True)


def register(parent: typer.Typer) -> None:
    """Adds the commands to `parent`."""
    parent.add_typer(app, name="dlq")


@app.command("list")
def list_(params: ParamsFile, set_: Set = None, json_: AsJson = False) -> None:
    """List the dead letters with the state of their jobs; all of them stay in the queue.

    At most 1,000 of a queue are listed. A list that lacks some says how many, and ends with exit code 1.

    Example: [bold]runbook dlq list --env prod[/bold]
    """
    from runbook_lib.base.redact import redact_text
    from runbook_lib.commands.dlq import listed
    from runbook_lib.run.launch import overrides

    found = listed(params, overrides(set_ or []))
    if json_:
        say_json([one.model_dump(mode="json") for one in found.letters])
        _lacking(found.rest, f"{found.told('dead letter')} listed", "`runbook dlq export` takes up to 10,000")
        return
    for one in found.letters:
        sent = when(one.sent_at) if one.sent_at else "at an unknown time"
        which = redact_text(": ".join(map(field, one.what)))
        prose(f"{short(which)}, sent {sent}", bold=True)
        told = one.error or ("the job says nothing of an error" if one.status else "")
        if told:
            prose(field(told), indent="  ")
    _lacking(found.rest, f"{found.told('dead letter')} listed", "`runbook dlq export` takes up to 10,000")
    say(f"{found.told('dead letter')} in the queue")


def _lacking(rest: Rest, told: str, more: str) -> None:
    """Ends with exit code 1 where a look did not get all: on standard error, so that `--json` stays JSON."""
    if rest:
        say(f"{told}; {rest.told()}" + (f" ({more})" if rest.not_looked_at else ""), err=True)
        raise typer.Exit(int(Exit.ERROR))


@app.command("export")
def export(
    out: Annotated[
        Path, typer.Option("--out", callback=output, help="File to write: one JSON object a line; must not exist.")
    ],
    params: ParamsFile,
    set_: Set = None,
) -> None:
    """Write the dead letters to a file, with secrets removed; all of them stay in the queue.

    At most 10,000 of a queue are written. An export that lacks some says how many, and ends with exit code 1.

    Example: [bold]runbook dlq export --env prod --out dead.jsonl[/bold]
    """
    from runbook_lib.commands.dlq import export as write
    from runbook_lib.run.launch import overrides

    found = write(params, overrides(set_ or []), out)
    told = f"{found.told('message')} written to {out}"
    _lacking(found.rest, told, "drive some again, or delete them, then export the rest to another file")
    say(told)


@app.command("redrive")
def redrive(
    params: ParamsFile,
    job: Annotated[list[str] | None, typer.Option("--job", help="Only this job; may be repeated.")] = None,
    most: Annotated[int, typer.Option("--max", callback=number, min=1, help="Most messages to send.")] = 1000,
    apply: Apply = False,
    confirm: Confirm = "",
    reason: Reason = "",
    set_: Set = None,
    json_: AsJson = False,
) -> None:
    """Send dead letters back to the work queue, once the cause is fixed; without --apply, list them.

    A message of a completed job stays. Each is sent first and then deleted: a crash may repeat a job, never lose it.
    Where some are hidden by another look, it says how many; where a job has no message there, which. Both end with 1.

    Example: [bold]runbook dlq redrive --env prod --apply --confirm prod[/bold]
    """
    from runbook_lib.commands.dlq import redrive as drive
    from runbook_lib.run.launch import asked

    values = asked(set_ or [], apply=apply, confirm=confirm, reason=reason)
    done = drive(params, values, job or (), most)
    if json_:
        say_json(done.as_dict())
    else:
        prose(done.sentence, bold=True)
        for id in done.jobs:
            say(f"  {id}")
        if done.record:
            say(f"record: {done.record}")
    if done.hidden or done.absent:
        raise typer.Exit(int(Exit.ERROR))
