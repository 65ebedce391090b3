"""What came to pass in one step of the service: the truth about each request, and what CloudWatch would be given."""

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
"""Accepted, and no job is written; a repeated submission, answered with the job that there is."""


class Requests(NamedTuple):
    """The truth about requests, in order of arrival; shape (n,) each."""

    at: Floats
    is_async: NDArray[np.bool_]
    ok: NDArray[np.bool_]
    """Sync: answered within the gateway's patience. Async: the submission was accepted."""
    refused: NDArray[np.bool_]
    """The route was not there any more: 403."""
    status: NDArray[np.int64]
    """What the gateway answered."""
    number: NDArray[np.int64]
    """Of the job that it made; 0: none."""
    mistake: NDArray[np.bool_]
    """The caller's own: no user of the service."""


@dataclass
class WorldStep:
    """What came to pass in [start, end)."""

    start: float
    end: float
    rows: Rows
    jobs: list[Job]
    """Copies of the jobs whose status at `end` is another one than in the step before."""
    failures: list[Failure]
    requests: Requests
    answers: list[Answer] = field(default_factory=list)
    """Requests answered 4xx or 5xx, where the world writes an access log."""
    used: dict[str, float] = field(default_factory=dict)
    """Signal to the sum of its values: what was used, whether AWS is told or not."""


_NO = np.empty(0, dtype=bool)
_NONE = np.empty(0, dtype=np.int64)
NOBODY = Requests(np.empty(0), _NO, _NO, _NO, _NONE, _NONE, _NO)
