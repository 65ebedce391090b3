"""What scenario 1 returns to: the measured success of the synchronous endpoint, and the stack's template as it was kept
before the migration.

Where the synchronous route itself was asynchronous at the decision, its answers since the migration were the submit
Lambda's 202. They say nothing about the endpoint that users get back.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from typing import Any

from runbook_lib.base.plain_file import read_plain
from runbook_lib.base.window import Window, when
from runbook_lib.judge import words
from runbook_lib.judge.gates import statistics
from runbook_lib.judge.model import BASELINE
from runbook_lib.observe import aftermath
from runbook_lib.params.load import Params
from runbook_lib.record.archive import Archive
from runbook_lib.record.record import Record
from runbook_lib.record.seal import strict
from runbook_lib.rollout.history import FEW
from runbook_lib.steps.infra import PREVIOUS

DAY = dt.timedelta(hours=24)
"""Time before the decision, or before the migration, over which the endpoint's own success is measured."""
Records = Callable[[str], Sequence[Record]]
"""Gives this release's trusted records of a notebook, oldest first."""


def async_since(
    decided_at: dt.datetime, moved_on: bool, earlier: Sequence[Record], migrations: Callable[[], Sequence[Record]]
) -> dt.datetime | None:
    """Since when the synchronous route itself was asynchronous at the decision; None: it was synchronous.

    Where no record says when it was migrated, the whole day before counts as asynchronous.

    Args:
        moved_on: the route is asynchronous, or was until this run brought it back.
        earlier: records of this rollback: one of them may have brought it back since the decision.
        migrations: gives the records of the phase that migrates; they are opened only where they matter.
    """
    since = decided_at - DAY
    back = [at for record in earlier for at in _deployed(record, way_back=True) if at >= decided_at]
    if not (moved_on or back):
        return None
    moved = [at for record in migrations() for at in _deployed(record, step="migrate")]
    return max((at for at in moved if since <= at <= decided_at), default=since)


def success(cloudwatch: Any, params: Params, window: Window, of: Records, *, migrated: bool) -> str:
    """The measured success of the synchronous endpoint in `window`, in words.

    With too few requests in `window`, it takes the newest phase whose record saw enough of them.

    Args:
        migrated: the window ends with the migration, not with the decision.

    Raises:
        AwsError: CloudWatch refused or did not answer.
    """
    seen = aftermath.calls(cloudwatch, params, window.start, window.end)
    total, bad = round(seen.synchronous or 0), seen.errors
    span = f"in the day before the {'migration' if migrated else 'decision'}"
    if total < FEW or bad is None:
        total, bad, span = _kept(params, of) or (total, bad, span)
    if not total or bad is None:
        return f"how often it succeeds is not known: hardly a request was synchronous {span}"
    good = round(total - bad)
    low, high = statistics.clopper_pearson(good, total, params.policy.confidence)
    told = f"{span} {words.number(good / total, 'ratio')} of {total:,} users' requests succeeded there"
    told += f" ({words.interval(low, high, 'ratio')})"
    gate = params.policy.gate("success_rate")
    broken = gate.alert is not None and gate.alert.holds(high)
    going_back = "by that it is broken, whatever a probe says: going back stops the new harm and restores nothing"
    return f"{told}; {going_back}" if broken else told


def kept_template(archive: Archive, migrations: Sequence[Record]) -> tuple[str, Any]:
    """Id of the run that kept the stack's template before the migration, and that template; empty if none did."""
    for record in migrations:
        if PREVIOUS in record.files:
            kept = strict(read_plain(archive.find(record.run_id).folder / PREVIOUS))
            return record.run_id, kept.get("template")
    return "", None


def same_template(one: Any, other: Any) -> bool:
    """Whether two templates say the same, each as AWS hands it out: an object, or the text that was deployed."""
    return bool(_parsed(one) == _parsed(other))


def _parsed(template: Any) -> Any:
    try:
        return json.loads(template) if isinstance(template, str) else json.loads(json.dumps(template))
    except ValueError:
        return template


def _kept(params: Params, of: Records) -> tuple[int, float, str] | None:
    """Requests, failures and their time in words, of the newest phase whose record saw enough synchronous requests."""
    for notebook in reversed(params.policy.phases):
        for record in reversed(of(notebook)):
            kept = record.evidence.get(BASELINE) or {}
            if (n := kept.get("n") or 0) >= FEW and kept.get("bad") is not None:
                span = (
                    f"in the hours to {when(kept.get('end'))}, the last that saw enough of them (run {record.run_id}),"
                )
                return round(n), float(kept["bad"]), span
    return None


def _deployed(record: Record, step: str = "", way_back: bool = False) -> list[dt.datetime]:
    """Times at which the changes of a record deployed `step`, or the way back."""
    meant = (one for one in record.changes if (one.way_back if way_back else one.step == step))
    return [at for one in meant if (at := one.done_at())]
