"""The questions of the evidence: windows, labels, and the second round for the bounds of a percentile."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass

from runbook_lib.base.window import Window, period_for
from runbook_lib.judge.gates.change import START_SHARE
from runbook_lib.judge.gates.sequential import early_rank
from runbook_lib.judge.gates.statistics import percentile, quantile_low_rank, quantile_rank
from runbook_lib.judge.model import Gate, Look
from runbook_lib.judge.terms import NOTHING_FORGOTTEN, RULES
from runbook_lib.observe.metrics.fetch import Answers, Ask
from runbook_lib.params.load import Params

FUNCTIONS = ("submit", "worker", "status_fn")
QUEUE_COUNTS = ("sent", "received", "deleted", "empty_receives")
GAUGE_PERIOD_S = 300
LEVELS = ("Minimum", "p50", "p90", "Maximum")
"""Statistics asked for each five minutes: they bound how many samples were beyond a limit."""


@dataclass(frozen=True)
class Percentiles:
    """A measure that is read from CloudWatch's percentiles of one metric: its questions and their labels."""

    measure: str
    metric: str
    divided_by: float = 1000.0
    """Divisor from the metric's unit to the measure's."""
    late_s: float = 0.0
    """Seconds by which points arrive later than `metric_delay_s` says."""
    label: str = ""
    """Label of the quantile itself, and prefix of the other labels; empty: the measure's name."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", self.label or self.measure)

    @property
    def n(self) -> str:
        """Label of the number of samples."""
        return f"{self.label}:n"

    @property
    def upper(self) -> str:
        """Label of the upper bound of the quantile."""
        return f"{self.label}:upper"

    @property
    def low(self) -> str:
        """Label of the lower bound."""
        return f"{self.label}:low"

    def level(self, stat: str) -> str:
        """Label of a statistic for each five minutes."""
        return f"{self.label}:{GAUGE_PERIOD_S}:{stat}"

    def asks(self, params: Params, window: Window, now: dt.datetime) -> list[Ask]:
        """The quantile as one question about the whole window (trap 8), and the levels for its course."""
        whole, gauges = settled(params, window, now, self.late_s), gauged(params, window, now, self.late_s)
        q = quantile_of(params, self.measure)
        return [
            Ask(self.metric, whole, f"p{100 * q:g}", "window", self.label),
            Ask(self.metric, whole, "SampleCount", "window", self.n),
            *(Ask(self.metric, gauges, stat, GAUGE_PERIOD_S, self.level(stat)) for stat in (*LEVELS, "SampleCount")),
        ]

    def asks_bounds(
        self, answers: Answers, params: Params, window: Window, now: dt.datetime, look: Look | None = None
    ) -> list[Ask]:
        """The second round: the bounds of the quantile are other percentiles of the same data, which depend on n.

        The upper one is from order statistics (`judge.gates.statistics.quantile_rank`). The lower one is its mirror
        image at a final `look`; before that, the rank of the test that may look at any time
        (`judge.gates.sequential.early_rank`). Where n is too small for a bound, nothing is asked.
        """
        n = int(answers.total(self.n) or 0)
        whole = settled(params, window, now, self.late_s)
        upper, low = ranks(n, self.measure, params, look)
        bounds = []
        if upper is not None:
            bounds.append(Ask(self.metric, whole, f"p{percentile(upper, n, up=True):g}", "window", self.upper))
        if low is not None and low > 1:
            # One rank lower: then it is a lower bound however CloudWatch interpolates between two samples.
            bounds.append(Ask(self.metric, whole, f"p{percentile(low - 1, n):g}", "window", self.low))
        return bounds


LATENCY = Percentiles("submit_latency", "async_latency")
BASELINE_LATENCY = Percentiles("baseline_latency", "sync_latency")
"""The latency of the synchronous route, where a gate compares with it."""

_COUNTED = (
    *(f"{route}_{what}" for route in ("async", "status", "sync") for what in ("requests", "5xx", "4xx")),
    *("sync_fn_invocations", "sync_fn_duration", "vpr_generated", "vpr_cost_usd"),
    "sync_fn_log_bytes",
    *("table_reads", "table_writes", "gsi_reads", "gsi_writes"),
    *("jobs_created", "jobs_completed", "jobs_failed", "input_tokens", "output_tokens"),
)
THROTTLES = tuple(f"{part}_{side}_throttles" for part in ("table", "gsi") for side in ("read", "write"))


def functions(params: Params) -> tuple[str, ...]:
    """How the catalogue calls the functions of the async path: submit, every worker, status where there is one."""
    status = ("status_fn",) if params.named("status") else ()
    return ("submit", *(post.worker for post in params.service.crew), *status)


def counted(params: Params) -> tuple[str, ...]:
    """Everything that is counted over the window, of every worker."""
    unasked = () if params.service.api.routes.status else ("status_requests", "status_5xx", "status_4xx")
    return (
        *(one for one in _COUNTED if one not in unasked),
        *(
            f"{name}_{what}"
            for name in functions(params)
            for what in ("invocations", "errors", "log_bytes", "duration")
        ),
        *(f"{post.queue}_{what}" for post in params.service.crew for what in QUEUE_COUNTS),
        *of_each(params, ("jobs_created", "jobs_completed", "jobs_failed", "input_tokens", "output_tokens")),
    )


def of_each(params: Params, ids: Iterable[str]) -> tuple[str, ...]:
    """The metrics `ids` of the workers after the first, where they have their own."""
    more = params.service.of_further_workers
    return tuple(id for post in params.service.crew for one in ids if (id := post.id(one)) in more)


def gauges_of(params: Params) -> tuple[str, ...]:
    """The metrics of the depth of every worker's queue and dead-letter queue."""
    return tuple(f"{one}_visible" for post in params.service.crew for one in (post.queue, post.dlq))


def label(metric: str, stat: str = "Sum") -> str:
    """The label under which `asks` asks for a series."""
    return f"{metric}:{stat}"


def settled(params: Params, window: Window, now: dt.datetime, more_s: float = 0) -> Window:
    """The part of `window` whose metrics have arrived, in whole periods; `more_s` is a further delay in seconds, for
    what is stamped before it is over.
    """
    delay = params.policy.metric_delay_s + more_s
    return window.settled(now, delay).inward(period_for(window, now))


def gauged(params: Params, window: Window, now: dt.datetime, more_s: float = 0) -> Window:
    """The window of `settled`, in whole periods of gauges."""
    return settled(params, window, now, more_s).inward(max(GAUGE_PERIOD_S, period_for(window, now)))


def gate_of(params: Params, measure: str) -> Gate | None:
    """The first gate that judges `measure` by itself, else the first that compares it; None: there is none."""
    gates = [gate for gate in params.policy.gates if gate.measure == measure]
    return next((gate for gate in gates if gate.against is None), gates[0] if gates else None)


def quantile_of(params: Params, measure: str) -> float:
    """The quantile that the measure's gate judges; without one, 0.95."""
    gate = gate_of(params, measure)
    return gate.quantile if gate and gate.quantile else 0.95


def asks(params: Params, window: Window, now: dt.datetime) -> list[Ask]:
    """Everything that the runbook's own measures need from CloudWatch, without the bounds of percentiles.

    It asks for counts in the finest period that is still kept.
    """
    whole, gauges = settled(params, window, now), gauged(params, window, now)
    return [
        *(Ask(name, whole, "Sum") for name in dict.fromkeys((*counted(params), *params.service.traffic.arms))),
        *(Ask(name, gauges, "Sum", GAUGE_PERIOD_S) for name in THROTTLES),
        *(Ask(name, gauges, "Maximum", GAUGE_PERIOD_S) for name in gauges_of(params)),
        *LATENCY.asks(params, window, now),
        *_asks_of_the_baseline(params, gauges),
    ]


def _asks_of_the_baseline(params: Params, gauges: Window) -> list[Ask]:
    """Questions for the latencies of the synchronous route, where a gate compares them."""
    if not any(gate.measure == LATENCY.measure and gate.against == "baseline" for gate in params.policy.gates):
        return []
    return [
        Ask(BASELINE_LATENCY.metric, gauges, stat, GAUGE_PERIOD_S, BASELINE_LATENCY.level(stat))
        for stat in (*LEVELS, "SampleCount")
    ]


def nearest_rank(q: float, n: int) -> int:
    """Rank of the q quantile of n samples, by the nearest rank."""
    return max(1, math.ceil(round(q * n, 9)))


def ranks(n: int, measure: str, params: Params, look: Look | None, rules: int = RULES) -> tuple[int | None, int | None]:
    """Ranks (1 = smallest of n) of the upper and the lower bound of the measure's quantile; None where n is too small.

    Before a final look the lower one uses the share of alpha that the test for a change keeps for the start; in rules 2
    it used all of alpha.
    """
    policy, gate, q = params.policy, gate_of(params, measure), quantile_of(params, measure)
    alpha = look.alpha if look else 1 - policy.confidence
    if look is None:
        early = (policy.alpha_of(gate) if gate else policy.alpha_early) * (
            START_SHARE if rules >= NOTHING_FORGOTTEN else 1
        )
        return quantile_rank(n, q, alpha), early_rank(n, q, early, policy.early_prior)
    return quantile_rank(n, q, alpha), quantile_low_rank(n, q, alpha)
