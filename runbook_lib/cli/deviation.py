"""`runbook deviation list|undo|adopt`: settings that mitigations changed by hand, and how each case ends."""

from __future__ import annotations

from typing import Annotated

import typer

from runbook_lib.base.errors import UsageError
from runbook_lib.base.window import when
from runbook_lib.cli.misuse import Group
from runbook_lib.cli.options import Apply, AsJson, Confirm, ParamsFile, Reason, Set, person
from runbook_lib.cli.terminal import prose, say, say_json
from runbook_lib.judge.words import setting

_Id = Annotated[str, typer.Argument(help="The setting, as `runbook deviation list` names it.")]

app = typer.Typer(
    cls=Group, help="What mitigations changed by hand: list, undo, adopt into the code.", no_args_is_help=True
)


def register(parent: typer.Typer) -> None:
    """Adds the commands to `parent`."""
    parent.add_typer(app, name="deviation")


@app.command("list")
def list_(params: ParamsFile, set_: Set = None, json_: AsJson = False) -> None:
    """List the open deviations of an environment: who, when, why. Asks the archive, not AWS.

    Example: [bold]runbook deviation list --params params/prod.yaml[/bold]
    """
    from runbook_lib.judge.incidents.deviation import still_open
    from runbook_lib.params.load import load_file
    from runbook_lib.record.archive import Archive
    from runbook_lib.rollout.deviations import rows, said
    from runbook_lib.run.launch import overrides

    loaded = load_file(params, overrides(set_ or []))
    told, altered = said(Archive.of(loaded), loaded.env)
    found = rows(still_open(told))
    if json_:
        say_json({"deviations": found, "warnings": altered})
        return
    for sentence in altered:
        say(f"warning: {sentence}", fg="yellow", err=True)
    if not found:
        say(f"no deviation is open in {loaded.env}")
    for one in found:
        prose(f"{one['check']}: {setting(one['was'])} -> {setting(one['now'])}", bold=True)
        prose(f"{one['by']}, {when(one['at'])}, {one['incident']}\n{one['why']}", indent="  ")


@app.command("undo")
def undo_(
    params: ParamsFile,
    deviation: _Id,
    apply: Apply = False,
    confirm: Confirm = "",
    reason: Reason = "",
    set_: Set = None,
    json_: AsJson = False,
) -> None:
    """Restore the setting, and close the deviation. Workers and their event source are restored together.

    Example: [bold]runbook deviation undo inventory.table.billing -f params/prod.yaml --apply --confirm prod[/bold]
    """
    from runbook_lib.commands.deviation import undo
    from runbook_lib.run.launch import asked

    done = undo(params, asked(set_ or [], apply=apply, confirm=confirm, reason=reason), deviation)
    if json_:
        say_json(done.as_dict())
        return
    prose(done.sentence, bold=True)
    if done.record:
        say(f"record: {done.record}")


@app.command("adopt")
def adopt(
    params: ParamsFile,
    deviation: _Id,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who says that the code has it now.")] = "",
    set_: Set = None,
    json_: AsJson = False,
) -> None:
    """State that the infrastructure code has the setting now, which closes the deviation. Changes nothing in AWS.

    The inventory still expects what params/service.yaml and params/inventory.yaml say: change it there too.

    Example: [bold]runbook deviation adopt inventory.table.billing --by "Ada L." -f params/prod.yaml[/bold]
    """
    from runbook_lib.base.aws import caller
    from runbook_lib.base.window import iso
    from runbook_lib.commands.deviation import not_open
    from runbook_lib.params.load import load_file
    from runbook_lib.record.archive import Archive
    from runbook_lib.rollout import deviations
    from runbook_lib.run.launch import overrides

    by = person(by)
    loaded = load_file(params, overrides(set_ or []))
    archive = Archive.of(loaded)
    known = deviations.open_deviations(archive, loaded.env)
    if deviation not in known:
        raise UsageError(not_open(deviation, known))
    _, identity = caller(loaded)
    deviations.close(archive, loaded, [deviation], "adopted", by=by, at=iso(identity.now), arn=identity.arn)
    one = known[deviation]
    sentence = (
        f"{one.title} is {setting(one.value)} by the code now, says {by}; let params/service.yaml or "
        "params/inventory.yaml expect it too"
    )
    say_json({"check": deviation, "sentence": sentence}) if json_ else say(sentence)
