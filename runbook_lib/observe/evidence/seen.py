"""All that was asked for one window, and what the functions that make evidence share. Pure."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runbook_lib.base.window import Window, iso, parse, when
from runbook_lib.judge import words
from runbook_lib.judge.model import Evidence, Look
from runbook_lib.judge.terms import RULES
from runbook_lib.observe.evidence import questions
from runbook_lib.observe.evidence.questions import label
from runbook_lib.observe.jobs.segment import Segment
from runbook_lib.observe.metrics.fetch import Answers
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.params.load import Params


@dataclass(frozen=True)
class Answered:
    """All answers for one window: the input of the functions that make evidence."""

    answers: Answers
    segment: Segment | None
    live: dict[str, Any]
    traffic: TrafficState
    params: Params
    window: Window
    now: dt.datetime
    look: Look | None
    rules: int = RULES

    @property
    def whole(self) -> Window:
        return questions.settled(self.params, self.window, self.now)

    @property
    def idle(self) -> str | None:
        """What proves that no request can have gone to async in the window, in words; None: nothing does."""
        since = self.traffic.since
        if self.traffic.weight == 0 and (since is None or parse(since) <= self.window.start):
            return "the weight, which was 0 throughout"
        return None

    def sum(self, metric: str, window: Window) -> float | None:
        """Sum of a counted metric within `window`; None where it has no point there. For a metric of each worker, such
        as `queue_sent` and `worker_errors`, it is the sum over all workers."""
        inside = [value for one in self.of_all(metric) for value in self.answers.within(label(one), window)]
        return math.fsum(inside) if inside else None

    def of_all(self, metric: str) -> tuple[str, ...]:
        """The metric, and for one of the first worker also those of the others."""
        return (metric, *questions.of_each(self.params, (metric,))) if self.params.service.more_workers else (metric,)

    def alone(self, metric: str, window: Window) -> float | None:
        """Sum of a counted metric within `window`, for its own worker only; None where it has no point there."""
        inside = self.answers.within(label(metric), window)
        return math.fsum(inside) if inside else None

    def lacks(self, absent: Sequence[str]) -> str:
        """A sentence about what there is no data for; metrics of the catalogue are called by their titles."""
        known = self.params.metrics
        return f"no data for {', '.join(known[name].title if name in known else name for name in absent)}"

    def evidence(
        self, measure: str, kind: str, query: str, window: Window, labels: tuple[str, ...], **found: Any
    ) -> Evidence:
        """Evidence with its window and with the notes on its answers."""
        notes = (*found.pop("notes", ()), *self.answers.notes(*labels))
        partial = found.pop("partial", False) or any(self.answers.partial(one) for one in labels)
        instead = self.params.service.traffic.instead
        if by := [one for id, one in instead.items() if any(name.startswith(f"{id}:") for name in labels)]:
            notes = (
                *notes,
                f"the canary's requests come by the old path: read from the submit function ({', '.join(by)})",
            )
        if window.empty:
            notes = (*notes, "nothing of the window has settled yet")
        return Evidence.model_validate(
            {
                "measure": measure,
                "kind": kind,
                "start": iso(window.start),
                "end": iso(window.end),
                "query": query,
                "partial": partial and not window.empty,
                "notes": notes,
                **found,
            }
        )


def counts_of(bad: float | None, n: float | None, proof: str | None) -> dict[str, Any]:
    """`bad` of `n` as whole numbers, cut so that bad <= n; None without data."""
    if not n:
        return {"bad": 0, "n": 0, "proven_zero_by": proof} if proof else {"bad": None, "n": None}
    if bad is None:
        return {"bad": None, "n": None}
    k, total = round(bad), round(n)
    if k > total:
        return {
            "bad": total,
            "n": total,
            "notes": (f"{k} failures of {total} were counted: cut to {total}",),
            "partial": True,
        }
    return {"bad": k, "n": total}


def summed(counts: Mapping[str, tuple[float | None, float | None]], idle: str | None) -> tuple[float, float, list[str]]:
    """`bad` and `n` of several sources that are judged as one, and in words which of them cannot be seen.

    A source without counted requests is a hole where other sources have some, since the others do not speak for it.
    Failures without requests are left out of the rate. Where no request can have come (`idle`), silence is no hole.
    """
    counted = {name: (bad or 0.0, n) for name, (bad, n) in counts.items() if n}
    holes = []
    for name, (bad, n) in counts.items():
        if not n and bad:
            holes.append(f"{name}: {bad:g} failures and not one request: part of it cannot be seen")
        elif n is None and counted and not idle:
            holes.append(f"{name}: no request was counted, of the others some: it cannot be seen")
    return math.fsum(bad for bad, _ in counted.values()), math.fsum(n for _, n in counted.values()), holes


def census_window(seen: Answered) -> Window:
    if seen.segment is None:
        end = seen.window.settled(seen.now, seen.params.service.job_deadline_s)
        return Window(end.start, end.start)
    return Window(seen.segment.start, max(seen.segment.start, seen.segment.end_settled))


def counted_for_good(seen: Answered, segment: Segment, window: Window) -> tuple[Window, tuple[str, ...]]:
    """When the jobs were created that the newest scan could tell lost from unfinished, and a note on older ones.

    They are still in the table, and every delivery of their message is over.
    """
    service = seen.params.service
    start = max(window.start, seen.now - dt.timedelta(seconds=service.job_ttl_s))
    over = seen.now - dt.timedelta(seconds=service.max_receives * service.visibility_timeout_s)
    kept = (
        f"the table keeps a job for {words.hours(service.job_ttl_s / 3600)}: older ones were counted by earlier looks"
    )
    return Window(start, max(start, min(segment.end, over))), (kept,) if start > window.start else ()


def behind(seen: Answered) -> str | None:
    """A sentence if the census found clearly more jobs than CloudWatch knows submissions; else None.

    Then CloudWatch is late or incomplete, and none of its metrics proves that another one's silence is harmless.
    """
    segment, span = seen.segment, census_window(seen)
    if segment is None:
        return None
    found = segment.n + segment.probes
    known = max(seen.sum("queue_sent", span) or 0.0, seen.sum("async_requests", span) or 0.0)
    # A few jobs at the edges, where a minute is in one count and not in the other, are no contradiction.
    if found - known <= max(5.0, 0.02 * found):
        return None
    return f"the census found {found} jobs, CloudWatch knows of {known:g} submissions: late or incomplete"


def unseen(seen: Answered) -> tuple[bool, tuple[str, ...], list[dict[str, Any]]]:
    """Gaps of the census with the KPI metrics' counts: (whether some job was not seen, words, figures).

    The KPIs count created and completed jobs, not failed ones (trap 1): they are shown and stay out of the rate. A gap
    in which no job was created does not count.
    """
    missed, words, figures = False, [], []
    for start, end in seen.segment.gaps if seen.segment else ():
        gap = Window(start, end)
        created, completed = seen.sum("jobs_created", gap), seen.sum("jobs_completed", gap)
        known = bool(seen.answers.points(label("jobs_created")))
        if known and not created:
            continue
        missed = True
        figures.append({"start": iso(start), "end": iso(end), "created": created, "completed": completed})
        counts = (
            f"the KPIs count {created:g} created, {completed or 0:g} completed"
            if created
            else "nothing tells what was in it"
        )
        words.append(f"no census of {when(start)} to {when(end)}: {counts}")
    return missed, tuple(words), figures
