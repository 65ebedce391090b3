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
from runbook_lib.record.record import Record

OFF = "async is off; the synchronous endpoint takes all requests"
"""What rollback 1 tells."""


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

    def tell(self, what: str, key: str, earlier: Iterable[Record]) -> Check:
        """Tells it, unless one of the `earlier` records did; whatever fails is in the check `<id>.notified`.

        Args:
            key: of the incident's clock: a deployment's number, a deviation's id.
        """
        key = f"{key}: {what}"
        before = next((one.run_id for one in earlier if key in _told(one, self.id)), None)
        if before:
            return self._notified(True, f"people were told already, by run {before}")
        params = self._guard.params
        flat = params.flat
        subject = f"[{flat.env}] {params.policy.rollbacks[self._notebook].title}: {what}"
        text = "\n".join(
            [
                f"{what} in {flat.env} (release {flat.release}).",
                f"By: {self._guard.who}",
                f"Why: {flat.reason or 'no reason was given'}",
                f"Run: {self._run_id} of {self._notebook}",
            ]
        )
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
            f"{self.id}.notified", "People were told", ok, reason, required=False, expected="every channel takes it",
            found="told" if ok else "not all", keys=list(self._keys),
        )  # fmt: skip


def _told(record: Record, id: str) -> list[str]:
    """What people were told by a run, as keys."""
    found = next((one for one in record.checks if one.get("id") == f"{id}.notified"), None)
    return list((found or {}).get("facts", {}).get("keys", []))
