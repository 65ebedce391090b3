"""The rollout by its sealed records: the weight over time, every decision, every change, every note.

CloudWatch has forgotten the first minutes by the end of a rollout (docs/domain.md, trap 7); the records have not.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runbook_lib.base.window import parse
from runbook_lib.record.entry import NOTEBOOK as ENTRY
from runbook_lib.record.record import Change, Record
from runbook_lib.show.picture import image
from runbook_lib.show.rollout import NOTE, SHAPES, Dot, rollout_chart

_HASH = re.compile(r"[0-9a-f]{40,}")


@dataclass(frozen=True)
class Decided:
    """One run that decided something, or changed something and did not complete."""

    at: dt.datetime
    """The run's instant; if it changed something, the time of its last change, since it decided after that."""
    notebook: str
    env: str
    decision: str
    word: str
    """The word for readers."""
    mode: str
    run_id: str
    reason: str

    @property
    def told(self) -> str:
        """Word and reason."""
        return f"{self.word}: {self.reason}"


@dataclass(frozen=True)
class Story:
    """A rollout from its records."""

    weights: dict[str, list[tuple[dt.datetime, float]]]
    """(time, percent of requests that are asynchronous) by environment, one point for each change, oldest first."""
    decisions: tuple[Decided, ...]
    """Decisions, oldest first."""
    notes: tuple[tuple[dt.datetime, str, str], ...]
    """Issues met on the way (`runbook note`): time, who, what. Oldest first."""
    changes: tuple[tuple[dt.datetime, str, str, str], ...] = ()
    """Changes as (time by AWS's clock, words, run, environment), oldest first."""

    @property
    def began(self) -> dt.datetime | None:
        """The first decision's instant."""
        return self.decisions[0].at if self.decisions else None


def story(records: Iterable[Record]) -> Story:
    """The story of one release's `records`, in any order. Records without a readable time are left out."""
    known = sorted(((at, one) for one in records if (at := _at(one)) is not None), key=lambda pair: pair[0])
    decisions = [
        Decided(
            at=max(at, *(_acted(one) or [at])),
            notebook=one.notebook,
            env=one.env,
            decision=one.decision or "",
            word=one.told.word if one.status == "completed" else one.word,
            mode=one.mode,
            run_id=one.run_id,
            reason=one.why,
        )
        for at, one in known
        if one.notebook != ENTRY and (one.decision or (one.status != "completed" and one.changes))
    ]
    notes = [
        (at, str(one.entry.get("by", "")), str(one.entry.get("text", "")))
        for at, one in known
        if one.entry is not None and one.entry.get("kind") == "note"
    ]
    changes = [
        (parse(at), change_words(each), one.run_id, one.env)
        for _, one in known
        for each in one.changes
        if (at := each.intent.get("aws_at"))
    ]
    decisions.sort(key=lambda one: one.at)
    return Story(_weights(known), tuple(decisions), tuple(notes), tuple(sorted(changes)))


def change_words(change: Change) -> str:
    """A change in one line: what, its values before and after, and whether it was read back."""
    told = str(change.intent.get("what", ""))
    same: dict[str, list[str]] = {}
    for key, (before, after) in change.moved.items():
        if key != "percent":
            same.setdefault(f"{_short(before)} -> {_short(after)}", []).append(key)
    moved = [f"{', '.join(keys)}: {how}" if len(keys) > 1 else f"{keys[0]} {how}" for how, keys in same.items()]
    if moved:  # the words contain a percentage already
        told += f" ({'; '.join(moved)})"
    if change.outcome is None:
        return f"{told}: started; how it ended is not known"
    return told if change.outcome.get("ok") else f"{told}: did not read back"


def _short(value: Any) -> str:
    """A value for a line: of a hash its beginning."""
    if isinstance(value, str) and _HASH.fullmatch(value):
        return f"{value[:12]}..."
    return str(value) if value != "" else "none"


def _acted(record: Record) -> list[dt.datetime]:
    """Times at which the record's changes were begun and made, by AWS's clock."""
    facts = [facts for each in record.changes for facts in (each.intent, each.outcome or {})]
    return [parse(str(one["aws_at"])) for one in facts if one.get("aws_at")]


def _at(record: Record) -> dt.datetime | None:
    try:
        return parse(record.as_of or record.sealed_at)
    except ValueError:
        return None


def _weights(known: Sequence[tuple[dt.datetime, Record]]) -> dict[str, list[tuple[dt.datetime, float]]]:
    found: dict[str, dict[dt.datetime, float]] = {}
    for at, record in known:
        for state in (record.traffic_before, record.traffic_after):
            weight = (state or {}).get("weight")
            if isinstance(weight, int | float):
                _step(found.setdefault(record.env, {}), at, float(weight), state or {})
    return {env: sorted(points.items()) for env, points in found.items()}


def _step(points: dict[dt.datetime, float], at: dt.datetime, weight: float, state: Mapping[str, Any]) -> None:
    """Adds a point where the weight has changed: at the time by AWS, else when it was seen."""
    last = max(points, default=None)
    if last is None:
        points[at] = weight
    elif points[last] != weight:
        since = _since(state) or at
        points[since if since > last else max(at, last + dt.timedelta(seconds=1))] = weight


def _since(state: Mapping[str, Any]) -> dt.datetime | None:
    """The time of `observe.traffic.state.TrafficState.since`, from a record's JSON."""
    if state.get("migrated") and state.get("migrated_since"):
        return parse(str(state["migrated_since"]))
    told = [str(state[key]) for key in ("dial_since", "switch_since") if state.get(key)]
    return max(map(parse, told), default=None)


def chart(told: Story, titles: Mapping[str, str], users: Collection[str]) -> Any:
    """The story as an image with its description.

    Args:
        titles: the words of each lane, by notebook.
        users: the environments that have users; they come first.
    """
    several = {one.notebook for one in told.decisions if one.env not in users}

    def lane(one: Decided) -> str:
        where = f" ({one.env})" if one.notebook in several else ""
        return titles.get(one.notebook, one.notebook) + where

    shapes = [(one, one.word if one.word in SHAPES else one.decision) for one in told.decisions]
    dots = [Dot(one.at, lane(one), shape) for one, shape in shapes if shape]
    dots += [Dot(at, "Issues noted", NOTE) for at, _, _ in told.notes]
    order = sorted(told.weights, key=lambda env: env not in users)
    weights = {env: told.weights[env] for env in order}
    return image(lambda: rollout_chart(weights, dots, title="The rollout"))
