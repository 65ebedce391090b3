"""The `runbook` command. Heavy rooms are imported only by the command that needs them."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import click
import typer

from runbook_lib.base.errors import Exit, UsageError
from runbook_lib.base.limits import too_tight
from runbook_lib.cli import (
    archive,
    cost,
    deviation,
    dlq,
    doctor,
    init,
    people,
    plan_steps,
    policies,
    probe,
    release,
    replay,
    verify,
    watch,
)
from runbook_lib.cli import params as parameters
from runbook_lib.cli import rehearse as rehearsal
from runbook_lib.cli.ending import answering
from runbook_lib.cli.guarded import guarded
from runbook_lib.cli.misuse import Group
from runbook_lib.cli.options import Apply, AsJson, Confirm, ParamsFile, Reason, Set, number
from runbook_lib.cli.streams import closed, lasting
from runbook_lib.cli.terminal import Column, advice, prose, say, say_json, table

if TYPE_CHECKING:
    from runbook_lib.commands.status import Status
    from runbook_lib.run.launch import Finished

EXIT_CODES = """\b
Exit codes:
  0  planned, soaking in order, or promoted
  1  error: AWS not reachable, credentials expired, a run that broke
  2  bad usage or bad parameters; nothing was changed
  3  hold: a human is needed
  4  rollback advised, or AWS took the weight back by itself"""


app = typer.Typer(
    name="runbook",
    cls=Group,
    help="Take a service from a failing synchronous endpoint to an async pipeline, step by step, with a gate at each "
    "step and a record of every run.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"runbook {metadata.version('rollout-runbook')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """What stands before a command."""


@app.command(epilog=EXIT_CODES)
def run(
    notebook: Annotated[str, typer.Argument(help="Notebook or step by name or number: 06_phase1_10_percent, or 06.")],
    params: ParamsFile,
    set_: Set = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Carry out what the plan proposes. Also needs --confirm.")
    ] = False,
    confirm: Confirm = "",
    json_: AsJson = False,
) -> None:
    """Run one notebook with papermill and archive it.

    Without --apply nothing is changed: the notebook asks AWS, judges, and shows what it would do.

    Example: [bold]runbook run 06 --env prod --apply --confirm prod[/bold]
    """
    from runbook_lib.run.launch import asked

    _launch(notebook, params, asked(set_ or [], apply=apply, confirm=confirm), json_)


@app.command(epilog=EXIT_CODES)
def rollback(
    scenario: Annotated[
        str, typer.Argument(help="1: async failing (turn it off). 2: queue backlog. 3: DynamoDB throttling.")
    ],
    params: ParamsFile,
    set_: Set = None,
    apply: Apply = False,
    confirm: Confirm = "",
    reason: Reason = "",
    notebook: Annotated[
        bool, typer.Option("--notebook/--no-notebook", help="Run the notebook that verifies it afterwards.")
    ] = True,
    json_: AsJson = False,
) -> None:
    """Turn async off now: one call that neither a bake nor a firing alarm can stop.

    The effect comes first; then the notebook verifies it, explains the failures and records them. Only the account and
    the confirmation can stop it. 2 and 3 run their notebooks: more workers or more capacity, watched; run them again
    when they say so.

    Example: [bold]runbook rollback 1 --env prod --apply --confirm prod[/bold]
    """
    from runbook_lib.commands.rollback import rollback_1, show
    from runbook_lib.run.launch import asked

    values = asked(set_ or [], apply=apply, confirm=confirm, reason=reason)
    if scenario in ("2", "3"):
        _launch(f"rollback_{scenario}", params, values, json_)
    if scenario != "1":
        raise UsageError(f"rollback '{scenario}': expects 1 (async failing), 2 (queue backlog) or 3 (throttling)")
    done = rollback_1(params, values, notebook=notebook)
    show(done, json_)
    raise typer.Exit(done.exit_code)


@app.command(epilog=EXIT_CODES)
def status(
    params: ParamsFile,
    set_: Set = None,
    watch: Annotated[bool, typer.Option("--watch", help="Ask repeatedly, until Ctrl-C.")] = False,
    interval: Annotated[
        float, typer.Option(callback=number, help="With --watch: seconds between two looks.", min=5)
    ] = 30.0,
    json_: AsJson = False,
) -> None:
    """Show the rollout on one screen: the weight now, what passed, what is due, the next command.

    Example: [bold]runbook status --env prod --watch[/bold]
    """
    from runbook_lib.commands.status import again
    from runbook_lib.run.launch import asked

    code = int(Exit.ERROR)
    for seen in again(params, asked(set_ or []), every=interval if watch else None):
        if isinstance(seen, str):
            say(seen, fg="red", err=True)
        elif json_:
            say_json(seen.as_dict())
        else:
            if watch and sys.stdout.isatty():
                click.clear()
            _show_status(seen)
        code = code if isinstance(seen, str) else seen.exit_code
        if watch and closed():  # nobody reads it any more
            break
    raise typer.Exit(code)


def _show_status(seen: Status) -> None:
    for line in seen.unread():
        prose(line, fg="red", bold=True)
    if seen.unfinished and not seen.next_words.startswith(seen.unfinished):  # once is enough
        prose(seen.unfinished, fg="red", bold=True)
    prose(seen.head, bold=True)
    columns = (
        Column("step", "step"),
        Column("in", "env"),
        Column("state", "state"),
        Column("last record", "record", rank=1),
        Column("as of", "at", rank=3),
        Column("come back", "due", rank=2),
        Column("why", "why", prose=True),
    )
    table(seen.title, columns, seen.rows())
    for forecast in seen.harm:
        prose(forecast.words, fg=None if forecast.holds else "yellow")
    for reminder in seen.reminders():
        prose(reminder, fg="yellow")
    prose(f"next: {seen.next_beside}", fg="red" if seen.unfinished else None, bold=True)
    if seen.next:
        say(seen.next, bold=True)


def _launch(notebook: str, params: Path, values: dict[str, Any], json_: bool) -> NoReturn:
    """Runs a notebook by name or number, shows its result, and exits with its code."""
    from runbook_lib.params.load import read_yaml
    from runbook_lib.run.launch import find_step, launch

    path, values = find_step(notebook, params, values)

    def begins() -> None:
        told = "apply: it may change AWS" if values["mode"] == "apply" else "plan: nothing will be changed"
        if values["mode"] == "plan" and read_yaml(params).get("mode") == "apply":
            told += f"; {params} says mode: apply, but on the command line only --apply applies"
        if not json_:
            say(f"running {values.get('rollout_step') or path.stem} with {params} ({told})", err=True)

    def shown(finished: Finished) -> None:
        if json_:
            say_json(finished.as_dict())
        else:
            _show_finished(finished)

    bar = sys.stderr.isatty() and not json_
    done = launch(path, params, values, progress=bar, tells=True, begins=begins, cut=shown)
    shown(done)
    raise typer.Exit(done.exit_code)


def _show_finished(finished: Finished) -> None:
    colour = {"PROMOTE": "green", "SOAK": "blue", "PLANNED": "blue", "HOLD": "yellow", "ROLLBACK": "red"}
    prose(f"{finished.headline}", fg=colour.get(finished.decision or "", "red"), bold=True)
    if finished.next:
        advice("next:   ", finished.next)
    if finished.report:
        say(f"report: {finished.report}")


_NOUNS = (people, plan_steps, watch, replay, cost, probe, deviation, dlq, parameters, rehearsal, archive, verify)
for noun in (*_NOUNS, doctor, policies, init, release):
    noun.register(app)


def main() -> NoReturn:
    """The command line: every error becomes one sentence on standard error, and its exit code."""
    lasting()
    answering()
    guarded(_called)


def _called() -> None:
    if told := too_tight():
        raise UsageError(told)
    app(standalone_mode=True)


if __name__ == "__main__":
    main()
