"""Chooses the worker of scenario 2, and names its settings, which are raised together."""

from __future__ import annotations

from runbook_lib.observe.jobs.backlog import deepest
from runbook_lib.params.posts import Post
from runbook_lib.rollout import deviations
from runbook_lib.run.run import Run


def reserved(post: Post) -> str:
    """Id of the inventory's check of the worker's reserved concurrency."""
    return f"inventory.{post.id('worker')}.reserved_concurrency"


def maximum(post: Post) -> str:
    """Id of the inventory's check of the maximum concurrency of its event source."""
    return f"inventory.{post.id('event_source')}.maximum_concurrency"


def settings(post: Post) -> tuple[str, str]:
    """Ids of the inventory's checks for which the mitigation opens deviations."""
    return reserved(post), maximum(post)


def chosen(run: Run) -> Post:
    """The worker that was raised and is not put back; else the one with the deepest queue; if all queues are empty, the
    one that was raised last, so that its result is still shown.

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
