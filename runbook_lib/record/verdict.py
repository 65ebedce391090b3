"""A verdict for other programs: an in-toto Statement whose predicate is a SLSA Verification Summary (VSA).

Formats: https://github.com/in-toto/attestation (Statement v1) and https://slsa.dev/verification_summary/v1. Facts that
the latter has no field for have names that begin with `runbook_`; no level is one of SLSA's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from runbook_lib.base.errors import ArchiveError
from runbook_lib.judge.terms import Frozen
from runbook_lib.record.log.leaf import Leaf
from runbook_lib.record.record import Record
from runbook_lib.record.seal import exact, jcs

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/verification_summary/v1"
VERIFIER = "urn:rollout-runbook"
VERDICTS = ("PROMOTE", "HOLD", "ROLLBACK")


def resource(env: str, release: str, notebook: str) -> str:
    """The subject of the verdict, as a URI."""
    return "rollout:" + "/".join(quote(one, safe="") for one in (env, release, notebook))


def statement(record: Record, leaf: Leaf, origin: str) -> bytes:
    """The statement about one sealed record, in the form of RFC 8785.

    Args:
        leaf: the record's leaf in the log.
        origin: name of the archive's log.

    Raises:
        ArchiveError: the record has no decision that is a verdict.
    """
    if record.decision not in VERDICTS:
        said = record.decision or "no decision"
        raise ArchiveError(f"{leaf.name} is not a verdict ({said}); attested are {', '.join(VERDICTS)}")
    known = {"rollout-runbook": record.versions.get("rollout-runbook"), "commit": record.versions.get("commit")}
    predicate = {
        "verifier": {"id": VERIFIER, "version": {name: str(one) for name, one in known.items() if one}},
        "timeVerified": record.sealed_at.replace("+00:00", "Z"),
        "resourceUri": resource(record.env, record.release, record.notebook),
        "policy": {"uri": "gates.yaml", "digest": {"sha256": policy_digest(record.policy)}},
        "inputAttestations": [{"uri": leaf.path, "digest": {"sha256": leaf.file}}],
        **_result(record.decision),
        "runbook_verdict": {
            "decision": record.decision,
            "reason": record.told.reason,
            "mode": record.mode,
            "attempt": record.attempt,
            "as_of": record.as_of,
            "env": record.env,
            "release": record.release,
            "notebook": record.notebook,
            "run_id": record.run_id,
            "caller_arn": record.caller_arn,
        },
        "runbook_inputs": [{"name": name, "digest": {"sha256": one}} for name, one in sorted(record.files.items())],
        "runbook_log": {"origin": origin, "index": leaf.index, "record": leaf.hash},
    }
    subject = [{"name": leaf.path, "digest": {"sha256": leaf.file}}]
    return jcs({"_type": STATEMENT, "subject": subject, "predicateType": PREDICATE, "predicate": exact(predicate)})


def _result(decision: str) -> dict[str, Any]:
    """The decision in the predicate's own fields."""
    passed = decision == "PROMOTE"
    return {
        "verificationResult": "PASSED" if passed else "FAILED",
        "verifiedLevels": ["ROLLOUT_PROMOTE" if passed else "FAILED"],
    }


def policy_digest(policy: Mapping[str, Any]) -> str:
    """SHA-256 of the policy that decided, in the form of RFC 8785: the record's field `policy`."""
    return hashlib.sha256(jcs(exact(dict(policy)))).hexdigest()


class Verdict(Frozen):
    """The contents of a statement."""

    decision: str
    reason: str = ""
    mode: str = ""
    attempt: int = 1
    as_of: str | None = None
    env: str
    release: str
    notebook: str
    run_id: str
    caller_arn: str = ""
    sealed_at: str = ""
    policy: str = ""
    """SHA-256 of the policy."""
    record: str = ""
    """SHA-256 of `record.json`."""


def said(statement_: Mapping[str, Any]) -> Verdict:
    """The verdict in a statement whose signature was checked.

    Raises:
        ValueError: it is not a verdict of ours, or contradicts itself; half a sentence.
    """
    if (statement_.get("_type"), statement_.get("predicateType")) != (STATEMENT, PREDICATE):
        raise ValueError("it is not an in-toto Statement v1 with a verification summary")
    try:
        one: Any = statement_["predicate"]
        facts = {"sealed_at": one["timeVerified"], "policy": one["policy"]["digest"]["sha256"]}
        facts["record"] = statement_["subject"][0]["digest"]["sha256"]
        found = Verdict.model_validate({**one["runbook_verdict"], **facts})
        result, where = {name: one[name] for name in _result(found.decision)}, one["resourceUri"]
        verifier = one["verifier"]["id"]
        judged = [(each["uri"], each["digest"]) for each in one["inputAttestations"]]
        about = [(each["name"], each["digest"]) for each in statement_["subject"]]
    except (KeyError, TypeError, IndexError, ValueError):
        raise ValueError("it is not a verdict of a rollout runbook") from None
    if verifier != VERIFIER:
        raise ValueError(f"it is a verdict of {repr(verifier)[:80]}, not of {VERIFIER}")
    if found.decision not in VERDICTS or result != _result(found.decision):
        raise ValueError(f"it contradicts itself: {repr([*result.values()])[:80]} and {found.decision}")
    if about != judged or len(about) != 1:
        raise ValueError("it contradicts itself: it is about another record than the one that was judged")
    if where != resource(found.env, found.release, found.notebook):
        raise ValueError(f"it contradicts itself: it is about {where}")
    return found
