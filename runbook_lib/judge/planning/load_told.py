"""Further checks of a load test: whether its jobs are marked, and what the API does not show."""

from __future__ import annotations

from collections.abc import Mapping

from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.planning.load import SHOWN, Job


def untold() -> Check:
    """The check instead of `load.downloaded` where the API never tells users that their report is ready."""
    return check(
        "load.downloaded",
        "Every finished report downloaded",
        True,
        "not asked: this service's API tells no user that a report is there; table and bucket say whether one is lost",
    )


def marked(jobs: Mapping[str, Job], place: str) -> Check:
    """Checks that every job has the mark of a probe; without it the users' figures would count the job.

    Args:
        place: attribute of the item for the mark.
    """
    without = sorted(id for id, job in jobs.items() if not job.probe)
    return check(
        "load.marked",
        "Every job marked as a probe",
        not without if jobs else None,
        f"{len(jobs) - len(without)} of {len(jobs)} jobs bear the mark in '{place}'"
        + (f"; not {', '.join(without[:SHOWN])}: the users' figures count them (contract.probe)" if without else ""),
        expected=f"{len(jobs)}",
        found=f"{len(jobs) - len(without)}",
    )
