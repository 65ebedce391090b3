"""Attestations of people as checks, from the entries of the archive. Approvals are in `approval.py`.

The checks verify that the right role said so, in time, in an unaltered record; not that it is true.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from runbook_lib.base.errors import ArchiveError, UsageError
from runbook_lib.base.foreign import word
from runbook_lib.base.window import parse, when
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.words import person
from runbook_lib.params.load import Params
from runbook_lib.params.policy import Attestation, Policy
from runbook_lib.record.archive import Archive
from runbook_lib.record.entry import Book, Entered, Entry, book, newest, same_role
from runbook_lib.rollout import hints


class Asks(Protocol):
    """What the checks need from a run."""

    @property
    def notebook(self) -> str: ...
    @property
    def params(self) -> Params: ...
    @property
    def archive(self) -> Archive: ...
    @property
    def now(self) -> dt.datetime: ...


@dataclass(frozen=True)
class Asked:
    """Stands in for a run, for the command line and the status."""

    notebook: str
    params: Params
    archive: Archive
    now: dt.datetime


def wanted_by(policy: Policy, notebook: str) -> list[str]:
    """Ids of the items that a notebook asks for, in the order of `gates.yaml`."""
    return [item.id for item in policy.attestations if notebook in item.notebooks]


def declared(policy: Policy, item: str) -> Attestation:
    """The declaration of an item.

    Raises:
        UsageError: there is none of that id.
    """
    for one in policy.attestations:
        if one.id == item:
            return one
    raise UsageError(
        f"'{item}' is not an item to attest; the items are: {', '.join(one.id for one in policy.attestations)}"
    )


def attestation_checks(run: Asks, items: Sequence[str]) -> list[Check]:
    """One check for each item (`attest.<item>`, or as declared): the right role gave it, and not too long ago.

    Raises:
        UsageError: an item is not declared.
    """
    found = book(run.archive, None, run.params.release)
    return [_attested(run, found, declared(run.params.policy, item)) for item in items]


def _attested(run: Asks, found: Book, item: Attestation) -> Check:
    params = run.params
    said = [
        one for one in newest(known(run, found), item.id, "attestation") if item.env == "any" or one.env == params.env
    ]
    right = [one for one in said if same_role(one.entry.role, item.role)]
    how = command("attest", item.id, item.role, params)
    wants = f"{item.role}" + (f", at most {item.max_age_h:g} h ago" if item.max_age_h else "")
    wants += f", after {item.after}" if item.after else ""
    since, why_not = _since(run, item, item.after) if item.after else (None, "")
    due = [one for one in right if since is None or one.entry.when >= since]
    fresh = [one for one in due if item.max_age_h is None or hours(run, one.entry) <= item.max_age_h]
    if why_not:
        why = f"{item.title}: it is too early to say so: {why_not}"
    elif fresh:
        age = f" ({hours(run, fresh[0].entry):.1f} h ago, good for {item.max_age_h:g} h)" if item.max_age_h else ""
        why = words(fresh[0]) + age
        return checked(item.check_id, item.title, True, why, wants, fresh[0], required=item.required)
    elif right and not due:
        why = (
            f"{item.title}: attested by {right[0].entry.by} at {when(right[0].entry.when)}, before "
            f"{item.after} at {when(since)}; give it again: {how}"
        )
    elif right:
        why = (
            f"{item.title}: attested {hours(run, right[0].entry):.1f} h ago by {right[0].entry.by}, "
            f"which is more than {item.max_age_h:g} h; give it again: {how}"
        )
    elif said:
        entry = said[0].entry
        said_by = f"attested by {entry.by} as {_role(entry)}"
        why = f"{item.title}: {said_by}, but the {item.role} must attest it; give it: {how}"
    else:
        why = f"{item.title}: not attested; the {item.role} must attest it: {how}{mistrust(found)}"
    return checked(item.check_id, item.title, False, why, wants, next(iter(said), None), required=item.required)


def _since(run: Asks, item: Attestation, after: str) -> tuple[dt.datetime | None, str]:
    """(from when on an attestation counts, or None: it always does; why it is too early for one, or empty)."""
    notebook, _, env = after.partition("@")
    own = notebook in item.notebooks
    verify = run.archive.verifier()
    for ref in run.archive.records(env=env, release=run.params.release, notebook=notebook):
        try:
            verify(ref)
            record = run.archive.load(ref)
        except ArchiveError:
            continue
        if record.status == "completed" and record.mode == "apply" and (own or record.decision == "PROMOTE"):
            return (parse(record.as_of) if record.as_of else None), ""
    return None, "" if own else f"no record of {after} says PROMOTE"


def known(run: Asks, found: Book) -> list[Entered]:
    """Entries up to the run's own time; a later entry counts for a later run."""
    latest = run.now + dt.timedelta(seconds=run.params.policy.as_of_tolerance_s)
    return [one for one in found.entered if one.entry.when <= latest]


def words(one: Entered) -> str:
    """An entry in words: by whom, in which role, when, and where its evidence is."""
    entry = one.entry
    said = f"{person(entry.by, _role(entry))}, {when(entry.when)}, in {one.env}, run {one.ref.run_id}"
    return f"{said}: {' · '.join(part for part in (entry.text, entry.link) if part) or 'no link given'}"


def checked(
    id: str, title: str, ok: bool, reason: str, wants: str, one: Entered | None, *, required: bool = True
) -> Check:
    """A check of an entry, with its fields as facts; `one` is None where nobody made an entry."""
    found, facts = "nobody", {}
    if one is not None:
        found = person(one.entry.by, _role(one.entry))
        facts = {**one.entry.model_dump(), "run_id": one.ref.run_id, "env": one.env, "caller_arn": one.caller_arn}
        for name in ("kind", "item"):
            facts.pop(name)
    return check(id, title, ok, reason, required=required, expected=wants, found=found, attested=True, **facts)


def mistrust(found: Book) -> str:
    """Words for the first untrusted entry, to be appended to a sentence; empty: there is none."""
    return f" ({found.altered[0]})" if found.altered else ""


def hours(run: Asks, entry: Entry) -> float:
    """Hours since the entry was made."""
    return max(0.0, (run.now - entry.when).total_seconds() / 3600)


def _role(entry: Entry) -> str:
    return entry.role or "no role"


def command(verb: str, item: str, role: str, params: Params) -> str:
    """The command for a role's entry: AWS names an approver, an attester gives a name."""
    by = "" if verb == "approve" else " --by NAME"
    return f"runbook {verb} {item}{by} --role {word(role)} {hints.with_params(params, attempt=params.attempt)}"
