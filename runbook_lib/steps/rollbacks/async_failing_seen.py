"""What scenario 1 looks at: symptoms, who still calls async, the synchronous endpoint, failures, dead letters and jobs
under way. It sends probes and changes nothing else. A question without an answer never hides the others.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

from runbook_lib.act.requests.smoke import sync_answer
from runbook_lib.base.errors import RunbookError
from runbook_lib.base.foreign import markdown
from runbook_lib.base.window import Window, due, parse, when
from runbook_lib.judge import words
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.observe import aftermath
from runbook_lib.observe.api_address import stage_url
from runbook_lib.observe.jobs import census, dlq, logs
from runbook_lib.observe.jobs.segment import Segment
from runbook_lib.observe.metrics import fetch
from runbook_lib.observe.references import with_secrets
from runbook_lib.observe.traffic import weight as weights
from runbook_lib.observe.traffic.state import TrafficState, as_routed
from runbook_lib.params.cross_check import functions
from runbook_lib.record.record import Record
from runbook_lib.rollout import hints, history
from runbook_lib.rollout import moment as moments
from runbook_lib.show.tables import stack, table
from runbook_lib.steps.rollbacks import sync_baseline
from runbook_lib.steps.rollbacks.incident import Incident, Symptom

LOOK_BACK = dt.timedelta(hours=6)
"""How long before the decision symptoms and failures are looked for."""
MINUTE = dt.timedelta(minutes=1)
PROBES = 3
"""Number of probes of the synchronous endpoint; each makes a whole report and costs money."""
EXAMPLES = 8


class Aftermath:
    """A failing async pipeline as it looks before and after it is turned off.

    Args:
        incident: its clock says what is before and after.
    """

    def __init__(self, incident: Incident) -> None:
        self.incident, self.run, self.params = incident, incident.run, incident.params
        self.restored = False
        """Whether this run brought the synchronous route back by the infrastructure's command."""
        self._explained: list[str] = []
        """The failures, as Markdown lines."""
        self._census: Segment | None = None
        self._held: dlq.Found | None = None

    @cached_property
    def traffic(self) -> tuple[TrafficState, bool]:
        """The traffic as it was read last, and whether the flags exist. Read on first use: the action comes first."""
        return weights.read_or_nothing(self.run.aws, self.params)

    @property
    def state(self) -> TrafficState:
        """Dial, switch and routes, as they were read last."""
        return self.traffic[0]

    def read_again(self, *, absent: bool = False) -> TrafficState:
        """Reads the traffic again.

        Args:
            absent: whether the flags may be missing.

        Raises:
            AwsError: AppConfig or API Gateway refused or did not answer.
        """
        if absent:
            self.traffic = weights.read_or_nothing(self.run.aws, self.params)
        else:
            self.traffic = weights.read_traffic(self.run.aws, self.params), True
        return self.state

    @property
    def decided_at(self) -> dt.datetime:
        """When it was decided to act; in a plan, now."""
        return self.incident.decided_time or self.run.now

    @cached_property
    def async_since(self) -> dt.datetime | None:
        """Since when the synchronous route itself was asynchronous at the decision; None: it was synchronous."""
        asked, moved_on = self.params.policy.migrating, self.state.migrated or self.restored
        return sync_baseline.async_since(self.decided_at, moved_on, self.incident.earlier, lambda: self.records(asked))

    def records(self, notebook: str) -> list[Record]:
        """This release's trusted records of a notebook, oldest first."""
        return history.of_release(self.run.archive, self.params, notebook, self.run.guard.warn)

    @property
    def effective_at(self) -> dt.datetime | None:
        """When the last client has followed the change; None: not known yet."""
        clock = self.incident.clock
        return parse(clock.effective_at) if clock and clock.effective_at else None

    @property
    def now(self) -> dt.datetime:
        """The instant to look at: AWS's now; `as_of` in a plan that was given one."""
        return self.run.now if self.params.as_of and not self.run.applying else self.incident.aws_now

    def look_for_symptoms(self) -> Any:
        """Looks for a high error rate, failed generations, dead letters, firing guards, a weight that AWS took back."""
        return self.incident.looked("symptoms", "Symptoms", self._symptoms, required=False)

    def _symptoms(self) -> Any:
        found = [self._one(*asked) for asked in self._asked()]
        return self.incident.symptoms(found, required=False)

    def _asked(self) -> Sequence[tuple[str, str, Callable[[], tuple[bool | None, str]]]]:
        return (
            ("error_rate", "High error rate", self._error_rate),
            ("failed", f"Failed {self.params.service.noun} generations", self._failed),
            ("dead_letters", "Messages in the dead-letter queue", self._dead),
            ("guards", "Guard alarms in ALARM", self._firing),
            ("taken_back", "AppConfig took the weight back by itself", self._taken_back),
        )

    def _one(self, id: str, title: str, look: Callable[[], tuple[bool | None, str]]) -> Symptom:
        try:
            present, said = look()
        except RunbookError as error:
            present, said = None, str(error)
        return Symptom(id, title, present, said)

    def _before(self) -> Window:
        return Window(self.decided_at - LOOK_BACK, self.decided_at)

    def _error_rate(self) -> tuple[bool | None, str]:
        window, route = self._before(), "async"
        if self.async_since is not None:
            window, route = window.since(self.async_since), "sync"  # that route was asynchronous itself
        window = window.inward(60)
        asked = [fetch.Ask(f"{route}_{what}", window, "Sum", label=what) for what in ("requests", "5xx")]
        answers = fetch.fetch(self.run.aws.client("cloudwatch"), self.params, asked, self.now)
        requests, bad = answers.total("requests"), answers.total("5xx") or 0.0
        if not requests:
            return None, "no async request was counted in the hours before"
        gate = self.params.policy.gate("error_rate")
        share = bad / requests
        told = f"{bad:g} of {requests:g} async requests answered 5xx ({words.number(share, 'ratio')})"
        return bool(gate.alert and gate.alert.holds(share)), told

    def _segment(self) -> Segment:
        if self._census is None:
            params = as_routed(self.params, self.state)
            self._census = census.take(self.run.aws.client("dynamodb"), params, self._before(), self.now)
            self.run.journal.append("census", segment=self._census.model_dump(mode="json"))
        return self._census

    def _failed(self) -> tuple[bool | None, str]:
        found, gate = self._segment(), self.params.policy.gate("success_rate")
        if not found.n:
            return None, "no job of the hours before has settled"
        share = found.completed / found.n
        how = ", ".join(
            f"{n:,} {kind}" for n, kind in ((found.failed, "failed"), (found.late, "late"), (found.lost, "lost")) if n
        )
        told = f"{found.bad:,} of {found.n:,} jobs ended in no report in time ({how or 'none failed, late or lost'})"
        return bool(gate.alert and gate.alert.holds(share)), told

    def _dead(self) -> tuple[bool | None, str]:
        count = self._letters().number
        gate = self.params.policy.gate("dlq")
        return bool(gate.alert and gate.alert.holds(count)), f"{words.count(count, 'message')} in the dead-letter queue"

    def _letters(self) -> dlq.Found:
        if self._held is None:
            self._held = dlq.letters(self.run.aws, self.params)
        return self._held

    def _firing(self) -> tuple[bool | None, str]:
        names = aftermath.firing(self.run.aws.client("cloudwatch"), self.params)
        return bool(names), f"in ALARM: {', '.join(names)}" if names else "no guard is in ALARM"

    def _taken_back(self) -> tuple[bool | None, str]:
        back = moments.own_rollback(self.state)
        return back is not None, back or "no deployment of the dial was taken back by an alarm"

    def split(self) -> Any:
        """Checks that no request has gone to async since the last client followed the change."""
        title = "No request goes to async any more"
        return self.incident.looked(
            "split_zero", title, lambda: self.incident.note(self._split_check(title)), required=True
        )

    def _split_check(self, title: str) -> Check:
        since = self.effective_at
        if since is None:
            return self.incident.later("split_zero", title, None, "async is not off yet", self.now)
        seen = aftermath.calls(self.run.aws.client("cloudwatch"), self.params, since, self.now)
        again = due(since + dt.timedelta(0, self.params.policy.metric_delay_s) + 3 * MINUTE, self.now, 3 * MINUTE)
        if seen.window.empty or seen.asynchronous is None or seen.partial:
            why = f"CloudWatch knows nothing yet since {when(since, seconds=True)}, when the last client had followed"
            return self.incident.later("split_zero", title, None, why, again)
        minutes = seen.window.seconds / 60
        told = (
            f"{seen.asynchronous:g} async and {seen.synchronous:g} synchronous requests in {minutes:.0f} min since "
            f"{when(seen.window.start, seconds=True)}"
        )
        told += "; somebody does not read the flags: find out who" if seen.asynchronous else ""
        ok: bool | None = None if not seen.asynchronous and not seen.synchronous else not seen.asynchronous
        facts = {"asynchronous": seen.asynchronous, "synchronous": seen.synchronous, "minutes": minutes}
        return self.incident.later("split_zero", title, ok, told, again, expected="0 async", **facts)

    def sync_endpoint(self) -> Any:
        """Checks that the endpoint that users get now answers, and tells how often it succeeds."""
        title = "The synchronous endpoint answers"
        return self.incident.looked(
            "sync_verified", title, lambda: self.incident.note(self._sync_check(title)), required=True
        )

    def _sync_check(self, title: str) -> Check:
        measured = self._baseline()
        if not self.run.applying:
            return self.incident.later(
                "sync_verified", title, None, f"no probe is sent by a plan; {measured}", self.now, expected="an answer"
            )
        answers = self._probe()
        ok = any(one.ok for one in answers)
        counted = sorted(Counter(one.detail for one in answers).items())
        said = ", ".join(f"{many} times {detail}" if many > 1 else detail for detail, many in counted)
        return check(
            f"{self.incident.id}.sync_verified",
            title,
            ok,
            f"{words.count(len(answers), 'probe')} of our own: {said}; {measured}",
            expected="200, or 504 as before",
            found=said,
            answers=[one.detail for one in answers],
            seconds=[round(one.seconds, 2) for one in answers],
        )

    def _baseline(self) -> str:
        """The endpoint's own success in words, on the day before the decision or before the migration."""
        until = (since := self.async_since) or self.decided_at
        window, client = Window(until - sync_baseline.DAY, until), self.run.aws.client("cloudwatch")
        return sync_baseline.success(client, self.params, window, self.records, migrated=since is not None)

    def _probe(self) -> list[Any]:
        """Sends real requests, marked as probes so that no census counts them as a user's (trap 9)."""
        self.run.guard.authorise(raises=False)
        url, path = stage_url(self.run.aws, self.params), self.params.service.api.routes.sync
        marks = [f"rollback-{self.run.run_id}-{n}" for n in range(PROBES)]
        contract = with_secrets(self.params.service.contract, self.run.aws, self.params.env)
        with ThreadPoolExecutor(PROBES) as pool:
            return list(pool.map(lambda mark: sync_answer(url, path, mark, contract), marks))

    def failures(self) -> Any:
        """Explains the failed jobs from the logs: groups with counts, times and a redacted example each."""
        title = "The failures are explained from the logs"
        return self.incident.looked("failures", title, lambda: self._failures(title), required=False)

    def _failures(self, title: str) -> Any:
        window = Window(self.decided_at - LOOK_BACK, self.now)
        client, names = self.run.aws.client("logs"), [one for one in functions(self.params) if one != "sync"]
        logged = {name: logs.failures(client, self.params, window, resource=name) for name in names}
        found = [(name, one) for name in names for one in logged[name]]
        self._explained = [
            f"- {resource}, {one.count}x, {when(one.first)} to {when(one.last)}: {markdown(one.example)}"
            for resource, one in found
        ]
        census_errors = self._segment().errors
        self._explained += [f"- jobs table, {count}x: {markdown(text)}" for text, count in census_errors.items()]
        failed, lines = self._segment().failed, sum(one.count for _, one in found)
        first = "the first " * any(one.cut for one in logged.values())
        told = f"{first}{words.count(lines, 'log line')} of {words.count(len(found), 'kind')}"
        reason = f"{told if lines else 'no log line'}; "
        reason += f"{words.count(failed, 'failed job')} in the table" if failed else "no job failed with an error"
        reason += f", {words.count(self._segment().late, 'job')} came late" if self._segment().late else ""
        noted = check(
            f"{self.incident.id}.failures",
            title,
            bool(found or census_errors) or not failed,
            reason,
            required=False,
            kinds=[{"where": where, "text": one.text, "count": one.count} for where, one in found[:EXAMPLES]],
        )
        rows = [[where, one.count, when(one.first), when(one.last), one.example] for where, one in found[:EXAMPLES]]
        rows += [["jobs table", count, "", "", text] for text, count in list(census_errors.items())[:EXAMPLES]]
        head = ("Where", "Count", "First", "Last", "Example, redacted")
        return stack(table(head, rows, caption="Failures by signature"), self.incident.note(noted))

    def dead_letters(self) -> Any:
        """Lists the dead-letter queue without consuming it: its messages can be redriven later."""
        return self.incident.looked("dlq", "The dead-letter queue is listed", self._dead_letters, required=False)

    def _dead_letters(self) -> Any:
        looked = self._letters()
        found, rest = looked.letters, looked.rest
        again = f"; all are still there: later `{hints.redrive(self.params)}`" if found else ""
        again += f"; {rest.told()}" if rest else ""
        noted = check(
            f"{self.incident.id}.dlq",
            "The dead-letter queue is listed",
            True,
            f"{words.count(looked.number, 'message')} in {self.params.name('dlq')}{again}",
            required=False,
            jobs=[one.job_id for one in found],
        )
        rows = [[one.job_id, when(one.sent_at), one.status, one.error or ""] for one in found[:50]]
        listed = table(("Job", "Sent", "Its state now", "Error, redacted"), rows, caption="Dead letters")
        return stack(listed, self.incident.note(noted)) if found else self.incident.note(noted)

    def in_flight(self) -> Any:
        """Follows the jobs that were submitted before async was off to their end."""
        title = "Jobs under way have come to their end"
        return self.incident.looked("in_flight", title, lambda: self._in_flight(title), required=True)

    def _in_flight(self, title: str) -> Any:
        service, now = self.params.service, self.now
        longest = dt.timedelta(seconds=service.max_receives * service.visibility_timeout_s)
        client, until = self.run.aws.client("dynamodb"), self.effective_at or now
        asked = aftermath.unfinished(client, self.params, now - dt.timedelta(seconds=service.job_ttl_s), until)
        jobs = [one for one in asked if not one.probe]
        lost = [one for one in jobs if one.created_at < now - longest]
        alive = len(jobs) - len(lost)
        told = f"{alive} of the jobs from before are under way, {len(lost)} were given up by the queue without an end"
        last = max((one.created_at for one in jobs), default=now)
        ended = due(last + dt.timedelta(seconds=service.job_deadline_s) + MINUTE, now, 5 * MINUTE)
        at = min(ended, max(last + longest, now) + MINUTE)
        facts = dict[str, Any](expected="0 under way", found=str(alive), lost=[one.job_id for one in lost[:50]])
        return self.incident.note(self.incident.later("in_flight", title, None if alive else True, told, at, **facts))

    # For the post-mortem

    def sections(self) -> dict[str, list[str]]:
        """What was seen, for the post-mortem: Markdown lines by heading. Asks AWS nothing more."""
        letters = [f"- {', '.join(map(markdown, one.what))}" for one in (self._held.letters if self._held else ())]
        found = {"Failures, from logs and table (secrets redacted)": self._explained, "Dead letters": letters}
        if (jobs := self._census) is not None:
            found["Jobs of the hours before"] = [
                f"- {jobs.completed} completed in time, {jobs.failed} failed, {jobs.late} late, {jobs.lost} lost"
            ]
        return found
