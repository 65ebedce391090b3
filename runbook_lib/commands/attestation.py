"""`runbook archive attest` and `runbook verify`: a verdict for other programs, and checking one."""

from __future__ import annotations

import datetime as dt
import http.client
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from runbook_lib.base import plain_file
from runbook_lib.base.errors import ArchiveError, UsageError
from runbook_lib.base.window import parse, when
from runbook_lib.commands.archive import logged
from runbook_lib.record.archive import Archive
from runbook_lib.record.journal import utc_now
from runbook_lib.record.log.dsse import envelope, opened
from runbook_lib.record.log.keeping import keeping, signer_of
from runbook_lib.record.log.signers import public_key
from runbook_lib.record.predecessors import predecessors
from runbook_lib.record.verdict import Verdict, said, statement

LARGEST = 1_000_000
"""Most bytes of an attestation; ours has some 3,000."""
_WAIT_S = 10.0
_AHEAD = dt.timedelta(minutes=5)
"""Most that the clock of the machine that sealed may be ahead of this one's."""
WEB = ("http://", "https://")


def attest(root: Path, run: str) -> dict[str, Any]:
    """The signed statement about the verdict of a run.

    Raises:
        ArchiveError: the record is missing, damaged, no verdict, or not in a log that the signer has signed.
    """
    archive = Archive(root)
    ref, log, leaf = logged(archive, run)
    if log.checkpoint is None:
        raise ArchiveError(f"{ref.folder.name} is not in a log yet; the next seal takes it in")
    payload = statement(archive.load(ref), leaf, log.checkpoint.origin)
    signer = signer_of(keeping(archive.root))
    if signer is None:
        raise ArchiveError("nobody signs: 'archive' of service.yaml has no signing_key for this archive")
    if not signer.public.signed(log.checkpoint):  # else a log that was written anew would get a verdict signed
        raise ArchiveError("this key has not signed the log that the record is in; `runbook archive verify` says more")
    return envelope(payload, signer)


def verify(
    place: str, key: str, region: str, expected: dict[str, str], since: dt.datetime | None, newest: Path | None = None
) -> Verdict:
    """The verdict in an attestation, if the key signed it and it is the expected one.

    Args:
        place: a file, `-` for standard input, or an address (http, https).
        key: PEM file of the public key, or `awskms:` and a key of AWS KMS.
        expected: field of the verdict to the value that it must have.
        since: earliest time of sealing.
        newest: archive in which no later run of that notebook may have decided otherwise; None: that is not asked.

    Raises:
        UsageError: the file or the key is missing.
        ArchiveError: the attestation cannot be read or trusted, is about something else, or is no longer the newest.
    """
    public = public_key(key, region)
    try:
        found = said(opened(_read(place), public))
    except ValueError as error:
        raise ArchiveError(f"{place} cannot be trusted: {error}") from None
    for name, value in expected.items():
        numbered = name == "notebook" and value.isdigit() and found.notebook.startswith(f"{value}_")
        if value and getattr(found, name) != value and not numbered:
            raise ArchiveError(f"{place} is of the {name} '{getattr(found, name)}', not of '{value}'")
    if since is not None and (trouble := _untimely(found.sealed_at, since)):
        raise ArchiveError(f"{place} {trouble}")
    if newest is not None and (later := _later(newest, found)):
        raise ArchiveError(f"{place} is not the newest verdict: {later}")
    return found


def _untimely(at: str, since: dt.datetime) -> str:
    """Why a time of sealing is not recent, in half a sentence; empty: it is."""
    try:
        sealed = parse(at)
    except ValueError:
        return f"has no time of sealing that can be read: {at!r}"
    if sealed < since:
        return f"is too old: it was sealed {when(at)}, expected since {when(since)}"
    if sealed > utc_now() + _AHEAD:  # else it would be recent for years
        return f"says that it was sealed {when(at)}, which is still to come: a clock is wrong"
    return ""


def _later(root: Path, found: Verdict) -> str:
    """What the archive says of the notebook now, if another run decided it; empty: this verdict still counts."""
    (now,) = predecessors(Archive(root), [f"{found.notebook}@{found.env}"], found.release)
    passed = found.decision == "PROMOTE"  # a record that cannot be trusted any more is found, and is not `ok`
    return "" if now.record == found.run_id and now.ok is passed else now.sentence


def _read(place: str) -> bytes:
    try:
        if place == "-":
            text = plain_file.read_input("an attestation", LARGEST + 1)
        elif place.lower().startswith(WEB):
            text = _fetched(place)
        elif "://" in place:
            raise UsageError(f"verify: {place}: expects a file, or an address that begins with {' or '.join(WEB)}")
        else:
            with Path(place).expanduser().open("rb") as file:
                text = file.read(LARGEST + 1)
    except http.client.HTTPException as error:
        raise ArchiveError(f"{place} cannot be read (the answer is not HTTP: {type(error).__name__})") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or getattr(error, "reason", None) or error
        raise ArchiveError(f"{place} cannot be read ({why})") from None
    if len(text) > LARGEST:
        raise ArchiveError(f"{place} is not an attestation: it has more than {LARGEST} bytes")
    return text


class _Nowhere(urllib.request.HTTPRedirectHandler):
    """Refuses redirects: only the given address is asked."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> None:  # noqa: ARG002
        """Raises for every redirect."""
        raise urllib.error.URLError(f"it redirects to {newurl}; name that address if you trust it")


def _fetched(address: str) -> bytes:
    try:
        with urllib.request.build_opener(_Nowhere).open(address, timeout=_WAIT_S) as answer:
            found, until = b"", time.monotonic() + _WAIT_S
            while len(found) <= LARGEST and (part := answer.read1(LARGEST + 1 - len(found))):
                found += part
                if time.monotonic() > until:  # a server that sends a byte now and then
                    raise ArchiveError(f"{address} cannot be read (not complete within {_WAIT_S:g} s)")
    except urllib.error.HTTPError as error:
        raise ArchiveError(f"{address} cannot be read (HTTP {error.code})") from None
    return found
