"""The `runbook` command. Heavy rooms are imported only by the command that needs them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from runbook_lib.base.errors import Exit, RunbookError, UsageError
from runbook_lib.cli import cost as cli_cost
from runbook_lib.cli import deviation as cli_deviations
from runbook_lib.cli import dlq as cli_dlq
from runbook_lib.cli import people as cli_entries
from runbook_lib.cli import probe as cli_probe
from runbook_lib.cli import replay as cli_replay
from runbook_lib.cli import watch as cli_watch
from runbook_lib.cli.options import AsJson, ParamsFile, Set

EXIT_CODES = """\b
Exit codes:
  0  planned, soaking in order, or promoted
  1  error: AWS not reachable, credentials expired, a run that broke
  2  bad usage or bad parameters; nothing was changed
  3  hold: a human is needed
  4  rollback advised, or AWS took the weight back by itself"""

REHEARSAL_EXITS = """\b
Exit codes:
  0  accepted; or the scenario ended as it declares
  1  error: a run that broke
  2  bad usage: no such scenario or phase
  3  hold: the rollout stopped; or the scenario ended otherwise than it declares
  4  rollback advised in a rollout that should have been accepted"""

app = typer.Typer(
    name="runbook",
    help="Take a service from a failing synchronous endpoint to an async pipeline, step by step, with a gate at each "
    "step and a record of every run.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
archive_app = typer.Typer(help="Look into the archive of sealed records.", no_args_is_help=True)
app.add_typer(archive_app, name="archive")
cli_entries.register(app)
cli_watch.register(app)
cli_replay.register(app)
cli_cost.register(app)
cli_probe.register(app)
cli_deviations.register(app)
cli_dlq.register(app)

ArchiveRoot = Annotated[Path, typer.Option("--archive", help="Folder of the audit records.")]


@app.command(epilog=EXIT_CODES)
def run(
    notebook: Annotated[str, typer.Argument(help="Notebook by name or number: 06_phase1_10_percent, or 06.")],
    params: ParamsFile,
    set_: Set = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Carry out what the plan proposes. Also needs --confirm.")
    ] = False,
    confirm: Annotated[str, typer.Option(help="Repeat the environment's name.")] = "",
    json_: AsJson = False,
) -> None:
    """Run one notebook by papermill and archive it.

    Without --apply nothing is changed: the notebook asks AWS, judges, and shows what it would do.

    Example: [bold]runbook run 06 --env prod --apply --confirm prod[/bold]
    """
    from runbook_lib.run.launch import overrides

    values = overrides(set_ or [])
    if apply:
        values["mode"] = "apply"
    if confirm:
        values["confirm"] = confirm
    _launch(notebook, params, values, json_)


@app.command(epilog=EXIT_CODES)
def rollback(
    scenario: Annotated[
        str, typer.Argument(help="1: async failing (turn it off). 2: queue backlog. 3: DynamoDB throttling.")
    ],
    params: ParamsFile,
    set_: Set = None,
    apply: Annotated[bool, typer.Option("--apply", help="Do it. Also needs --confirm.")] = False,
    confirm: Annotated[str, typer.Option(help="Repeat the environment's name.")] = "",
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    notebook: Annotated[
        bool, typer.Option("--notebook/--no-notebook", help="Run the notebook that verifies it afterwards.")
    ] = True,
    json_: AsJson = False,
) -> None:
    """Turn async off now: one call that neither a bake nor a firing alarm can stand in the way of.

    The effect comes first; then the notebook verifies it, explains the failures and records. Only the account and the
    confirmation can hold it up. 2 and 3 run their notebooks: more workers, or more capacity, watched; run them again
    when they say so.

    Example: [bold]runbook rollback 1 --env prod --apply --confirm prod[/bold]
    """
    from runbook_lib.commands.rollback import rollback_1, show
    from runbook_lib.run.launch import overrides

    values = {**overrides(set_ or []), "mode": "apply" if apply else "plan", "confirm": confirm}
    if reason:
        values["reason"] = reason
    if scenario in ("2", "3"):
        _launch(f"rollback_{scenario}", params, values, json_)
    if scenario != "1":
        raise UsageError(f"rollback '{scenario}': wants 1 (async failing), 2 (queue backlog) or 3 (throttling)")
    done = rollback_1(params, values, notebook=notebook)
    show(done, json_)
    raise typer.Exit(done.exit_code)


@app.command(epilog=REHEARSAL_EXITS)
def rehearse(
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the simulated world; the same seed gives the same days.")
    ] = 7,
    scenario: Annotated[
        str, typer.Option(help="Scenario of the world by name (see --list), or a YAML file of your own.")
    ] = "healthy",
    start_phase: Annotated[
        str, typer.Option(help="06, 07 or 08: begin there, with the steps before taken as passed.")
    ] = "",
    quick: Annotated[
        bool, typer.Option("--quick", help="In one process, without notebooks: world, questions and judge alone.")
    ] = False,
    seeds: Annotated[int, typer.Option(min=1, help="With --quick: this many plays, from --seed on.")] = 1,
    params: Annotated[
        Path | None, typer.Option("--params", "-f", help="With --quick: judge by this file's policy and service.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the scenarios with what each does, and stop.")] = False,
    json_: AsJson = False,
) -> None:
    """Rehearse the rollout on the embedded AWS: real notebooks, real API calls, no account, no network.

    Starts the embedded AWS on a loopback port with the sandbox for dev, staging and prod, and walks every notebook from
    preflight to acceptance through some twenty virtual days. Another scenario than the healthy one is played to its own
    end, the rollback's notebook included; it ends with 0 if that is the end which the scenario declares, with 3 if not.

    With --quick a team asks whether its own gates would have caught it: the plays take a second or two each, and --json
    prints an array with one object a seed.

    Examples: [bold]runbook rehearse --scenario async_failing --start-phase 06[/bold]

    [bold]runbook rehearse --scenario ours.yaml --quick --seeds 20 --params params/prod.yaml --json[/bold]
    """
    from runbook_lib.rehearse.play import director

    if list_:
        from runbook_lib.rehearse.play.matrix import listing

        listing()
        return
    if quick:
        _quick(scenario, range(seed, seed + seeds), params, start_phase, json_)
    if seeds != 1 or params is not None:
        raise UsageError("--seeds and --params go with --quick: the notebooks rehearse one seed of production's own")
    if scenario == "healthy" and not start_phase:
        finished = director.rehearse(scenario=scenario, seed=seed, quiet=json_)
    else:
        from runbook_lib.rehearse.play.play import play

        finished = play(scenario, seed=seed, start_phase=start_phase, quiet=json_)
    if json_:
        typer.echo(json.dumps(finished.as_dict()))
    raise typer.Exit(finished.exit_code)


def _quick(name: str, seeds: range, file: Path | None, start_phase: str, json_: bool) -> NoReturn:
    """Plays a scenario in this process, and exits with 0 if every play ended as it expects, else with 3."""
    from runbook_lib.params.load import load_file, params_dir
    from runbook_lib.rehearse.quick import many
    from runbook_lib.rehearse.world.scenario import find

    known = find(name)
    known.starts_at(start_phase)
    if known.notebooks_only:
        raise UsageError(f"'{known.name}' is found in the first week after the rollout: play it without --quick")
    policy = load_file(file or params_dir() / "prod.yaml", {})
    found = []
    for one in many.plays(policy, known, seeds, start_phase):
        found.append(one)
        if not json_:
            typer.echo(f"seed {one.ended.seed}: {one.ended.decision} ({len(found)} of {len(seeds)})", err=True)
    if json_:
        typer.echo(json.dumps([one.as_dict() for one in found]))
    else:
        from rich.console import Console

        Console().print(many.table(known, found))
        for line in many.remarks(found):
            typer.echo(line)
    raise typer.Exit(int(Exit.HOLD) if any(one.wrong for one in found) else int(Exit.OK))


@app.command()
def lab(
    seed: Annotated[int, typer.Option(help="Seed of the simulated world.")] = 7,
    port: Annotated[int, typer.Option(help="Port of JupyterLab; 0 takes a free one.")] = 8888,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
) -> None:
    """JupyterLab on the notebooks, with a healthy rollout running in the embedded AWS.

    Ends with Ctrl-C, and takes the embedded AWS down with it.
    """
    from runbook_lib.rehearse.play.lab import lab as start

    raise typer.Exit(start(seed=seed, port=port, browser=browser))


@app.command(epilog=EXIT_CODES)
def status(params: ParamsFile, json_: AsJson = False) -> None:
    """The rollout on one screen: the weight now, what passed, what is due, the next command."""
    from runbook_lib.commands.status import rollout_status

    seen = rollout_status(params)
    if json_:
        typer.echo(json.dumps(seen.as_dict()))
    else:
        from rich.console import Console

        Console().print(seen.table())


@archive_app.command("list")
def archive_list(
    archive: ArchiveRoot = Path("archive"),
    env: Annotated[str | None, typer.Option(help="Only this environment.")] = None,
    release: Annotated[str | None, typer.Option(help="Only this release.")] = None,
    notebook: Annotated[str | None, typer.Option(help="Only this notebook.")] = None,
    json_: AsJson = False,
) -> None:
    """List the sealed records, oldest first, each verified against its hash and its predecessor."""
    from runbook_lib.record.archive import Archive, list_rows

    rows = list_rows(Archive(_existing(archive)), env=env, release=release, notebook=notebook)
    if json_:
        typer.echo(json.dumps(rows))
        return
    _table("Records", rows)


@archive_app.command("show")
def archive_show(
    record: Annotated[str, typer.Argument(help="Run id, or the beginning of one.")],
    archive: ArchiveRoot = Path("archive"),
    json_: AsJson = False,
    markdown_: Annotated[bool, typer.Option("--markdown", help="As Markdown, for the summary of a CI job.")] = False,
) -> None:
    """Show one record: decision, gates, changes, files, and whether it is unaltered."""
    from runbook_lib.record.archive import Archive, show_record

    if markdown_:
        from runbook_lib.record.markdown import markdown

        where = Archive(_existing(archive))
        typer.echo(markdown(where.load(where.find(record))), nl=False)
        return

    shown = show_record(Archive(_existing(archive)), record)
    if json_:
        typer.echo(json.dumps(shown))
        return
    gates = shown.pop("gates", [])
    _table(f"Record {record}", [{"": key, "value": value} for key, value in shown.items()])
    if gates:
        _table("Gates", gates)


@archive_app.command("attach")
def archive_attach(
    notebook: Annotated[Path, typer.Argument(help="The notebook as saved in JupyterLab.", exists=True, dir_okay=False)],
    archive: ArchiveRoot = Path("archive"),
) -> None:
    """Add the saved notebook of an interactive run, and its report, to the record that the run sealed."""
    from runbook_lib.record.archive import Archive
    from runbook_lib.record.attach import attach

    where = attach(notebook, Archive(_existing(archive)))
    typer.echo(f"attached to {where}")


def _launch(notebook: str, params: Path, values: dict[str, Any], json_: bool) -> NoReturn:
    """Runs a notebook by name or number, shows what came of it, and exits with its code."""
    from runbook_lib.params.load import load_file
    from runbook_lib.run.launch import find_notebook, launch

    path, terminal = find_notebook(notebook), sys.stderr.isatty() and not json_
    load_file(params, values)
    if not terminal and not json_:
        typer.echo(f"running {path.stem} with {params} ({values.get('mode', 'plan')})", err=True)
    finished = launch(path, params, values, progress=terminal)
    if json_:
        typer.echo(json.dumps(finished.as_dict()))
    else:
        _show_finished(finished)
    raise typer.Exit(finished.exit_code)


def _existing(root: Path) -> Path:
    if not root.is_dir():
        raise UsageError(f"--archive: {root} is no folder; run a notebook first, or name the right folder")
    return root


def _table(title: str, rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    if not rows:
        typer.echo("none")
        return
    table = Table(title=title, title_justify="left")
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    Console().print(table)


def _show_finished(finished: Any) -> None:
    colour = {"PROMOTE": "green", "SOAK": "blue", "PLANNED": "blue", "HOLD": "yellow", "ROLLBACK": "red"}
    typer.secho(f"{finished.headline}", fg=colour.get(finished.decision or "", "red"), bold=True)
    if finished.next:
        typer.echo(f"next:   {finished.next}")
    if finished.report:
        typer.echo(f"report: {finished.report}")


def main() -> NoReturn:
    """The command line: every error of ours is one sentence on standard error and its exit code."""
    guarded(lambda: app(standalone_mode=True))


def guarded(command: Callable[[], int | None]) -> NoReturn:
    """Runs `command` and exits with what it returns; an error of ours is a sentence and its exit code."""
    code: int | None = None
    try:
        code = command()
    except RunbookError as error:
        typer.secho(f"runbook: {error}", fg="red", err=True)
        sys.exit(int(error.exit_code))
    except KeyboardInterrupt:
        typer.secho("runbook: interrupted", fg="red", err=True)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(int(Exit.ERROR))
    sys.exit(int(code or Exit.OK))


if __name__ == "__main__":
    main()
