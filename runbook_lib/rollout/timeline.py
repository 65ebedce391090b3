"""The rollout as its sealed records tell it: the weight over time, every decision, what was held, what was noted.

CloudWatch has forgotten the first minutes by the end of a rollout (docs/domain.md, trap 7); the records have not.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runbook_lib.base.window import parse
from runbook_lib.record.entry import NOTEBOOK as ENTRY
from runbook_lib.record.record import Change, Record
from runbook_lib.show.picture import image
from runbook_lib.show.rollout import NOTE, Dot, rollout_chart


@dataclass(frozen=True)
class Decided:
    """One run that decided something."""

    at: dt.datetime
    """The instant it judged by; of a run that changed something, when the last change was made: it decided after it."""
    notebook: str
    env: str
    decision: str
    word: str
    """The decision as people read it."""
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
    """Environment to (time, percent of requests that are asynchronous), one point a change, oldest first."""
    decisions: tuple[Decided, ...]
    """Oldest first."""
    notes: tuple[tuple[dt.datetime, str, str], ...]
    """Issues met on the way (`runbook note`): time, who, what. Oldest first."""
    changes: tuple[tuple[dt.datetime, str, str], ...] = ()
    """What was changed: time by AWS's clock, words, run. Oldest first."""

    @property
    def began(self) -> dt.datetime | None:
        """The first decision's instant."""
        return self.decisions[0].at if self.decisions else None


def story(records: Iterable[Record]) -> Story:
    """The story of `records` (of one release, any order). What has no readable time is left out."""
    known = sorted(((at, one) for one in records if (at := _at(one)) is not None), key=lambda pair: pair[0])
    decisions = [
        Decided(
            at=max(at, *(_acted(one) or [at])),
            notebook=one.notebook,
            env=one.env,
            decision=one.decision,
            word=one.told.word,
            mode=one.mode,
            run_id=one.run_id,
            reason=one.told.reason,
        )
        for at, one in known
        if one.decision and one.notebook != ENTRY
    ]
    notes = [
        (at, str(one.entry.get("by", "")), str(one.entry.get("text", "")))
        for at, one in known
        if one.entry is not None and one.entry.get("kind") == "note"
    ]
    changes = [
        (parse(at), change_words(each), one.run_id)
        for _, one in known
        for each in one.changes
        if (at := each.intent.get("aws_at"))
    ]
    decisions.sort(key=lambda one: one.at)
    return Story(_weights(known), tuple(decisions), tuple(notes), tuple(sorted(changes)))


def change_words(change: Change) -> str:
    """A change in one line: what, from and to where those are numbers or names, and whether it is there."""
    told = str(change.intent.get("what", ""))
    moved = [f"{key} {before} -> {after}" for key, (before, after) in change.moved.items() if key != "percent"]
    if moved:  # a percentage is in the words already
        told += f" ({', '.join(moved)})"
    if change.outcome is None:
        return f"{told}: started; how it ended is not known"
    return told if change.outcome.get("ok") else f"{told}: did not read back"


def _acted(record: Record) -> list[dt.datetime]:
    """When its changes were begun and made, by AWS's clock."""
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
    """Adds a point where the weight is another than the one before: since when, if AWS said, else when it was seen."""
    last = max(points, default=None)
    if last is None:
        points[at] = weight
    elif points[last] != weight:
        since = _since(state) or at
        points[since if since > last else max(at, last + dt.timedelta(seconds=1))] = weight


def _since(state: Mapping[str, Any]) -> dt.datetime | None:
    """As `observe.traffic.TrafficState.since`, from the JSON that a record keeps."""
    if state.get("migrated") and state.get("migrated_since"):
        return parse(str(state["migrated_since"]))
    told = [str(state[key]) for key in ("dial_since", "switch_since") if state.get(key)]
    return max(map(parse, told), default=None)


def chart(told: Story, titles: Mapping[str, str], users: Collection[str]) -> Any:
    """The story as an image with its description.

    Args:
        titles: notebook to the words of its lane.
        users: the environments that have users; they come first.
    """
    several = {one.notebook for one in told.decisions if one.env not in users}

    def lane(one: Decided) -> str:
        where = f" ({one.env})" if one.notebook in several else ""
        return titles.get(one.notebook, one.notebook) + where

    dots = [Dot(one.at, lane(one), one.decision) for one in told.decisions]
    dots += [Dot(at, "Issues noted", NOTE) for at, _, _ in told.notes]
    order = sorted(told.weights, key=lambda env: env not in users)
    weights = {env: told.weights[env] for env in order}
    return image(lambda: rollout_chart(weights, dots, title="The rollout"))
