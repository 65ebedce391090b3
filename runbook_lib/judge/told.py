"""The words of a run for people, from the JSON of its record, of any version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from runbook_lib.base.errors import NOTHING
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


class Acted(NamedTuple):
    """The changes of a run in words, by what came of each; in the order in which they were begun."""

    done: tuple[str, ...] = ()
    """AWS has it."""
    unknown: tuple[str, ...] = ()
    """Begun, and not read back: AWS has to be asked what is in force."""
    missed: tuple[str, ...] = ()
    """Read back, and not as meant."""

    def clause(self, before: Sequence[str] = ()) -> str:
        """The end of a sentence that says why a run did not complete.

        Args:
            before: further changes, begun by the same command before the run.

        >>> Acted(done=("switch off",), unknown=("dial 10 %", "dial 10 %")).clause()
        '; changed before that: switch off; begun and not read back: dial 10 % (twice)'
        >>> Acted().clause()
        '; nothing was changed'
        """
        told = {
            "begun before that": before,
            "changed before that": self.done,
            "begun and not read back": self.unknown,
            "tried, and not read back as meant": self.missed,
        }
        return "".join(f"; {how}: {_counted(whats)}" for how, whats in told.items() if whats) or NOTHING


def acted(changes: Iterable[Mapping[str, Any]]) -> Acted:
    """What came of each change of a record, from its JSON."""
    found: dict[str, list[str]] = {name: [] for name in Acted._fields}
    for one in changes:
        intent, outcome = one.get("intent"), one.get("outcome")
        ok = outcome.get("ok", True) if isinstance(outcome, Mapping) else None
        what = intent.get("what") if isinstance(intent, Mapping) else None
        found["unknown" if ok is None else "done" if ok else "missed"].append(str(what or "?"))
    return Acted(*(tuple(one) for one in found.values()))


def failed(sentence: str, done: Acted, before: Sequence[str] = ()) -> str:
    """Why a run did not complete, and what it had changed before that; some sentences say themselves that nothing was.

    Args:
        before: see `Acted.clause`.
    """
    clause = done.clause(before)
    return sentence if clause == NOTHING and NOTHING in sentence else f"{sentence.removesuffix(NOTHING)}{clause}"


def _counted(whats: Sequence[str]) -> str:
    """Each once, in order, with how often it was."""
    often = {1: "", 2: " (twice)"}
    return ", ".join(f"{what}{often.get(n, f' ({n} times)')}" for what, n in Counter(whats).items())
