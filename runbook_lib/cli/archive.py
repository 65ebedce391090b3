"""`runbook archive`: only typer; `record/archive.py` has the contents."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from runbook_lib.base.errors import ArchiveError, UsageError, done_here
from runbook_lib.base.nearest import close
from runbook_lib.base.window import moment, when
from runbook_lib.cli import prune, questions, site
from runbook_lib.cli.misuse import Group
from runbook_lib.cli.options import ArchiveRoot, AsJson, existing, written
from runbook_lib.cli.terminal import Column, facts, prose, say, say_json, table
from runbook_lib.judge import words
from runbook_lib.judge.terms import Decision, Word

_EXITS = """\b
Exit codes:
  0  every record that is asked for is as it was sealed, and so are the folders and the log around them
  1  error: something is damaged; standard error names it
  2  bad usage: no such folder
  3  cannot tell: there is no log yet, a seal was cut short, or you may not read a file of the archive

Whom the log is signed by, and what the witness has seen, `runbook archive verify` asks."""
_VERIFIED = """\b
Exit codes:
  0  intact: every record is there and as it was sealed, and who was asked agrees
  1  damaged: each damage is named with its place
  3  cannot tell: there is no such folder or no log yet, you may not read a file of the archive, or a key or a witness
     cannot be asked"""


def _clock(at: str | None) -> str:
    """A time below a column head that says UTC."""
    return when(at).removesuffix(" UTC")


_RECORDS = (
    Column("run", "run"),
    Column("sealed", "sealed", rank=6, told=lambda row: _clock(row["sealed"]), head="sealed (UTC)"),
    Column("env", "env"),
    Column("release", "release", rank=5),
    Column("notebook", "notebook", told=lambda row: row["item"] or row["notebook"], head="notebook or item"),
    Column("mode", "mode", rank=4),
    Column("status", "status", rank=3),
    Column("decision", "decision", told=lambda row: row["word"] or row["entered"]),
    Column("as of", "as_of", rank=1, told=lambda row: _clock(row["as_of"]), head="as of (UTC)"),
    Column("intact", "intact", rank=2),
    Column("problem", "problem", prose=True),
)
_CHANGES = (
    Column("changed", "what", prose=True),
    Column("from", "before", prose=True),
    Column("to", "after", prose=True),
    Column("came of it", "came", prose=True),
    Column("way back", "undo", prose=True),
)
_LISTS = {"warnings": "warning", "files": "file"}
GATES = (
    Column("gate", "title"),
    Column("verdict", "verdict", told=lambda row: row.get("word") or row["verdict"]),
    Column("value", "value"),
    Column("interval", "interval", rank=2),
    Column("n", "n", rank=1),
    Column("target", "target", rank=3),
    Column("alert", "alert", rank=4),
    Column("", "reason", prose=True),
)


def register(app: typer.Typer) -> None:
    """Adds the noun to `app`."""
    noun = typer.Typer(cls=Group, help="Look into the archive of sealed records.", no_args_is_help=True)
    noun.command("list", epilog=_EXITS)(archive_list)
    noun.command("show", epilog=_EXITS)(archive_show)
    noun.command("attach")(archive_attach)
    noun.command("verify", epilog=_VERIFIED)(archive_verify)
    noun.command("sign")(archive_sign)
    noun.command("sync")(archive_sync)
    noun.command("prove")(archive_prove)
    noun.command("attest")(archive_attest)
    questions.register(noun)
    prune.register(noun)
    site.register(noun)
    app.add_typer(noun, name="archive")


def archive_list(
    archive: ArchiveRoot = Path("archive"),
    env: Annotated[str | None, typer.Option(help="Only this environment.")] = None,
    release: Annotated[str | None, typer.Option(help="Only this release.")] = None,
    notebook: Annotated[str | None, typer.Option(help="Only this notebook, by name or number: 06.")] = None,
    since: Annotated[str, typer.Option(help="Only records sealed since: a time, or 24h, 7d, 90min ago.")] = "",
    verdict: Annotated[
        list[str] | None, typer.Option(help="Only records that decided this, such as HOLD; may be repeated.")
    ] = None,
    json_: AsJson = False,
) -> None:
    """List the sealed records, oldest first, each verified against its hash, its predecessor and the archive's log.

    In a pipe: one record per line, with tabs between its fields.
    """
    from runbook_lib.record.archive import Archive
    from runbook_lib.record.frame import frame
    from runbook_lib.record.journal import utc_now
    from runbook_lib.record.listing import list_rows, unknown

    strange = next((one for one in verdict or () if one.upper() not in set(Word)), None)
    if strange is not None:
        known = [str(one) for one in Decision]
        raise UsageError(
            f"--verdict {strange}: no run decides that; {close(strange.upper(), known) or ', '.join(known)}"
        )
    where, begin = Archive(existing(archive)), moment(since, utc_now(), "--since") if since else None
    wanted = {"env": env, "release": release, "notebook": notebook}
    rows = list_rows(where, **wanted, since=begin, verdicts=verdict or ())
    if not rows and (told := unknown(where, env, release, notebook)):
        say(told, err=True)
    if json_:
        say_json(rows, sealed=True)
    elif rows:
        table("Records", _RECORDS, rows)
    elif sys.stdout.isatty():
        say("none")
    named = [str(row["problem"]) for row in rows if row["intact"] is False]
    many = f"{len(named)} of {words.count(len(rows), 'record')}"
    around = frame(where.root)
    for row in rows:
        if row["intact"] is None:
            around.doubt(str(row["problem"]))
    around.whole(f"{many} cannot be trusted: {'; '.join(dict.fromkeys(named))}" if named else "")


def archive_show(
    record: Annotated[str, typer.Argument(help="Run id, or the beginning of one.")],
    archive: ArchiveRoot = Path("archive"),
    json_: AsJson = False,
    markdown_: Annotated[bool, typer.Option("--markdown", help="As Markdown, for the summary of a CI job.")] = False,
) -> None:
    """Show one record: decision, gates, changes, files, and whether it is unaltered; one that is not ends with 1."""
    from runbook_lib.record.archive import Archive
    from runbook_lib.record.frame import frame
    from runbook_lib.record.listing import show_record
    from runbook_lib.show.scale import sealed_failing_first

    if json_ and markdown_:
        raise UsageError("archive show: --json or --markdown, not both")
    where = Archive(existing(archive))
    if markdown_:
        from runbook_lib.record.markdown import markdown

        ref = where.find(record)
        typer.echo(markdown(where.load(ref)), nl=False)
        where.verify(ref)
        frame(where.root).whole()
        return

    shown = show_record(where, record)
    problem = shown["problem"]
    if json_:
        say_json(shown, sealed=True)
    else:
        gates, changes = shown.pop("gates", []), shown.pop("changes", [])
        lists = {one: shown.pop(name) for name, one in _LISTS.items()}
        entry, _ = shown.pop("entry"), shown.pop("acted")  # the reason says it
        if sys.stdout.isatty():
            shown = _for_people(shown)
            gates = sealed_failing_first(gates)
        facts(f"Record {record}", shown)
        if entry:
            facts("Entry", {one["name"]: one["text"] for one in entry})
        if gates:
            table("Gates", GATES, gates)
        if changes:
            table("Changes to AWS", _CHANGES, changes)
        for name, values in lists.items():
            if values:
                table("", (Column(name, name, prose=True),), [{name: value} for value in values])
    around = frame(where.root)
    if problem and shown["intact"] is None:
        around.doubt(problem)
        problem = None
    around.whole(f"this record cannot be trusted: {problem}" if problem else "")


def _for_people(shown: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a record with one word for what it decided, times for people, and names as they are spoken."""
    told = {name.replace("_", " "): value for name, value in shown.items() if name != "word"}
    told |= {"decision": shown["word"] or shown["decision"]}
    return told | {"sealed": when(told["sealed"]), "as of": when(told["as of"])}


def archive_verify(
    archive: ArchiveRoot = Path("archive"),
    witness: Annotated[
        list[str] | None,
        typer.Option(
            help="Witness that must agree: a file or folder, s3://BUCKET/KEY, ssm:NAME, git:REPOSITORY; may be "
            "repeated. Default: service.yaml's."
        ),
    ] = None,
    key: Annotated[
        str, typer.Option(help="Key that must have signed: a PEM file, or awskms:KEY. Default: service.yaml's.")
    ] = "",
    json_: AsJson = False,
) -> None:
    """Verify the whole archive: every record, the log over all of them, its signature, and the witnesses' checkpoints.

    docs/audit.md says what each of them proves, and against whom.
    """
    from runbook_lib.commands.archive import verify

    done = verify(existing(archive, current=False, there=False).absolute(), key, witness or ())
    if json_:
        say_json(done.as_dict())
    else:
        signed = {True: "signed", False: "not signed by the key", None: "signature not checked"}[done.signed]
        prose(f"{done.state}: {words.count(done.records, 'record')}, {done.size} in the log; {signed}", bold=True)
        for name, size in done.witnessed.items():
            prose(f"the witness {name} has seen {words.count(size, 'record')}, and agrees")
        for one in done.damage:
            prose(f"damaged: {one.place}: {one.sentence}", fg="red")
        for sentence in done.unknown:
            prose(f"cannot tell: {sentence}", fg="yellow")
        for sentence in done.notes:
            prose(f"note: {sentence}")
    raise typer.Exit(int(done.exit_code))


def archive_sign(archive: ArchiveRoot = Path("archive"), json_: AsJson = False) -> None:
    """Have the key of service.yaml sign the log as it is: the first time, and after another key was chosen.

    A seal signs by itself only where the key has signed what was there before: who writes the log anew must not get it
    signed by the next seal. Look at the records before. An archive that is damaged, or whose witness knows another log,
    is not signed.

    Example: [bold]runbook archive list && runbook archive sign[/bold]
    """
    from runbook_lib.commands.archive import sign

    done = sign(existing(archive))
    if json_:
        say_json({"origin": done.origin, "size": done.size, "root": done.root.hex()})
    else:
        say(f"signed: {words.count(done.size, 'record')} of the log {done.origin}")


def archive_sync(archive: ArchiveRoot = Path("archive"), json_: AsJson = False) -> None:
    """Seal the ended runs that could not be sealed; for an archive in a bucket, also copy what others have sealed.

    Nothing is sealed twice. A run that still cannot be sealed stays in place, and the command ends with 1.

    Example: [bold]runbook archive sync --archive s3://our-records/team[/bold]
    """
    from runbook_lib.commands.archive import sync

    done = sync(existing(archive, current=False))
    if json_:
        say_json(done.as_dict())
    else:
        say(f"{words.count(len(done.sealed), 'record')} sealed, {words.count(done.came, 'file')} of others copied here")
        for one in done.sealed:
            say(one)
    if done.left:
        if done.sealed:
            done_here["sync"] = f"sealed before that: {words.count(len(done.sealed), 'record')}"
        raise ArchiveError(f"{words.count(len(done.left), 'record')} could not be sealed: {'; '.join(done.left)}")


def archive_prove(
    record: Annotated[str, typer.Argument(help="Run id, or the beginning of one.")] = "",
    archive: ArchiveRoot = Path("archive"),
    since: Annotated[
        Path | None, typer.Option(callback=written, help="An earlier checkpoint: prove that the log only grew.")
    ] = None,
    check: Annotated[
        Path | None, typer.Option(callback=written, help="Check a proof that this command has written.")
    ] = None,
    key: Annotated[
        str, typer.Option(help="With --check: the key that must have signed, a PEM file or awskms:KEY.")
    ] = "",
) -> None:
    """Write the proof that a record is in the log, or that the log only grew; or check one. Formats: docs/audit.md.

    Example: [bold]runbook archive prove 761f451b > run.tlog-proof[/bold]
    """
    from runbook_lib.commands import archive as noun

    if (bool(record), since is not None, check is not None).count(True) != 1:
        raise UsageError("archive prove: name one record, or say --since or --check")
    if check is not None:
        leaf, checkpoint = noun.check(check, key)
        by = "signed by the key" if key else "whose signature was not checked: no --key"
        say(f"{leaf.path} ({leaf.hash}) is record {leaf.index} in the log of {checkpoint.size}, {by}")
        return
    root = existing(archive).absolute()
    typer.echo(noun.prove(root, record) if since is None else noun.grew(root, since), nl=False)


def archive_attest(
    record: Annotated[str, typer.Argument(help="Run id, or the beginning of one.")],
    archive: ArchiveRoot = Path("archive"),
) -> None:
    """Write a verdict (PROMOTE, HOLD, ROLLBACK) for others: an in-toto Statement, signed by the archive's key (DSSE).

    `runbook verify` checks it, and so does every tool that reads DSSE and SLSA's verification summary. docs/audit.md.

    Example: [bold]runbook archive attest 761f451b > run.intoto.json[/bold]
    """
    from runbook_lib.commands.attestation import attest

    typer.echo(json.dumps(attest(existing(archive).absolute(), record)))


def archive_attach(
    notebook: Annotated[Path, typer.Argument(help="The notebook as saved in JupyterLab.", exists=True, dir_okay=False)],
    archive: ArchiveRoot = Path("archive"),
) -> None:
    """Add the saved notebook of an interactive run, and its report, to the record that the run sealed."""
    from runbook_lib.record.archive import Archive
    from runbook_lib.record.attach import attach

    where = attach(notebook, Archive(existing(archive)))
    say(f"attached to {where}")
