"""Approvals of a phase: a person signs off the sealed records that the phase builds on, and no others.

An approval names the hash of the newest record of each step that the phase requires. It counts as long as those are the
newest: it cannot be carried over to another attempt, release or record.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError

from runbook_lib.base.errors import ArchiveError, Refused, UsageError
from runbook_lib.base.window import parse, when
from runbook_lib.judge.gates.checks import Check
from runbook_lib.judge.terms import Frozen
from runbook_lib.params.approvals import Approvals, slug
from runbook_lib.params.load import Params
from runbook_lib.record.archive import Archive
from runbook_lib.record.entry import Entered, book, newest, same_role
from runbook_lib.record.intact import GONE
from runbook_lib.record.place import RecordRef, is_place
from runbook_lib.record.predecessors import predecessors
from runbook_lib.rollout import job_proof, people, speaking
from runbook_lib.rollout.people import Asks
from runbook_lib.rollout.speaking import Approver


class Evidence(Frozen):
    """One sealed record that an approval is based on."""

    requires: str
    """The step that it promoted: `notebook@environment`."""
    run_id: str
    hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    """The record's own hash (`record.json`, `hash`)."""
    at: str
    """The record's instant (`as_of`, else when it was sealed), ISO 8601."""
    operators: tuple[str, ...] = ()
    """ARNs by AWS of everybody who applied that step in this release, in this or another record."""

    @property
    def told(self) -> str:
        """The record in words: its run and its step."""
        return f"run {self.run_id} of {self.requires}"

    def hours(self, now: dt.datetime) -> float:
        """Age of the record in hours."""
        return (now - parse(self.at)).total_seconds() / 3600


@dataclass(frozen=True)
class Operator:
    """Who runs the approved phase, and whether its weight is still to be set."""

    arn: str = ""
    """The caller's ARN by AWS; empty: the run raises nothing."""
    before: bool = False
    """Whether the weight is not set yet, so that approvals counted by an earlier run are checked again."""


def evidence(archive: Archive, params: Params, notebook: str) -> tuple[Evidence, ...]:
    """The records that an approval of `notebook` is based on, by the archive's present state.

    Raises:
        Refused: a step that it requires has not passed, or its record cannot be trusted.
    """
    found = []
    for one in predecessors(archive, params.policy.steps[notebook].requires, params.release):
        if not one.ok or one.record is None:
            raise Refused(f"{notebook} cannot be approved yet: {one.sentence}", nothing_changed=True)
        record = archive.load(archive.find(one.record))
        found.append(
            Evidence(
                requires=one.requires,
                run_id=record.run_id,
                hash=record.hash,
                at=record.as_of or record.sealed_at,
                operators=_operators(archive, params, one.requires),
            )
        )
    return tuple(found)


def _operators(archive: Archive, params: Params, requires: str) -> tuple[str, ...]:
    """ARNs of the callers of a step's applied runs, each once; refused where four eyes are enforced and a record that
    may name one more cannot be trusted, or was removed.
    """
    notebook, _, env = requires.partition("@")
    bad: list[str] = []
    refs = archive.records(env, params.release, notebook)
    records = list(archive.trusted(refs, bad.append, ""))
    bad += [GONE.format(ref.folder.name) for ref in archive.lost() if _is_of(ref, env, params.release, notebook)]
    if bad and params.policy.approvals.four_eyes == "enforced":
        raise Refused(
            f"who ran {requires} cannot be told (gates.yaml, approvals.four_eyes): {bad[0]}", nothing_changed=True
        )
    found = (record.caller_arn for _, record in records if record.mode == "apply")
    return tuple(dict.fromkeys(arn for arn in found if arn))


def _is_of(ref: RecordRef, env: str, release: str, notebook: str) -> bool:
    return all(map(is_place, (ref.env, ref.release, ref.notebook), (env, release, notebook)))


def approved_by_record(archive: Archive, params: Params, prefix: str) -> str:
    """The phase that signing off the record whose run id starts with `prefix` approves.

    Raises:
        ArchiveError: there is no such record, or more than one.
        UsageError: it is of another release, or not exactly one phase that needs approval builds on its step.
    """
    ref = archive.find(prefix)
    record, policy = archive.load(ref), params.policy
    if record.release != params.release:
        raise UsageError(f"run {ref.run_id} is of release {record.release}; these parameters are of {params.release}")
    place = f"{record.notebook}@{ref.env}"
    after = [name for name, phase in policy.phases.items() if phase.approvers and place in policy.steps[name].requires]
    if len(after) != 1:
        which = " and ".join(after) or "no phase that is approved"
        raise UsageError(f"run {ref.run_id} is of {place}, the basis of {which}; name the notebook to approve")
    return after[0]


def audience(params: Params, notebook: str, role: str, stands: Sequence[Evidence], attempt: int | None = None) -> str:
    """What GitHub's token is asked for where a job of it approves: this approval alone."""
    place = (params.env, params.release, params.attempt if attempt is None else attempt)
    return job_proof.audience(place, notebook, role, ((one.requires, one.run_id, one.hash) for one in stands))


def must_be_newest(found: Sequence[Evidence], prefix: str) -> None:
    """Refuses to sign off a record that is not among the evidence.

    Raises:
        Refused: it is not the newest of its step.
    """
    if not any(one.run_id.startswith(prefix.rpartition("-")[2]) for one in found):
        newest_ = ", ".join(one.told for one in found)
        raise Refused(f"run {prefix} is not the newest that passed: that is {newest_}", nothing_changed=True)


def may_approve(params: Params, found: Sequence[Evidence], who: Approver, now: dt.datetime) -> list[str]:
    """Advice against an approval that does not forbid it, in sentences.

    Raises:
        Refused: this caller may not approve in that role, the evidence is too old, or four eyes are enforced and the
            caller ran it.
    """
    rules, advice = params.policy.approvals, []
    if (not_so := speaking.against(rules, who, speaking.asking(params))) is not None:
        raise Refused(not_so.why, nothing_changed=True)
    for one in found:
        if rules.max_age_h is not None and (hours := one.hours(now)) > rules.max_age_h:
            raise Refused(
                f"{one.told} is {hours:.0f} h old; it can be approved for {rules.max_age_h:g} h "
                "(gates.yaml, approvals.max_age_h)",
                nothing_changed=True,
            )
        if who.arn and (ran := _of_one_person(rules, who.arn, one.operators)):
            same = f"{_told_apart(who.arn, ran)} ran {one.told}, and approves it"
            if rules.four_eyes == "enforced":
                raise Refused(f"{same}; another person must (gates.yaml, approvals.four_eyes)", nothing_changed=True)
            advice.append(f"{same}; approver and operator are to be two people")
    logins = speaking.let_in(rules, who)
    if logins and who.review and not speaking.others(logins, who.review):
        advice.append(f"{', '.join(who.review.started_by)} started run {who.review.run} and let it in")
    return advice


def _of_one_person(rules: Approvals, arn: str, others: Sequence[str]) -> str:
    """The ARN among `others` that may be of the same person as `arn`, the same one first; empty: there is none."""
    found = (other for other in sorted(others, key=lambda other: other != arn) if rules.one_person(arn, other))
    return next(found, "")


def _told_apart(arn: str, other: str) -> str:
    return arn if arn == other else f"{arn}, who cannot be told from {other},"


def approval_checks(run: Asks, roles: Sequence[str], operator: Operator = Operator()) -> list[Check]:
    """One check `approval.<role>` for each role: it approved this notebook here, for this attempt, on this evidence.

    Where the operator is the approver, a second check `approval.<role>.four_eyes` says so. It is required where
    `approvals.four_eyes` is `enforced`.
    """
    asked = _Asked(run, operator)
    return [one for role in roles for one in asked.of(role)]


@dataclass(frozen=True)
class Missing:
    """What a phase still needs before its weight may be set."""

    roles: tuple[str, ...]
    """Roles whose approval is missing or does not count."""
    old: Evidence | None
    """A record that is too old to be approved, so that its step has to run again first; None: there is none."""


def missing(run: Asks, roles: Sequence[str]) -> Missing | None:
    """The approvals that are missing; None: the records that they need are missing or cannot be trusted."""
    asked, limit = _Asked(run, Operator(before=True)), run.params.policy.approvals.max_age_h
    if asked.evidence is None:
        return None
    old = (one for one in asked.evidence if limit is not None and one.hours(run.now) > limit)
    return Missing(tuple(role for role in roles if not asked.of(role)[0].ok), next(old, None))


class _Asked:
    """The approvals that one run needs, role by role; it reads the archive once."""

    def __init__(self, run: Asks, operator: Operator) -> None:
        self.run, self.operator = run, operator
        self.rules, self.asking = run.params.policy.approvals, speaking.asking(run.params)
        self.book = book(run.archive, run.params.env, run.params.release)
        try:
            self.evidence: tuple[Evidence, ...] | None = evidence(run.archive, run.params, run.notebook)
            self.unmet = ""
        except (Refused, ArchiveError) as error:
            self.evidence, self.unmet = None, str(error)

    def of(self, role: str) -> list[Check]:
        run, params = self.run, self.run.params
        id, title = f"approval.{slug(role)}", f"Approved by the {role}"
        if (kept := self._kept(id)) is not None:
            return [people.checked(id, title, True, people.words(kept), role, kept), *self._eyes(kept, id, title)]
        said = newest(people.known(run, self.book), run.notebook, "approval")
        right = [one for one in said if same_role(one.entry.role, role) and one.env == params.env]
        wrong = [self._against(one, role) for one in right]
        now = next((one for one, why in zip(right, wrong, strict=True) if not why), None)
        if now is not None:
            return [people.checked(id, title, True, people.words(now), role, now), *self._eyes(now, id, title)]
        command = people.command("approve", run.notebook, role, params)
        last = next(iter(right), None)
        if last is None:
            mistrust = people.mistrust(self.book)
            why = f"the {role} has not approved {run.notebook} in {params.env}; to approve: {command}{mistrust}"
        else:
            why = f"{wrong[0]}: {command}"
        return [people.checked(id, title, False, why, role, last)]

    def _kept(self, id: str) -> Entered | None:
        """The approval that counted when this attempt set the weight, if it did.

        It holds for soak and migration, whatever records of the phase before are sealed in the meantime.
        """
        if self.operator.before:
            return None
        run, params = self.run, self.run.params
        refs = run.archive.records(params.env, params.release, run.notebook)
        for _, record in run.archive.trusted(refs, lambda _: None, "it does not count"):
            if record.attempt != params.attempt or not any(one.intent.get("raises") for one in record.changes):
                continue
            counted = next((one for one in record.checks if one.get("id") == id and one.get("verdict") == "PASS"), None)
            run_id = ((counted or {}).get("facts") or {}).get("run_id")
            found = next((one for one in self.book.entered if one.ref.run_id == run_id), None)
            if found is not None:
                return found
        return None

    def _against(self, one: Entered, role: str) -> str:
        """Why an approval by the right role does not count; empty: it does."""
        run, entry = self.run, one.entry
        here, anew = f"the {role} approved", "it must be approved again"
        if one.attempt != run.params.attempt:
            this = f"this is attempt {run.params.attempt}, which needs an approval of its own"
            return f"{here} attempt {one.attempt} of {run.notebook}; {this}"
        if (not_so := speaking.against(self.rules, self._approver(one, role), self.asking)) is not None:
            return not_so.why if not_so.unsure else f"{not_so.why}; {anew}"
        hours, limit = people.hours(run, entry), self.rules.max_age_h
        if limit is not None and hours > limit:
            return f"{here} {hours:.0f} h ago, which is more than {limit:g} h (gates.yaml, approvals.max_age_h); {anew}"
        why = self._stands(one)
        return f"{here}{why}; {anew}" if why else ""

    def _approver(self, one: Entered, role: str) -> Approver:
        review, token = speaking.in_facts(one.entry.facts)
        wanted = audience(self.run.params, one.entry.item, role, read(one) or (), one.attempt)
        beside = Path(self.run.params.source)
        return Approver(role, one.caller_arn, review, token, wanted, one.entry.when, beside)

    def _stands(self, one: Entered) -> str:
        """Why the records that an approval names are not the newest ones; empty: they are."""
        if self.evidence is None:
            return f", but {self.unmet}"
        if (stands := read(one)) is None:
            return f" on {when(one.entry.when)} without a record to stand on, as version 0.1 did"
        for wanted in self.evidence:
            if not any((was.run_id, was.hash) == (wanted.run_id, wanted.hash) for was in stands):
                named = ", ".join(was.told for was in stands) or "no record"
                return f" on {named}, but the newest is {wanted.told}"
        return ""

    def _eyes(self, one: Entered, id: str, title: str) -> list[Check]:
        by, name, arn = one.entry.by, " ".join(self.run.params.operator.split()), self.operator.arn
        enforced = self.rules.four_eyes == "enforced"
        logins = speaking.let_in(self.rules, self._approver(one, one.entry.role))
        before = [each for was in self.evidence or () if enforced for each in was.operators]
        arns = {arn, *before} - {""}
        if same := _of_one_person(self.rules, one.caller_arn, sorted(arns)):
            who = f"{by} ({_told_apart(one.caller_arn, same)})"
        elif logins and all(each.casefold() == name.casefold() for each in logins):
            who = f"{logins[0]}, who let the job in,"
        elif by.casefold() == name.casefold():
            who, enforced = by, False
        else:
            return []
        why = f"{who} approves and operates; approver and operator must be two people: let somebody else run it"
        if enforced:
            why += ", or approve it (gates.yaml, approvals.four_eyes is enforced)"
        title = f"{title}, by another person"
        return [people.checked(f"{id}.four_eyes", title, False, why, "", one, required=enforced)]


def read(one: Entered) -> tuple[Evidence, ...] | None:
    """The evidence that an approval names; None: it names none, or it cannot be read."""
    try:
        return tuple(Evidence.model_validate(each) for each in one.entry.facts["evidence"])
    except (KeyError, TypeError, ValidationError):
        return None
