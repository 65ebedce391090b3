"""Whether anybody still calls the temporary route, before it is removed."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

from runbook_lib.base.window import Window, parse
from runbook_lib.observe.metrics import fetch
from runbook_lib.observe.metrics.fetch import Ask
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.run.run import Run

MINUTE = dt.timedelta(minutes=1)


@dataclass(frozen=True)
class Silence:
    """How long the temporary route has had no request, counted from when clients had time to read the dial at 0."""

    since: dt.datetime
    """Begin of the silence: no request came to the temporary route after it."""
    until: dt.datetime
    calls: float
    """Requests to the temporary route since the dial was set to 0."""
    witness: float
    """Requests to the synchronous route while it was silent: without one, silence would show nothing (trap 5)."""

    @property
    def seconds(self) -> float:
        """Length of the silence in seconds."""
        return max(0.0, (self.until - self.since).total_seconds())


def listen(run: Run, state: TrafficState) -> Silence:
    """Counts the requests to the temporary and the synchronous route since the dial was set to 0; notes the answers.

    Raises:
        AwsError: CloudWatch refused or did not answer.
    """
    params = run.params
    zero = parse(state.dial_since) if state.dial_since else run.now
    start = zero + dt.timedelta(seconds=params.service.traffic.client_poll_s)
    delay = params.policy.metric_delay_s
    whole = Window(min(zero, run.now), run.now).settled(run.now, delay).inward(60)
    quiet = whole.since(start).inward(60)
    asked = [Ask(name, whole, "Sum", label=name) for name in ("async_requests", "sync_requests")]
    answers = fetch.fetch(run.aws.client("cloudwatch"), params, asked, run.now)
    run.journal.append("silence", answers=answers.raw)
    calls = [(at, value) for at, value in answers.points("async_requests") if value]
    since = max([quiet.start, *(at + MINUTE for at, _ in calls)])
    heard = [value for at, value in answers.points("sync_requests") if since <= at < quiet.end]
    if answers.partial("async_requests"):
        heard = []
    return Silence(since, quiet.end, math.fsum(value for _, value in calls), math.fsum(heard))
