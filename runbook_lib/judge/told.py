"""The words of a run for people, from the JSON of its record, of any version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from runbook_lib.judge.terms import Scenario, Verdict, Word

_OFF: Scenario = "rollback_1"
OFF_CHECK = f"{_OFF}.off"
"""Id of the check that async is off."""


def of_today(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """An outcome as JSON in today's fields, from any version: in schema 1 the reason began with the word."""
    if "said" in outcome:
        return dict(outcome)
    reason = str(outcome.get("reason") or "")
    found, colon, rest = reason.partition(": ")
    if not colon or found not in (outcome.get("decision"), Word.DONE):
        return {**outcome, "said": None, "reason": reason}
    return {**outcome, "said": found if found == Word.DONE else None, "reason": rest}


def word_of(
    status: str | None,
    decision: str | None,
    outcome: Mapping[str, Any],
    *,
    origin: str = "",
    notebook: str = "",
    checks: Iterable[Mapping[str, Any]] = (),
) -> str:
    """The one word that people read for a run, on every screen: how it ended where it did not complete, else the word
    of its decision, or of a run that decides nothing.

    Args:
        checks: the run's checks as JSON; they tell whether a command that turned the switch off turned async off.

    >>> word_of("completed", "SOAK", {"said": "ASYNC IS OFF"}), word_of("died", "SOAK", {})
    ('ASYNC IS OFF', 'DIED')
    """
    if status not in (None, "completed"):
        return str(status).upper()
    if decision:
        return str(of_today({"decision": decision, **outcome})["said"] or decision)
    if origin == "command" and notebook.startswith(_OFF):
        proven = all(one.get("verdict") == Verdict.PASS for one in checks if one.get("id") == OFF_CHECK)
        return str(Word.ASYNC_IS_OFF if proven else Word.HOLD)
    return str({"command": Word.DONE, "watch": Word.WATCH}.get(origin, Word.CLOSED))
