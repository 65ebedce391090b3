"""Which worker scenario 2 is about, and which settings of it are raised together."""

from __future__ import annotations

from runbook_lib.observe.jobs.backlog import deepest
from runbook_lib.params.crew import Post
from runbook_lib.rollout import deviations
from runbook_lib.run.run import Run


def reserved(post: Post) -> str:
    """Check of the inventory on the worker's reserved concurrency."""
    return f"inventory.{post.id('worker')}.reserved_concurrency"


def maximum(post: Post) -> str:
    """Check of the inventory on the maximum concurrency of its event source."""
    return f"inventory.{post.id('event_source')}.maximum_concurrency"


def settings(post: Post) -> tuple[str, str]:
    """Checks of the inventory that the mitigation makes deviate."""
    return reserved(post), maximum(post)


def chosen(run: Run) -> Post:
    """The worker that was raised and is not put back; else the one on whose queue most waits; with no queue deep, the
    one that was raised last, so that what came of it is still told.

    Raises:
        AwsError: SQS refused or did not answer.
    """
    crew = run.params.service.crew
    if len(crew) == 1:
        return crew[0]
    said, _ = deviations.said(run.archive, run.params.env)
    mine = [one for one in said if one.deviation.notebook == run.notebook]
    open_ = deviations.open_deviations(run.archive, run.params.env)
    raised = next((post for post in crew if reserved(post) in open_), None)
    if raised is not None:
        return raised
    deep, depth = deepest(run.aws.client("sqs"), run.params)
    last = [post for one in reversed(mine) for post in crew if one.deviation.check in settings(post)]
    return last[0] if last and not depth else deep
