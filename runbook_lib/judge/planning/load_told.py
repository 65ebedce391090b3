"""What a load test shows beside `judge/planning/load.py`: are its jobs marked, and what does the API not tell."""

from __future__ import annotations

from collections.abc import Mapping

from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.planning.load import SHOWN, Job


def untold() -> Check:
    """In the place of `load.downloaded` where users never learn by the API that their report is there."""
    return check(
        "load.downloaded",
        "Every finished report downloaded",
        True,
        "not asked: this service's API tells no user that a report is there; table and bucket say whether one is lost",
    )


def marked(jobs: Mapping[str, Job], place: str) -> Check:
    """Every job bears the mark of a probe, without which the users' figures count it.

    Args:
        place: attribute of the item in which it arrives.
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
