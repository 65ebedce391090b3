"""`runbook rehearse` and `runbook lab`: only typer; `rehearse/play` and `rehearse/quick` do the work."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from runbook_lib.base.errors import Exit, UsageError
from runbook_lib.base.project import expanded
from runbook_lib.cli.options import AsJson, file_option, number
from runbook_lib.cli.terminal import Column, prose, say, say_json, table

REHEARSAL_EXITS = """\b
Exit codes:
  0  accepted; or the scenario ended as it declares
  1  error: a run that broke
  2  bad usage: no such scenario or phase
  3  hold: the rollout stopped; or the scenario ended otherwise than it declares
  4  rollback advised in a rollout that should have been accepted"""

_PLAYS = (
    Column("seed", "seed"),
    Column("decision", "decision"),
    Column("in", "phase", rank=1),
    Column("by", "by"),
    Column("minutes", "minutes"),
    Column("users served", "served", rank=2),
    Column("as expected", "expected"),
)
_SCENARIOS = (
    Column("scenario", "name"),
    Column("from", "first"),
    Column("should end", "ends", rank=1),
    Column("", "title", prose=True),
    Column("", "explanation", prose=True),
)


def register(app: typer.Typer) -> None:
    """Adds the commands to `app`."""
    app.command(epilog=REHEARSAL_EXITS)(rehearse)
    app.command()(lab)


def rehearse(
    seed: Annotated[
        int,
        typer.Option(callback=number, min=0, help="Seed of the simulated world; the same seed gives the same days."),
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
    seeds: Annotated[
        int, typer.Option(callback=number, min=1, help="With --quick: this many plays, from --seed on.")
    ] = 1,
    params: Annotated[
        Path | None,
        file_option("With --quick: judge by the policy and service of this file, or of this environment."),
    ] = None,
    project: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder of another project, which contains its params/."),
    ] = None,
    production: Annotated[
        str, typer.Option(metavar="ENV", help="Of several environments with users the one whose rollout is played.")
    ] = "",
    list_: Annotated[bool, typer.Option("--list", help="List the scenarios with what each does, and stop.")] = False,
    json_: AsJson = False,
) -> None:
    """Rehearse the rollout on the embedded AWS: real notebooks, real API calls, no account, no network.

    Starts the embedded AWS on a loopback port with the sandbox for dev, staging and prod, and runs every notebook from
    preflight to acceptance through some twenty virtual days. Any other scenario than healthy is played to its own end,
    with the rollback's notebook; the exit code is 0 if that is the end which the scenario declares, else 3.

    With --quick a team checks whether its own gates would have caught a fault: a play takes some seconds, and --json
    prints an array with one object per seed. A shift beyond the harm budget (gates.yaml, harm.users) is refused, too.

    Examples: [bold]runbook rehearse --scenario async_failing --start-phase 06[/bold]

    [bold]runbook rehearse --project examples/orders-export[/bold]

    [bold]runbook rehearse --scenario ours.yaml --quick --seeds 20 --params params/prod.yaml --json[/bold]
    """
    from runbook_lib.rehearse.play import director, stage

    if project is not None:
        _enter(project)
    if production:
        stage.in_production(production)
    if list_:
        from runbook_lib.rehearse.play.played import LEGEND, listing

        if sys.stdout.isatty():
            for line in LEGEND.splitlines():
                prose(line, hang=" " * 15 if line.startswith("  ") else "")
        table("", _SCENARIOS, listing())
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
        say_json(finished.as_dict())
    raise typer.Exit(finished.exit_code)


def _enter(project: Path) -> None:
    """Makes the project's folder the working folder, as if the command were called there; refuses any other."""
    folder = expanded(project, "--project")
    if not (folder / "params" / "gates.yaml").is_file():
        raise UsageError(
            f"--project {project}: there is no params/gates.yaml in it; name the folder that holds params/"
        )
    os.chdir(folder)


def _quick(name: str, seeds: range, file: Path | None, start_phase: str, json_: bool) -> NoReturn:
    """Plays a scenario in this process, and exits with 0 if every play ended as the scenario expects, else with 3."""
    from runbook_lib.params.load import load_file, params_dir
    from runbook_lib.rehearse.play.stage import places
    from runbook_lib.rehearse.quick import many
    from runbook_lib.rehearse.world.scenario import find

    known = find(name)
    known.starts_at(start_phase)
    if known.notebooks_only:
        raise UsageError(f"'{known.name}' is found in the first week after the rollout: play it without --quick")
    policy = load_file(file or params_dir() / f"{places().prod}.yaml", {})
    found = []
    say(f"playing '{known.name}' {len(seeds)} time{'s' * (len(seeds) > 1)}, some seconds each", dim=True, err=True)
    for one in many.plays(policy, known, seeds, start_phase):
        found.append(one)
        if not json_:
            say(f"seed {one.ended.seed}: {one.ended.decision} ({len(found)} of {len(seeds)})", err=True)
    if json_:
        say_json([one.as_dict() for one in found])
    else:
        table(f"{known.title} ({known.name})", _PLAYS, many.rows(known, found))
        for line in many.remarks(found):
            say(line)
    raise typer.Exit(int(Exit.HOLD) if any(one.wrong for one in found) else int(Exit.OK))


def lab(
    seed: Annotated[int, typer.Option(callback=number, min=0, help="Seed of the simulated world.")] = 7,
    scenario: Annotated[
        str,
        typer.Option(
            help="Practise: a scenario in which something goes wrong (see --list), or a YAML file of your own."
        ),
    ] = "healthy",
    port: Annotated[
        int, typer.Option(callback=number, min=0, max=65535, help="Port of JupyterLab; 0 takes a free one.")
    ] = 8888,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
    list_: Annotated[bool, typer.Option("--list", help="List what can be practised, and stop.")] = False,
) -> None:
    """Start JupyterLab on the notebooks, with a rollout under way in the embedded AWS: no account, no network.

    The healthy one is for looking around. With --scenario something goes wrong during a soak: the terminal says why
    you are called and what to do first, the clock runs, and at the end it says how long it took and what was
    right.

    Ends with Ctrl-C, which also stops the embedded AWS.

    Example: [bold]runbook lab --scenario async_failing[/bold]
    """
    if list_:
        from runbook_lib.rehearse.play.played import listing
        from runbook_lib.rehearse.play.practice import practised

        table("", _SCENARIOS, listing(practised()))
        return
    from runbook_lib.rehearse.play.lab import lab as start

    raise typer.Exit(start(seed=seed, port=port, browser=browser, scenario=scenario))
