"""From answers to evidence. Pure: the same answers give the same evidence, years later.

Each evidence carries its own settled window: CloudWatch's figures end `metric_delay` before now, Lambda errors a job's
deadline earlier still (they are stamped with the start of the invocation), the census the deadline before now. Absence
is no data, unless something else proves that it is zero; then the evidence says what (trap 5).
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from runbook_lib.base.window import Window
from runbook_lib.judge.model import Evidence, Look
from runbook_lib.judge.terms import RULES
from runbook_lib.observe.evidence import arms, costs, declared, levels, questions, rates, rules_1
from runbook_lib.observe.evidence.seen import Answered
from runbook_lib.observe.jobs.segment import Segment
from runbook_lib.observe.metrics.fetch import Answers, Ask
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.params.load import Params


def asks(params: Params, window: Window, now: dt.datetime) -> list[Ask]:
    """Everything that `measure` needs from CloudWatch, without the bounds of percentiles (`asks_bounds`)."""
    return [*questions.asks(params, window, now), *declared.asks(params, window, now)]


def asks_bounds(
    answers: Answers, params: Params, window: Window, now: dt.datetime, look: Look | None = None
) -> list[Ask]:
    """The second round of questions: the bounds of quantiles, which are other percentiles."""
    known = [questions.LATENCY, *declared.percentiles(params)]
    return [ask for one in known for ask in one.asks_bounds(answers, params, window, now, look)]


def measure(
    answers: Answers,
    segment: Segment | None,
    live: dict[str, Any],
    traffic: TrafficState,
    params: Params,
    window: Window,
    now: dt.datetime,
    look: Look | None = None,
    rules: int = RULES,
) -> dict[str, Evidence]:
    """The evidence for every measure, by its name.

    Args:
        answers: those to `asks` and `asks_bounds` together.
        segment: the merged census of the window; None: there is none.
        live: from `live.read`, with `configured` from `configured.read`; what it lacks proves nothing.
        traffic: dial and switch, and since when.
        params: policy, prices and names.
        window: the window that is judged (such as the soak), unsettled.
        now: AWS's clock when the answers were given.
        look: the declared look, as in `asks_bounds`.
        rules: version of the rules of evidence; 1 is that of records of version 0.1.
    """
    seen = Answered(answers, segment, live, traffic, params, window, now, look, rules)
    own = rules_1 if rules < 2 else rates
    found = (
        own.success(seen),
        own.async_5xx(seen),
        *((rates.refused(seen), rates.lost_jobs(seen), rates.llm_quota(seen)) if rules >= 2 else ()),
        levels.submit_latency(seen),
        levels.generation_time(seen),
        levels.queue_depth(seen),
        levels.dlq_depth(seen),
        levels.throttle_events(seen),
        own.lambda_errors(seen),
        costs.async_cost(seen),
        costs.sync_cost(seen),
        rates.observed_split(seen),
        rates.baseline_success(seen),
        *(declared.evidence(seen, name) for name in params.policy.judged),
    )
    return arms.beside(seen, {one.measure: one for one in found})
