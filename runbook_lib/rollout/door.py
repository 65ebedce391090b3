"""Whether the peak of a phase fits through the door: asks AWS for limits and traffic, which `judge` judges.

The preflight asks for every coming phase; a phase may ask again before its shift (`phase_checks`).
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from runbook_lib.judge.gates.checks import Check
from runbook_lib.judge.planning.door import Limits, Manner, door_checks
from runbook_lib.observe.asking import Clients
from runbook_lib.observe.inventory.door import read_limits
from runbook_lib.observe.traffic import peak
from runbook_lib.params.load import Params


def manner(params: Params) -> Manner:
    """The parameters that turn submissions into load on the limits in front of the functions."""
    baseline, service = params.policy.baseline, params.service
    return Manner(
        burst=baseline.burst,
        headroom=baseline.headroom,
        generation_s=baseline.generation_s,
        poll_every_s=service.poll_every_s,
        handler_s=baseline.handler_s,
        workers=service.workers,
    )


def ask(aws: Clients, params: Params, now: dt.datetime) -> tuple[Limits, peak.PeakTraffic]:
    """Reads the present limits, and the heaviest traffic of the last `baseline.days` on both routes together.

    Raises:
        AwsError: CloudWatch refused or did not answer. A limit that AWS refuses to tell is in `Limits.unseen`.
    """
    return read_limits(aws, params), peak.read(aws.client("cloudwatch"), params, now)


def phase_checks(aws: Clients, params: Params, percent: float, now: dt.datetime) -> tuple[list[Check], dict[str, Any]]:
    """One check `door.<limit>` for each limit at a weight of `percent`, and the raw answers for the record.

    Raises:
        AwsError: CloudWatch refused or did not answer.
    """
    limits, seen = ask(aws, params, now)
    checks = door_checks(limits, seen.peak, percent, manner(params))
    return checks, {"limits": limits.model_dump(mode="json"), "traffic": seen.answers.raw, "notes": list(seen.notes)}
