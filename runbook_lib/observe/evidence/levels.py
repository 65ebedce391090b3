"""Evidence that has a level: quantiles of times, depths of queues. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from runbook_lib.base.window import Window, iso, period_for
from runbook_lib.judge.model import Evidence
from runbook_lib.judge.words import count as counted
from runbook_lib.observe.evidence import courses, questions
from runbook_lib.observe.evidence.questions import GAUGE_PERIOD_S, label
from runbook_lib.observe.evidence.seen import Answered, behind, census_window, unseen
from runbook_lib.params.posts import Post

Point = tuple[dt.datetime, float]
OVERHEAD = 2
"""No latency exceeds this many gateway timeouts: it also holds the gateway's own work (an authorizer)."""


def submit_latency(seen: Answered) -> Evidence:
    return percentiles(
        seen,
        questions.LATENCY,
        f"AWS/ApiGateway Latency of {seen.params.service.asked('submit')}",
        proof=seen.idle,
        most=OVERHEAD * seen.params.service.api.timeout_s if seen.rules >= 2 else None,
    )


def percentiles(
    seen: Answered, asked: questions.Percentiles, what: str, *, proof: str | None = None, most: float | None = None
) -> Evidence:
    """Evidence of a quantile from CloudWatch's percentiles.

    A single bucket is the quantile; of several, the largest is an upper bound of it.

    Args:
        what: the metric in words.
        proof: what proves that there was no sample, if anything does.
        most: the largest possible value.
    """
    answers, window = seen.answers, questions.settled(seen.params, seen.window, seen.now, asked.late_s)

    def values(name: str) -> list[float]:
        return [value / asked.divided_by for _, value in answers.points(name)]

    value = max(values(asked.label), default=None)
    upper = max(values(asked.upper), default=None)
    low = min(values(asked.low), default=None)
    n = answers.total(asked.n)
    notes = []
    if len(values(asked.label)) > 1:
        notes.append("the window came in several buckets: the figure is an upper bound of the quantile")
    if value is not None and upper is not None and upper < value:
        notes.append("the higher percentile is below the quantile itself: not believed")
        upper = None
    if value is not None and low is not None and low > value:
        notes.append("the lower percentile is above the quantile itself: not believed")
        low = None
    if value is None and n:
        notes.append("samples, but no percentile: published as statistic sets, or with negative values")
    q = 100 * questions.quantile_of(seen.params, asked.measure)
    stats = [answers.series[name].stat for name in (asked.upper, asked.low) if name in answers.series]
    query = f"CloudWatch {what}, p{q:g} of the whole window" + (f"; bounds {', '.join(stats)}" if stats else "")
    return seen.evidence(
        asked.measure,
        "quantile",
        query,
        window,
        (asked.label, asked.n),
        value=value,
        upper=upper,
        low=low,
        n=round(n) if n and value is not None else (0 if proof else None),
        proven_zero_by=None if n else proof,
        notes=tuple(notes),
        most=most,
        course=courses.levels(seen, asked),
    )


def generation_time(seen: Answered) -> Evidence:
    gate = questions.gate_of(seen.params, "generation_time")
    q = gate.quantile if gate and gate.quantile else 0.95
    window, segment = census_window(seen), seen.segment
    told = seen.params.service.contract.table
    query = f"{told.completed_at} - {told.created_at} of every {told.done} job, p{100 * q:g} (nearest rank)"
    sample = segment.generation_s if segment else ()
    n = len(sample)
    if segment is None or not n:
        zero = seen.idle if segment is not None and segment.n == 0 else None
        return seen.evidence("generation_time", "quantile", query, window, (), n=0, proven_zero_by=zero)
    upper, low = questions.ranks(n, "generation_time", seen.params, seen.look, seen.rules)
    limit = gate.alert if gate and gate.alert else None
    missed, words, _ = unseen(seen)
    course, onward = courses.slow(seen, segment, gate) if gate else ((), None)
    never = segment.failed + segment.lost
    if never:
        words = (*words, f"{counted(never, 'job')} never completed: failures in the success rate, and no times here")
    return seen.evidence(
        "generation_time",
        "quantile",
        query,
        window,
        (),
        value=nearest_rank(sample, q),
        upper=sample[upper - 1] if upper else None,
        low=sample[low - 1] if low else None,
        n=n,
        bad=limit.count(sample) if limit else None,
        in_flight=segment.in_flight,
        partial=missed,
        notes=words,
        course=course,
        onward=onward,
        extra={"median": sample[(n - 1) // 2], "max": sample[-1]},
    )


def nearest_rank(sample: Sequence[float], q: float) -> float:
    """The q quantile of an ascending sample that is not empty, by the nearest rank."""
    return sample[questions.nearest_rank(q, len(sample)) - 1]


def periods(window: Window, period_s: int) -> list[dt.datetime]:
    count = int(window.seconds // period_s)
    return [window.start + dt.timedelta(seconds=period_s * place) for place in range(count)]


def queue_depth(seen: Answered) -> Evidence:
    """Evidence of the queue's depth.

    SQS publishes it while the queue holds a message or is polled, and stops after six idle hours. So a period without
    a point is zero if nothing was sent or asked in it and the last point before it was zero (without any point: if the
    queue is empty now). Else it is missing, also where the jobs table shows that CloudWatch is behind.
    """
    window, period = gauged(seen)
    crew, late = seen.params.service.crew, behind(seen)
    names = tuple(label(f"{post.queue}_visible", "Maximum") for post in crew)
    queues = " and ".join(seen.params.name(post.queue) for post in crew)
    whose = queues if len(crew) == 1 else f"{queues}, the deepest of them"
    live = [seen.live.get(f"{post.queue}_visible") for post in crew]
    expected = len(periods(window, period))
    points, filled = queue_points(seen)
    values = [value for _, value in points]
    proof = "no message sent and no request made meanwhile, and the queue empty before"
    return seen.evidence(
        "queue_depth",
        "gauge",
        f"CloudWatch AWS/SQS, Maximum of messages visible in {whose}, each {period} s",
        window,
        names,
        values=tuple(values),
        expected=expected,
        live=None if None in live else max(one for one in live if one is not None),
        proven_zero_by=proof if filled and len(values) == expected else None,
        notes=(
            *((late,) if late and len(values) < expected else ()),
            *((f"{filled} of {expected} periods have no point and count as 0: {proof}",) if filled else ()),
        ),
    )


def gauged(seen: Answered, late_s: float = 0) -> tuple[Window, int]:
    """The window in which a gauge is judged, and the length of its periods in seconds."""
    period = max(GAUGE_PERIOD_S, period_for(seen.window, seen.now))
    return questions.gauged(seen.params, seen.window, seen.now, late_s), period


def queue_points(seen: Answered) -> tuple[list[Point], int]:
    """The depth in each known period, and the number of periods without a point that count as 0. With several queues it
    is the largest depth, in the periods in which all are known.
    """
    each = [_points_of(seen, post) for post in seen.params.service.crew]
    if len(each) == 1:
        return each[0]
    depths = [dict(points) for points, _ in each]
    both = sorted(set(depths[0]).intersection(*depths[1:]))
    return [(at, max(one[at] for one in depths)) for at in both], max(filled for _, filled in each)


def _points_of(seen: Answered, post: Post) -> tuple[list[Point], int]:
    """The points of one worker's queue, as in `queue_points`."""
    window, period = gauged(seen)
    known = dict(seen.answers.points(label(f"{post.queue}_visible", "Maximum")))
    depth: float | None = 0.0 if known else seen.live.get(f"{post.queue}_visible")
    found, filled, late = [], 0, behind(seen)
    for at in periods(window, period):
        if at in known:
            depth = known[at]
        else:
            span = Window(at, at + dt.timedelta(seconds=period))
            asked = seen.sum("async_requests", span) if not post.suffix else None  # each makes a message of the first
            if late or depth != 0 or seen.alone(f"{post.queue}_sent", span) or asked:
                depth = None
                continue
            filled += 1
        found.append((at, depth))
    return found, filled


def dlq_points(seen: Answered) -> list[Point]:
    """Depths of the DLQ by CloudWatch; where a live read proves that there was none, 0 in every other period."""
    window, period = gauged(seen)
    found: dict[dt.datetime, float] = {}
    for post in seen.params.service.crew:
        for at, value in seen.answers.points(label(f"{post.dlq}_visible", "Maximum")):
            if window.start <= at < window.end:
                found[at] = max(value, found.get(at, 0.0))
    known = sorted(found.items())
    if dlq_depth(seen).proven_zero_by is None:
        return known
    return sorted((dict.fromkeys(periods(window, period), 0.0) | dict(known)).items())


def dlq_depth(seen: Answered) -> Evidence:
    """Evidence of the DLQ's depth. It keeps messages for days: 0 now and no point above 0 mean that none arrived."""
    params = seen.params
    window = questions.gauged(params, seen.window, seen.now)
    crew = params.service.crew
    names = tuple(label(f"{post.dlq}_visible", "Maximum") for post in crew)
    each = [[value for when, value in seen.answers.points(name) if window.start <= when < window.end] for name in names]
    points = max(each, key=lambda one: (max(one, default=0.0), len(one)))
    expected = int(window.seconds // max(GAUGE_PERIOD_S, period_for(seen.window, seen.now)))
    waiting = [seen.live.get(f"{post.dlq}_visible") for post in crew]
    handled = sum(seen.live.get(f"{post.dlq}_in_flight", 0) for post in crew)
    live = None if None in waiting else sum(one for one in waiting if one is not None) + handled
    proven = live == 0 and not any(map(any, each)) and any(len(one) < expected for one in each)
    receives, timeout = params.service.max_receives, params.service.visibility_timeout_s
    queues = " and ".join(params.name(post.dlq) for post in crew)
    proof = "0 messages read live, and no point: an arrival would have made SQS publish again, and stays for days"
    late_s = receives * timeout
    note = f"settles late: a job of the last {late_s / 60:g} min ({receives} receives of {timeout} s) may still arrive"
    until = Window(seen.window.start, seen.window.end).settled(seen.now, late_s).end
    return seen.evidence(
        "dlq_depth",
        "gauge",
        f"CloudWatch AWS/SQS, Maximum of messages visible in {queues}, and a live read of SQS",
        window,
        names,
        values=tuple(points),
        expected=expected,
        live=live,
        proven_zero_by=proof if proven else None,
        notes=(note,),
        extra={"settled_until": iso(until)},
    )


def throttle_events(seen: Answered) -> Evidence:
    """Evidence of the requests that DynamoDB throttled, table and index together, in each period.

    DynamoDB publishes throttle events only when there are some. So a period without one is zero if the table was used
    in the window; where CloudWatch is behind, only if it was used in that period.
    """
    params, late = seen.params, behind(seen)
    window, period = gauged(seen)
    labels = tuple(map(label, questions.THROTTLES))
    proof = None if _used(seen) or not seen.idle else seen.idle
    return seen.evidence(
        "throttle_events",
        "gauge",
        f"CloudWatch AWS/DynamoDB, Sum of ReadThrottleEvents and WriteThrottleEvents of {params.name('table')} and its "
        f"index, each {period} s",
        window,
        labels,
        values=tuple(value for _, value in throttle_points(seen)),
        expected=len(periods(window, period)),
        proven_zero_by=proof,
        notes=(late,) if late else (),
        extra={name: sum(value for _, value in seen.answers.points(label(name))) for name in questions.THROTTLES},
    )


def throttle_points(seen: Answered) -> list[Point]:
    """Throttle events in each period that is known."""
    window, period = gauged(seen)
    found: dict[dt.datetime, float] = {}
    for when, value in (point for name in questions.THROTTLES for point in seen.answers.points(label(name))):
        found[when] = found.get(when, 0.0) + value
    used = _used(seen)
    times, late = periods(window, period), behind(seen)
    step = dt.timedelta(seconds=period)
    known = (
        {when for at in used for when in times if when <= at < when + step} if late else set(times) if used else set()
    )
    return [(at, found.get(at, 0.0)) for at in times if at in found or at in known]


def _used(seen: Answered) -> list[dt.datetime]:
    """Times at which the table was written to."""
    window, _ = gauged(seen)
    return [when for when, _ in seen.answers.points(label("table_writes")) if window.start <= when < window.end]
