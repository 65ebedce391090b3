"""Courses for the test for a change: the failures and requests of a gate in the order of time. Pure.

Each is as fine as is known: the order of the jobs in their table, ten seconds for their durations, a minute for what
CloudWatch counts, five minutes for its latencies, a quarter of an hour for the split. A course may count less than the
figures of the whole time, never more. Where nothing failed the course is empty: without a failure there is no change.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence

from runbook_lib.base.window import Window, iso, period_for
from runbook_lib.judge.gates import change
from runbook_lib.judge.model import Gate
from runbook_lib.judge.terms import OVER_AT_ONCE, UNORDERED
from runbook_lib.observe.evidence import questions
from runbook_lib.observe.evidence.questions import label
from runbook_lib.observe.evidence.seen import Answered
from runbook_lib.observe.jobs.census import STEP_S
from runbook_lib.observe.jobs.segment import QUARTER_S, Segment, added_up, joined, one_row

SINCE = 3
"""First version of the rules in which gates other than the users' success have a course."""
Row = tuple[int, int, int]
"""Number of the step of time since the epoch, failures, requests."""
_APART = 0.2
"""Successes beyond the requests of their period, as a share of the roots of these, that show them to be later."""
Course = tuple[tuple[str, int, int], ...]


def told(seen: Answered, rows: Iterable[Row], step_s: int) -> Course:
    """Rows as evidence keeps them: rows without a failure are joined within their quarter of an hour."""
    return stamped(joined(rows, max(1, QUARTER_S // step_s), apart=seen.rules >= OVER_AT_ONCE), step_s)


def stamped(rows: Iterable[Row], step_s: int) -> Course:
    """Rows with their step's time in place of its number."""
    return tuple((iso(dt.datetime.fromtimestamp(place * step_s, dt.UTC)), bad, n) for place, bad, n in rows)


def of_metrics(seen: Answered, bad: str, n: str, window: Window) -> Course:
    """Failures and requests that CloudWatch counts under the metrics `bad` and `n`; () where it did not answer in full.

    A period without a point of `bad` has no failure, as long as it has a point of `n`.
    """
    return of_answers(seen, label(bad), label(n), window)


def of_answers(seen: Answered, counted: str, n: str, window: Window, *, good: bool = False) -> Course:
    """The course of `of_metrics`, for the answers under two labels.

    Args:
        good: whether `counted` counts the successes.
    """
    if seen.rules < SINCE or any(seen.answers.partial(one) for one in (counted, n)):
        return ()
    if not good and not any(seen.answers.within(counted, window)):
        return ()
    step_s = period_for(seen.window, seen.now)
    failed = by_step(seen, counted, window, step_s)
    asked = by_step(seen, n, window, step_s)
    if good and seen.rules >= UNORDERED and apart(seen, counted, n, window):
        return ()
    if good:
        failed = {place: max(0, of - failed.get(place, 0)) for place, of in asked.items()}
    if not any(failed.values()):
        return ()
    return told(seen, [(place, min(failed.get(place, 0), of), of) for place, of in sorted(asked.items())], step_s)


def apart(seen: Answered, good: str, n: str, window: Window) -> bool:
    """Whether the successes under a label are counted clearly later than their requests: periods have more of them.

    Then a period shows failures that are none, so the two have no course together. Counts of two periods differ by some
    half of their root, so with a delay of a period or more the successes are so many too many; of a second, by a tenth
    of that.
    """
    step_s = period_for(seen.window, seen.now)
    asked, met = (by_step(seen, one, window, step_s) for one in (n, good))
    more = sum(max(0, of - asked.get(place, 0)) for place, of in met.items())
    return more > _APART * math.fsum(math.sqrt(of) for of in asked.values())


def at_the_door(seen: Answered, jobs: Sequence[Row], turned: Sequence[Row], step_s: int) -> tuple[Row, ...]:
    """The rows of the jobs, with the failures at the door.

    Of these only the minute is known, so each minute with one of them is one row. As the first requests of their minute
    they would be seen before the good ones among which they came: with much traffic that looks like a change.
    """
    if seen.rules < UNORDERED or step_s >= QUARTER_S:
        return added_up([jobs, turned])
    width = max(1, period_for(seen.window, seen.now) // step_s)
    whole = {place // width for place, _, _ in turned}

    def dated(rows: Sequence[Row]) -> tuple[Row, ...]:
        return tuple((at // width * width if at // width in whole else at, bad, n) for at, bad, n in rows)

    return added_up([dated(jobs), one_row(dated(turned))])


def split(seen: Answered, sent: str, kept: str, window: Window) -> Course:
    """Async requests, and all requests, by quarters of an hour."""
    if seen.rules < SINCE or any(seen.answers.partial(label(one)) for one in (sent, kept)):
        return ()
    moved, stayed = (by_step(seen, label(one), window, QUARTER_S) for one in (sent, kept))
    places = sorted({*moved, *stayed})
    return stamped([(at, moved.get(at, 0), moved.get(at, 0) + stayed.get(at, 0)) for at in places], QUARTER_S)


def refused(seen: Answered, lines: Iterable[tuple[dt.datetime, int, bool]], window: Window) -> Course:
    """Refusals that the access log names, of the submissions without the callers' own mistakes.

    Args:
        lines: minute, count, and whether they are the callers' own, of each line of the log.
    """
    known = list(lines)
    if seen.rules < SINCE or all(own for _, _, own in known):
        return ()
    step_s = period_for(seen.window, seen.now)
    asked, turned = by_step(seen, label("async_requests"), window, step_s), dict[int, int]()
    for when, count, own in known:
        place = int(when.timestamp() // step_s)
        if own:
            asked[place] = max(0, asked.get(place, 0) - count)
        else:
            turned[place] = turned.get(place, 0) + count
    return told(seen, [(place, min(turned.get(place, 0), of), of) for place, of in sorted(asked.items()) if of], step_s)


def quota(seen: Answered, segment: Segment) -> Course:
    """Jobs that the LLM refused, of all jobs."""
    if seen.rules < SINCE or not segment.steps or not segment.quota_at:
        return ()
    rows = added_up([[(place, 0, n) for place, _, n in segment.steps], [(at, 1, 0) for at in segment.quota_at]])
    return told(seen, [(place, min(bad, n), n) for place, bad, n in rows], STEP_S)


def slow(
    seen: Answered, segment: Segment, gate: Gate
) -> tuple[Course, tuple[str, float, float | None, float | None] | None]:
    """Jobs beyond the gate's alert limit, of all that completed; and (moment, quantile, lower bound, upper bound) of
    the jobs since the likeliest moment of a change.
    """
    times, limit = segment.generation_s, gate.alert
    if seen.rules < SINCE or limit is None or len(segment.generation_at) != len(times):
        return (), None
    jobs = list(zip(segment.generation_at, times, strict=True))
    if not limit.count(times):
        return (), None
    beyond = [(at, int(limit.holds(value)), 1) for at, value in jobs]
    # They are in the order of their durations, which would put the slow ones last in their ten seconds.
    found = told(seen, one_row(beyond) if seen.rules >= UNORDERED else added_up([beyond]), STEP_S)
    q = gate.quantile or 0.5
    share = q if gate.higher_is_better else 1 - q
    bad, n = [one[1] for one in found], [one[2] for one in found]
    first = found[change.moment(bad, n, share, seen.params.policy.early_prior).first][0]
    begins = int(dt.datetime.fromisoformat(first).timestamp() // STEP_S)
    after = [value for at, value in jobs if at >= begins]
    upper, low = questions.ranks(len(after), gate.measure, seen.params, seen.look)
    value = after[questions.nearest_rank(q, len(after)) - 1]
    return found, (first, value, after[low - 1] if low else None, after[upper - 1] if upper else None)


def levels(seen: Answered, asked: questions.Percentiles) -> Course:
    """Samples beyond the gate's alert limit, as far as the percentiles of each five minutes prove them."""
    names = [asked.level(stat) for stat in (*questions.LEVELS, "SampleCount")]
    gate = questions.gate_of(seen.params, asked.measure)
    limit = gate.alert if gate else None
    if seen.rules < SINCE or limit is None or limit.op not in (">", ">=") or any(map(seen.answers.partial, names)):
        return ()
    if not any(limit.holds(value / asked.divided_by) for _, value in seen.answers.points(asked.level("Maximum"))):
        return ()
    each = [dict(seen.answers.points(name)) for name in names]
    counts, step_s = each.pop(), seen.answers.series[names[0]].period_s
    rows = []
    for when, of in sorted(counts.items()):
        beyond = {
            stat: limit.holds(known[when] / asked.divided_by)
            for stat, known in zip(questions.LEVELS, each, strict=True)
            if when in known
        }
        rows.append((int(when.timestamp() // step_s), beyond_at_least(round(of), beyond), round(of)))
    return told(seen, [row for row in rows if row[2]], step_s)


def beyond_at_least(n: int, beyond: Mapping[str, bool]) -> int:
    """How many of `n` samples are certainly beyond a limit, given which of their statistics are.

    The percentile p lies between two samples at most, the higher of which has a rank of at most floor(n p / 100) + 2,
    however CloudWatch interpolates. Where it is beyond the limit, so are that sample and all above it.
    """
    if beyond.get("Minimum"):
        return n
    shares = [float(stat[1:]) / 100 for stat, is_ in beyond.items() if is_ and stat.startswith("p")]
    proven = max((n - int(n * share) - 1 for share in shares), default=0)
    return min(n, max(proven, int(beyond.get("Maximum", False))))


def beyond_at_most(n: int, beyond: Mapping[str, bool]) -> int:
    """How many of `n` samples may be beyond a limit, given which of their statistics are; an unknown one may be.

    The percentile p is no lower than the sample of rank floor(n p / 100), however CloudWatch interpolates. Where it is
    within the limit, so are that sample and all below it.
    """
    if not beyond.get("Maximum", True):
        return 0
    shares = [float(stat[1:]) / 100 for stat, is_ in beyond.items() if not is_ and stat.startswith("p")]
    within = max((int(n * share) for share in shares), default=0)
    return n - max(within, int(not beyond.get("Minimum", True)))


def by_step(seen: Answered, label: str, window: Window, step_s: int) -> dict[int, int]:
    """Sums of a counted series in each step of `window`, by the step's number since the epoch."""
    one = seen.answers.series.get(label)
    if one is None:
        return {}
    found, inside = dict[int, float](), one.within(window)
    for second, value in zip(one.seconds[inside], one.values[inside], strict=True):
        place = second // step_s
        found[place] = found.get(place, 0.0) + value
    return {place: round(value) for place, value in found.items()}
