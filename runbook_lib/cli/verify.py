"""`runbook verify`: only typer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runbook_lib.base.errors import Exit, UsageError
from runbook_lib.base.window import moment, when
from runbook_lib.cli.options import AsJson, existing, written
from runbook_lib.cli.terminal import facts, prose, say_json

_EXITS = """\b
Exit codes:
  0  PROMOTE, signed by the key, and of what was asked for
  1  it cannot be trusted, cannot be read, is too old or not the newest, or is of something else
  2  bad usage: no key
  3  HOLD, signed by the key
  4  ROLLBACK, signed by the key"""
_CODES = {"PROMOTE": Exit.OK, "HOLD": Exit.HOLD, "ROLLBACK": Exit.ROLLBACK}


def register(app: typer.Typer) -> None:
    """Adds the command to `app`."""
    app.command(epilog=_EXITS)(verify)


def verify(
    place: Annotated[str, typer.Argument(metavar="FILE|URL", help="An attestation; - reads standard input.")],
    key: Annotated[
        str, typer.Option(help="Key that must have signed: a PEM file, or awskms:KEY. Default: service.yaml's.")
    ] = "",
    env: Annotated[str, typer.Option(help="Environment that it must be about.")] = "",
    release: Annotated[str, typer.Option(help="Release that it must be about.")] = "",
    notebook: Annotated[str, typer.Option(help="Notebook that it must be about.")] = "",
    since: Annotated[str, typer.Option(help="Earliest time of sealing: a time, or 24h, 7d ago.")] = "",
    archive: Annotated[
        Path,
        typer.Option(
            callback=written, readable=False, help="Archive whose key service.yaml names, and that --newest asks."
        ),
    ] = Path("archive"),
    newest: Annotated[
        bool, typer.Option("--newest", help="Refuse it if a later run in --archive has decided otherwise.")
    ] = False,
    json_: AsJson = False,
) -> None:
    """Verify a verdict's attestation from `runbook archive attest`, and end with the exit code of that verdict.

    A deployment goes on only if this ends with 0. Needs no archive; with --newest it looks into one, since a PROMOTE
    stays signed when a HOLD has come after it.

    Example: [bold]runbook verify run.json --key signer.pem --env prod --release 2026.11[/bold]
    """
    from runbook_lib.commands.attestation import verify as verified
    from runbook_lib.record.journal import utc_now
    from runbook_lib.record.log.keeping import keeping

    root = existing(archive, current=newest, there=newest).absolute()
    said = keeping(root)
    if not (key or said.signing_key):
        raise UsageError("verify: expects --key: without it, nobody knows who signed")
    begin = moment(since, utc_now(), "--since") if since else None
    expected = {"env": env, "release": release, "notebook": notebook}
    found = verified(place, key or said.signing_key, said.region, expected, begin, root if newest else None)
    if json_:
        say_json(found.model_dump())
    else:
        prose(f"{found.decision}: {found.reason}" if found.reason else found.decision, bold=True)
        told = {"as of": when(found.as_of), "sealed": when(found.sealed_at), "policy, sha256": found.policy}
        names = ("env", "release", "notebook", "attempt", "mode", "run_id", "caller_arn")
        facts("Signed by the key", {**{name: getattr(found, name) for name in names}, **told})
    raise typer.Exit(int(_CODES[found.decision]))
