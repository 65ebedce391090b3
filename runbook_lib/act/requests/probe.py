"""Probes: requests of our own through the real API, one by one at a steady pace, each as a client makes it.

They are marked, so that the census and every gate on users exclude them; their results are reported separately.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from runbook_lib.act.requests.conversation import Conversation
from runbook_lib.act.requests.smoke import attempt
from runbook_lib.base.errors import Refused
from runbook_lib.base.telling import tell
from runbook_lib.observe.jobs.behind import Behind
from runbook_lib.params.contract import Contract
from runbook_lib.params.service import Routes

STEPS = ("submit", "poll", "download")
"""The steps of a client, in order."""


@dataclass(frozen=True)
class Probe:
    """The result of one probe."""

    job_id: str
    ok: bool
    """Whether it was accepted, COMPLETED before the client gives up, and downloaded."""
    failed_at: str
    """The step that failed; empty: none."""
    detail: str
    submit_s: float
    """Seconds until the submission was answered."""
    total_s: float
    """Seconds until the report was there, or until the client gave up."""


def probe(
    api_url: str,
    routes: Routes,
    count: int,
    *,
    per_minute: float,
    probe_id: str,
    deadline_s: float,
    poll_s: float,
    contract: Contract | None = None,
    behind: Behind | None = None,
    done: Callable[[Probe], object] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Probe]:
    """Sends `count` probes and follows each to its end.

    Args:
        api_url: address of the API's stage.
        per_minute: submissions per minute; a slow answer does not delay the next submission.
        probe_id: part of each job's `source`, by which the census excludes it.
        deadline_s: seconds after which a client stops polling.
        poll_s: seconds between two polls.
        contract: how to talk to the service; default: that of `service.yaml` as delivered.
        behind: jobs table in which the first job's mark is checked before the second is sent; None: no check.
        done: called with each probe as it ends.

    Returns:
        One result per probe, in order of their ends. A bad or missing answer is a failed probe, never an error.

    Raises:
        Refused: the mark does not arrive, so the users' figures would count the probes.
        AwsError: the jobs table cannot be asked.
    """
    proven = behind is None

    def begun(number: int) -> tuple[Conversation, list[float], Probe | None]:
        mark = f"{probe_id}-{number}"
        return _submitted(Conversation(api_url, routes, mark, deadline_s, poll_s, contract=contract, behind=behind))

    def one(number: int) -> Probe:
        return _followed(*begun(number))

    wait = 60 / per_minute
    at_once = max(1, min(count, int(deadline_s / wait) + 2))
    pending: list[Future[Probe]] = []
    found: list[Probe] = []
    with ThreadPoolExecutor(at_once) as pool:
        try:
            for number in range(count):
                if number:
                    sleep(wait)
                if proven:
                    pending.append(pool.submit(one, number + 1))
                    continue
                first, taken, failed = begun(number + 1)
                if failed is None:
                    _prove(first)
                    proven = True
                pending.append(pool.submit(_followed, first, taken, failed))
            for future in as_completed(pending):
                found.append(future.result())
                done(found[-1])
        except BaseException:
            if left := sum(not future.cancel() and not future.done() for future in pending):
                of = f"interrupted; {left} under way {'ends' if left == 1 else 'end'} when the report is there"
                tell(f"{of}, in {deadline_s:.0f} s at most; once more ends at once")
            raise
    return found


def _submitted(conversation: Conversation) -> tuple[Conversation, list[float], Probe | None]:
    """The conversation begun, the seconds that it took, and the probe's result if it ended there."""
    step = attempt(STEPS[0], STEPS[0], conversation.submit)
    failed = Probe("", False, STEPS[0], step.detail, step.seconds, step.seconds)
    return conversation, [step.seconds], None if step.ok else failed


def _prove(conversation: Conversation) -> None:
    """Checks that the mark arrives where the users' figures look for it; before that no probe may count."""
    step = attempt("mark", "mark", conversation.mark)
    if not step.ok:
        raise Refused(f"probe: one was sent, and nothing of it counts: {step.detail}")


def _followed(conversation: Conversation, taken: list[float], failed: Probe | None) -> Probe:
    if failed is not None:
        return failed
    for name, act in zip(STEPS[1:], (conversation.poll, conversation.download), strict=True):
        step = attempt(name, name, act)
        taken.append(step.seconds)
        if not step.ok:
            return Probe(conversation.job_id, False, name, step.detail, taken[0], sum(taken))
    return Probe(conversation.job_id, True, "", "", taken[0], sum(taken))


def spoilt(probes: Sequence[Probe]) -> dict[str, int]:
    """Failures by step and error text, most frequent first."""
    counts: dict[str, int] = {}
    for each in probes:
        if not each.ok:
            said = f"{each.failed_at}: {each.detail}"
            counts[said] = counts.get(said, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1]))
