"""Which questions the evidence takes: windows, labels, and the second round for the bounds of a percentile."""

from __future__ import annotations

import datetime as dt
import math

from runbook_lib.base.window import Window, period_for
from runbook_lib.judge.gates.change import START_SHARE
from runbook_lib.judge.gates.sequential import early_rank
from runbook_lib.judge.gates.statistics import percentile, quantile_low_rank, quantile_rank
from runbook_lib.judge.model import RULES, Gate, Look
from runbook_lib.observe.metrics.fetch import Answers, Ask
from runbook_lib.params.load import Params

FUNCTIONS = ("submit", "worker", "status_fn")
GAUGE_PERIOD_S = 300
LATENCY = "submit_latency"
BASELINE_LATENCY = "baseline_latency"
LEVELS = ("Minimum", "p50", "p90", "Maximum")
"""Of the latencies of each five minutes: with few requests in them they tell how many were beyond a limit."""
LATENCY_N, LATENCY_UPPER, LATENCY_LOW = f"{LATENCY}:n", f"{LATENCY}:upper", f"{LATENCY}:low"

_COUNTED = (
    *(f"{route}_{what}" for route in ("async", "status", "sync") for what in ("requests", "5xx", "4xx")),
    *(f"{name}_{what}" for name in FUNCTIONS for what in ("invocations", "errors")),
    *("sync_fn_invocations", "sync_fn_duration", "vpr_generated", "vpr_cost_usd"),
    *(f"{name}_log_bytes" for name in (*FUNCTIONS, "sync_fn")),
    *("queue_sent", "queue_received", "queue_deleted", "queue_empty_receives"),
    *("table_reads", "table_writes", "gsi_reads", "gsi_writes"),
    *("jobs_created", "jobs_completed", "jobs_failed", "input_tokens", "output_tokens"),
)
THROTTLES = tuple(f"{part}_{side}_throttles" for part in ("table", "gsi") for side in ("read", "write"))


def label(metric: str, stat: str = "Sum") -> str:
    """The label under which `asks` asks a series."""
    return f"{metric}:{stat}"


def level_label(stat: str, arm: str = LATENCY) -> str:
    """The label of a statistic of the latencies of each five minutes."""
    return f"{arm}:{GAUGE_PERIOD_S}:{stat}"


def settled(params: Params, window: Window, now: dt.datetime, more_s: float = 0) -> Window:
    """The part of `window` whose metrics have arrived, in whole periods; `more_s` for what is stamped before it is
    over.
    """
    delay = params.policy.metric_delay_s + more_s
    return window.settled(now, delay).inward(period_for(window, now))


def gauged(params: Params, window: Window, now: dt.datetime) -> Window:
    """The same in whole periods of the gauges."""
    return settled(params, window, now).inward(max(GAUGE_PERIOD_S, period_for(window, now)))


def gate_of(params: Params, measure: str) -> Gate | None:
    """The first gate that is judged on `measure` by itself, else the first that compares it; None: there is none."""
    gates = [gate for gate in params.policy.gates if gate.measure == measure]
    return next((gate for gate in gates if gate.against is None), gates[0] if gates else None)


def asks(params: Params, window: Window, now: dt.datetime) -> list[Ask]:
    """Everything that `measure` needs from CloudWatch but the bounds of percentiles (`asks_bounds`).

    Counts in the finest period still kept; a percentile as one question about the whole window (trap 8).
    """
    whole, gauges = settled(params, window, now), gauged(params, window, now)
    gate = gate_of(params, LATENCY)
    q = gate.quantile if gate and gate.quantile else 0.95
    return [
        *(Ask(name, whole, "Sum") for name in _COUNTED),
        *(Ask(f"{name}_duration", whole, "Sum") for name in FUNCTIONS),
        *(Ask(name, gauges, "Sum", GAUGE_PERIOD_S) for name in THROTTLES),
        *(Ask(name, gauges, "Maximum", GAUGE_PERIOD_S) for name in ("queue_visible", "dlq_visible")),
        Ask("async_latency", whole, f"p{100 * q:g}", "window", LATENCY),
        Ask("async_latency", whole, "SampleCount", "window", LATENCY_N),
        *(Ask("async_latency", gauges, stat, GAUGE_PERIOD_S, level_label(stat)) for stat in (*LEVELS, "SampleCount")),
        *_asks_of_the_baseline(params, gauges),
    ]


def _asks_of_the_baseline(params: Params, gauges: Window) -> list[Ask]:
    """The same latencies of the synchronous route, where a gate compares them."""
    if not any(gate.measure == LATENCY and gate.against == "baseline" for gate in params.policy.gates):
        return []
    return [
        Ask("sync_latency", gauges, stat, GAUGE_PERIOD_S, level_label(stat, BASELINE_LATENCY))
        for stat in (*LEVELS, "SampleCount")
    ]


def asks_bounds(
    answers: Answers, params: Params, window: Window, now: dt.datetime, look: Look | None = None
) -> list[Ask]:
    """The second round: bounds of the latency's quantile are other percentiles of the same data, which ones depends on
    n.

    Upper: order statistics (`judge.statistics.quantile_rank`). Lower: at a final `look` its mirror image, before that
    the rank of the test that may look at any time (`judge.sequential.early_rank`). No question where n is too small for
    a bound.
    """
    n = int(answers.total(LATENCY_N) or 0)
    gate = gate_of(params, LATENCY)
    q = gate.quantile if gate and gate.quantile else 0.95
    whole = settled(params, window, now)
    upper, low = ranks(n, q, params, look)
    bounds = []
    if upper is not None:
        bounds.append(Ask("async_latency", whole, f"p{percentile(upper, n, up=True):g}", "window", LATENCY_UPPER))
    if low is not None and low > 1:
        # One rank lower, so that it stays a lower bound however CloudWatch interpolates between two samples.
        bounds.append(Ask("async_latency", whole, f"p{percentile(low - 1, n):g}", "window", LATENCY_LOW))
    return bounds


def nearest_rank(q: float, n: int) -> int:
    """Rank of the q quantile of n samples, by the nearest rank."""
    return max(1, math.ceil(round(q * n, 9)))


def ranks(n: int, q: float, params: Params, look: Look | None, rules: int = RULES) -> tuple[int | None, int | None]:
    """Ranks (1 = smallest of n) of the upper and the lower bound of the q quantile; None where n is too small.

    Before a final look the lower one is at the share of alpha that the test for a change has for the start; by rules 2
    it was at all of it.
    """
    policy = params.policy
    alpha = look.alpha if look else 1 - policy.confidence
    if look is None:
        early = policy.alpha_early * (START_SHARE if rules >= RULES else 1)
        return quantile_rank(n, q, alpha), early_rank(n, q, early, policy.early_prior)
    return quantile_rank(n, q, alpha), quantile_low_rank(n, q, alpha)
