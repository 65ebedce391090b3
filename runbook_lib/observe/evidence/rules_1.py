"""The evidence of records of version 0.1 by the rules of that version, for `runbook replay` only. Pure.

Success was counted among created jobs, so a refused submission was in no rate; and rates of several sources were
pooled. `rates.py` has today's rules.
"""

from __future__ import annotations

from runbook_lib.judge.model import Evidence
from runbook_lib.observe.evidence import rates
from runbook_lib.observe.evidence.seen import Answered, census_window, counts_of, unseen


def success(seen: Answered) -> Evidence:
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
    # The KPIs have their own stamps and delays: a few jobs at the edges, and our probes, are no contradiction.
    if kpi is not None and abs(kpi - segment.n - segment.probes) > max(3, 0.05 * segment.n):
        words = (*words, f"the KPI VPRJobCreated counts {kpi:g} jobs, the census {segment.n + segment.probes}")
    return seen.evidence(
        "success",
        "rate",
        query,
        window,
        (),
        **{**found, "notes": (*found.get("notes", ()), *words), "partial": missed},
        in_flight=segment.in_flight,
        extra=rates.counted(seen, segment, figures),
    )


def async_5xx(seen: Answered) -> Evidence:
    routes = seen.params.service.api.routes
    words = f"POST {routes.submit} and GET {routes.status} only"
    return _pooled(rates.async_5xx(seen), f"CloudWatch AWS/ApiGateway, Sum of 5xx / Sum of Count, {words}")


def lambda_errors(seen: Answered) -> Evidence:
    query = "CloudWatch AWS/Lambda, Sum of Errors / Sum of Invocations of submit, worker and status together"
    return _pooled(rates.lambda_errors(seen), query)


def _pooled(evidence: Evidence, query: str) -> Evidence:
    """The evidence as one rate, without its single sources."""
    return evidence.model_copy(update={"parts": (), "unseen": "", "query": query})
