"""`runbook plan-steps`: the steps and soaks that promote a healthy service soonest."""

from __future__ import annotations

from typing import Annotated

import typer

from runbook_lib.base.telling import busy
from runbook_lib.cli.options import AsJson, ParamsFile, Set, number
from runbook_lib.cli.terminal import Column, prose, say_json, table

_EXITS = """\b
Exit codes:
  0  there is a schedule
  1  error: AWS not reachable, credentials expired
  2  bad usage or bad parameters
  3  no schedule does what is asked: why, and what would help"""


def register(app: typer.Typer) -> None:
    """Adds the command to `app`."""
    app.command(name="plan-steps", epilog=_EXITS)(plan_steps)


def plan_steps(
    params: ParamsFile,
    by: Annotated[str, typer.Option(help="Time (ISO 8601, UTC) by which everything must be done.")] = "",
    begin: Annotated[str, typer.Option("--from", help="Time of the first shift; default: now.")] = "",
    requests_per_day: Annotated[
        float,
        typer.Option(callback=number, help="Evenly spread, and AWS is not asked; default: as seen in CloudWatch."),
    ] = 0.0,
    users: Annotated[
        int, typer.Option(callback=number, help="Most users that a failure may harm; default: harm.users.")
    ] = 0,
    first: Annotated[float, typer.Option(callback=number, help="The first step is at most this many percent.")] = 10.0,
    times: Annotated[
        float, typer.Option(callback=number, help="Each step is at most this many times the one before.")
    ] = 5.0,
    least_soak: Annotated[float, typer.Option(callback=number, help="No soak is shorter than this many hours.")] = 1.0,
    set_: Set = None,
    json_: AsJson = False,
) -> None:
    """Propose the steps and soaks that promote a service of 99.8 % soonest.

    It uses the traffic by hour of the day, the gates, and the harm budget for users (gates.yaml, harm). Each step is
    long enough for every counted gate to decide, and stays within the budget with the guard named beside it.
    Changes nothing: enter your choice in gates.yaml (steps, phases, and the guards' counts).

    Example: [bold]runbook plan-steps --env prod --by 2026-12-10T06:00Z[/bold]

    Example: [bold]runbook plan-steps --env prod --requests-per-day 30000 --users 50 --json[/bold]
    """
    from runbook_lib.commands.plan_steps import Options, planned, when
    from runbook_lib.run.launch import overrides

    asked = Options(by, begin, requests_per_day, users, first, times, least_soak)
    with busy("looking for the soonest schedule"):
        found = planned(params, overrides(set_ or []), asked)
    if json_:
        say_json(found.as_dict())
        return
    columns = (
        Column("step", "step"),
        Column("begins (UTC)", "begins", rank=1),
        Column("soak", "soak"),
        Column("can promote (UTC)", "ends"),
        Column("requests", "requests", rank=3),
        Column("needed", "needed", rank=4),
        Column("guard", "guard", rank=2),
        Column("users harmed", "users"),
    )
    where = "seen" if found.seen.known else "as given or declared"
    most = f"users harmed at most, at {found.confidence * 100:g} %"
    title = f"The soonest schedule at {found.seen.per_day:,.0f} requests a day ({where}); {most}"
    table(title, columns, found.rows())
    budget = f"budget {found.users:,} users" if found.users else "no budget (gates.yaml, harm.users)"
    after = f", {found.schedule.after_h:g} h after the migration included" if found.schedule.after_h else ""
    prose(f"done: {when(found.schedule.ends)} UTC{after}; {budget}", bold=True)
