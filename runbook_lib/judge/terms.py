"""The words of every judgement: verdicts, decisions, what people read for them; and the base of all that is judged."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

RULES = 4
"""Of today's verdicts. A record says by which rules it was judged: 1 are those of version 0.1; by 2 a change is tested
on the users' success alone, and one that is over at the look is forgotten; by 3 no change is looked for where a gate
compares two arms."""


class Frozen(BaseModel):
    """Immutable, and strict about names: an unknown key is an error, not a silence.

    Infinity and NaN go through JSON as words: an infinite cost must not come back from a record as "no value".
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Verdict(StrEnum):
    """What one gate says."""

    PASS = "PASS"  # noqa: S105
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    NO_DATA = "NO_DATA"


class Decision(StrEnum):
    """What one run says."""

    PLANNED = "PLANNED"
    SOAK = "SOAK"
    PROMOTE = "PROMOTE"
    HOLD = "HOLD"
    ROLLBACK = "ROLLBACK"


class Word(StrEnum):
    """Every word that people read of a gate, a check or a run; `docs/verdicts.md` has the table.

    A record keeps the verdicts and decisions, and in `said` the word that is read instead of one.
    """

    # Gates and checks, in the order of every table.
    FAIL = "FAIL"
    NO_DATA = "NO DATA"
    INCONCLUSIVE = "INCONCLUSIVE"
    TO_DO = "TO DO"
    """A check that applying the plan makes hold."""
    WATCH = "WATCH"
    """A gate between two declared looks: not decided, and nothing wrong so far. Its verdict is INCONCLUSIVE."""
    PASS = "PASS"  # noqa: S105
    # Runs.
    PLANNED = "PLANNED"
    SOAK = "SOAK"
    PROMOTE = "PROMOTE"
    HOLD = "HOLD"
    ROLLBACK = "ROLLBACK"
    DONE = "DONE"
    """A run that is complete and has no weight to promote: a step, a rollback. Its decision is PROMOTE."""
    ASYNC_IS_OFF = "ASYNC IS OFF"
    """Rollback 1, in force and not wholly verified. Its decision is SOAK."""
    MITIGATED = "MITIGATED"
    """Rollbacks 2 and 3, in force and watched. Their decision is SOAK."""
    # Runs that did not come to their end.
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    DIED = "DIED"
    CLOSED = "CLOSED"
    """Closed without a decision."""


OF_CHECKS = tuple(Word)[: tuple(Word).index(Word.PASS) + 1]
"""The words of gates and checks, FAIL first."""
