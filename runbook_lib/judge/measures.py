"""The measures that a gate may be judged on; `observe.measure` takes their evidence."""

from __future__ import annotations

from typing import Literal

Kind = Literal["rate", "quantile", "gauge", "amount", "split"]

MEASURES: dict[str, Kind] = {
    "success": "rate",
    "refused": "rate",
    "lost_jobs": "rate",
    "llm_quota": "rate",
    "async_5xx": "rate",
    "lambda_errors": "rate",
    "baseline_success": "rate",
    "submit_latency": "quantile",
    "generation_time": "quantile",
    "queue_depth": "gauge",
    "dlq_depth": "gauge",
    "throttle_events": "gauge",
    "cost_per_vpr": "amount",
    "cost_per_vpr_sync": "amount",
    "observed_split": "split",
}
"""Name of a measure to the kind of its evidence; a test compares it with what is measured."""

COMPARABLE: dict[str, tuple[str, ...]] = {
    "baseline": ("success", "async_5xx", "submit_latency"),
    "phase_before": ("success", "async_5xx", "llm_quota", "submit_latency", "generation_time"),
}
"""Other arm to the measures that it has too, hour by hour (`observe.evidence.arms`)."""

_TOLD = {
    "cost_per_vpr": "cost per success",
    "cost_per_vpr_sync": "cost per success, sync",
    "llm_quota": "LLM quota",
    "dlq_depth": "DLQ depth",
}


def told(measure: str) -> str:
    """A measure's id in words; two ids have the name of the first service, as sealed records do."""
    return _TOLD.get(measure, measure.replace("_", " "))
