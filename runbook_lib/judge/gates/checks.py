"""Checks: facts that are verified once (a setting, a command, a signature), and the decision of a run by its checks.

A gate is judged on samples of live traffic (`gates.py`), a check on one answer. Both use the same four verdicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import Field

from runbook_lib.judge import words
from runbook_lib.judge.model import Outcome
from runbook_lib.judge.terms import Decision, Frozen, Verdict, Word


class Check(Frozen):
    """One verified fact.

    `id` is unique in its notebook and dotted, such as `inventory.queue.visibility_timeout`: the traceability table and
    the acceptance report refer to it.
    """

    id: str
    title: str
    verdict: Verdict
    reason: str
    """One sentence with the values in it; where it does not PASS, also what to do."""
    required: bool = True
    """Whether it decides; False: it is advice."""
    expected: str = ""
    found: str = ""
    attested: bool = False
    """Whether a person vouches for it; then the check verifies that they did."""
    mends: bool = False
    """Whether it does not hold yet, but applying this run's plan makes it hold."""
    facts: dict[str, Any] = Field(default_factory=dict)
    """For machines: durations, exit codes, hashes, links."""

    @property
    def ok(self) -> bool:
        """Whether it passed."""
        return self.verdict is Verdict.PASS


def check(
    id: str,
    title: str,
    ok: bool | None,
    reason: str,
    *,
    required: bool = True,
    expected: object = "",
    found: object = "",
    attested: bool = False,
    mends: bool = False,
    **facts: Any,
) -> Check:
    """A `Check` from a truth value: None is NO_DATA, it could not be seen."""
    verdict = {True: Verdict.PASS, False: Verdict.FAIL, None: Verdict.NO_DATA}[ok]
    return Check(
        id=id,
        title=title,
        verdict=verdict,
        reason=reason,
        required=required,
        expected=str(expected),
        found=str(found),
        attested=attested,
        mends=mends,
        facts=facts,
    )


def unmet(checks: Iterable[Check]) -> list[Check]:
    """The required checks that do not pass, FAIL first."""
    order = {Verdict.FAIL: 0, Verdict.NO_DATA: 1, Verdict.INCONCLUSIVE: 2}
    return sorted((one for one in checks if one.required and not one.ok), key=lambda one: order[one.verdict])


def decide_checks(
    checks: Sequence[Check],
    *,
    applied: bool,
    done: str,
    then: str,
    again: str = "Put that right, then run it again.",
    passed: Word | None = None,
) -> Outcome:
    """The decision of a run by its checks.

    Only a run that applied can promote, and only if every required check passed. A plan is PLANNED where applying would
    mend all that is missing. Anything else is a HOLD that names the first failed check and the number of others.

    Args:
        applied: whether the run was allowed to change AWS, so that its checks are about the result.
        done: what has been achieved when all pass, in words ("dev is deployed and its flow works end to end").
        then: what to do after that.
        again: what to do on a HOLD.
        passed: the word that people read instead of PROMOTE.
    """
    wrong = unmet(checks)
    held = sum(one.ok for one in checks if one.required)
    if not checks:
        return Outcome(decision=Decision.HOLD, reason="nothing was checked", next=again)
    if not wrong and applied:
        reason = f"{done}; {words.all_of(held, 'required check')} passed"
        return Outcome(decision=Decision.PROMOTE, said=passed, reason=reason, next=then)
    stuck = wrong if applied else [one for one in wrong if not one.mends]
    if stuck:
        more = f" (and {len(stuck) - 1} more)" if len(stuck) > 1 else ""
        return Outcome(decision=Decision.HOLD, reason=f"{stuck[0].reason}{more}", next=again)
    missing = f"; applying would bring about {len(wrong)} more" if wrong else ""
    return Outcome(
        decision=Decision.PLANNED,
        reason=f"{words.count(held, 'required check')} {words.verb(held, 'pass')}{missing}",
        next="Read the plan, then run this notebook with mode='apply' and confirm.",
    )
