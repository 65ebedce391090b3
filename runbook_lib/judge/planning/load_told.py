"""Further checks of a load test: whether its jobs are marked, and what the API does not show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.planning.load import SHOWN, Job, Met


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


def until_done(met: Sequence[Met], jobs: Mapping[str, Job]) -> list[Met]:
    """The users of an API that tells them nothing: each is there until table and bucket have his report.

    His requests end with the submission, so without this a quick API never has all users at the same time.
    """

    def there(one: Met) -> float:
        job = jobs.get(one.job_id)
        took = (job.stored or 0.0) - job.created if job is not None and job.created is not None else 0.0
        return max(one.waited_s, took)

    return [one.model_copy(update={"waited_s": there(one)}) for one in met]


def undrained() -> Check:
    """The drain where the table has no time at which a job begins: nothing can tell it, so nothing waits for it."""
    said = "not asked: the table does not say when a job begins (contract.table.started_at is '')"
    return check("load.drained", "Drained in the predicted time", None, said, required=False)
