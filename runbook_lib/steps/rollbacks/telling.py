"""People are told of a way back: by SNS topic and webhook, once for what was done, whoever does it (a notebook, the
command, a watch). Records of the same rollback know whom it was told.
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

OFF = "async is off; the synchronous endpoint takes all requests"
"""What rollback 1 tells."""
NOT_OFF = "async could NOT be turned off; a person is needed now"
"""What it tells where it failed."""


class Telling:
    """Tells of one rollback, in one run of it.

    Args:
        notebook: of the rollback, as the policy names it; its beginning is the id of the check.
    """

    def __init__(self, aws: Any, guard: Guard, notebook: str, run_id: str) -> None:
        self._aws, self._guard, self._notebook, self._run_id = aws, guard, notebook, run_id
        self.id = notebook[: len("rollback_N")]
        self._keys: list[str] = []
        """What this run has told, as keys."""

    def tell(self, what: str, key: str, earlier: Iterable[Record], trouble: str = "") -> Check:
        """Tells it, unless one of the `earlier` records did; whatever fails is in the check `<id>.notified`.

        Args:
            key: of the incident's clock: a deployment's number, a deviation's id.
            trouble: what went wrong, in a sentence.
        """
        key = f"{key}: {what}"
        before = next((one.run_id for one in earlier if key in _told(one, self.id)), None)
        if before:
            return self._notified(True, f"people were told already, by run {before}")
        params = self._guard.params
        subject, text = message(params, self._notebook, what, who=self._guard.who, run=self._run_id, trouble=trouble)
        try:
            told = notify(self._aws, self._guard, params, subject, text)
        except RunbookError as error:
            return self._notified(False, str(error))
        bad = [one for one in told if not one.ok]
        if len(bad) < len(told):
            self._keys.append(key)
        return self._notified(not bad, "; ".join(one.detail for one in (bad or told)))

    def _notified(self, ok: bool, reason: str) -> Check:
        return check(
            f"{self.id}.notified",
            "People were told",
            ok,
            reason,
            required=False,
            expected="every channel takes it",
            found="told" if ok else "not all",
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


def _told(record: Record, id: str) -> list[str]:
    """What people were told by a run, as keys."""
    found = next((one for one in record.checks if one.get("id") == f"{id}.notified"), None)
    return list((found or {}).get("facts", {}).get("keys", []))
