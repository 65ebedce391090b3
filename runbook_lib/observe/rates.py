"""Evidence that counts `bad` of `n`: success, errors of gateway and Lambdas, the split seen. Pure."""

from __future__ import annotations

import datetime as dt

from runbook_lib.judge.model import Evidence
from runbook_lib.observe import questions
from runbook_lib.observe.questions import FUNCTIONS, label
from runbook_lib.observe.seen import Seen, census_window, counts_of, summed, unseen
from runbook_lib.observe.window import parse, period_for

GATEWAY_TIMEOUT_S = 29
"""A request is counted when it is answered, so the last one to the old route counts so much later (API Gateway quotas:
integration timeout of a REST API)."""


def success(seen: Seen) -> Evidence:
    service, segment, window = seen.params.service, seen.segment, census_window(seen)
    query = (
        f"Scan of {seen.params.name('table')} by created_at: COMPLETED within {service.job_deadline_s} s is success; "
        "FAILED, later or unfinished is failure; probes left out"
    )
    if segment is None:
        return seen.evidence("success", "rate", query, window, (), notes=("no census was taken",))
    missed, words, figures = unseen(seen)
    found = counts_of(segment.bad, segment.n, seen.idle)
    kpi = seen.sum("jobs_created", window)
    # The KPIs are stamped and delayed on their own: a few jobs at the edges, and our probes, are no contradiction.
    if kpi is not None and abs(kpi - segment.n - segment.probes) > max(3, 0.05 * segment.n):
        words = (*words, f"the KPI VPRJobCreated counts {kpi:g} jobs, the census {segment.n + segment.probes}")
    return seen.evidence(
        "success", "rate", query, window, (),
        **{**found, "notes": (*found.get("notes", ()), *words), "partial": missed},
        in_flight=segment.in_flight,
        extra={
            "completed": segment.completed, "failed": segment.failed, "late": segment.late, "lost": segment.lost,
            "probes": segment.probes, "probes_bad": segment.probes_bad, "duplicates": segment.duplicates,
            "errors": dict(segment.errors), "unseen": figures, "kpi_created": kpi,
            "kpi_completed": seen.sum("jobs_completed", window), "kpi_failed": seen.sum("jobs_failed", window),
            "census_read_units": segment.read_units,
        },
    )  # fmt: skip


def _gateway(seen: Seen, measure: str, routes: tuple[str, ...], words: str, idle: str | None) -> Evidence:
    """5xx of Count over some routes. API Gateway publishes both for each request: Count without 5xx is none."""
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
    return seen.evidence(measure, "rate", query, window, labels, **found, extra={"routes": per_route})


def async_5xx(seen: Seen) -> Evidence:
    routes = seen.params.service.api.routes
    return _gateway(
        seen, "async_5xx", ("async", "status"), f"POST {routes.submit} and GET {routes.status} only", seen.idle
    )


def baseline_success(seen: Seen) -> Evidence:
    return _gateway(seen, "baseline_success", ("sync",), f"POST {seen.params.service.api.routes.sync}", None)


def lambda_errors(seen: Seen) -> Evidence:
    params = seen.params
    window = questions.settled(params, seen.window, seen.now, params.service.job_deadline_s)
    per = {name: (seen.sum(f"{name}_errors", window), seen.sum(f"{name}_invocations", window)) for name in FUNCTIONS}
    bad, n, holes = summed(per, seen.idle)
    silent = [name for name, (errors, runs) in per.items() if runs and errors is None]
    notes = [*holes, *(f"{name}: invoked, and no Errors published: zero" for name in silent)]
    found = counts_of(bad, n, seen.idle)
    if found["n"] and all(errors is None for errors, _ in per.values()):
        found["proven_zero_by"] = "invocations without any Errors"
    found |= {"notes": (*found.get("notes", ()), *notes), "partial": found.get("partial", False) or bool(holes)}
    labels = tuple(label(f"{name}_{what}") for name in FUNCTIONS for what in ("invocations", "errors"))
    extra = {"functions": {name: {"bad": errors, "n": runs} for name, (errors, runs) in per.items()}}
    query = "CloudWatch AWS/Lambda, Sum of Errors / Sum of Invocations of submit, worker and status together"
    return seen.evidence("lambda_errors", "rate", query, window, labels, **found, extra=extra)


def observed_split(seen: Seen) -> Evidence:
    """Async among all submissions, from the minute on in which every client has read the weight, and the requests that
    went by the one before have been answered.
    """
    params, routes = seen.params, seen.params.service.api.routes
    window = seen.whole
    late = params.service.traffic.client_poll_s + GATEWAY_TIMEOUT_S
    since = seen.traffic.since
    if since is not None and parse(since) >= window.end:
        # The bake was renewed after the hours that are judged: in them the weight was in force already.
        since = seen.traffic.before_renewal(params.service.traffic.client_poll_s) or since
    if since is not None:
        in_effect = parse(since) + dt.timedelta(seconds=late)
        window = window.since(in_effect).inward(period_for(seen.window, seen.now))
    sent, kept = seen.sum("async_requests", window), seen.sum("sync_requests", window)
    notes, labels = [], (label("async_requests"), label("sync_requests"))
    both = f"POST {routes.submit} / (POST {routes.submit} + POST {routes.sync})"
    asked = f"CloudWatch AWS/ApiGateway, Sum of Count, {both}"
    if seen.traffic.migrated:
        # One route is left: what is synchronous shows in the old Lambda's invocations alone.
        kept, labels = seen.sum("sync_fn_invocations", window), (label("async_requests"), label("sync_fn_invocations"))
        asked = f"CloudWatch, Sum of Count of POST {routes.submit}, against Invocations of {params.name('sync')}"
    if sent is None and kept is not None:
        notes.append("no point for the submit route, while the synchronous route has some: no async request")
    if kept is None and sent is not None:
        what = "Lambda" if seen.traffic.migrated else "route"
        notes.append(f"no point for the synchronous {what}, while the submit route has some: no synchronous request")
    found = counts_of(sent or 0, (sent or 0) + (kept or 0), None)
    return seen.evidence(
        "observed_split", "split",
        f"{asked}, from {late} s after the weight was set (the clients' polling and the gateway's timeout)",
        window, labels,
        **found, weight=seen.traffic.weight / 100, notes=tuple(notes), extra={"since": since},
    )  # fmt: skip
