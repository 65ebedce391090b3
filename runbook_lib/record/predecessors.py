"""Whether the steps before have passed: the one rule for what a step's records say together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from runbook_lib.base.errors import ArchiveError
from runbook_lib.base.window import parse, when
from runbook_lib.record.place import shut_out

if TYPE_CHECKING:
    from runbook_lib.record.archive import Archive
    from runbook_lib.record.place import RecordRef
    from runbook_lib.record.record import Record


@dataclass(frozen=True)
class Finding:
    """The state of one required predecessor (`notebook@environment`)."""

    requires: str
    ok: bool
    sentence: str
    record: str | None = None
    """Run id of the deciding record."""
    sealed_at: str | None = None
    applied: bool = False
    """Whether the deciding record is of a run in apply mode."""
    judged: str = ""
    """The latest instant that it and those before it judged by; empty: unknown."""

    def as_dict(self) -> dict[str, Any]:
        """The finding as JSON."""
        return {name: value for name, value in asdict(self).items() if name not in ("applied", "judged")}


def predecessors(archive: Archive, requires: Iterable[str], release: str) -> list[Finding]:
    """For each `notebook@environment`: whether its sealed record for `release` is intact and says PROMOTE.

    The newest record with a decision counts. A record whose plan is in order (PLANNED), or that failed without a
    change, takes no promotion back, nor does a plan that holds (`only_planned`) where the promotion was of a run in
    apply mode. A step that passed by a run in plan mode is held by one, too. A record that did not end as it should
    takes a promotion back if it has changed something, since nobody has judged what is in force then, and if it had
    judged that it must be rolled back. A promotion as of a given instant (`as_of`) says nothing where a record before
    it has judged a later one.
    """
    archive.refresh(release)
    if archive.stale:  # a later HOLD or ROLLBACK could be there
        told = "the records of {} may not be the newest ones: {}"
        return [Finding(one, False, told.format(one, archive.stale)) for one in requires]
    verify = archive.verifier()
    return [_finding(archive, verify, requirement, release) for requirement in requires]


def _finding(archive: Archive, verify: Callable[[RecordRef], None], requirement: str, release: str) -> Finding:
    notebook, _, env = requirement.partition("@")
    gone = archive.lost(env, release, notebook)
    if gone:
        sentence = f"the records of {requirement} cannot be trusted: {gone[-1].folder.name} was removed; the log has it"
        return Finding(requirement, False, sentence, gone[-1].run_id)
    held: Finding | None = None
    refs = archive.records(env, release, notebook)
    for place in reversed(range(len(refs))):
        ref = refs[place]
        try:
            verify(ref)
            record = archive.load(ref)
            before = map(archive.load, refs[:place]) if _of_given_instant(record) else ()
            if any(_outdated(record, said_by(requirement, one)) for one in before):
                continue
        except ArchiveError as error:
            return Finding(requirement, False, f"the record of {requirement} cannot be trusted: {error}", ref.run_id)
        found = said_by(requirement, record)
        if found is not None and only_planned(record):
            held = held or found
        elif found is not None:
            return found if held is None or (found.ok and found.applied) else held
    if held is not None:
        return held
    shut = shut_out(archive.chain(env, release, notebook).folder)
    told = f"no sealed record of {requirement} for release {release}"
    return Finding(requirement, False, f"the records of {requirement} cannot be told: {shut}" if shut else told)


def after(requirement: str, record: Record, before: Finding | None) -> Finding | None:
    """The finding for `notebook@environment` once `record` follows the records that gave `before`."""
    if before is not None and before.ok and before.applied and only_planned(record):
        return before
    found = said_by(requirement, record)
    if found is None or (_of_given_instant(record) and _outdated(record, before)):
        return before
    return replace(found, judged=max(found.judged, before.judged if before is not None else ""))


def _of_given_instant(record: Record) -> bool:
    """Whether a promotion judged by an instant that its parameters gave, and not by AWS's clock."""
    return record.decision == "PROMOTE" and bool(record.params.get("as_of"))


def _outdated(record: Record, before: Finding | None) -> bool:
    """Whether what was said before a record is of a later instant."""
    return before is not None and before.judged > _instant(record)


def _instant(record: Record) -> str:
    try:
        return parse(record.as_of or "").isoformat(timespec="milliseconds")
    except ValueError:
        return ""


def only_planned(record: Record) -> bool:
    """Whether a HOLD is about a plan that cannot be applied as it is, and not about what is in force.

    That is a run in plan mode before a shift, or of a step that is judged by checks alone. Looks judge in plan mode.
    """
    plan = record.mode == "plan" and record.decision == "HOLD" and not record.open_changes
    return plan and record.moment in (None, "step", "before") and not record.gates


def said_by(requirement: str, record: Record) -> Finding | None:
    """The finding that one intact record gives for `notebook@environment`; None: it decides nothing."""
    if record.open_changes:
        sentence = f"{requirement} {record.status} (run {record.run_id}){record.acted.clause()}; run it again"
        return Finding(requirement, False, sentence, record.run_id, record.sealed_at, judged=_instant(record))
    if record.status != "completed":
        return _cut_short(requirement, record)
    if record.decision in (None, "PLANNED"):
        return None
    ok = record.decision == "PROMOTE"
    says = f"{requirement} says {record.told.word} (run {record.run_id}, {when(record.sealed_at)})"
    told = says if ok else f"{says}, and has not passed"
    applied = record.mode == "apply"
    return Finding(requirement, ok, told, record.run_id, record.sealed_at, applied=applied, judged=_instant(record))


def _cut_short(requirement: str, record: Record) -> Finding | None:
    """The finding that a run without its end gives; None: it has neither changed nor judged what is in force."""
    run = f"(run {record.run_id})"
    if any(change.done for change in record.changes):
        sentence = f"{requirement} {record.status} {run}{record.acted.clause()}; run it again"
    elif record.decision == "ROLLBACK":
        sentence = f"{requirement} judged {record.told.word}, and {record.status} {run}; it has not passed"
    else:
        return None
    return Finding(requirement, False, sentence, record.run_id, record.sealed_at, judged=_instant(record))
