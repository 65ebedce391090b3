"""What scenario 2 looks at: symptoms, forecast, the LLM's limit. What came of the action: `queue_backlog_after.py`.

AWS and the deviations on record show the moment: nothing done yet, workers raised, drained, over.
"""

from __future__ import annotations

import datetime as dt
import json
from functools import cached_property
from typing import Any

from runbook_lib.base.window import Window, when
from runbook_lib.judge import words
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.incidents.backlog import (
    Forecast,
    forecast,
    options,
)
from runbook_lib.judge.incidents.incident import spell
from runbook_lib.observe.jobs import backlog as queue
from runbook_lib.observe.jobs import llm
from runbook_lib.observe.jobs.backlog import deepest
from runbook_lib.observe.resources import workers
from runbook_lib.params.posts import Post
from runbook_lib.rollout import deviations
from runbook_lib.run.run import Run
from runbook_lib.show.forecast import forecast_chart, forecast_table
from runbook_lib.show.page import line
from runbook_lib.show.tables import stack, where_table
from runbook_lib.steps.rollbacks.incident import Symptom
from runbook_lib.steps.rollbacks.mitigation import Mitigation, declared

FOLLOWS_S = 60.0
"""Lambda adds pollers to an SQS event source within a minute (AWS Lambda developer guide, "Scaling behavior")."""
STEP_FUNCTIONS = (
    "a Step Functions map would call the same worker with the same reserved concurrency and the same LLM limit, so it "
    "drains nothing sooner than {workers} workers do ({drain}); it needs a state machine and rights that the "
    "infrastructure code has not got, and messages that stay in the queue would be worked on twice: not built"
)


class BacklogSeen:
    """The state of scenario 2: the workers' settings and the queue.

    Args:
        mitigation: the incident's; its deviations say what was done.
        post: the worker that it is about.

    Raises:
        AwsError: Lambda, CloudWatch or SQS refused or did not answer.
    """

    def __init__(self, mitigation: Mitigation, post: Post) -> None:
        self.post = post
        self.mitigation, self.incident = mitigation, mitigation.incident
        self.run, self.params = mitigation.run, mitigation.params
        self.policy = declared(self.incident.spec.backlog, "backlog")
        self.client = self.run.aws.client("lambda")
        self.workers = workers.read_workers(self.client, self.params, self.post.worker)
        now = self.run.now
        self.now_seen = self._queue(now, live=True)
        if mitigation.closed and self.deep:
            mitigation.begin_anew()  # another backlog is an incident of its own
        if mitigation.closed:
            mitigation.go_on()
        if self.raised:
            mitigation.seen_in_force(FOLLOWS_S)

    def read_again(self) -> workers.Workers:
        """Reads the settings again."""
        self.workers = workers.read_workers(self.client, self.params, self.post.worker)
        return self.workers

    def changed(self, found: workers.Workers) -> None:
        """Takes over changed settings, and forgets what followed from the old ones."""
        self.workers = found
        for name in ("limited", "decided_seen", "returning"):
            self.__dict__.pop(name, None)

    @property
    def raised(self) -> bool:
        """This scenario has raised the workers (an open deviation says so) or is still lowering them."""
        return bool(self.mitigation.open) and (self.workers.reserved == self.policy.workers or self.returning)

    @property
    def whole(self) -> bool:
        """Whether the workers are raised by both settings, and none is being put back."""
        return self.raised and not self.returning and self.workers.maximum == self.policy.workers

    @cached_property
    def returning(self) -> bool:
        """Whether an earlier run began to put the workers back and ended before it closed the deviation."""
        if not self.mitigation.open:
            return False
        since = min(dt.datetime.fromisoformat(one.at) for one in self.mitigation.open.values())
        intents = [change.intent for record in self.incident.earlier for change in record.changes]
        ours = [
            one
            for one in intents
            if {"reserved", "maximum"} & set(one["after"]) and dt.datetime.fromisoformat(one["aws_at"]) >= since
        ]
        return bool(ours) and not ours[-1]["raises"]

    @property
    def over(self) -> bool:
        """Whether the incident is over: the deviation is undone or adopted, and the queue is not deep."""
        return bool(self.mitigation.closed) and not self.mitigation.open and not self.deep

    @property
    def deep(self) -> bool:
        """Whether the queue is deep now."""
        waiting = self.now_seen.waiting
        return waiting is not None and self.policy.depth.holds(waiting)

    # What is true

    def state_table(self) -> Any:
        """How many workers run, by which settings, and where this scenario stands."""
        found, since = self.workers, when(next((one.at for one in self.mitigation.open.values()), ""))
        told = "nothing was done yet"
        if self.returning:
            told = f"raised since {since}; putting back was begun, and not completed"
        elif self.raised:
            told = f"raised to {self.policy.workers} workers, decided at {since}"
        elif self.mitigation.open:
            told = f"on record since {since}, but {found.reserved} workers are reserved: begun, and not completed"
        elif self.over:
            told = "over: the workers were raised, and the deviation is undone or adopted"
        return where_table(
            {
                **({"Worker": found.function} if len(self.params.service.crew) > 1 else {}),
                "Reserved concurrency": "none" if found.reserved is None else found.reserved,
                "MaximumConcurrency": "none" if found.maximum is None else found.maximum,
                "Left to all other functions": f"{found.unreserved}, at least {self.policy.keep_unreserved} must stay",
                "This scenario": told,
            }
        )

    def symptoms_table(self) -> Any:
        """Checks the symptoms: queue depth, slow generation."""
        seen, limit = self.now_seen, self.params.policy.gate("generation_time").alert
        deep, slow = None, None
        told, waited = "no data about the queue's depth", "no data about the oldest message"
        if seen.waiting is not None:
            deep = self.policy.depth.holds(seen.waiting)
            told = f"{seen.waiting:.0f} messages wait (symptom: {self.policy.depth})"
        if seen.oldest_s is not None and limit is not None:
            slow = limit.holds(seen.oldest_s)
            waited = f"the oldest message is {spell(seen.oldest_s)} old (a job's alert limit: {limit} s)"
        return self.mitigation.symptoms(
            [Symptom("depth", "Queue depth", deep, told), Symptom("slow", "Slow generation", slow, waited)],
            required=not (self.raised or self.over),
        )

    @cached_property
    def decided_seen(self) -> queue.Queue:
        """The queue at the time of the decision; without a decision, the queue now."""
        at = self.incident.decided_time
        if at is None or at >= self.run.now:
            return self.now_seen
        return self._queue(at, live=False)

    def _queue(self, at: dt.datetime, *, live: bool) -> queue.Queue:
        minutes, post = self.policy.window_min, self.post
        return queue.read(self.run.aws, self.params, at, self.run.now, minutes=minutes, live=live, post=post)

    def forecasts(self, seen: queue.Queue) -> list[Forecast]:
        """A forecast of the queue for each option; empty where the queue could not be measured."""
        before = next(
            (one.was for id, one in self.mitigation.open.items() if id == reserved(self.post)), self.workers.in_force
        )
        load = seen.load(int(before or self.post.concurrency))
        return [forecast(load, one) for one in options(load, self.policy.workers)] if load else []

    def forecast_table(self) -> Any:
        """How long the backlog takes as it is and with each option, and why Step Functions are not one."""
        found, told = self.forecasts(self.decided_seen), queue.measured(self.decided_seen)
        by_id = {one.option.id: one for one in found}
        drain = spell(by_id["workers"].drain_s) if found and by_id["workers"].drains else "never"
        said = STEP_FUNCTIONS.format(workers=self.policy.workers, drain=drain)
        self.run.check(
            check(
                "rollback_2.step_functions",
                "Step Functions considered",
                True,
                said,
                required=False,
                found="the same capacity",
            ),
            check(
                "rollback_2.forecast",
                "Forecast of the drain",
                True if found else None,
                told,
                required=False,
                found=f"{self.policy.workers} workers: {drain}" if found else "none",
                forecasts={id: one.drain_s for id, one in by_id.items()},
            ),
        )
        self.run.journal.attach("answers.json", json.dumps(self.now_seen.answers.raw, default=str).encode())
        return stack(forecast_table(found), line(f"Measured from {told}."), line(f"Step Functions: {said}."))

    @cached_property
    def limited(self) -> llm.Limited:
        """The LLM's rate-limit errors: since the decision once the workers are raised, else in `window_min`."""
        since, now = self.incident.decided_time, self.run.now
        start = since if since and self.raised else now - dt.timedelta(minutes=self.policy.window_min)
        window = Window(min(start, now), now)
        client = self.run.aws.client
        return llm.limited(client("logs"), client("cloudwatch"), self.params, window, now, self.post.worker)

    def llm_table(self) -> Any:
        """Checks whether the LLM refuses jobs: then more workers make it worse."""
        return self.incident.note(self.llm_check(), caption="The LLM's rate limit")

    def llm_check(self) -> Check:
        """`rollback_2.llm`: the LLM refuses no more jobs than the policy allows."""
        found, limit = self.limited, self.policy.llm_limited
        share = found.share or 0.0
        ok = not limit.holds(share)
        ended = f"; {'no job' if found.ended is None else words.count(round(found.ended), 'job')} ended"
        told, most = (
            f"{words.count(found.count, 'rate-limit error')} of the LLM{ended}",
            words.comparison(limit, "ratio"),
        )
        if not ok:
            told += f" ({'; '.join(found.examples)}): more workers would only be refused more often"
        return check(
            "rollback_2.llm",
            "Few rate-limit errors of the LLM",
            ok,
            told,
            expected=f"not {most}",
            found=words.number(share, "ratio"),
            errors=found.count,
            ended=found.ended,
            examples=list(found.examples),
            cut=found.cut,
        )

    def charts(self) -> Any:
        """The forecast beside the measured curve."""
        decided, seen = self.incident.decided_time, self.decided_seen
        marks = [(decided, "decided")] if decided else []
        gate = self.params.policy.gate("queue_depth")
        lines = {f"symptom {self.policy.depth}": self.policy.depth.limit, f"target {gate.target}": gate.target.limit}
        forecasts, levels = self.forecasts(seen), self.now_seen_levels
        if not forecasts and not levels:
            return line("Nothing to draw: no forecast, and CloudWatch has no point of the queue yet.")
        return forecast_chart(forecasts, seen.at, levels, marks=marks, limits=lines)

    @property
    def now_seen_levels(self) -> list[tuple[dt.datetime, float]]:
        """The measured curve, from before the decision to now."""
        known = dict(self.decided_seen.levels) | dict(self.now_seen.levels)
        return sorted(known.items())

    @property
    def was(self) -> int:
        """Number of workers that the undo puts back."""
        found = (self.mitigation.open or self.mitigation.closed).get(reserved(self.post))
        return int(found.was) if found and found.was is not None else self.post.concurrency


def reserved(post: Post) -> str:
    """Id of the inventory's check of the worker's reserved concurrency."""
    return f"inventory.{post.id('worker')}.reserved_concurrency"


def maximum(post: Post) -> str:
    """Id of the inventory's check of the maximum concurrency of its event source."""
    return f"inventory.{post.id('event_source')}.maximum_concurrency"


def worker_settings(post: Post) -> tuple[str, str]:
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
    last = [post for one in reversed(mine) for post in crew if one.deviation.check in worker_settings(post)]
    return last[0] if last and not depth else deep
