"""Tells people of a rollback by SNS topic and webhook, once for each thing done, be it by a notebook, the command or a
watch. Records of the attempt's rollbacks show what people were told already, also by a run that was killed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runbook_lib.act.guard import Guard
from runbook_lib.act.notify import notify
from runbook_lib.base.errors import RunbookError
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.params.load import Params
from runbook_lib.record.record import Record

_NOTIFIED = ".notified"


class Telling:
    """Tells people of one rollback, from one of its runs.

    Args:
        notebook: the rollback's, as the policy names it; it begins with the id that the check gets.
    """

    def __init__(self, aws: Any, guard: Guard, notebook: str, run_id: str) -> None:
        self._aws, self._guard, self._notebook, self._run_id = aws, guard, notebook, run_id
        self.id = notebook[: len("rollback_N")]
        self._keys: list[str] = []
        """Keys of what this run has told."""

    def tell(self, what: str, key: str, earlier: Iterable[Record], trouble: str = "", about: str = "") -> Check:
        """Tells people `what`, unless one of the `earlier` records did; the check `<id>.notified` tells of a failure.

        Args:
            key: the one of the incident's clock: a deployment's number, a deviation's id.
            trouble: what went wrong, in a sentence.
            about: names what is told, if `what` has figures that differ from run to run.
        """
        key, known, earlier = f"{key}: {about or what}", set[str](), list(earlier)
        before = next((one.run_id for one in earlier if key in _told(one)), None)
        if before:
            return self._notified(True, f"people were told already, by run {before}")
        for one in earlier:
            known |= _reached(one, key)
        params = self._guard.params
        subject, text = message(params, self._notebook, what, who=self._guard.who, run=self._run_id, trouble=trouble)
        try:
            told = notify(self._aws, self._guard, params, subject, text, key=key, known=known)
        except RunbookError as error:
            return self._notified(False, f"people were not told: {error}")
        bad = [one for one in told if not one.ok]
        if len(bad) < len(told):
            self._keys.append(key)
        reason = "; ".join(one.detail for one in (bad or told))
        return self._notified(not bad, reason, known=any(one.known for one in bad))

    def _notified(self, ok: bool, reason: str, *, known: bool = True) -> Check:
        return check(
            f"{self.id}{_NOTIFIED}",
            "People were told",
            ok,
            reason,
            required=False,
            expected="every channel takes it",
            found="told" if ok else "not all" if known else "not known",
            keys=list(self._keys),
        )


def message(params: Params, notebook: str, what: str, *, who: str, run: str = "", trouble: str = "") -> tuple[str, str]:
    """Subject and text of what people are told."""
    flat = params.flat
    lines = [
        f"{what} in {flat.env} (release {flat.release}).",
        f"What went wrong: {trouble}" if trouble else "",
        f"By: {who}" if who else "",
        f"Why: {flat.reason or 'no reason was given'}",
        f"Run: {run} of {notebook}" if run else "",
    ]
    return f"[{flat.env}] {params.policy.rollbacks[notebook].title}: {what}", "\n".join(line for line in lines if line)


def _told(record: Record) -> list[str]:
    """Keys of what a run has told people, by its record."""
    found = next((one for one in record.checks if str(one.get("id")).endswith(_NOTIFIED)), None)
    return list((found or {}).get("facts", {}).get("keys", []))


def _reached(record: Record, key: str) -> set[str]:
    """Channels by which a run has told people so; it may have ended before it noted that they know."""
    return {str(one.intent.get("channel")) for one in record.changes if one.done and one.intent.get("told") == key}
