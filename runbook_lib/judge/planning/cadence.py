"""The looks at the metrics in the first week after the rollout: which were made, which is due.

A slot lasts from its due time to that of the next one; a look within it counts for it. The requirement: day 1 every
4 hours, days 2 and 3 twice a day, days 4 to 7 once a day, then the normal cadence.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import Field, model_validator

from runbook_lib.base.window import iso
from runbook_lib.judge.terms import Frozen

State = Literal["done", "due", "missed", "to come"]


class Rhythm(Frozen):
    """How often to look on some days; day 1 begins at the rollout's end."""

    days: tuple[int, int]
    """First and last day, both included."""
    every_h: float = Field(gt=0, le=24)
    """Hours between two looks."""

    @model_validator(mode="after")
    def _order(self) -> Rhythm:
        if not 1 <= self.days[0] <= self.days[1]:
            raise ValueError(f"days {list(self.days)}: expects the first and the last, counted from 1")
        return self


class Cadence(Frozen):
    """The rhythms in their order (`cadence` in `gates.yaml`)."""

    rhythms: tuple[Rhythm, ...]
    then: str = "normal monitoring"
    """What follows after the last rhythm, in words."""

    @model_validator(mode="after")
    def _gapless(self) -> Cadence:
        day = 1
        for rhythm in self.rhythms:
            if rhythm.days[0] != day:
                raise ValueError(f"cadence: day {day} is in no rhythm, or in more than one")
            day = rhythm.days[1] + 1
        return self

    @property
    def days(self) -> int:
        """Length of the cadence in days."""
        return self.rhythms[-1].days[1] if self.rhythms else 0


class Slot(Frozen):
    """One look of the cadence. Times are ISO 8601 UTC."""

    name: str
    """Title of the slot, such as `day 1, 04 h`."""
    due: str
    until: str
    state: State = "to come"

    @property
    def id(self) -> str:
        """The slot's part of its check's id: `day1_04h`."""
        return self.name.replace(", ", "_").replace(" h", "h").replace(" ", "")


def slots(cadence: Cadence, start: dt.datetime) -> list[Slot]:
    """Every slot in order. A look is due at the end of its interval: the first of "every 4 hours" after 4 hours."""
    due: list[tuple[str, dt.datetime]] = []
    for rhythm in cadence.rhythms:
        for day in range(rhythm.days[0], rhythm.days[1] + 1):
            hours = rhythm.every_h
            while hours <= 24 + 1e-9:
                due.append((f"day {day}, {hours:02.0f} h", start + dt.timedelta(days=day - 1, hours=hours)))
                hours += rhythm.every_h
    ends = [at for _, at in due[1:]] + [due[-1][1] + dt.timedelta(hours=24)] if due else []
    return [Slot(name=name, due=iso(at), until=iso(end)) for (name, at), end in zip(due, ends, strict=True)]


def judged(cadence: Cadence, start: dt.datetime, looks: Iterable[dt.datetime], now: dt.datetime) -> list[Slot]:
    """The slots with their state at `now`, from the times of the looks."""
    made = sorted(looks)
    return [slot.model_copy(update={"state": _state(slot, made, now)}) for slot in slots(cadence, start)]


def _state(slot: Slot, made: Sequence[dt.datetime], now: dt.datetime) -> State:
    due, until = (dt.datetime.fromisoformat(at) for at in (slot.due, slot.until))
    if any(due <= at < until for at in made):
        return "done"
    if now < due:
        return "to come"
    return "due" if now < until else "missed"


def upcoming(found: Iterable[Slot]) -> Slot | None:
    """The slot that is due, else the next; None when the week is over."""
    return next((slot for slot in found if slot.state in ("due", "to come")), None)


def over(cadence: Cadence, start: dt.datetime, now: dt.datetime) -> bool:
    """Whether the last slot is due, or past."""
    known = slots(cadence, start)
    return not known or now >= dt.datetime.fromisoformat(known[-1].due)
