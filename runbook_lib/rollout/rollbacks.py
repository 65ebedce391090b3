"""The rollbacks of a release by its records: which have run, and which are not finished.

`runbook rollback 1` leaves two records, the command's own and its notebook's; the newest that acted counts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from runbook_lib.base.errors import ArchiveError
from runbook_lib.base.window import iso, parse
from runbook_lib.judge.incidents.incident import Clock
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.params.load import Params
from runbook_lib.record.archive import Archive
from runbook_lib.record.record import Change, Record
from runbook_lib.rollout import history

NUMBERS = (1, 2, 3)


@dataclass(frozen=True)
class Unfinished:
    """A rollback that was begun and is not proven; `number` is the scenario to go on with."""

    number: int
    words: str
    back: dt.datetime | None
    """When to go on; None: now."""
    held: bool
    """Whether a person has to put something right first."""


class Rollbacks:
    """The newest record of each scenario in the environment of `params`.

    Args:
        state: the present traffic.
        pending: a run that is about to be sealed.
    """

    def __init__(self, params: Params, archive: Archive, state: TrafficState, pending: Record | None = None) -> None:
        self.state = state
        named = {int(name.split("_")[1]): name for name in params.policy.rollbacks}
        self._of = {number: _newest(params, archive, named[number], pending) for number in NUMBERS if number in named}

    def of(self, number: int) -> Record | None:
        """The newest record of a scenario that acted; None: it has not been run."""
        return self._of.get(number)

    def done(self, number: int, since: dt.datetime | None) -> bool:
        """Whether a scenario was finished, not before `since`."""
        one = self.of(number)
        return one is not None and one.decision == "PROMOTE" and (since is None or made_at(one) >= since)

    def unfinished(self) -> Unfinished | None:
        """The unfinished rollback to go on with: async off comes before any mitigation; None: there is none."""
        first = self.of(1)
        if first is not None and first.decision != "PROMOTE" and self._in_the_way(first):
            if first.decision == "SOAK" and self.state.switch_on:  # somebody turned it on, at a weight of 0
                told = f"rollback 1 (run {first.run_id}) was not proven yet, and the switch is on again"
                return Unfinished(1, told, None, held=False)
            return _unfinished(1, first)
        for number in NUMBERS[1:]:
            one = self.of(number)
            if one is None or one.decision == "PROMOTE" or (first is not None and made_at(first) >= made_at(one)):
                continue
            if one.decision == "ROLLBACK":
                return Unfinished(1, f"{one.notebook} did not cure it: {one.told.reason}", None, held=False)
            return _unfinished(number, one)
        return None

    def _in_the_way(self, one: Record) -> bool:
        """Whether an unproven rollback 1 still matters: async is off, or it failed and nothing was shifted since."""
        if self.state.weight == 0:
            return True
        since = parse(self.state.since) if self.state.since else None
        return one.status != "completed" and (since is None or since <= made_at(one))


def switched_off(
    archive: Archive, params: Params, key: str, told: Callable[[str], object], *, but: str
) -> Clock | None:
    """The clock of the decision that turned the switch off with deployment `key`, from the record of that run; None:
    no record has it.

    Args:
        told: gets a sentence on each record that is not used (`Archive.trusted`).
        but: the notebook to leave out, because it keeps clocks of its own.
    """
    policy = params.policy
    for notebook in (*policy.phases, *policy.rollbacks):
        if notebook == but:
            continue
        for record in history.of_release(archive, params, notebook, told):
            for change in record.changes:
                if (
                    change.intent.get("after") == {"enabled": False}
                    and (at := change.done_at())
                    and _made(change) == key
                ):
                    decided = str(change.intent.get("decided_at") or change.intent["aws_at"])
                    poll = dt.timedelta(seconds=params.service.traffic.client_poll_s)
                    return Clock(decided_at=iso(parse(decided)), set_at=iso(at), effective_at=iso(at + poll), key=key)
    return None


def _made(change: Change) -> str:
    """Number of the deployment that a change read back."""
    return str(((change.outcome or {}).get("read_back") or {}).get("deployment"))


def made_at(record: Record) -> dt.datetime:
    """The instant of a record: `as_of` by AWS's clock, else when it was sealed."""
    return parse(record.as_of or record.sealed_at)


def newest_shift(state: TrafficState, before: dt.datetime | None = None) -> dt.datetime | None:
    """When the dial was raised last (not later than `before`); None: AppConfig knows of none."""
    found = (parse(one.started_at) for one in state.history if one.percent and one.started_at)
    return max((at for at in found if before is None or at <= before), default=None)


def _newest(params: Params, archive: Archive, notebook: str, pending: Record | None) -> Record | None:
    if pending is not None and pending.notebook == notebook and _says(pending):
        return pending
    for ref in reversed(archive.records(env=params.env, release=params.release, notebook=notebook)):
        try:
            record = archive.load(ref)
        except ArchiveError:
            continue
        if _says(record):
            return record
    return None


def _says(record: Record) -> bool:
    """Whether a record acted: a plan did not, nor did a run that was refused or failed before it changed anything."""
    if record.decision is not None and record.status == "completed":
        return record.decision != "PLANNED"
    return record.mode == "apply" and (record.status == "completed" or bool(record.changes))


def _unfinished(number: int, record: Record) -> Unfinished:
    told, name = record.told, f"rollback {number} (run {record.run_id})"
    if record.status != "completed":
        return Unfinished(number, f"{name} {record.status} on the way{record.acted.clause()}", None, held=False)
    back = parse(told.come_back_at) if record.decision == "SOAK" and told.come_back_at else None
    said = {
        "SOAK": f"{name} is not proven yet: {told.reason}",
        "HOLD": f"{name} is held: {told.reason}",
        "ROLLBACK": f"{name}: {told.reason}",
    }
    words = said.get(record.decision or "", f"{name} has not been verified by its notebook yet")
    return Unfinished(number, words, back, record.decision == "HOLD")
