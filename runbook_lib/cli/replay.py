"""`runbook replay`: makes a sealed verdict again, or shows what another policy would have decided."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runbook_lib.base.errors import Exit, UsageError
from runbook_lib.base.window import when
from runbook_lib.cli.options import ArchiveRoot, existing, written
from runbook_lib.cli.terminal import Column, prose, say_json, table
from runbook_lib.judge import words

if TYPE_CHECKING:
    from runbook_lib.rollout.replay import Replayed

_EXITS = """\b
Exit codes:
  0  everything came out as it was sealed; with --policy, whatever came out
  1  error: no such record, one was altered or removed, or (--all) the archive around them was
  2  bad usage, or a policy that is wrong
  3  a verdict came out differently than it was sealed: a human is needed; or you may not read a file of the archive;
     or (--all) whether records were removed cannot be told: there is no log yet, or a seal was cut short"""


def register(app: typer.Typer) -> None:
    """Adds the command to `app`."""
    app.command(epilog=_EXITS)(replay)


def replay(
    record: Annotated[str, typer.Argument(help="Run id, or the beginning of one.")] = "",
    all_: Annotated[bool, typer.Option("--all", help="Every record of the archive instead of one.")] = False,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", callback=written, help="Another gates.yaml: say what it would have decided."),
    ] = None,
    archive: ArchiveRoot = Path("archive"),
    env: Annotated[str | None, typer.Option(help="With --all: only this environment.")] = None,
    release: Annotated[str | None, typer.Option(help="With --all: only this release.")] = None,
    notebook: Annotated[str | None, typer.Option(help="With --all: only this notebook.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="One JSON document on standard output, nothing else.")] = False,
) -> None:
    """Make a verdict again from its record alone: no AWS, no network, no clock.

    The evidence is made from the raw answers, the verdict from evidence and policy, and both are compared exactly with
    the sealed ones. With --policy another gates.yaml judges the same answers; with --all the decisions that would flip
    are listed.

    Example: [bold]runbook replay 761f451b[/bold]

    Example: [bold]runbook replay --all --policy params/stricter.yaml --archive archive[/bold]
    """
    from runbook_lib.params.load import read_yaml, validated
    from runbook_lib.params.policy import Policy
    from runbook_lib.params.sane import check_policy
    from runbook_lib.record.archive import Archive
    from runbook_lib.record.frame import frame
    from runbook_lib.rollout.replay import removed, replay_all
    from runbook_lib.rollout.replay import replay as once

    if bool(record) == all_:
        raise UsageError("replay: name one record, or say --all")
    archive = existing(archive)
    other = validated(Policy, read_yaml(policy), str(policy)) if policy else None
    if other is not None:
        check_policy(other, str(policy))
    where = Archive(archive)
    if not all_:
        done = once(where, where.find(record), other)
        say_json(done.as_dict()) if json_ else _show(done, other is not None)
        raise typer.Exit(_code([done], other is not None))
    refs = where.records(env, release, notebook)
    found = [*replay_all(where, refs, other), *removed(where, env, release, notebook)]
    if json_:
        say_json([one.as_dict() for one in found])
    else:
        _show_all(found, other is not None)
    code = _code(found, other is not None)
    if code != Exit.ERROR:
        frame(where.root).whole()
    raise typer.Exit(code)


def _code(found: list[Replayed], other: bool) -> int:
    if any(one.kind == "" and not (one.identical or one.unread) for one in found):
        return int(Exit.ERROR)
    if any(one.unread for one in found):
        return int(Exit.HOLD)
    return int(Exit.OK if other or all(one.identical for one in found) else Exit.HOLD)


def _show(done: Replayed, other: bool) -> None:
    """Prints one record in a few lines."""
    prose(f"{done.notebook} in {done.env}, run {done.run_id}, as of {when(done.as_of)}")
    if not done.kind:
        prose(f"no verdict to make again: {done.note}")
        return
    prose(f"sealed: {done.sealed_reason or done.sealed}")
    if other:
        prose(f"now:    {done.now_reason}", bold=True)
        if done.kind != "gates":
            prose("it was decided by checks, on which a policy of gates has no bearing")
        elif not done.turned:
            prose("no gate says anything else")
    elif done.identical:
        from_raw = f"{done.measures} measures from the raw answers, " if done.measures else ""
        what = f"{words.count(done.gates, 'gate')}" if done.kind == "gates" else "the checks"
        prose(f"identical: {from_raw}the verdict of {what}, and the decision {done.sealed}", fg="green")
    for said in done.differences:
        prose(f"differs: {said}", fg="red")
    for gate in done.turned:
        prose(f"  {gate.title}: {gate.sealed or 'no such gate'} -> {gate.now or 'no such gate'}: {gate.reason}")
    if done.note:
        prose(f"note: {done.note}")


def _show_all(found: list[Replayed], other: bool) -> None:
    """Prints the records whose result differs from the sealed one; under another policy, those that would flip."""
    judged = [one for one in found if one.kind]
    odd = [one for one in found if not one.identical]
    what = "would decide otherwise" if other else "not as sealed"
    unread = sum(one.unread for one in found)
    more = f", {unread} that you may not read" if unread else ""
    told = f"{len(judged)} with a verdict; {len(odd) - unread} {what}{more}"
    prose(f"{words.count(len(found), 'record')}, {told}")
    if not odd:
        return
    columns = (
        Column("run", "run"),
        Column("notebook", "notebook"),
        Column("sealed", "sealed", rank=1),
        Column("now", "now", rank=2),
        Column("as of", "as_of", rank=3),
        Column("because", "because", prose=True),
    )
    rows = []
    for one in odd:
        why = "; ".join(one.differences) or "; ".join(f"{t.title} {t.sealed} -> {t.now}" for t in one.turned)
        named = {"run": one.run_id, "notebook": f"{one.notebook}@{one.env}", "as_of": one.as_of}
        rows.append({**named, "sealed": one.sealed, "now": one.now, "because": why or one.now_reason})
    table("", columns, rows)
