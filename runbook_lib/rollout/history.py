"""What earlier records of a release say: looks of the same attempt, the phase before, what was deployed and when.

AWS is not asked. A record that was altered, or cannot be read, is left out with a warning.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from runbook_lib.judge.gates.checks import Check
from runbook_lib.judge.model import BASELINE, Evidence
from runbook_lib.params.load import Params
from runbook_lib.params.own_steps import rollout_of
from runbook_lib.record.archive import Archive
from runbook_lib.record.place import RecordRef
from runbook_lib.record.predecessors import predecessors
from runbook_lib.record.record import Record

UNUSED = "an earlier record is not used"
FEW = 100
"""Below this many requests to the synchronous endpoint, a baseline is the larger sample of an earlier phase."""


def of_release(
    archive: Archive, params: Params, notebook: str, told: Callable[[str], object], what: str = UNUSED
) -> list[Record]:
    """A notebook's records of this release and environment, oldest first.

    Args:
        told, what: as in `Archive.trusted`.
    """
    refs = archive.records(env=params.env, release=params.release, notebook=notebook)
    return [record for _, record in archive.trusted(refs, told, what)]


def of_attempt(
    archive: Archive, params: Params, notebook: str, told: Callable[[str], object], what: str = UNUSED
) -> list[Record]:
    """A notebook's records of this attempt; arguments as in `of_release`."""
    return [one for one in of_release(archive, params, notebook, told, what) if one.attempt == params.attempt]


def rollbacks_of_attempt(archive: Archive, params: Params, told: Callable[[str], object]) -> list[Record]:
    """The records of all rollbacks of this attempt, one rollback after the other."""
    return [record for one in params.policy.rollbacks for record in of_attempt(archive, params, one, told)]


def phase_before(archive: Archive, params: Params, notebook: str) -> Record | None:
    """The previous phase's verified record in the same environment that says PROMOTE; None if there is none."""
    order = list(params.policy.phases)
    place = order.index(notebook)
    wanted = [f"{name}@{params.env}" for name in order[max(0, place - 1) : place]]
    found = [one.record for one in predecessors(archive, wanted, params.release) if one.ok and one.record]
    return archive.load(archive.find(found[-1])) if found else None


def done_at(records: Sequence[Record], step: str) -> dt.datetime | None:
    """When a step of the infrastructure was deployed last, by records in order of time; None: no record says so."""
    for record in reversed(records):
        for change in record.changes:
            if change.step == step and (at := change.done_at()):
                return at
    return None


def passed(records: Sequence[Record], id: str) -> Check | None:
    """A check from the newest record in which it passed, with that run's id; None: it passed in none."""
    for record in reversed(records):
        for one in record.checks:
            if one.get("id") == id and one.get("verdict") == "PASS":
                known = Check.model_validate(one)
                return known.model_copy(update={"facts": {**known.facts, "run_id": record.run_id}})
    return None


def baseline(own: Evidence, before: Record | None, *, migrated: bool) -> Evidence:
    """The baseline's success; with too few requests, that of the phase before.

    Args:
        own: the evidence of the judged window.
        before: the record of the phase before, if there is one.
        migrated: whether the synchronous route is asynchronous itself, so that its answers say nothing about the
            synchronous endpoint.
    """
    if not migrated and (own.n or 0) >= FEW:
        return own
    kept = before.evidence.get(BASELINE) if before else None
    if before is None or kept is None:
        return Evidence.model_validate({**own.model_dump(), "bad": None, "n": None}) if migrated else own
    note = f"from {before.notebook}, run {before.run_id}: almost no request is synchronous now"
    found = Evidence.model_validate(kept)
    return found.model_copy(update={"notes": (*found.notes, note)})


def rollouts_records(archive: Archive, params: Params) -> list[RecordRef]:
    """The release's records in this environment and those before it; none of another one with a rollout of its own."""
    mine = rollout_of(params.policy, params.env)
    return [ref for ref in archive.records(release=params.release) if ref.env in mine]
