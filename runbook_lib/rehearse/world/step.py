"""The events of one step of the service: the truth about each request, and the rows for CloudWatch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from runbook_lib.rehearse.world.arrivals import Floats
from runbook_lib.rehearse.world.jobs import Answer, Failure, Job
from runbook_lib.rehearse.world.rows import Rows

CALLERS_OWN, GATEWAY_BROKEN, DOUBLED = 400, 503, 207
"""Statuses: a caller's mistake, the gateway's own 5xx; and, inside, a submission that makes two jobs."""
SWALLOWED, REPEATED = 299, 200
"""Statuses: accepted, but no job is written; a repeated submission, answered with the existing job."""


class Requests(NamedTuple):
    """The truth about requests, in order of arrival; shape (n,) each."""

    at: Floats
    is_async: NDArray[np.bool_]
    ok: NDArray[np.bool_]
    """Sync: answered within the gateway's time limit. Async: the submission was accepted."""
    refused: NDArray[np.bool_]
    """The route did not exist any more: 403."""
    status: NDArray[np.int64]
    """Status of the gateway's answer."""
    number: NDArray[np.int64]
    """Number of the job that it made; 0: none."""
    mistake: NDArray[np.bool_]
    """A mistake of the caller, who is no user of the service."""


@dataclass
class WorldStep:
    """The events in [start, end)."""

    start: float
    end: float
    rows: Rows
    jobs: list[Job]
    """Copies of the jobs whose status at `end` differs from the step before."""
    failures: list[Failure]
    requests: Requests
    answers: list[Answer] = field(default_factory=list)
    """Requests answered 4xx or 5xx, if the world writes an access log."""
    used: dict[str, float] = field(default_factory=dict)
    """Signal to the sum of its values: the usage, whether AWS gets it or not."""


_NO = np.empty(0, dtype=bool)
_NONE = np.empty(0, dtype=np.int64)
NOBODY = Requests(np.empty(0), _NO, _NO, _NO, _NONE, _NONE, _NO)
