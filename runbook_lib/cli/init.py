"""`runbook init` and `runbook upgrade`: the project's folder, and its differences from a newer version."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runbook_lib.base.errors import Exit, UsageError
from runbook_lib.cli.options import AsJson, output
from runbook_lib.cli.terminal import Column, prose, say, say_json, table

if TYPE_CHECKING:
    from runbook_lib.commands.init.folder import File

_INIT_EXITS = """\b
Exit codes:
  0  the folder is complete
  1  error: AWS not reachable, credentials expired
  2  bad usage, no such stack, or the folder cannot be written
  3  files that differ were left alone: a human is needed"""
_UPGRADE_EXITS = """\b
Exit codes:
  0  everything is as in the installed version
  2  bad usage, or no project here
  3  something differs: a human is needed"""


def register(app: typer.Typer) -> None:
    """Adds the commands to `app`."""
    app.command(epilog=_INIT_EXITS)(init)
    app.command(epilog=_UPGRADE_EXITS)(upgrade)


def init(
    service: Annotated[str, typer.Option(help="The service's name, such as orders-export.")],
    from_stack: Annotated[str, typer.Option(metavar="STACK", help="Ask AWS: the stack's resources and names.")] = "",
    offline: Annotated[bool, typer.Option("--offline", help="Ask nobody: missing values are guessed.")] = False,
    env: Annotated[str, typer.Option(help="Environment of the stack; default: the one in its name.")] = "",
    region: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[ENV=]REGION", help="AWS region, of one environment or of all others; default: us-east-1."
        ),
    ] = None,
    environment: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=KIND",
            help="Your own environments in their order, each development, staging or production; without it those of "
            "the folder, else dev, staging and prod.",
        ),
    ] = None,
    account: Annotated[list[str] | None, typer.Option(metavar="ENV=ID", help="Account of an environment.")] = None,
    name: Annotated[
        list[str] | None, typer.Option(metavar="RESOURCE=NAME", help="As in service.yaml: worker=orders-{env}.")
    ] = None,
    route: Annotated[
        list[str] | None,
        typer.Option(metavar="ROUTE=PATH", help="sync, submit or status (status=none: there is none)."),
    ] = None,
    api: Annotated[str, typer.Option(help="Kind of the API: rest or http.")] = "",
    stage: Annotated[str, typer.Option(help="The API's stage.")] = "",
    release: Annotated[str, typer.Option(help="Id of the rollout.")] = "",
    tool: Annotated[
        str,
        typer.Option(
            help="Tool that deploys: cdk, sam, cloudformation or terraform; without it the folder's, else cdk."
        ),
    ] = "",
    into: Annotated[Path, typer.Option(callback=output, help="The project's folder.")] = Path(),
    json_: AsJson = False,
) -> None:
    """Write a project for a service: notebooks, complete and commented parameters, and the workflow of CI.

    Says what it found, what it guessed from the service's name, and what is missing and where to enter it. An existing
    file is never overwritten: if it differs, the difference is shown. A second run starts from what the
    folder says, and changes nothing.

    Example: [bold]runbook init --service orders-export --from-stack orders-prod --region eu-central-1[/bold]

    Example: [bold]runbook init --service orders-export --offline --account prod=000000000103[/bold]

    Example: [bold]runbook init --service orders-export --offline --environment qa=development \\
    --environment prod-eu=production --account prod-eu=000000000103[/bold]
    """
    from runbook_lib.commands.init import answers, environments, folder, there, tools
    from runbook_lib.commands.init import from_stack as stacks
    from runbook_lib.params.phases import ENVIRONMENTS, stand_in

    if bool(from_stack) == offline:
        raise UsageError("init: expects --from-stack STACK (AWS is asked) or --offline (nobody is), one of the two")
    own = environments.of_flags(environment or ()) or environments.of_folder(into)
    known = answers.of_flags(
        service,
        region=_regions(region or [], there.regions(into, own or ENVIRONMENTS)),
        kind=api,
        stage=stage,
        release=release,
        accounts=account or (),
        names=name or (),
        routes=route or (),
        environments=own,
    )
    known.tool = tools.known(tool) if tool else there.tool(into, service)
    left: list[str] = []
    if from_stack:
        from runbook_lib.base.aws import WHO_S, Aws

        where = env or stacks.environment(from_stack, known.environments)
        if where not in known.environments:
            one_of = ", ".join(known.environments)
            said = f"is '{where}'" if where else "is not given"
            raise UsageError(f"--env {said}, expects one of {one_of}: whose stack is it?")
        left = stacks.look(known, from_stack, where, Aws(known.region_of(where), answer_s=WHO_S, tries=2))
    there.add(into, known)
    known.complete()
    told = known.told()
    done = folder.write(into, there.priced(into, folder.planned(known)))
    if json_:
        rows = [dict(zip(("source", "what", "value"), row, strict=True)) for row in told]
        say_json({"values": rows, "left": left, "files": [asdict(one) for one in done]})
    else:
        columns = (
            Column("", "source"),
            Column("what", "what"),
            Column("value, or where to say it", "value", prose=True),
        )
        table("", columns, [dict(zip(("source", "what", "value"), row, strict=True)) for row in told])
        for sentence in left:
            prose(sentence, fg="yellow")
        _show(done)
        production = stand_in(known.environments)["prod"]
        then = f"`runbook params check`, `runbook doctor --env {production}`, `runbook run 01 --env {production}`"
        prose(f"next: enter what is missing, then {then}")
    raise typer.Exit(int(Exit.HOLD if any(one.state == "differs" for one in done) else Exit.OK))


def _regions(given: list[str], known: list[str]) -> list[str]:
    """What is said after what the folder says; one for all environments leaves nothing of the folder's."""
    return [*(known if all("=" in one for one in given) else ()), *given]


def upgrade(
    take: Annotated[bool, typer.Option("--take", help="Replace files that differ by the installed version's.")] = False,
    json_: AsJson = False,
) -> None:
    """Show what is new in the installed version's notebooks and workflow, compared with the project's.

    Parameters are never touched; CHANGELOG.md says what is new in them. With --take the files are replaced: commit
    yours before.

    Example: [bold]pip install --upgrade rollout-runbook && runbook upgrade[/bold]
    """
    from runbook_lib.base.project import project_root
    from runbook_lib.commands.init.folder import upgraded

    done = upgraded(project_root(), take=take)
    if json_:
        say_json([asdict(one) for one in done])
    else:
        _show(done)
    raise typer.Exit(int(Exit.HOLD if any(one.state == "differs" for one in done) else Exit.OK))


def _show(done: list[File]) -> None:
    for state in ("written", "as it was", "differs"):
        mine = [one for one in done if one.state == state]
        if mine:
            prose(f"{state}: {', '.join(one.path for one in mine)}", bold=state == "differs" or None)
    for one in done:
        if one.state == "differs":
            say(one.difference)
