"""What became of the jobs of one span, and of several spans together. Pure."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from pydantic import Field

from runbook_lib.base.errors import UsageError
from runbook_lib.judge.terms import Frozen

STEPS_A_MINUTE = 6
"""Number of steps in a minute: each is ten seconds long."""
QUARTER_S = 900
ONE_BY_ONE = 90
"""At most this many failures in a quarter of an hour are kept one by one: the number of its steps."""
Row = tuple[int, int, int]
"""Number of the step of time since the epoch, failures, jobs."""


class Segment(Frozen):
    """What became of the jobs created in [start, end_settled). JSON-able (`model_dump(mode="json")`)."""

    start: dt.datetime
    end: dt.datetime
    """End of the window that was asked for."""
    end_settled: dt.datetime
    """End of what is counted, at least a deadline before the census. The next look starts here."""
    completed: int = 0
    late: int = 0
    """Jobs COMPLETED after the client had given up."""
    failed: int = 0
    lost: int = 0
    """Unfinished jobs that are older than the deadline."""
    in_flight: int = 0
    """Unfinished jobs created after `end_settled`: neither success nor failure, and in no other number."""
    probes: int = 0
    """Jobs of our own; in no other number."""
    probes_bad: int = 0
    duplicates: int = 0
    """Jobs beyond the first under one idempotency key."""
    generation_s: tuple[float, ...] = ()
    """Seconds from creation to completion of every COMPLETED job, late ones too, ascending."""
    generation_at: tuple[int, ...] = ()
    """Step of ten seconds since the epoch in which each of these was created; empty in older records."""
    input_tokens: int = 0
    output_tokens: int = 0
    read_units: float = 0.0
    """Read units that the census itself consumed."""
    errors: dict[str, int] = Field(default_factory=dict)
    """Number of failures by signature."""
    blocks: tuple[tuple[int, int, int], ...] = ()
    """`steps` by quarters of an hour: older records have these alone."""
    steps: tuple[tuple[int, int, int], ...] = ()
    """(step of ten seconds since the epoch, jobs that were no success, jobs), in order. Within a step each failure ends
    a row (`ordered`); rows without a failure are joined with those before them in the same minute."""
    quota: int = 0
    """Part of `failed` where the LLM refused the call, by its rate limit or a quota."""
    quota_at: tuple[int, ...] = ()
    """Step of ten seconds since the epoch in which each of these was created, ascending."""
    untold: int = 0
    """COMPLETED jobs without a count of their tokens."""
    vanished: int = 0
    """Jobs that are unfinished for longer than every delivery of their message takes, since `take`'s `since`."""
    vanished_of: int = 0
    """All jobs of that age, finished or not."""
    gaps: tuple[Gap, ...] = ()
    """Spans within [start, end_settled) that no look covered, or whose items the TTL may have deleted."""

    @property
    def bad(self) -> int:
        """Number of jobs that did not succeed for their client."""
        return self.failed + self.late + self.lost

    @property
    def n(self) -> int:
        """Number of jobs that count: completed and bad ones."""
        return self.completed + self.bad


def merge(segments: Sequence[Segment]) -> Segment:
    """Joins segments into one. It counts nothing twice; time between them is in `gaps`.

    Segments that overlap cannot be added up. So it takes the set without overlap that covers most time (weighted
    interval scheduling) and leaves the rest out: that time is covered, or it is a gap.

    Raises:
        UsageError: nothing to merge.
    """
    if not segments:
        raise UsageError("no census to merge")
    chosen = _disjoint(segments)
    parts = chosen or [max(segments, key=lambda part: part.end_settled)]
    newest = max(segments, key=lambda part: part.end)
    start = min(part.start for part in segments)
    end_settled = max(part.end_settled for part in segments)
    gaps: list[Gap] = []
    at = start
    for part in parts:
        if at < part.start:
            gaps.append((at, part.start))
        gaps += part.gaps
        at = max(at, part.end_settled)
    if at < end_settled:  # asked for, but not seen any more
        gaps.append((at, end_settled))
    errors: Counter[str] = Counter()
    for part in parts:
        errors.update(part.errors)
    dated = all(len(part.generation_at) == len(part.generation_s) for part in parts)
    timed = sorted(
        pair
        for part in parts
        for pair in zip(part.generation_s, part.generation_at if dated else itertools.repeat(0), strict=dated)
    )
    added = (
        "completed",
        "late",
        "failed",
        "lost",
        "probes",
        "probes_bad",
        "duplicates",
        "quota",
        "untold",
        "input_tokens",
        "output_tokens",
    )
    return Segment(
        start=start,
        end=newest.end,
        end_settled=end_settled,
        in_flight=newest.in_flight,
        vanished=newest.vanished,
        vanished_of=newest.vanished_of,
        generation_s=tuple(seconds for seconds, _ in timed),
        generation_at=tuple(at for _, at in timed) if dated else (),
        quota_at=tuple(sorted(at for part in parts for at in part.quota_at)),
        read_units=sum(part.read_units for part in segments),
        errors=dict(sorted(errors.items(), key=lambda item: (-item[1], item[0]))),
        gaps=tuple(gaps),
        blocks=added_up(part.blocks for part in parts),
        steps=joined(added_up(part.steps for part in parts), STEPS_A_MINUTE),
        **{name: sum(getattr(part, name) for part in parts) for name in added},
    )


def added_up(counts: Iterable[Iterable[Row]]) -> tuple[Row, ...]:
    """Adds up several counts of (place, bad, n), in order. A place of only one count keeps its rows; a place of several
    is one row, because the order among them is not known.
    """
    found = defaultdict[int, list[list[Row]]](list)
    for one in counts:
        for place, rows in itertools.groupby(one, key=lambda row: row[0]):
            found[place].append(list(rows))
    return tuple(row for place in sorted(found) for row in _one_place(place, found[place]))


def _one_place(place: int, counts: list[list[Row]]) -> list[Row]:
    if len(counts) == 1:
        return counts[0]
    rows = list(itertools.chain.from_iterable(counts))
    return [(place, sum(bad for _, bad, _ in rows), sum(n for _, _, n in rows))]


def one_row(counts: Iterable[Row]) -> tuple[Row, ...]:
    """The counts with one row for each place, in order: for requests whose order within a place is not known."""
    found = dict[int, tuple[int, int]]()
    for place, bad, n in counts:
        failed, of = found.get(place, (0, 0))
        found[place] = failed + bad, of + n
    return tuple((place, *found[place]) for place in sorted(found))


def ordered(jobs: Iterable[tuple[float, bool]]) -> tuple[Row, ...]:
    """Jobs as rows of ten seconds, each cut after a failure, so that the failure's place among the jobs is kept.

    Jobs of one instant have no order. After `ONE_BY_ONE` failures in a quarter of an hour the rest of it is not cut, so
    that rows stay few. This depends on the past alone, as a test that may look at any time needs.

    Args:
        jobs: epoch seconds at which each was created, and whether it was no success.
    """
    rows, cut, quarter, seen = list[Row](), True, -1, 0
    for at, same in itertools.groupby(sorted(jobs), key=lambda job: job[0]):
        failed = [bad for _, bad in same]
        place = int(at // (60 // STEPS_A_MINUTE))
        if int(at // QUARTER_S) != quarter:
            quarter, seen = int(at // QUARTER_S), 0
        _, bad, n = (0, 0, 0) if cut or rows[-1][0] != place else rows.pop()
        rows.append((place, bad + sum(failed), n + len(failed)))
        cut = any(failed) and seen < ONE_BY_ONE
        seen += sum(failed)
    return tuple(rows)


def joined(
    counts: Iterable[tuple[int, int, int]], within: int, *, apart: bool = False
) -> tuple[tuple[int, int, int], ...]:
    """Joins rows (place, bad, n) without a failure with such rows before them in the same block of `within` places.

    Args:
        apart: whether the rest of a place with a failure stays a row of its own: joined with what came later, it would
            give all of that the failure's time.
    """
    rows: list[tuple[int, int, int]] = []
    failing = None
    for place, bad, n in counts:
        last = rows[-1] if rows else None
        good = last and not bad and not last[1] and last[0] // within == place // within
        if last and good and not (apart and last[0] == failing != place):
            rows[-1] = last[0], 0, last[2] + n
        else:
            rows.append((place, bad, n))
        failing = place if bad else failing
    return tuple(rows)


def _disjoint(segments: Sequence[Segment]) -> list[Segment]:
    """The segments that cover most time without overlap, in order of time; without empty ones."""
    order = sorted((part for part in segments if part.start < part.end_settled), key=lambda part: part.end_settled)
    best: list[tuple[float, list[Segment]]] = [(0.0, [])]
    for part in order:
        before = max(
            (one for one in best if not one[1] or one[1][-1].end_settled <= part.start), key=lambda one: one[0]
        )
        seen = (part.end_settled - part.start).total_seconds() - sum((b - a).total_seconds() for a, b in part.gaps)
        with_part = (before[0] + seen, [*before[1], part])
        best.append(max(best[-1], with_part, key=lambda one: one[0]))
    return best[-1][1]


Gap = tuple[dt.datetime, dt.datetime]
