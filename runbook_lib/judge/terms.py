"""The terms of every judgement: verdicts, decisions, the words that people read; and the base of the data models."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import VERSION, BaseModel, ConfigDict

from runbook_lib.base.held import held

RULES = 8
"""Version of today's rules, which every record has for its own verdict. Rules 1 are those of version 0.1. Rules 2 test
only the users' success for a change, and forget one that is over at the look. Rules 3 do not test for a change where a
gate compares two arms. Rules 4 spend the split's error probability at each declared look anew. Rules 5 suppose that a
worse time is over once its evidence at the end is below the threshold. Rules 6 ask whether it is over only then,
and give lost jobs the window of the whole soak. Rules 7 put requests of one time into an order that is not known:
failures at the door first in their minute, slow jobs last in their ten seconds."""
NOTHING_FORGOTTEN = 3
"""First version of the rules that finds a change that was over before the look."""
ARMS_CHANGE = 4
"""First version of the rules that finds a canary that becomes worse than the other arm inside the soak."""
SPLIT_OF_A_SOAK = 5
"""First version of the rules in which one error probability of the split is for the whole soak, not for each look."""
OVER_IS_SHOWN = 6
"""First version of the rules in which a worse time lasts until what came after it shows that it is over."""
OVER_AT_ONCE = 7
"""First version of the rules that asks so also while the evidence is still above the threshold, and in which the
rest of a step with a failure is a row of its own."""
IN_THE_TABLE = 7
"""First version of the rules in which the window of lost jobs is that of the jobs which the newest scan counted."""
UNORDERED = 8
"""First version of the rules in which requests whose order is not known are one row of a course, and in
which a worse time within one row is found."""

Scenario = Literal["rollback_1", "rollback_2", "rollback_3"]
"""The rollback that a decision asks for."""


DEFER_BUILD = tuple(map(int, VERSION.split(".")[:2])) >= (2, 14)
"""Whether a model is built when it is first used: a command uses few, and building all of them took a fifth of the
time of importing this library. Such a pydantic does it in one thread at a time; an older one may not.
"""


class Frozen(BaseModel):
    """Immutable, and strict about names: an unknown key is an error, not a silence.

    Infinity and NaN are words in JSON, so that an infinite cost in a record is not read as "no value".
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings", defer_build=DEFER_BUILD)

    @classmethod
    def model_rebuild(
        cls,
        *,
        force: bool = False,
        raise_errors: bool = True,
        _parent_namespace_depth: int = 2,
        _types_namespace: Any = None,
    ) -> bool | None:
        """As pydantic's, which builds a model when it is first used; a signal waits until that is done. Raised inside,
        it would be taken for a fault of the model, or be forgotten, and the command would go on.
        """
        with held():
            return super().model_rebuild(
                force=force,
                raise_errors=raise_errors,
                _parent_namespace_depth=_parent_namespace_depth + 1,
                _types_namespace=_types_namespace,
            )


class Verdict(StrEnum):
    """The verdict of one gate."""

    PASS = "PASS"  # noqa: S105
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    NO_DATA = "NO_DATA"


class Decision(StrEnum):
    """The decision of one run."""

    PLANNED = "PLANNED"
    SOAK = "SOAK"
    PROMOTE = "PROMOTE"
    HOLD = "HOLD"
    ROLLBACK = "ROLLBACK"


class Word(StrEnum):
    """Every word that people read for a gate, a check or a run; `docs/verdicts.md` has the table.

    A record has the verdicts and decisions, and in `said` the word that people read instead.
    """

    # Words of gates and checks, in the order of every table.
    FAIL = "FAIL"
    NO_DATA = "NO DATA"
    INCONCLUSIVE = "INCONCLUSIVE"
    TO_DO = "TO DO"
    """A check that will pass once the plan is applied."""
    WATCH = "WATCH"
    """A gate between two declared looks: not decided, and nothing wrong so far. Its verdict is INCONCLUSIVE. Also the
    record of a watch's look that found nothing wrong, which decides nothing."""
    PASS = "PASS"  # noqa: S105
    # Words of runs.
    PLANNED = "PLANNED"
    SOAK = "SOAK"
    PROMOTE = "PROMOTE"
    HOLD = "HOLD"
    ROLLBACK = "ROLLBACK"
    DONE = "DONE"
    """A complete run without a weight to promote, such as a step or a rollback. Its decision is PROMOTE."""
    ASYNC_IS_OFF = "ASYNC IS OFF"
    """Rollback 1, in force and not fully verified. Its decision is SOAK."""
    MITIGATED = "MITIGATED"
    """Rollbacks 2 and 3, in force and watched. Their decision is SOAK."""
    # Words of runs that did not complete.
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    DIED = "DIED"
    CLOSED = "CLOSED"
    """A run that was closed without a decision."""


OF_CHECKS = tuple(Word)[: tuple(Word).index(Word.PASS) + 1]
"""The words of gates and checks, FAIL first."""


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


def measure_told(measure: str) -> str:
    """A measure's id in words; two ids have the name of the first service, as sealed records do."""
    return _TOLD.get(measure, measure.replace("_", " "))
