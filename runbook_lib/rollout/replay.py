"""Makes the verdict of a sealed record again, from the record alone; or finds what another policy would have decided.

It compares three things to the letter: the evidence with what the raw answers give, the verdict with what evidence and
policy give, and the run's decision with what its checks make of that verdict. For records of earlier rules it compares
the verdict without its sentences, since they are worded as today.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from runbook_lib.base.errors import ArchiveError, Unread
from runbook_lib.base.plain_file import read_plain
from runbook_lib.base.redact import redact_text
from runbook_lib.base.redact_data import redact
from runbook_lib.base.window import when
from runbook_lib.judge.case import AnyCase, Case, settled
from runbook_lib.judge.gates.checks import Check
from runbook_lib.judge.model import Evidence, GateResult, Look, Outcome
from runbook_lib.judge.terms import RULES
from runbook_lib.judge.told import of_today
from runbook_lib.params.load import Flat, Params
from runbook_lib.params.policy import Policy
from runbook_lib.params.prices import prices_of
from runbook_lib.params.service import Service
from runbook_lib.record.archive import Archive
from runbook_lib.record.intact import GONE
from runbook_lib.record.journal import plain
from runbook_lib.record.place import CASE, RecordRef
from runbook_lib.record.record import TOLD_SINCE, Record
from runbook_lib.record.seal import canonical, file_hash, strict
from runbook_lib.rollout.look import remade

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)")
_CASES: TypeAdapter[AnyCase] = TypeAdapter(AnyCase)


@dataclass(frozen=True)
class Turned:
    """A gate whose verdict differs from the sealed one."""

    gate: str
    title: str
    sealed: str
    """Verdict in the record; empty: the record's policy has no such gate."""
    now: str
    """Verdict made again; empty: the other policy has no such gate."""
    reason: str
    """Reason of the verdict made again; where there is none, of the sealed one."""


@dataclass(frozen=True)
class Replayed:
    """The result of replaying one record."""

    run_id: str
    notebook: str
    env: str
    as_of: str
    kind: str
    """Kind of case: `gates`, `checks`, `rollback`; empty: no verdict can be made again, and `note` says why."""
    sealed: str = ""
    """The run's decision, as sealed."""
    now: str = ""
    """The decision made again."""
    sealed_reason: str = ""
    now_reason: str = ""
    identical: bool = True
    """Whether evidence, verdict and decision are the same to the letter; under another policy, only the decision."""
    differences: tuple[str, ...] = ()
    """One sentence for each difference."""
    turned: tuple[Turned, ...] = ()
    measures: int = 0
    """Number of measures whose evidence was made again from the raw answers."""
    gates: int = 0
    note: str = ""
    unread: bool = False
    """Whether this user may not read the record: what it says cannot be told."""

    @property
    def flips(self) -> bool:
        """Whether the decision differs."""
        return self.kind != "" and self.now != self.sealed

    def as_dict(self) -> dict[str, Any]:
        """All fields, for `--json`."""
        return {**asdict(self), "flips": self.flips}


def replay(
    archive: Archive, ref: RecordRef, policy: Policy | None = None, verify: Callable[[RecordRef], None] | None = None
) -> Replayed:
    """Replays one record.

    Args:
        policy: another `gates.yaml`; None: the record's own, and everything must come out as it was sealed.
        verify: `archive.verifier()`, for replaying many records.

    Raises:
        ArchiveError: the record was altered, or was written by a version whose evidence this one cannot read.
    """
    (verify or archive.verify)(ref)
    record = archive.load(ref)
    about = Replayed(record.run_id, record.notebook, record.env, record.as_of or "", "", record.decision or "")
    if CASE not in record.files:
        return replace(about, note=_why_not(record))
    try:
        kept = strict(read_plain(ref.folder / CASE))
        case, sealed = _CASES.validate_python(kept["case"]), kept["verdict"]
        about = replace(about, kind=case.kind, sealed_reason=record.told.line)
        if not isinstance(case, Case):
            return _again(about, case, sealed, record, {}, ())
        own = _params(record)
        answers = _answers(ref, kept["seen"], record) if kept["seen"] else None
        if policy is not None:
            return _otherwise(about, case, record, kept["seen"], answers, own, policy)
        evidence = remade(kept["seen"], answers, own, case.look, case.rules) if answers is not None else {}
        return _again(about, case, sealed, record, evidence, tuple(case.evidence) if answers is not None else ())
    except (ValidationError, ValueError, KeyError, TypeError, RecursionError) as error:
        said = redact_text(str(error)).splitlines()[0]
        raise ArchiveError(
            f"{ref.folder.name}: {CASE} was written by another version, and cannot be read ({said})"
        ) from None


def replay_all(archive: Archive, refs: list[RecordRef], policy: Policy | None = None) -> Iterator[Replayed]:
    """Replays many records in order; an unreadable or altered one is not identical, and `differences` says why."""
    verify = archive.verifier()
    for ref in refs:
        try:
            yield replay(archive, ref, policy, verify)
        except ArchiveError as error:
            yield _unread(ref, str(error), isinstance(error, Unread))


def removed(
    archive: Archive, env: str | None = None, release: str | None = None, notebook: str | None = None
) -> list[Replayed]:
    """The records that the archive's log lists and that are gone, as failed replays; an argument None matches all."""
    return [_unread(ref, GONE.format(ref.folder.name)) for ref in archive.lost(env, release, notebook)]


def _unread(ref: RecordRef, why: str, may_not: bool = False) -> Replayed:
    about = Replayed(ref.run_id, ref.notebook, ref.env, ref.sealed, "", identical=False, differences=(why,))
    return replace(about, unread=may_not)


def _why_not(record: Record) -> str:
    if record.entry is not None:
        return "entered by a person: nothing was judged"
    if record.status != "completed":
        return f"the run {record.status}: it ended without a verdict"
    return "nothing was judged, or it was sealed by a version that kept no case"


def _params(record: Record) -> Params:
    """The parameters of the record's run."""
    return Params(
        flat=Flat.model_validate(record.params),
        service=Service.model_validate(record.service),
        policy=Policy.model_validate(record.policy),
        prices=prices_of(record.prices),
        source="record",
    )


def _answers(ref: RecordRef, seen: dict[str, Any], record: Record) -> list[dict[str, Any]]:
    """The raw answers behind the verdict: the file with the hash that the case names."""
    name = next((name for name, sha in record.files.items() if sha == seen["answers_sha256"]), None)
    if name is None or file_hash(ref.folder / name) != seen["answers_sha256"]:
        raise ArchiveError(f"{ref.folder.name}: the raw answers that {CASE} names are not in the record")
    raw: list[dict[str, Any]] = strict(read_plain(ref.folder / name))
    return raw


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal to the letter, as JSON; what the record redacts is redacted on both sides."""
    return canonical(_as_read(redact(plain(one)))) == canonical(_as_read(redact(plain(other))))


def _without_words(one: Evidence | None) -> Evidence | None:
    """The evidence without the words for its question and its notes, which no raw answer gives: they change in time."""
    return one.model_copy(update={"query": "", "notes": ("",) * len(one.notes)}) if one else None


def _as_read(value: Any) -> Any:
    """The value with times inside sentences in today's form: older versions wrote some as ISO 8601."""
    if isinstance(value, dict):
        return {key: _as_read(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_as_read(each) for each in value]
    if isinstance(value, str) and not _STAMP.fullmatch(value):
        return _STAMP.sub(lambda found: when(found[0]), value)
    return value


def _again(
    about: Replayed,
    case: AnyCase,
    sealed: dict[str, Any],
    record: Record,
    evidence: dict[str, Evidence],
    measures: tuple[str, ...],
) -> Replayed:
    """Replays everything under the record's own policy."""
    said = [
        f"the evidence for '{name}' is not what the raw answers give"
        for name in measures
        if not _same(_without_words(evidence.get(name)), _without_words(case.evidence[name]))  # type: ignore[union-attr]
    ]
    verdict, was = case.verdict(), Outcome.model_validate(of_today(sealed))
    kept = tuple(GateResult.model_validate(one) for one in record.gates)
    if record.schema_version < TOLD_SINCE or (isinstance(case, Case) and case.rules < RULES):
        # The wording of earlier rules is gone; their judgements and decisions must come out the same.
        if _judged(verdict) != _judged(was):
            said.append("the verdict is not what evidence and policy give")
        if verdict.results and _judged(verdict)[2:] != _judged(was.model_copy(update={"results": kept}))[2:]:
            said.append("the gates in the record are not what evidence and policy give")
    else:
        if not _same(verdict, was):
            said.append("the verdict is not what evidence and policy give")
        if verdict.results and not _same(verdict.results, kept):
            said.append("the gates in the record are not what evidence and policy give")
    final = _final(verdict, case, record)
    if not _follows(was, final, record):
        said.append(f"the run decided {record.decision}, its verdict and checks give {final.decision}")
    as_sealed = about.sealed if _follows(was, final, record) else str(final.decision)
    return replace(
        about,
        now=as_sealed,
        now_reason=final.told,
        identical=not said,
        differences=tuple(said),
        turned=_turned(was.results, verdict.results),
        measures=len(measures),
        gates=len(verdict.results),
    )


def _judged(outcome: Outcome) -> tuple[Any, ...]:
    """The content of an outcome without its words."""
    fields = ("verdict", "value", "low", "high", "n", "bound", "alpha", "collapsed")
    since = ("doubted", "since", "since_between", "until", "compared")
    gates = [
        (one.gate.id, *(getattr(one, field) for field in (*fields, *since)), one.evidence) for one in outcome.results
    ]
    return outcome.decision, outcome.scenario, *gates


def _final(verdict: Outcome, case: AnyCase, record: Record) -> Outcome:
    """The verdict as the run's checks change it."""
    if not isinstance(case, Case):
        return verdict
    return settled(verdict, (Check.model_validate(one) for one in record.checks))


def _follows(verdict: Outcome, final: Outcome, record: Record) -> bool:
    """Whether this verdict can lead to the run's decision.

    A run may decide less than its verdict (an approval is missing, a promotion is planned before it is applied, a
    migration goes on), and a watch never promotes. No run may decide more: a promotion needs every check as well.
    """
    if record.decision == "PROMOTE":
        return final.decision == "PROMOTE"
    less = record.decision in ("PLANNED", "HOLD", "SOAK") and verdict.decision in ("PROMOTE", "PLANNED")
    return record.decision is None or record.decision == verdict.decision or less


def _otherwise(
    about: Replayed,
    case: Case,
    record: Record,
    seen: dict[str, Any] | None,
    answers: list[dict[str, Any]] | None,
    own: Params,
    policy: Policy,
) -> Replayed:
    """Replays the record under another policy, on the same answers."""
    look, looks, last, note = _look(case, record, own.policy, policy)
    params = own.model_copy(update={"policy": policy})
    evidence = case.evidence if seen is None or answers is None else remade(seen, answers, params, look, case.rules)
    other = case.model_copy(
        update={
            "gates": policy.gates if case.gates else (),
            "evidence": evidence,
            "look": look,
            "looks": looks,
            "last_look": last,
            "confidence": policy.confidence,
            "alpha_early": policy.alpha_early,
            "alphas": policy.alphas,
            "prior": policy.early_prior,
            "worse_baseline_holds": policy.worse_baseline_holds,
        }
    )
    sealed, verdict = _final(case.verdict(), case, record), other.verdict()
    final = _final(verdict, other, record)
    now = about.sealed if final.decision == sealed.decision else str(final.decision)
    return replace(
        about,
        now=now,
        now_reason=final.told,
        identical=now == about.sealed,
        turned=_turned(case.verdict().results, verdict.results),
        measures=len(evidence) if answers else 0,
        gates=len(verdict.results),
        note=note,
    )


def _look(case: Case, record: Record, was: Policy, policy: Policy) -> tuple[Look | None, tuple[Look, ...], bool, str]:
    """The other policy's look of the same number, all its looks, whether it is the last, and what to know about it."""
    before, after = was.phases.get(record.notebook), policy.phases.get(record.notebook)
    if case.look is None or not case.look_number or before is None or after is None:
        return case.look, case.looks, case.last_look, ""
    looks = after.after_migration if case.looks == before.after_migration and after.after_migration else after.looks
    place = min(case.look_number, len(looks))
    look, note = looks[place - 1], ""
    if look.hours != case.look.hours:
        note = f"its look {place} is at {look.hours:g} h; the record judged {case.look.hours:g} h"
    return look, looks, place == len(looks), note


def _turned(sealed: tuple[GateResult, ...], now: tuple[GateResult, ...]) -> tuple[Turned, ...]:
    """Gates whose verdict differs, also those of only one side; in the order of the sealed ones, then the new ones."""
    old, new = ({one.gate.id: one for one in results} for results in (sealed, now))
    found = []
    for id in dict.fromkeys((*old, *new)):
        before, after = old.get(id), new.get(id)
        told = after or before
        if told is None or (before and after and before.verdict is after.verdict):
            continue
        found.append(
            Turned(
                id,
                told.gate.title,
                str(before.verdict) if before else "",
                str(after.verdict) if after else "",
                told.reason,
            )
        )
    return tuple(found)
