"""Statements of verdicts: what they say, and of what none is made."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runbook_lib.base.errors import ArchiveError
from runbook_lib.record.log.leaf import Leaf
from runbook_lib.record.record import Record
from runbook_lib.record.verdict import policy_digest, said, statement

LEAF = Leaf(
    index=4, kind="run", path="env=prod/release=r1/06/20261123T030000.000Z-ab", sealed_at="x", hash="a", file="b"
)


def record(decision: str | None = "PROMOTE", **more: Any) -> Record:
    versions = {"rollout-runbook": "0.2.0", "commit": "abc", "python": "3.11"}
    facts = {"env": "prod", "release": "r 1/x", "notebook": "06", "run_id": "ab", "decision": decision, **more}
    facts |= {"sealed_at": "2026-11-23T03:00:00.000+00:00", "policy": {"confidence": 0.95}, "versions": versions}
    return Record(outcome={"decision": decision, "reason": "it was judged"}, files={"case.json": "c"}, **facts)


@pytest.mark.parametrize(("decision", "result"), [("PROMOTE", "PASSED"), ("HOLD", "FAILED"), ("ROLLBACK", "FAILED")])
def test_a_verdict_is_a_verification_summary(decision: str, result: str) -> None:
    found = json.loads(statement(record(decision), LEAF, "rollout-runbook/1"))
    assert found["_type"] == "https://in-toto.io/Statement/v1"
    assert found["predicateType"] == "https://slsa.dev/verification_summary/v1"
    assert found["subject"] == [{"name": LEAF.path, "digest": {"sha256": "b"}}]
    one = found["predicate"]
    assert one["verifier"] == {"id": "urn:rollout-runbook", "version": {"rollout-runbook": "0.2.0", "commit": "abc"}}
    assert (one["verificationResult"], one["timeVerified"]) == (result, "2026-11-23T03:00:00.000Z")
    assert one["policy"]["digest"]["sha256"] == policy_digest({"confidence": 0.95})
    assert one["runbook_inputs"] == [{"name": "case.json", "digest": {"sha256": "c"}}]
    assert one["resourceUri"] == "rollout:prod/r%201%2Fx/06"
    assert said(found).decision == decision and said(found).release == "r 1/x"


@pytest.mark.parametrize("decision", ["SOAK", "PLANNED", None])
def test_what_decides_nothing_is_not_attested(decision: str | None) -> None:
    with pytest.raises(ArchiveError, match="is not a verdict"):
        statement(record(decision), LEAF, "x")


def test_a_statement_that_contradicts_itself_is_none() -> None:
    good = json.loads(statement(record("HOLD"), LEAF, "x"))
    for part, changed in (
        ("predicate", {**good["predicate"], "verificationResult": "PASSED"}),
        ("predicate", {**good["predicate"], "verificationResult": "x"}),
        ("predicate", {**good["predicate"], "verifiedLevels": ["ROLLOUT_PROMOTE"]}),
        ("predicate", {**good["predicate"], "verifier": {"id": "urn:another"}}),
        ("predicate", {**good["predicate"], "resourceUri": "rollout:dev/r1/06"}),
        ("predicate", {**good["predicate"], "runbook_verdict": {"decision": "HOLD"}}),
        ("predicate", None),
        ("predicateType", "https://slsa.dev/provenance/v1"),
        ("_type", "https://in-toto.io/Statement/v0.1"),
        ("subject", []),
        ("subject", [{"name": LEAF.path, "digest": {"sha256": "c"}}]),
        ("subject", good["subject"] * 2),
        ("subject", [{**good["subject"][0], "name": "env=dev/release=r1/06/x"}]),
        ("predicate", {**good["predicate"], "inputAttestations": [{"uri": "x", "digest": {"sha256": "c"}}]}),
        ("predicate", {**good["predicate"], "inputAttestations": "x"}),
    ):
        with pytest.raises(ValueError, match=r"^it"):
            said({**good, part: changed})
