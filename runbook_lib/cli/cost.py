"""`runbook cost`: what a successful VPR costs, on both sides, over any window."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from runbook_lib.base.errors import Exit, UsageError
from runbook_lib.cli.options import AsJson, ParamsFile, Set
from runbook_lib.cli.terminal import say

_EXITS = """\b
Exit codes:
  0  there is a bill, and the cost is not beyond its alert limit
  1  error: AWS not reachable, credentials expired, or nothing to make a bill of
  2  bad usage, bad parameters or a price list that is wrong
  3  the gate on the cost fails: a human is needed"""


def register(app: typer.Typer) -> None:
    """Adds the command to `app`."""
    app.command(epilog=_EXITS)(cost)


def cost(
    params: ParamsFile,
    since: Annotated[str, typer.Option(help="Beginning: a time (ISO 8601, UTC), or how long ago: 24h, 7d.")] = "24h",
    until: Annotated[str, typer.Option(help="End, likewise; without it now.")] = "",
    set_: Set = None,
    json_: AsJson = False,
    csv_: Annotated[bool, typer.Option("--csv", help="One line for each row of the bills, nothing else.")] = False,
) -> None:
    """What a successful VPR costs: usage from CloudWatch and configuration, times the list prices.

    Both sides by service, infrastructure and tokens apart, fixed and by use apart; a month of it at the same and at
    ten times the traffic; on demand against provisioned DynamoDB; and what the runbook itself costs. Changes nothing.

    Example: [bold]runbook cost --env prod --since 24h[/bold]

    Example: [bold]runbook cost --params params/prod.yaml --since 2026-11-23 --until 2026-11-24 --csv[/bold]
    """
    from runbook_lib.commands.cost import report
    from runbook_lib.record.journal import plain
    from runbook_lib.run.launch import overrides

    if json_ and csv_:
        raise UsageError("cost: --json or --csv, not both")
    done = report(params, since, until, overrides(set_ or []))
    if done.stale:
        say(f"warning: {done.stale}", fg="yellow", err=True)
    if json_:
        typer.echo(json.dumps(plain(done.as_dict())))
    elif csv_:
        typer.echo(done.as_csv(), nl=False)
    else:
        say(done.text())
    if not done.billed:
        say(f"runbook: no bill: {'; '.join((*done.own.notes, *done.sync.notes))}", fg="red", err=True)
        raise typer.Exit(int(Exit.ERROR))
    raise typer.Exit(int(Exit.HOLD if done.too_dear else Exit.OK))
