"""The evidence of records of version 0.1, made by the rules of then: for `runbook replay` alone. Pure.

Success was counted among created jobs, so a refused submission was in no rate; and rates of several sources were
pooled. `rates.py` has today's rules.
"""

from __future__ import annotations

from runbook_lib.judge.model import Evidence
from runbook_lib.observe import questions
from runbook_lib.observe.questions import FUNCTIONS, label
from runbook_lib.observe.seen import Seen, census_window, counts_of, summed, unseen


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
