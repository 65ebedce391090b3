"""What a failure would cost the users in each coming phase, by the records. Asks AWS nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from runbook_lib.base.window import when
from runbook_lib.params.load import Params
from runbook_lib.record.archive import Archive
from runbook_lib.record.record import Record
from runbook_lib.rollout.known import loaded
from runbook_lib.rollout.progress import Line

_BACK = 5
"""How many of a step's newest records are searched: a failed run has no forecast."""
_TO_COME = ("", "before")
"""Moments of a phase whose shift has not been made."""


@dataclass(frozen=True)
class Forecast:
    """The newest forecast of one phase: the check `harm.<phase>` of a record."""

    phase: str
    users: float | None
    """Users harmed at most by a failure beyond the alert limit; None: the soak does not stop it, or an older record."""
    holds: bool
    """Whether the forecast stays within the budget; True without a budget."""
    reason: str
    record: str
    """Step whose run made the forecast."""
    run_id: str
    at: str
    """When it was made, ISO 8601 UTC."""

    @property
    def words(self) -> str:
        """The forecast in words: `harm at 06_phase1_10_percent: ... (01_preflight, 2026-11-23 03:06 UTC)`."""
        return f"harm at {self.phase}: {self.reason.rstrip('.')} ({self.record}, {when(self.at)})"


def forecasts(params: Params, archive: Archive, lines: Iterable[Line]) -> tuple[Forecast, ...]:
    """The newest forecast of each coming phase of the environment; a phase without a forecast is left out."""
    mine = [line for line in lines if line.env == params.env]
    phases = params.policy.phases_of(params.env)
    ahead = [line for line in mine if line.notebook in phases and line.state != "passed" and line.moment in _TO_COME]
    if not ahead:
        return ()
    others = [one for line in mine if line.notebook not in phases for one in _newest(params, archive, line.notebook)]
    found = []
    for line in ahead:
        records = [*_newest(params, archive, line.notebook), *others]
        told = [one for record in records for one in _told(record, line.notebook)]
        found += [max(told, key=lambda one: one.at)] if told else []
    return tuple(found)


def _newest(params: Params, archive: Archive, step: str) -> list[Record]:
    refs = archive.records(params.env, params.release, step)[-_BACK:]
    return [record for ref in refs if (record := loaded(archive, ref)) is not None]


def _told(record: Record, phase: str) -> Iterator[Forecast]:
    for check in record.checks:
        if check.get("id") == f"harm.{phase}":
            worst = (check.get("facts") or {}).get("worst") or {}
            yield Forecast(
                phase=phase,
                users=worst.get("users"),
                holds=check.get("verdict") == "PASS",
                reason=str(check.get("reason") or ""),
                record=record.notebook,
                run_id=record.run_id,
                at=record.as_of or record.sealed_at,
            )
