"""Evidence that counts `bad` of `n`: success, refusals, errors of gateway and Lambdas, the split seen. Pure."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from typing import Any

from runbook_lib.base.window import Window, parse, period_for
from runbook_lib.judge import words
from runbook_lib.judge.model import Evidence, Part
from runbook_lib.judge.terms import IN_THE_TABLE
from runbook_lib.observe.evidence import courses, door, questions
from runbook_lib.observe.evidence.courses import SINCE
from runbook_lib.observe.evidence.questions import label
from runbook_lib.observe.evidence.seen import Answered, census_window, counted_for_good, counts_of, summed, unseen
from runbook_lib.observe.evidence.silence import silent
from runbook_lib.observe.jobs.census import STEP_S
from runbook_lib.observe.jobs.segment import QUARTER_S, Segment
from runbook_lib.observe.resources import live
from runbook_lib.params.metrics import METRICS

ROUTES = ("async_requests", "sync_requests")
"""Metrics that show the split where clients choose the route."""


def success(seen: Answered) -> Evidence:
    """Evidence of users' success: submissions that ended in a report in time, of all that the service had to answer."""
    service, segment, window = seen.params.service, seen.segment, census_window(seen)
    told = service.contract.table
    query = (
        f"Submissions of {service.asked('submit')} that the service had to answer, by CloudWatch; what became "
        f"of the accepted ones by a scan of {seen.params.name('table')}: {told.done} within {service.job_deadline_s} s "
        f"is success; refused, 5xx, {told.broken}, later or unfinished is failure; probes and the callers' mistakes "
        "left out"
    )
    if segment is None:
        return seen.evidence("success", "rate", query, window, (), notes=("no census was taken",))
    missed, words, figures = unseen(seen)
    spans = door.spans_of(window, segment.gaps)
    met = door.read(seen, spans)
    kpi = seen.sum("jobs_created", window)
    jobs = segment.n + segment.probes
    ledger = door.ledger(seen, met, jobs, spans) if met else None
    cause = _blind(seen, segment, met, figures) or (ledger.words if ledger else "") or silent(seen, window)
    untold = max(0, ledger.unexplained) if ledger and seen.rules >= SINCE else 0
    unsure = (ledger.unsure if ledger else 0) + untold
    turned = (met.broken + met.refused if met else 0) + unsure
    found = counts_of(segment.bad + turned, segment.n + turned, seen.idle)
    if kpi is None and jobs:
        words = (*words, f"the KPI {_created(seen)} has no data: the census is held against the requests alone")
    # The KPIs have their own stamps and delays: a few jobs at the edges, and our probes, are no contradiction.
    elif kpi is not None and abs(kpi - jobs) > max(3, 0.05 * segment.n):
        words = (*words, f"the KPI {_created(seen)} counts {kpi:g} jobs, the census {jobs}")
    return seen.evidence(
        "success",
        "rate",
        query,
        window,
        door.labels(),
        **{**found, "notes": (*found.get("notes", ()), *words), "partial": missed or bool(cause)},
        in_flight=segment.in_flight,
        **_course(seen, segment, spans, met),
        doubtful=min(met.doubtful + unsure, turned) if met else 0,
        untold=untold,
        unseen=cause or (met.suspect if met else ""),
        extra={**counted(seen, segment, figures), "ledger": ledger.as_dict() if ledger else None},
    )


def counted(seen: Answered, segment: Segment, figures: list[dict[str, Any]]) -> dict[str, Any]:
    """What the census counted, beside the KPIs of the same window; `figures` are those of the jobs not seen."""
    window = census_window(seen)
    return {
        "completed": segment.completed,
        "failed": segment.failed,
        "late": segment.late,
        "lost": segment.lost,
        "probes": segment.probes,
        "probes_bad": segment.probes_bad,
        "duplicates": segment.duplicates,
        "errors": dict(segment.errors),
        "unseen": figures,
        "kpi_created": seen.sum("jobs_created", window),
        "kpi_completed": seen.sum("jobs_completed", window),
        "kpi_failed": seen.sum("jobs_failed", window),
        "census_read_units": segment.read_units,
    }


def _created(seen: Answered) -> str:
    """Name of the service's metric of created jobs."""
    return seen.params.service.kpis.get("jobs_created", METRICS["jobs_created"]).name


def _course(seen: Answered, segment: Segment, spans: list[Window], met: door.Door | None) -> dict[str, Any]:
    """The course of success: failures and requests in the order of time, of the jobs and of refusals at the door.

    Of a refusal CloudWatch knows only the minute (`courses.at_the_door`). The test for a change needs failures one by
    one; what lies between them is joined by quarters of an hour. The census of an older record, without steps, has
    quarters of an hour with their failures.
    """
    old = bool(segment.blocks) and not segment.steps
    step_s = QUARTER_S if old else STEP_S
    turned = door.failures(seen, spans, met, step_s) if met else ()
    counted = courses.at_the_door(seen, segment.blocks if old else segment.steps, turned, step_s)
    return {"blocks": courses.stamped(counted, step_s)} if old else {"course": courses.told(seen, counted, step_s)}


def _blind(seen: Answered, segment: Segment, met: door.Door | None, figures: list[dict[str, Any]]) -> str:
    """The first thing that could not be seen, in words; empty: everything was seen."""
    gone = sum(round(one["created"]) for one in figures if one["created"])
    if figures:
        total = f"{gone:,} of {gone + segment.n:,} jobs" if gone else "the jobs of a part of the window"
        ttl = seen.params.service.job_ttl_s / 60
        return f"{total} could not be seen: no look was taken in time, and they stay in the table for {ttl:g} min"
    if met is None and segment.n and not seen.idle:
        found = words.count(segment.n, "job")
        return f"the census found {found}, and CloudWatch knows of no submission: who was refused is unknown"
    return ""


def refused(seen: Answered) -> Evidence:
    """Evidence of refusals: submissions that the gateway, its throttle or the WAF refused, of all answerable ones."""
    window = seen.whole
    met = door.read(seen, [window])
    query = f"CloudWatch AWS/ApiGateway, Sum of 4XXError / Sum of Count of {seen.params.service.asked('submit')}" + (
        f", {met.how}" if met and met.how else ""
    )
    found = counts_of(met.refused, met.answerable, seen.idle) if met else counts_of(None, None, seen.idle)
    return seen.evidence(
        "refused",
        "rate",
        query,
        window,
        door.labels(),
        **found,
        doubtful=met.doubtful if met else 0,
        unseen=met.suspect if met else "",
        course=courses.refused(seen, door.lines(seen, met, window), window) if met else (),
        extra={"refusals": dict(met.types), "callers_mistakes": met.mistakes, "5xx": met.broken} if met else {},
    )


def lost_jobs(seen: Answered) -> Evidence:
    """Evidence of lost jobs: neither completed nor failed, after every delivery of their message, and none waiting."""
    segment, window, table = seen.segment, census_window(seen), seen.params.name("table")
    query = f"Scan of {table}: unfinished longer than every delivery takes, less the messages that SQS still holds"
    if segment is None:
        return seen.evidence("lost_jobs", "rate", query, window, (), notes=("no census was taken",))
    notes: tuple[str, ...] = ()
    if seen.rules >= IN_THE_TABLE:
        window, notes = counted_for_good(seen, segment, window)
    held = live.held(seen.live, "queue")
    # The messages that SQS holds may belong to younger unfinished jobs, as many as there are.
    younger = segment.in_flight + max(0, segment.lost - segment.vanished)
    lost = max(0, segment.vanished - max(0, held - younger))
    found = counts_of(lost, segment.vanished_of, seen.idle)
    doubtful = min(lost, max(0, lost - max(0, segment.vanished - held)))
    if not segment.vanished_of and segment.n:
        found = {"bad": 0, "n": 0, "proven_zero_by": "no job is old enough yet to be lost for good"}
        doubtful = 0
    return seen.evidence(
        "lost_jobs",
        "rate",
        query,
        window,
        (),
        **{**found, "notes": (*found.get("notes", ()), *notes)},
        doubtful=doubtful,
        unseen=f"SQS holds {words.count(held, 'message')}, and whose they are is not known" if doubtful else "",
        extra={"unfinished": segment.vanished, "held": held},
    )


def llm_quota(seen: Answered) -> Evidence:
    """Evidence of jobs that failed because the LLM refused the call: by its rate limit or a used-up quota."""
    segment, window = seen.segment, census_window(seen)
    failed = seen.params.service.contract.table.broken
    query = f"Scan of {seen.params.name('table')}: {failed} with the LLM's 429 or quota error, of all jobs"
    if segment is None:
        return seen.evidence("llm_quota", "rate", query, window, (), notes=("no census was taken",))
    missed, words, figures = unseen(seen)
    found = counts_of(segment.quota, segment.n, seen.idle)
    cause = _blind(seen, segment, None, figures) if figures else ""
    return seen.evidence(
        "llm_quota",
        "rate",
        query,
        window,
        (),
        **found,
        partial=missed,
        notes=words,
        unseen=cause,
        course=courses.quota(seen, segment),
    )


def _gateway(seen: Answered, measure: str, routes: dict[str, str], words: str, idle: str | None) -> Evidence:
    """Evidence of 5xx of all requests, each route by itself. API Gateway publishes both: no point of 5xx is none."""
    window = seen.whole
    counts = {route: (seen.sum(f"{route}_5xx", window), seen.sum(f"{route}_requests", window)) for route in routes}
    bad, n, holes = summed(counts, idle)
    found = counts_of(bad, n, idle)
    if n and all(errors is None for errors, requests in counts.values() if requests):
        found["proven_zero_by"] = "requests that were counted under the same dimensions, with no 5xx among them"
    found |= {"notes": (*found.get("notes", ()), *holes), "partial": found.get("partial", False) or bool(holes)}
    labels = tuple(label(f"{route}_{what}") for route in routes for what in ("requests", "5xx"))
    per_route = {route: {"bad": errors, "n": requests} for route, (errors, requests) in counts.items()}
    query = f"CloudWatch AWS/ApiGateway, Sum of 5xx / Sum of Count, {words}"
    went = {
        name: courses.of_metrics(seen, f"{route}_5xx", f"{route}_requests", window) for route, name in routes.items()
    }
    parts = parts_of({routes[route]: pair for route, pair in counts.items()}, went) if len(routes) > 1 else ()
    return seen.evidence(
        measure,
        "rate",
        query,
        window,
        labels,
        **found,
        parts=parts,
        unseen="; ".join(holes),
        extra={"routes": per_route},
    )


def parts_of(
    counts: Mapping[str, tuple[float | None, float | None]], went: Mapping[str, courses.Course]
) -> tuple[Part, ...]:
    """Each source with its own counts, as whole numbers with bad <= n, and its course."""
    whole = {name: (round(bad or 0.0), round(n or 0.0)) for name, (bad, n) in counts.items()}
    return tuple(Part(name=name, bad=min(bad, n), n=n, course=went[name]) for name, (bad, n) in whole.items())


def async_5xx(seen: Answered) -> Evidence:
    routes = seen.params.service.api.routes
    names = {"async": seen.params.service.asked("submit")}
    if not routes.status:
        return _gateway(seen, "async_5xx", names, f"{names['async']} alone: the API has no status route", seen.idle)
    names["status"] = seen.params.service.asked("status")
    return _gateway(seen, "async_5xx", names, f"{' and '.join(names.values())}, each by itself", seen.idle)


def baseline_success(seen: Answered) -> Evidence:
    route = seen.params.service.asked("sync")
    return _gateway(seen, "baseline_success", {"sync": route}, route, None)


def lambda_errors(seen: Answered) -> Evidence:
    params = seen.params
    window = questions.settled(params, seen.window, seen.now, params.service.job_deadline_s)
    names = questions.functions(params)
    per = {name: (seen.alone(f"{name}_errors", window), seen.alone(f"{name}_invocations", window)) for name in names}
    for post in params.service.crew[1:]:
        if per[post.worker][1] is None and seen.alone(f"{post.queue}_sent", window) == 0:
            per[post.worker] = (per[post.worker][0], 0.0)  # no message was sent to it, so no invocation is no gap
    bad, n, holes = summed(per, seen.idle)
    silent = [name for name, (errors, runs) in per.items() if runs and errors is None]
    notes = [*holes, *(f"{name}: invoked, and no Errors published: zero" for name in silent)]
    found = counts_of(bad, n, seen.idle)
    if found["n"] and all(errors is None for errors, _ in per.values()):
        found["proven_zero_by"] = "invocations without any Errors"
    found |= {"notes": (*found.get("notes", ()), *notes), "partial": found.get("partial", False) or bool(holes)}
    labels = tuple(label(f"{name}_{what}") for name in names for what in ("invocations", "errors"))
    extra = {"functions": {name: {"bad": errors, "n": runs} for name, (errors, runs) in per.items()}}
    query = "CloudWatch AWS/Lambda, Sum of Errors / Sum of Invocations of submit, worker and status, each by itself"
    return seen.evidence(
        "lambda_errors",
        "rate",
        query,
        window,
        labels,
        **found,
        parts=parts_of(
            per, {name: courses.of_metrics(seen, f"{name}_errors", f"{name}_invocations", window) for name in names}
        ),
        unseen="; ".join(holes),
        extra=extra,
    )


def observed_split(seen: Answered) -> Evidence:
    """Evidence of the observed split: async among all submissions, from the minute on in which every client has read
    the weight and the requests sent by the weight before it have been answered.
    """
    params, window = seen.params, seen.whole
    late = params.service.traffic.client_poll_s + params.service.api.timeout_s
    since = seen.traffic.since
    if since is not None and parse(since) >= window.end:
        # The bake was renewed after the judged hours: the weight was in force in them already.
        since = seen.traffic.before_renewal(params.service.traffic.client_poll_s) or since
    if since is not None:
        in_effect = parse(since) + dt.timedelta(seconds=late)
        window = window.since(in_effect).inward(period_for(seen.window, seen.now))
    moved, other = params.service.traffic.arms
    if seen.traffic.migrated:
        other = "sync_fn_invocations"
    sent, kept = seen.sum(moved, window), seen.sum(other, window)
    notes, labels = [], (label(moved), label(other))
    submit = params.service.asked("submit")
    both = f"{submit} / ({submit} + {params.service.asked('sync')})"
    asked = f"CloudWatch AWS/ApiGateway, Sum of Count, {both}"
    if moved != ROUTES[0]:
        asked = f"CloudWatch, {params.metric(moved).title} / (the same + {params.metric(other).title})"
    if seen.traffic.migrated:
        # One route is left: only the old Lambda's invocations show what is synchronous.
        asked = f"CloudWatch, Sum of Count of {submit}, against Invocations of {params.name('sync')}"
    if (sent is None) != (kept is None) and moved != ROUTES[0]:
        notes.append(f"no point for {params.metric(moved if sent is None else other).title}, and some for the other")
    elif sent is None and kept is not None:
        notes.append("no point for the submit route, while the synchronous route has some: no async request")
    elif kept is None and sent is not None:
        what = "Lambda" if seen.traffic.migrated else "route"
        notes.append(f"no point for the synchronous {what}, while the submit route has some: no synchronous request")
    found = counts_of(sent or 0, (sent or 0) + (kept or 0), None)
    extra: dict[str, Any] = {"since": since}
    if seen.live.get("clients"):
        extra["clients"] = _clients(seen.live["clients"], window)
    return seen.evidence(
        "observed_split",
        "split",
        f"{asked}, from {late:g} s after the weight was set (the clients' polling and the gateway's timeout)",
        window,
        labels,
        **found,
        weight=seen.traffic.weight / 100,
        course=courses.split(seen, moved, other, window),
        notes=tuple(notes),
        extra=extra,
    )


def _clients(told: dict[str, Any], window: Window) -> dict[str, int]:
    """Requests at the synchronous route within `window` by client, most first; empty where the log is cut."""
    found: Counter[str] = Counter()
    for at, client, n in told["counts"] if not told["cut"] else ():
        if window.start <= parse(at) < window.end:
            found[client] += n
    return dict(found.most_common())
