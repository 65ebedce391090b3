"""Recorded deviations in the archive: opened before the change that makes them, closed when undone or adopted.

They are entries in the chain (`record/entry.py`), written before the change. After a crash between the two, the entry
is a reminder of a change that was never made: the inventory finds what the code says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from runbook_lib.base.errors import ArchiveError, Refused
from runbook_lib.judge.incidents.deviation import Act, Deviation, Said, still_open
from runbook_lib.judge.words import setting
from runbook_lib.params.load import Params
from runbook_lib.record.archive import Archive
from runbook_lib.record.entry import Entry, Kind, book, enter
from runbook_lib.record.frame import shut_in

KIND: Kind = "deviation"
BILLING = "inventory.table.billing"
"""Check of the jobs table's billing mode, which rollback 3 changes."""
UNITS, UNITS_BEFORE = "units", "units_before"
"""Facts of that deviation: units of table and indexes by name, after and before it; before is empty on demand."""


def said(archive: Archive, env: str) -> tuple[list[Said], tuple[str, ...]]:
    """All entries about deviations of `env` in every release, oldest first; and sentences about damaged ones, and about
    folders that this user may not look into.

    A deviation outlives the release in which it was made, because the setting does.
    """
    releases = dict.fromkeys(ref.release for ref in archive.records(env, None, "entry"))
    books = [book(archive, env, release, KIND) for release in releases]
    # In the order of the chain: by AWS's time in whole seconds an undoing may seem to come first.
    entered = sorted((one for each in books for one in each.entered), key=lambda one: one.ref.sealed)
    found = []
    for one in entered:
        facts = dict(one.entry.facts)
        act, made = facts.pop("act"), Deviation.model_validate(facts)
        found.append(Said(act=act, deviation=made, by=one.entry.by, at=one.entry.at))
    return found, (*shut_in(archive.root), *(sentence for each in books for sentence in each.altered))


def open_deviations(archive: Archive, env: str) -> dict[str, Deviation]:
    """The deviations of `env` that are neither undone nor adopted, by check id."""
    return still_open(said(archive, env)[0])


def last(archive: Archive, env: str, ids: Iterable[str]) -> dict[str, Said]:
    """The last entry about each of `ids`; those without one are left out."""
    newest = {one.deviation.check: one for one in said(archive, env)[0]}
    return {id: newest[id] for id in ids if id in newest}


def adopted(archive: Archive, env: str, ids: Iterable[str]) -> str:
    """The first of `ids` that a person adopted, by whom and when; empty: none.

    Settings that are put back together stay where one of them was adopted: the code has the new value.
    """
    found = last(archive, env, ids).items()
    return next((f"'{id}', which was {one.words}" for id, one in found if one.act == "adopted"), "")


def say(archive: Archive, params: Params, act: Act, deviation: Deviation, *, by: str, at: str, arn: str) -> None:
    """Seals one entry about a deviation into the chain.

    Raises:
        ArchiveError: the archive cannot be written.
    """
    facts = {"act": act, **deviation.model_dump(mode="json")}
    text = f"{act}: {deviation.title}, {setting(deviation.was)} -> {setting(deviation.value)}; {deviation.why}"
    entry = Entry(kind=KIND, item=deviation.check, by=by, at=at, text=text, facts=facts)
    enter(archive, params, entry, arn)


def open_all(
    archive: Archive, params: Params, deviations: Iterable[Deviation], *, by: str, at: str, arn: str
) -> list[Deviation]:
    """Opens the deviations that are not yet open with the same value; returns all of them as they are open then.

    Raises:
        Refused: the archive cannot be written; then the setting must not be changed.
    """
    known, found = open_deviations(archive, params.env), []
    for one in deviations:
        there = known.get(one.check)
        if there is not None and there.value == one.value:
            found.append(there)
            continue
        try:
            say(archive, params, "opened", one, by=by, at=at, arn=arn)
        except (ArchiveError, OSError) as error:
            raise Refused(f"the deviation cannot be recorded ({error})", nothing_changed=True) from error
        found.append(one if there is None else one.back_to(there))
    return found


def close(
    archive: Archive, params: Params, ids: Iterable[str], act: Act, *, by: str, at: str, arn: str
) -> list[Deviation]:
    """Closes those of `ids` that are open, and returns them.

    Raises:
        ArchiveError: the archive cannot be written.
    """
    known = open_deviations(archive, params.env)
    found = [known[id] for id in ids if id in known]
    for one in found:
        say(archive, params, act, one, by=by, at=at, arn=arn)
    return found


def since(archive: Archive, env: str, check: str) -> str | None:
    """When the open deviation of a check was decided, ISO 8601; None: there is none."""
    one = open_deviations(archive, env).get(check)
    return one.at if one else None


def rows(found: Mapping[str, Deviation]) -> list[dict[str, Any]]:
    """Deviations as rows for tables and `--json`."""
    return [
        {
            "setting": one.title,
            "check": id,
            "was": one.was,
            "now": one.value,
            "by": one.by,
            "at": one.at,
            "why": one.why,
            "incident": one.incident,
        }
        for id, one in found.items()
    ]
