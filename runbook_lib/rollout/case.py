"""The case of one look at a phase: what is judged, from where the phase stands and what was seen. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from runbook_lib.base.window import iso
from runbook_lib.judge.case import Case
from runbook_lib.judge.model import BASELINE, Evidence, Look
from runbook_lib.judge.terms import RULES
from runbook_lib.params.load import Params
from runbook_lib.params.phases import Phase
from runbook_lib.rollout.moment import Moment, Name


def case_of(
    params: Params,
    spec: Phase,
    now: Moment,
    evidence: Mapping[str, Evidence],
    look: Look | None,
    *,
    moment: Name | None = None,
    back: dt.datetime | None = None,
) -> Case:
    """The case that `judge` decides.

    Args:
        now: where the phase stands.
        look: the declared look that is judged; None for an interim one.
        moment: replaces that of `now`: the time after a declared look is judged as `during`.
        back: when the next look is worth a run.
    """
    policy = params.policy
    return Case(
        rules=RULES,
        gates=policy.gates if now.effective_at is not None or moment == "during" else (),
        evidence=dict(evidence),
        look=look,
        looks=now.looks or spec.looks,
        look_number=now.look_number if look else 0,
        confidence=policy.confidence,
        alpha_early=policy.alpha_early,
        alphas=policy.alphas,
        prior=policy.early_prior,
        moment=moment or now.name,  # `over` and `migrating` are not judged
        percent=spec.percent if (moment or now.name) == "before" else now.percent,
        last_look=now.last_look,
        come_back_at=iso(back) if back else None,
        baseline=evidence.get(BASELINE),
        worse_baseline_holds=policy.worse_baseline_holds,
        alarm=now.alarm,
        alarm_at=iso(now.taken_back_at) if now.taken_back_at else None,
        taken_back=now.words if now.name == "taken_back" and not now.by_itself else None,
        void=now.words if now.name == "void" else None,
        remedies=policy.remedies,
    )
