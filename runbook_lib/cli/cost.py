"""`runbook cost`: the cost of a success, on both sides, for any window."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from runbook_lib.base.errors import Exit, UsageError
from runbook_lib.cli.options import AsJson, ParamsFile, Set
from runbook_lib.cli.terminal import Column, prose, say, say_json, table
from runbook_lib.judge import words

if TYPE_CHECKING:
    from runbook_lib.commands.cost import CostReport

_EXITS = """\b
Exit codes:
  0  there is a bill, and the cost is not beyond its alert limit
  1  error: AWS not reachable, credentials expired, or nothing to make a bill of
  2  bad usage, bad parameters or a price list that is wrong
  3  the gate on the cost fails: a human is needed"""

_HEAD = ("scope", "service", "paid", "USD", "USD each", "USD a request")
_RANKS = {"USD a request": 1, "paid": 2, "fixed": 2, "by use": 1}
"""Short column heads for a terminal, and the rank by which columns are left out on a narrow one."""


def register(app: typer.Typer) -> None:
    """Adds the command to `app`."""
    app.command(epilog=_EXITS)(cost)


def cost(
    params: ParamsFile,
    since: Annotated[str, typer.Option(help="Beginning: a time (ISO 8601, UTC), or how long ago: 24h, 7d.")] = "24h",
    until: Annotated[str, typer.Option(help="End, in the same forms; default: now.")] = "",
    set_: Set = None,
    json_: AsJson = False,
    csv_: Annotated[bool, typer.Option("--csv", help="One line for each row of the bills, nothing else.")] = False,
) -> None:
    """Show the cost of a success: usage from CloudWatch and configuration, times the list prices.

    Both sides by service; infrastructure and tokens, fixed and variable costs are listed separately; the same for a
    month at this and ten times this traffic; on-demand and provisioned DynamoDB; and the cost of the runbook itself.

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
        say_json(plain(done.as_dict()))
    elif csv_:
        typer.echo(done.as_csv(), nl=False)
    elif sys.stdout.isatty():
        _show(done)
    else:
        say(done.text())
    if not done.billed:
        say(f"runbook: no bill: {'; '.join((*done.own.notes, *done.sync.notes))}", fg="red", err=True)
        raise typer.Exit(int(Exit.ERROR))
    raise typer.Exit(int(Exit.HOLD if done.too_dear else Exit.OK))


def _show(done: CostReport) -> None:
    """Prints both bills on a terminal, fitted to its width."""
    from runbook_lib.show import cost as shown

    def listed(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], ranks: Mapping[str, int]) -> None:
        columns = [Column(name, str(place), rank=ranks.get(name, 0)) for place, name in enumerate(head)]
        table(title, columns, [{str(place): cell for place, cell in enumerate(row)} for row in rows])

    unit = words.unit(done.own.extra)
    each = [one.replace("each", f"per {unit}") for one in _HEAD]
    month = ("traffic", f"{unit}s", "infrastructure", "tokens", "USD", "fixed", "by use")
    for item, judged in ((done.own, True), (done.sync, False)):
        if not item.extra.get("lines"):
            prose(str(shown.cost_table(item, judged=judged)))
            continue
        listed(shown.caption(item, judged=judged), each, _apart(shown.bill(item)), _RANKS)
        prose(shown.note(item, judged=judged))
        if judged and (own := shown.watching(item)):
            listed(shown.WATCHING_CAPTION, shown.WATCHING, own, {})
            prose(shown.watching_note(item))
    if done.months:
        listed(shown.MONTH_CAPTION, month, shown.month_rows(done.months), _RANKS)
        prose(shown.MONTH_NOTE)
        if done.even:
            prose(shown.even_words(done.even))
    if done.gate:
        prose(f"{words.said(done.gate.verdict)}: {done.gate.reason}", bold=True)


def _apart(bill: Sequence[Sequence[str]]) -> list[list[str]]:
    """The rows of a bill for a terminal: the first two cells identify a row, so the way of paying may be left out."""
    named = [tuple(row[:2]) for row in bill]
    return [
        [scope, f"{service}, {paid}" if named.count((scope, service)) > 1 and paid else service, paid, *rest]
        for scope, service, paid, *rest in bill
    ]
