"""Attestations and approvals as checks: the right person, in time, unaltered; else a sentence that says what to do."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.errors import UsageError
from runbook_lib.params.load import Params, load_file
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.entry import Entry, enter
from runbook_lib.record.journal import Journal
from runbook_lib.record.place import RecordRef
from runbook_lib.rollout.people import Asked, attestation_checks, declared, wanted_by

PARAMS = Path(__file__).parents[2] / "params"
NOW = dt.datetime(2026, 11, 23, 3, 0, tzinfo=dt.UTC)


def params(env: str = "prod", **more: Any) -> Params:
    return load_file(PARAMS / f"{env}.yaml", {"release": "r1", "operator": "Olga", **more})


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


def say(
    archive: Archive, item: str, role: str, *, hours_ago: float = 1, where: Params | None = None, **more: Any
) -> RecordRef:
    at = (NOW - dt.timedelta(hours=hours_ago)).isoformat()
    entry = Entry(**{"kind": "attestation", "item": item, "by": "Ada L.", "role": role, "at": at, **more})
    return enter(archive, where or params(), entry, "arn:aws:iam::000000000103:user/ada")


def asked(archive: Archive, notebook: str = "01_preflight", where: Params | None = None) -> Asked:
    return Asked(notebook, where or params(), archive, NOW)


def test_given_says_who_role_when_and_link(archive: Archive) -> None:
    say(archive, "code_review", "Reviewer", link="https://example.org/review/1")
    (one,) = attestation_checks(asked(archive), ["code_review"])
    assert (one.id, one.ok, one.attested, one.required) == ("attest.code_review", True, True, True)
    for part in ("Ada L.", "Reviewer", "2026-11-23 02:00 UTC", "https://example.org/review/1"):
        assert part in one.reason
    assert one.facts["link"] == "https://example.org/review/1"
    assert one.facts["caller_arn"].endswith("user/ada")


def test_missing_names_item_role_and_command(archive: Archive) -> None:
    (one,) = attestation_checks(asked(archive), ["on_call_scheduled"])
    assert (one.ok, one.required, one.attested, one.mends, one.found) == (False, True, True, False, "nobody")
    assert "On-call rotation scheduled" in one.reason
    assert (
        "runbook attest on_call_scheduled --by NAME --role 'engineering lead' --params params/prod.yaml" in one.reason
    )


def test_the_wrong_role_does_not_count_whoever_speaks_last(archive: Archive) -> None:
    say(archive, "code_review", "operator")
    (one,) = attestation_checks(asked(archive), ["code_review"])
    assert not one.ok
    assert "Ada L. as operator" in one.reason and "the reviewer must attest it" in one.reason
    say(archive, "code_review", "reviewer", hours_ago=5)
    assert attestation_checks(asked(archive), ["code_review"])[0].ok


@pytest.mark.parametrize(("hours_ago", "ok"), [(0, True), (11.9, True), (12.1, False)])
def test_presence_grows_old(archive: Archive, hours_ago: float, ok: bool) -> None:
    say(archive, "on_call_present", "on-call engineer", hours_ago=hours_ago)
    (one,) = attestation_checks(asked(archive), ["on_call_present"])
    assert one.ok is ok
    if not ok:
        assert "12.1 h ago" in one.reason and "more than 12 h" in one.reason


def test_what_is_said_later_counts_for_a_later_run(archive: Archive) -> None:
    say(archive, "code_review", "reviewer", hours_ago=-1)
    assert not attestation_checks(asked(archive), ["code_review"])[0].ok


def test_an_item_of_the_release_counts_from_any_environment_one_of_the_place_does_not(archive: Archive) -> None:
    say(archive, "code_review", "reviewer", where=params("dev"))
    say(archive, "on_call_present", "on-call engineer", where=params("staging"))
    review, present = attestation_checks(asked(archive), ["code_review", "on_call_present"])
    assert (review.ok, present.ok) == (True, False)
    assert not attestation_checks(asked(archive, where=params(release="r2")), ["code_review"])[0].ok


def test_an_altered_entry_does_not_count_and_is_named(archive: Archive) -> None:
    ref = say(archive, "code_review", "reviewer")
    path = ref.folder / "record.json"
    raw = json.loads(path.read_text())
    raw["entry"]["role"] = "reviewer "
    path.write_text(json.dumps(raw))
    (one,) = attestation_checks(asked(archive), ["code_review"])
    assert not one.ok and "altered after it was sealed" in one.reason


def test_declared_ids_and_advice(archive: Archive) -> None:
    found = attestation_checks(asked(archive), ["tasks_7_1_to_7_7", "docs_updated", "celebrated"])
    assert [(one.id, one.required) for one in found] == [
        ("prereq.tasks_7_1_to_7_7", True),
        ("docs.updated", True),
        ("attest.celebrated", False),
    ]


def test_an_unknown_item_is_a_sentence_that_lists_the_known() -> None:
    with pytest.raises(UsageError, match=r"'code_revue' is not an item to attest.*code_review.*celebrated"):
        declared(params().policy, "code_revue")


def test_every_notebook_asks_for_its_own() -> None:
    policy = params().policy
    assert wanted_by(policy, "05_staging") == ["manual_qa", "qa_signoff"]
    assert "code_review" in wanted_by(policy, "01_preflight")
    assert wanted_by(policy, "03_dashboard") == []


def sealed(archive: Archive, notebook: str, env: str, decision: str, *, hours_ago: float, mode: str = "apply") -> None:
    """A run of a notebook that ended so, judged at that time."""
    where = params(env)
    staging = archive.stage(env, where.release, notebook, uuid.uuid4().hex[:12], "papermill")
    journal = Journal(staging)
    flat = {**where.flat.model_dump(mode="json"), "mode": mode}
    journal.append("opened", run_id=staging.name, notebook=notebook, origin="papermill", params=flat)
    at = (NOW - dt.timedelta(hours=hours_ago)).isoformat()
    journal.append("caller", account_id="1", arn="arn", operator="Olga", as_of=at, endpoint="")
    journal.append("closed", decision=decision, reason=decision, next="")
    seal_staged(archive, staging, status="completed")


PHASE_3 = "08_phase3_100_percent"


def test_nobody_vouches_for_what_is_to_come(archive: Archive) -> None:
    at_once = asked(archive, "09_deprecate_sync")
    say(archive, "docs_updated", "operator", hours_ago=3)
    (one,) = attestation_checks(at_once, ["docs_updated"])
    assert not one.ok and f"too early to say so: no record of {PHASE_3}@prod says PROMOTE" in one.reason

    sealed(archive, PHASE_3, "prod", "SOAK", hours_ago=5)
    sealed(archive, PHASE_3, "prod", "PROMOTE", hours_ago=4, mode="plan")
    assert "too early" in attestation_checks(at_once, ["docs_updated"])[0].reason, "it was only looked at, or planned"

    sealed(archive, PHASE_3, "prod", "PROMOTE", hours_ago=2)
    (one,) = attestation_checks(at_once, ["docs_updated"])
    assert not one.ok and one.expected == f"operator, after {PHASE_3}@prod"
    assert (
        f"at 2026-11-23 00:00 UTC, before {PHASE_3}@prod at 2026-11-23 01:00 UTC; give it again: runbook" in one.reason
    )

    say(archive, "docs_updated", "operator", hours_ago=1)
    assert attestation_checks(at_once, ["docs_updated"])[0].ok


def test_a_word_about_what_this_notebook_deploys_comes_after_its_first_applied_run(archive: Archive) -> None:
    staging = asked(archive, "05_staging", params("staging"))
    say(archive, "manual_qa", "QA", hours_ago=3, where=params("staging"))
    assert attestation_checks(staging, ["manual_qa"])[0].ok, "another tool has deployed: no run of ours to come after"
    sealed(archive, "05_staging", "staging", "PLANNED", hours_ago=2)
    sealed(archive, "05_staging", "staging", "SOAK", hours_ago=0.5)
    assert "before 05_staging@staging at 2026-11-23 01:00" in attestation_checks(staging, ["manual_qa"])[0].reason
    say(archive, "manual_qa", "QA", hours_ago=1, where=params("staging"))
    assert attestation_checks(staging, ["manual_qa"])[0].ok


def test_what_an_item_comes_after_is_a_step_of_the_rollout() -> None:
    steps = {f"{name}@{env}" for name, step in params().policy.steps.items() for env in step.envs}
    named = [item.after for item in params().policy.attestations if item.after]
    assert named and set(named) <= steps
