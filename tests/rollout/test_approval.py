"""Approvals: of the right role and caller, on the newest records, by another one than the operator; else a sentence."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.errors import ArchiveError, AwsError, Refused, UsageError
from runbook_lib.judge.gates.checks import Check
from runbook_lib.observe.ci.reviews import Review
from runbook_lib.params.approvals import Approvals
from runbook_lib.params.load import Params, load_file
from runbook_lib.params.phases import Phase
from runbook_lib.record import recording
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.entry import Entry, enter
from runbook_lib.record.journal import Journal
from runbook_lib.record.place import RecordRef
from runbook_lib.rollout import speaking
from runbook_lib.rollout.approval import (
    Operator,
    approval_checks,
    approved_by_record,
    evidence,
    may_approve,
    must_be_newest,
)
from runbook_lib.rollout.people import Asked
from runbook_lib.rollout.speaking import Approver

PARAMS = Path(__file__).parents[2] / "params"
NOW = dt.datetime(2026, 11, 23, 3, 0, tzinfo=dt.UTC)
PHASE_1, PHASE_2 = "06_phase1_10_percent", "07_phase2_50_percent"
LEAD = "engineering lead"
GRACE, OLGA = "arn:aws:iam::000000000103:user/grace", "arn:aws:iam::000000000103:user/olga"
RUNS = Operator(OLGA, before=True)


def params(env: str = "prod", approvals: dict[str, Any] | None = None, **more: Any) -> Params:
    loaded = load_file(PARAMS / f"{env}.yaml", {"release": "r1", "operator": "Olga", **more})
    if approvals is None:
        return loaded
    policy = loaded.policy.model_copy(update={"approvals": Approvals(**approvals)})
    return loaded.model_copy(update={"policy": policy})


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


def passed(
    archive: Archive,
    where: Params | None = None,
    *,
    notebook: str = PHASE_1,
    decision: str = "PROMOTE",
    hours_ago: float = 5,
    arn: str = OLGA,
) -> RecordRef:
    """A sealed run of the phase before."""
    where = where or params()
    _, staging, run_id, _ = recording.staged(archive.root, where.env, where.release, notebook, "papermill")
    journal = Journal(staging)
    recording.opened(journal, run_id, notebook, "papermill", {**where.flat.model_dump(mode="json"), "mode": "apply"})
    at = (NOW - dt.timedelta(hours=hours_ago)).isoformat()
    journal.append("caller", account_id="1", arn=arn, operator="Olga", as_of=at, endpoint="")
    journal.append("closed", decision=decision, said=None, reason=decision, next="")
    return seal_staged(archive, staging, status="completed")


def approve(
    archive: Archive,
    where: Params | None = None,
    *,
    by: str = "Grace H.",
    arn: str = GRACE,
    hours_ago: float = 1,
    **more: Any,
) -> RecordRef:
    """An approval on what there is, whoever says so."""
    where = where or params()
    facts = {"evidence": [one.model_dump() for one in evidence(archive, params(release=where.release), PHASE_2)]}
    at = (NOW - dt.timedelta(hours=hours_ago)).isoformat()
    told = {"kind": "approval", "item": PHASE_2, "by": by, "role": LEAD, "at": at, "facts": facts, **more}
    return enter(archive, where, Entry.model_validate(told), arn)


def checks(archive: Archive, where: Params | None = None, operator: Operator = RUNS) -> list[Check]:
    return approval_checks(Asked(PHASE_2, where or params(), archive, NOW), [LEAD], operator)


def test_a_phase_is_approved_by_its_role(archive: Archive) -> None:
    passed(archive)
    (one,) = checks(archive)
    assert (one.id, one.ok, one.attested) == ("approval.engineering_lead", False, True)
    assert f"runbook approve {PHASE_2} --role 'engineering lead' --params params/prod.yaml" in one.reason
    approve(archive)
    (one,) = checks(archive)
    assert one.ok and "Grace H." in one.reason


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "more", "says"),
    [
        ({}, {"role": "product team"}, "has not approved"),
        ({"env": "staging"}, {}, "has not approved"),
        ({"attempt": 2}, {}, "approved attempt 2"),
        ({"release": "r2"}, {}, "has not approved"),
        ({}, {"hours_ago": -2}, "has not approved"),
        ({}, {"kind": "attestation"}, "has not approved"),
        ({}, {"facts": {}}, "without a record to stand on"),
        ({}, {"facts": {"evidence": "06"}}, "without a record to stand on"),
        ({}, {"facts": {"evidence": []}}, "on no record, but the newest is run"),
        ({}, {"hours_ago": 73}, "73 h ago, which is more than 72 h"),
    ],
)
def test_an_approval_holds_for_role_place_release_attempt_and_record(
    archive: Archive, where: dict[str, Any], more: dict[str, Any], says: str
) -> None:
    for release in ("r1", "r2"):
        passed(archive, params(release=release), hours_ago=100)
    approve(archive, params(**where), **more)
    (one,) = checks(archive)
    assert not one.ok and says in one.reason and "runbook approve" in one.reason


def shifted(archive: Archive, *, attempt: int = 1) -> RecordRef:
    """A sealed run of phase 2 that set its weight, with the approval that it counted."""
    where = params(attempt=attempt)
    _, staging, run_id, _ = recording.staged(archive.root, "prod", "r1", PHASE_2, "papermill")
    journal = Journal(staging)
    recording.opened(journal, run_id, PHASE_2, "papermill", {**where.flat.model_dump(mode="json"), "mode": "apply"})
    for one in checks(archive, where):
        journal.append("check", check=one.model_dump(mode="json"))
    journal.append("intent", id="i", what="dial 10 % -> 50 %", who=OLGA, aws_at="", raises=True, undo="dial to 10")
    journal.append("outcome", intent="i", ok=True, aws_at="")
    journal.append("closed", decision="SOAK", said=None, reason="soaking", next="")
    return seal_staged(archive, staging, status="completed")


def test_an_approval_that_counted_at_the_shift_holds_for_soak_and_migration(archive: Archive) -> None:
    passed(archive, hours_ago=100)
    approve(archive, hours_ago=71)
    shifted(archive)
    later = Asked(PHASE_2, params(), archive, NOW + dt.timedelta(hours=200))
    passed(archive, hours_ago=-10)
    (one,) = approval_checks(later, [LEAD], Operator(OLGA))
    assert one.ok and one.facts["caller_arn"] == GRACE
    assert not approval_checks(later, [LEAD], Operator(OLGA, before=True))[0].ok, "the next raise asks anew"
    assert not approval_checks(Asked(PHASE_2, params(attempt=2), archive, NOW), [LEAD])[0].ok


def test_a_shift_that_counted_no_approval_makes_none(archive: Archive) -> None:
    passed(archive)
    shifted(archive)
    assert not approval_checks(Asked(PHASE_2, params(), archive, NOW), [LEAD])[0].ok
    approve(archive)
    assert approval_checks(Asked(PHASE_2, params(), archive, NOW), [LEAD])[0].ok


def test_a_newer_record_takes_the_approval_with_it(archive: Archive) -> None:
    passed(archive)
    approve(archive)
    newer = passed(archive, hours_ago=0.5)
    (one,) = checks(archive)
    assert not one.ok and f"but the newest is run {newer.run_id} of {PHASE_1}@prod" in one.reason
    approve(archive, hours_ago=0.1)
    assert checks(archive)[0].ok


def test_a_record_that_was_rewritten_is_not_the_one_that_was_approved(archive: Archive) -> None:
    ref = passed(archive)
    approve(archive)
    path = ref.folder / "record.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"reason": "it was different"}))
    (one,) = checks(archive)
    assert not one.ok and "cannot be approved yet" in one.reason and "cannot be trusted" in one.reason


@pytest.mark.parametrize("decision", ["SOAK", "HOLD", "ROLLBACK"])
def test_nothing_can_be_approved_on_a_phase_that_has_not_passed(archive: Archive, decision: str) -> None:
    with pytest.raises(Refused, match=f"no sealed record of {PHASE_1}@prod"):
        evidence(archive, params(), PHASE_2)
    passed(archive, decision=decision)
    with pytest.raises(Refused, match=f"{PHASE_2} cannot be approved yet: {PHASE_1}@prod says"):
        evidence(archive, params(), PHASE_2)


def test_a_run_names_the_phase_that_stands_on_it_and_only_the_newest_counts(archive: Archive) -> None:
    old, new = passed(archive, hours_ago=9), passed(archive)
    assert approved_by_record(archive, params(), new.run_id[:8]) == PHASE_2
    found = evidence(archive, params(), PHASE_2)
    must_be_newest(found, new.run_id[:8])
    must_be_newest(found, new.folder.name)
    with pytest.raises(Refused, match=f"run {old.run_id} is not the newest that passed: that is run {new.run_id}"):
        must_be_newest(found, old.run_id)


def test_a_run_that_nothing_stands_on_is_a_sentence(archive: Archive) -> None:
    week = passed(archive, notebook="10_post_deployment")
    with pytest.raises(UsageError, match="the basis of no phase that is approved"):
        approved_by_record(archive, params(), week.run_id)
    other = passed(archive, params(release="r2"))
    with pytest.raises(UsageError, match="is of release r2; these parameters are of r1"):
        approved_by_record(archive, params(), other.run_id)
    with pytest.raises(ArchiveError, match="no record starts with 'ffffffffffff'"):
        approved_by_record(archive, params(), "ffffffffffff")


def test_who_approves_and_operates_is_told_so_or_stopped(archive: Archive) -> None:
    passed(archive, arn="arn:aws:iam::000000000103:user/tom")
    approve(archive, by="G.", arn=OLGA)
    approval, eyes = checks(archive)
    assert approval.ok and (eyes.id, eyes.ok, eyes.required) == ("approval.engineering_lead.four_eyes", False, False)
    assert OLGA in eyes.reason and "two people" in eyes.reason
    enforced = params(approvals={"four_eyes": "enforced"})
    assert checks(archive, enforced)[1].required
    assert len(checks(archive, enforced, Operator(before=True))) == 1, "who only looks operates nothing"


def test_the_same_name_is_told_where_the_arn_is_another(archive: Archive) -> None:
    passed(archive)
    approve(archive, by="olga", arn=GRACE)
    _, eyes = checks(archive)
    assert not eyes.required and "olga approves and operates" in eyes.reason


def test_who_ran_the_phase_before_does_not_approve_the_next_where_four_eyes_are_demanded(archive: Archive) -> None:
    passed(archive, arn=GRACE)
    approve(archive, arn=GRACE)
    _, eyes = checks(archive, params(approvals={"four_eyes": "enforced"}))
    assert eyes.required and not eyes.ok
    found = evidence(archive, params(), PHASE_2)
    (advice,) = may_approve(params(), found, Approver(LEAD, GRACE), NOW)
    assert "two people" in advice
    with pytest.raises(Refused, match=r"another person must \(gates.yaml, approvals.four_eyes\)"):
        may_approve(params(approvals={"four_eyes": "enforced"}), found, Approver(LEAD, GRACE), NOW)
    assert may_approve(params(approvals={"four_eyes": "enforced"}), found, Approver(LEAD, OLGA), NOW) == []


def test_who_applied_any_run_of_the_phase_before_ran_it(archive: Archive) -> None:
    passed(archive, decision="SOAK", arn=GRACE)
    passed(archive, arn=OLGA)
    approve(archive, arn=GRACE)
    enforced = params(approvals={"four_eyes": "enforced"})
    assert not checks(archive, enforced)[1].ok
    with pytest.raises(Refused, match="another person must"):
        may_approve(enforced, evidence(archive, enforced, PHASE_2), Approver(LEAD, GRACE), NOW)


SSO = "assumed-role/AWSReservedSSO"


@pytest.mark.parametrize(
    ("one", "other", "advised", "enforced"),
    [
        ("arn:aws:iam::1:user/grace", "arn:aws:iam::1:user/Grace", True, True),
        ("arn:aws:iam::1:user/grace", "arn:aws:iam::1:user/gracе", False, False),
        ("arn:aws:iam::1:user/grace", "arn:aws:iam::2:user/grace", False, False),
        ("arn:aws:sts::1:assumed-role/Ops/grace", "arn:aws:sts::1:assumed-role/Ops/olga", False, True),
        ("arn:aws:sts::1:assumed-role/Ops/grace", "arn:aws:sts::1:assumed-role/Ops/Grace", True, True),
        ("arn:aws:sts::1:assumed-role/Ops/grace", "arn:aws:sts::1:assumed-role/Leads/grace", False, False),
        ("arn:aws:sts::1:federated-user/grace", "arn:aws:sts::1:federated-user/olga", False, True),
        (f"arn:aws:sts::1:{SSO}_Ops_a1/grace", f"arn:aws:sts::1:{SSO}_Ops_a1/olga", False, False),
        (f"arn:aws:sts::1:{SSO}_Ops_a1/grace", f"arn:aws:sts::1:{SSO}_Leads_b2/Grace", True, True),
        (f"arn:aws:sts::1:{SSO}_Ops_a1/grace", f"arn:aws:sts::2:{SSO}_Ops_c3/grace", True, True),
        ("arn:aws:sts::1:assumed-role/Saml/grace", "arn:aws:sts::1:assumed-role/Saml/olga", False, False),
        ("arn:aws:sts::1:assumed-role/Saml/grace", f"arn:aws:sts::2:{SSO}_Ops_c3/grace", True, True),
    ],
)
def test_two_arns_are_one_person_as_far_as_aws_tells(one: str, other: str, advised: bool, enforced: bool) -> None:
    """The session of a role has the name that its caller gives it, unless an identity provider does."""
    named = ("AWSReservedSSO_*", "Saml")
    found = [Approvals(four_eyes=how, named_sessions=named) for how in ("advised", "enforced")]
    assert [rules.one_person(*arns) for rules in found for arns in ((one, other), (other, one))] == [
        *(advised, advised),
        *(enforced, enforced),
    ]


def test_another_session_of_the_role_that_ran_it_does_not_approve_it_where_four_eyes_are_demanded(
    archive: Archive,
) -> None:
    ran, approves = (f"arn:aws:sts::1:assumed-role/Ops/{name}" for name in ("olga", "grace"))
    enforced = params(approvals={"four_eyes": "enforced"})
    passed(archive, arn=ran)
    approve(archive, arn=approves)
    assert len(checks(archive)) == 1
    _, eyes = checks(archive, enforced)
    assert eyes.required and not eyes.ok and f"{approves}, who cannot be told from {ran}," in eyes.reason
    found = evidence(archive, enforced, PHASE_2)
    with pytest.raises(Refused, match=r"who cannot be told from .* ran run .*, and approves it"):
        may_approve(enforced, found, Approver(LEAD, approves), NOW)
    assert not checks(archive, enforced, Operator(f"{approves}2", before=True))[1].ok, "nor run what he approved"


@pytest.mark.parametrize("how", ["altered", "removed"])
def test_who_takes_a_run_out_of_the_count_does_not_become_another_one(archive: Archive, how: str) -> None:
    """A damaged record names no operator: whoever ran it could approve."""
    first = passed(archive, decision="SOAK", arn=GRACE)
    passed(archive, arn=OLGA)
    passed(archive, arn=OLGA)
    enforced = params(approvals={"four_eyes": "enforced"})
    if how == "altered":
        (first.folder / "journal.jsonl").write_text("{}")
    else:
        shutil.rmtree(first.folder)
    with pytest.raises(Refused, match=f"cannot be told|cannot be approved yet.*{first.folder.name}"):
        evidence(archive, enforced, PHASE_2)


@pytest.mark.parametrize("rules", [{"four_eyes": "enforced"}, {"callers": {LEAD: ["*"]}}])
def test_a_caller_whom_aws_did_not_name_is_nobody(archive: Archive, rules: dict[str, Any]) -> None:
    passed(archive)
    approve(archive, arn="")
    assert "a caller that AWS did not name may not approve" in checks(archive, params(approvals=rules))[0].reason
    assert checks(archive)[0].ok, "where nobody is named, names are for reading"


@pytest.mark.parametrize("one", ["Engineering  Lead", "engineering_lead", "ENGINEERING LEAD"])
def test_one_role_in_two_spellings_is_refused(one: str) -> None:
    with pytest.raises(ValueError, match="are one role; name it once"):
        Approvals(callers={LEAD: ("a",), one: ("b",)})
    phase = params().policy.phases[PHASE_2].model_dump()
    with pytest.raises(ValueError, match="are one role; name it once"):
        Phase.model_validate({**phase, "approvers": [LEAD, one]})


def test_a_caller_who_may_not_speak_for_the_role_is_refused_and_does_not_count(archive: Archive) -> None:
    passed(archive)
    approve(archive)
    only = params(approvals={"callers": {"Engineering  Lead": ["arn:aws:sts::*:assumed-role/Leads/*"]}})
    (one,) = checks(archive, only)
    assert not one.ok and f"{GRACE} may not approve as the engineering lead: arn:aws:sts::*" in one.reason
    found = evidence(archive, only, PHASE_2)
    with pytest.raises(Refused, match=r"may not approve as the engineering lead.*approvals\.callers"):
        may_approve(only, found, Approver(LEAD, GRACE), NOW)
    assert may_approve(only, found, Approver(LEAD, "arn:aws:sts::1:assumed-role/Leads/grace"), NOW) == []


def test_a_record_that_is_too_old_is_not_approved(archive: Archive) -> None:
    passed(archive, hours_ago=80)
    with pytest.raises(Refused, match=r"80 h old; it can be approved for 72 h \(gates.yaml, approvals.max_age_h\)"):
        may_approve(params(), evidence(archive, params(), PHASE_2), Approver(LEAD, GRACE), NOW)
    assert may_approve(params(approvals={}), evidence(archive, params(), PHASE_2), Approver(LEAD, GRACE), NOW) == []


ORDERS = sorted(set(itertools.permutations(["approve", "pass", "hold", "approve", "pass"])))
"""All thirty."""


@pytest.mark.slow
@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_an_approval_counts_only_while_the_last_word_of_the_phase_before_is_the_one_it_saw(
    archive: Archive, order: tuple[str, ...]
) -> None:
    last, seen = None, None
    for step in order:
        if step == "approve":
            try:
                approve(archive)
                seen = last
            except Refused:
                assert last is None or last.startswith("hold")
        else:
            ref = passed(archive, decision="PROMOTE" if step == "pass" else "HOLD")
            last = f"{step} {ref.run_id}"
    truth = seen is not None and seen == last
    assert checks(archive)[0].ok is truth


JOB = "arn:aws:sts::1:assumed-role/approve-prod/runbook-42"
IN_CI = {"callers": ["*:assumed-role/approve-prod/*"], "repository": "acme/orders", "environment": "approve-prod"}
LET_IN = {"repository": "acme/orders", "environment": "approve-prod", "run": 42, "attempt": 1, "rejected_by": []}


@pytest.mark.parametrize("how", ["enforced", "advised"])
def test_who_let_the_job_in_does_not_operate_what_it_approves(archive: Archive, how: str) -> None:
    passed(archive)
    facts = {"evidence": [one.model_dump() for one in evidence(archive, params(), PHASE_2)]}
    rules = params(approvals={"four_eyes": how, "ci": {LEAD: {**IN_CI, "reviewers": ["grace", "OLGA"]}}})
    approve(archive, arn=JOB, by="x", facts=facts)
    assert "approves without saying who let its job" in checks(archive, rules)[0].reason
    said = {**LET_IN, "started_by": ["nina"], "approved_by": ["olga"]}
    approve(archive, arn=JOB, by="x", facts={**facts, "review": said})
    one, eyes = checks(archive, rules)
    assert one.ok and not eyes.ok and eyes.required is (how == "enforced") and "olga, who let the job in" in eyes.reason
    approve(archive, arn=JOB, by="x", facts={**facts, "review": {**said, "approved_by": ["olga", "Grace"]}})
    assert [one.ok for one in checks(archive, rules)] == [True]
    found = evidence(archive, rules, PHASE_2)
    own = Review.model_validate({**said, "started_by": ["grace"], "approved_by": ["grace"]})
    if how == "advised":
        assert may_approve(rules, found, Approver(LEAD, JOB, own), NOW) == ["grace started run 42 and let it in"]
    else:
        with pytest.raises(Refused, match="another one has to"):
            may_approve(rules, found, Approver(LEAD, JOB, own), NOW)


def test_a_group_is_asked_again_when_the_approval_is_counted(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who left the group since, or was put into the archive by hand, does not count."""
    answers: list[bool | AwsError] = []

    def ask(*_: object) -> bool:
        if isinstance(answers[0], AwsError):
            raise answers[0]
        return answers[0]

    monkeypatch.setattr(speaking, "is_member", ask)
    passed(archive)
    approve(archive)
    rules = params(approvals={"callers": {LEAD: ["arn:aws:iam::000000000103:group/leads"]}})
    for answer, says in (
        (True, "Grace H."),
        (False, "may not approve as the engineering lead"),
        (AwsError("iam:GetGroup was denied"), "cannot be told: iam:GetGroup was denied"),
    ):
        answers[:] = [answer]
        (one,) = checks(archive, rules)
        assert one.ok is (answer is True) and says in one.reason
