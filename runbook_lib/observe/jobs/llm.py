"""Jobs that the LLM refuses by its rate limit, from the worker's log, compared with the jobs that ended."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from runbook_lib.base.window import Window
from runbook_lib.judge.terms import Frozen
from runbook_lib.observe.jobs.logs import failures
from runbook_lib.observe.metrics.fetch import Ask, fetch
from runbook_lib.params.load import Params

PATTERN = re.compile(r"\b429\b|rate.?limit|too many requests|overloaded|quota.{0,20}exceeded", re.IGNORECASE)
"""Providers' words for it: HTTP 429 (RFC 6585, sec. 4), `rate_limit_error`, `overloaded_error`, an exceeded quota.

A signature's numbers are masked, so its example is searched too.
"""


class Limited(Frozen):
    """Jobs that the LLM refused, among those that came to an end, in one window."""

    count: int
    ended: float | None
    """Jobs completed or failed, by the KPIs; None: they have no data."""
    examples: tuple[str, ...]
    """Signatures of the errors, redacted, the most frequent first."""
    cut: bool = False
    """Whether the log had more failures than were read."""

    @property
    def share(self) -> float | None:
        """The share of ended jobs that the LLM refused; None where none ended and none was refused."""
        total = max(self.ended or 0.0, float(self.count))
        return self.count / total if total else None


def limited(
    logs: Any, cloudwatch: Any, params: Params, window: Window, now: dt.datetime, worker: str = "worker"
) -> Limited:
    """The LLM's rate-limit errors in `window`.

    Args:
        worker: key in `names` of the worker in whose log they are looked for.

    Raises:
        AwsError: CloudWatch or its logs refused or did not answer.
    """
    found = failures(logs, params, window, resource=worker)
    mine = [one for one in found if PATTERN.search(one.text) or PATTERN.search(one.example)]
    asks = [Ask(id, window) for id in ("jobs_completed", "jobs_failed")]
    answers = fetch(cloudwatch, params, asks, now)
    sums = [total for ask in asks if (total := answers.total(ask.label)) is not None]
    return Limited(
        count=sum(one.count for one in mine),
        ended=sum(sums) if sums else None,
        examples=tuple(one.text for one in mine[:3]),
        cut=found.cut,
    )
