"""What the cells of `10_post_deployment` call: the cadence, the seven key metrics against their gates, the trend."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

from runbook_lib.base.window import Window, iso, parse, when
from runbook_lib.judge import words
from runbook_lib.judge.case import Case
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.gates.statistics import poisson_interval
from runbook_lib.judge.model import GateResult, Look, Outcome
from runbook_lib.judge.planning import cadence
from runbook_lib.judge.planning.cadence import Slot
from runbook_lib.judge.terms import RULES, Decision, Verdict
from runbook_lib.observe.evidence import course
from runbook_lib.observe.jobs import census
from runbook_lib.observe.metrics.fetch import Ask
from runbook_lib.observe.resources import configured, live
from runbook_lib.observe.traffic import weight as weights
from runbook_lib.record.record import Record
from runbook_lib.rollout import costs, deviations, history
from runbook_lib.rollout.gate_charts import tiles
from runbook_lib.rollout.look import Seen, take
from runbook_lib.rollout.panels import CONTEXT, asks, drawn, grid
from runbook_lib.run.run import Run
from runbook_lib.show.charts import timelines
from runbook_lib.show.multiples import multiples
from runbook_lib.show.page import evidence_table, line
from runbook_lib.show.tables import Cell, stack, table
from runbook_lib.show.traffic import census_table
from runbook_lib.show.verdicts import gate_table, verdict_banner

LEAST_H, MOST_H = 4.0, 23.0
"""Least and most hours of a look's window: a slot of day 1, and what the jobs table still holds."""
AGAIN = dt.timedelta(hours=24)
"""Wait until the next look where the last one of the week could not close it."""
DAILY: tuple[tuple[str, str, str, float], ...] = (
    ("reports", "jobs_created", "Sum", 1.0),
    ("completed", "jobs_completed", "Sum", 1.0),
    ("marked FAILED", "jobs_failed", "Sum", 1.0),
    ("p95 submit (s)", "async_latency", "p95", 0.001),
    ("p95 worker (s)", "worker_duration", "p95", 0.001),
    ("queue, peak", "queue_visible", "Maximum", 1.0),
    ("DLQ, peak", "dlq_visible", "Maximum", 1.0),
    ("worker errors", "worker_errors", "Sum", 1.0),
)
"""Rows of the trend: title, metric, statistic and scale."""
RARE = ("jobs_failed", "worker_errors")
"""Counts that are shown with the confidence interval of their mean (Poisson, Garwood 1936)."""


class Week:
    """The first week after phase 3 was accepted."""

    def __init__(self, run: Run) -> None:
        self.run, self.params, self.phase3 = run, run.params, run.params.policy.migrating
        self._known: dict[str, list[Record]] = {}
        self.state, _ = weights.read_or_nothing(run.aws, run.params)
        self.accepted = self._accepted()
        self.start = parse(self.accepted.as_of or self.accepted.sealed_at) if self.accepted else None
        self.looks = self._looks()
        self.slots: list[Slot] = []
        self.seen: Seen | None = None
        self.results: tuple[GateResult, ...] = ()
        self.outcome: Outcome | None = None

    @property
    def over(self) -> bool:
        """Whether the last slot is due, so that this look closes the week."""
        return self.start is not None and cadence.over(self.params.policy.cadence, self.start, self.run.now)

    @property
    def window(self) -> Window:
        """The time that this look judges."""
        now, before = self.run.now, max(self.looks, default=self.start or self.run.now)
        hours = MOST_H if self.over else min(MOST_H, max(LEAST_H, (now - before).total_seconds() / 3600))
        start = now - dt.timedelta(hours=hours)
        return Window(max(start, self.start) if self.start else start, now)

    def cadence_table(self) -> Any:
        """The cadence: looks that were made, the one that is due, those that were missed."""
        if self.start is None:
            self.run.check(
                check(
                    "cadence.start",
                    "Phase 3 accepted",
                    False,
                    f"no record of {self.phase3} says PROMOTE",
                )
            )
            return line(f"The week has not begun: no record of {self.phase3} says PROMOTE.")
        made = [*self.looks, self.run.now]
        self.slots = cadence.judged(self.params.policy.cadence, self.start, made, self.run.now)
        self.run.check(*(self._slot(slot) for slot in self.slots if slot.state != "to come"))
        icons = {"done": "✔ done", "due": "● due", "missed": "✘ missed", "to come": "to come"}
        rows = [
            [Cell(slot.name, nowrap=True), Cell(when(slot.due), nowrap=True), icons[slot.state]] for slot in self.slots
        ]
        done = sum(slot.state == "done" for slot in self.slots)
        then = self.params.policy.cadence.then
        caption = f"{done} of {len(self.slots)} looks made since {when(self.start)}; then {then}"
        return table(("Look", "Due from", "State"), rows, caption=caption)

    def _slot(self, slot: Slot) -> Check:
        ok = slot.state == "done"
        covered = self.window.start <= parse(slot.due) - dt.timedelta(hours=LEAST_H)
        kept = (
            "its hours are in this look's window" if covered else "its hours are judged by no look, only in the trend"
        )
        reason = f"{slot.name}: looked" if ok else f"{slot.name}: nobody looked; {kept}"
        found = check(f"cadence.{slot.id}", slot.name, ok, reason, required=False, expected="a look", found=slot.state)
        return found if ok else found.model_copy(update={"verdict": Verdict.INCONCLUSIVE})

    def observe(self) -> Any:
        """Asks CloudWatch, the jobs table and the queues about this look's window, and for the week's charts."""
        run, window = self.run, self.window
        since = min(self.start or window.start, window.start)
        segment = census.take(run.aws.client("dynamodb"), self.params, window, run.now)
        run.journal.append("census", segment=segment.model_dump(mode="json"))
        levels = live.read(run.aws.client("sqs"), run.aws.client("lambda"), self.params)
        levels["configured"] = configured.read(
            run.aws.client, self.params, lambda: deviations.since(run.archive, self.params.env, deviations.BILLING)
        )
        more = [*asks(Window(since, run.now)), *course.asks(self.params, window, run.now), *self._daily()]
        self.seen = take(run, self.state, window, self._look(), segment, levels, more=more)
        told = self.params.service.contract.table
        return stack(evidence_table(self.seen.evidence), census_table(segment, told.done, told.broken))

    def _look(self) -> Look | None:
        """The declared look that closes the week; None before: an interim look can only find what is wrong."""
        return Look(hours=MOST_H, alpha=1 - self.params.policy.confidence) if self.over else None

    def trend_table(self) -> Any:
        """Figures of each day of the week, side by side."""
        answers, days = self._looked().answers, self._days()
        rows: list[list[object]] = []
        for title, name, stat, scale in DAILY:
            series = (answers.points(f"day{place}:{name}:{stat}") for place in range(len(days)))
            cells = [self._figure(name, stat, scale, [value for _, value in points]) for points in series]
            rows.append([Cell(title, nowrap=True), *cells])
        short = [f" ({day.seconds / 3600:.0f} h)" if day.seconds < 86400 else "" for day in days]
        head = ("", *(f"{when(day.start)}{less}" for day, less in zip(days, short, strict=True)))
        sure = words.sure(self.params.policy.confidence)
        note = (
            f"In brackets: the {sure} interval of the mean behind a rare count. Days that overlap are not told apart."
        )
        caption = "Day by day since phase 3 was accepted: 24 h from"
        return table(head, rows, caption=caption, note=note, wrap_head=True)

    def _figure(self, name: str, stat: str, scale: float, values: list[float]) -> object:
        """A day's figure; a rare count with its interval, so that two days can be compared."""
        if not values:
            return "–"
        total = (math.fsum(values) if stat == "Sum" else max(values)) * scale
        if name not in RARE:
            return f"{total:,.3f}" if stat == "p95" else f"{total:,.0f}"
        low, high = poisson_interval(round(total), self.params.policy.confidence)
        return Cell(f"{total:,.0f} ({low:.0f}-{high:.0f})", nowrap=True)

    def charts(self) -> Any:
        """A timeline for each gate with every look of the week, then the week's traffic."""
        run, seen = self.run, self._looked()
        case = self._case()
        before = [one for one in self._records(run.notebook) if one.as_of and parse(one.as_of) < run.now]
        shown = multiples(tiles(seen.answered(self.params), case, case.verdict().results, before))
        marks = [(self.start, "accepted")] if self.start else []
        periods = grid(min(self.start or seen.window.start, seen.window.start), run.now, self.params)
        groups = [drawn(panel, seen.answers, {}, {}, periods) for panel in CONTEXT]
        return stack(shown, timelines(groups, marks=marks, title="The week's traffic"))

    def cost_table(self) -> Any:
        """Cost of a report now, of a month of reports, and of a report through the rollout."""
        phases = [one for name in self.params.policy.phases for one in self._records(name)]
        looks = [*phases, *self._records(self.run.notebook)]
        shown = costs.bill(self._looked().evidence["cost_per_vpr"], self.params)
        return stack(shown, costs.history(looks, self.params))

    def judge(self) -> Outcome:
        """Judges the gates on this look's window. It never proposes a rollback, because there is no way back."""
        case = self._case()
        outcome = case.verdict()
        self.results = outcome.results
        self.run.check(*(self._metric(result) for result in self.results))
        if self.start is None:
            outcome = Outcome(
                decision=Decision.HOLD,
                reason=f"no record of {self.phase3} says PROMOTE",
                next="Finish phase 3 first.",
            )
        else:  # only a week that has begun is judged by its gates, and can be replayed
            self.run.made_of(case, outcome, self._looked())
        if outcome.decision is Decision.PROMOTE:
            outcome = self._complete(outcome)
        self.outcome = self.run.decide(outcome, "after" if self.over else "during", state=self.state)
        return self.outcome

    def _case(self) -> Case:
        policy = self.params.policy
        following = cadence.upcoming(slot for slot in self.slots if slot.state == "to come")
        return Case(
            rules=RULES,
            gates=policy.gates,
            evidence=self._looked().evidence,
            look=self._look(),
            confidence=policy.confidence,
            alpha_early=policy.alpha_early,
            alphas=policy.alphas,
            prior=policy.early_prior,
            moment="after" if self.over else "during",
            percent=self.state.weight,
            come_back_at=following.due if following else iso(self.run.now + AGAIN),
            way_back=False,
            remedies=policy.remedies,
        )

    def _complete(self, outcome: Outcome) -> Outcome:
        """The outcome at the end of the week, with its missed looks; only a run that applies closes the week."""
        missed = [slot.name for slot in self.slots if slot.state == "missed"]
        aside = f"; missed: {', '.join(missed)}" if missed else ""
        done = f"the first week is over and every gate passes on its last {MOST_H:g} h{aside}"
        if not self.run.applying:
            then, decision = "Run again with mode=apply to close the week.", Decision.PLANNED
        else:
            then = f"Go on with {self.params.policy.cadence.then}; run 11_acceptance."
            decision = Decision.PROMOTE
        changed = {"decision": decision, "reason": done, "next": then, "come_back_at": None}
        return outcome.model_copy(update=changed)

    def _metric(self, result: GateResult) -> Check:
        """A gate's result as the check of a key metric: an undecided gate passes, one without data is advice."""
        found = check(
            f"metric.{result.gate.id}",
            result.gate.title,
            result.verdict is not Verdict.FAIL,
            result.reason,
            required=result.gate.required,
            expected=str(result.gate.target),
            found="–" if result.value is None else f"{result.value:.4g}",
        )
        blind = result.verdict is Verdict.NO_DATA or (result.value is not None and not math.isfinite(result.value))
        return found.model_copy(update={"verdict": Verdict.NO_DATA, "required": False}) if blind else found

    def gate_table(self) -> Any:
        """Decision and gates."""
        outcome = self.outcome or self.judge()
        return stack(verdict_banner(outcome), gate_table(outcome, interim=self._look() is None))

    def plan(self) -> Any:
        """One line: a look changes nothing, and the next step."""
        outcome = self.outcome or self.judge()
        return line(f"A look changes nothing. Next: {outcome.next}")

    def proof(self) -> Any:
        """Reads again where the requests go."""
        after, _ = weights.read_or_nothing(self.run.aws, self.params)
        self.run.journal.append("traffic", when="after", state=after.model_dump(mode="json"))
        where = "asynchronous" if after.migrated else "synchronous"
        return line(f"{self.params.service.asked('sync')} is {where}; weight in force {after.weight:g} %.")

    def _days(self) -> list[Window]:
        start, now = self.start or self.run.now - dt.timedelta(days=1), self.run.now
        one = dt.timedelta(days=1)
        days: list[Window] = []
        while start < now and len(days) < self.params.policy.cadence.days:
            days.append(Window(start, min(start + one, now)))
            start += one
        return days

    def _daily(self) -> list[Ask]:
        return [
            Ask(name, day, stat, period_s=3600 if stat == "Sum" else "window", label=f"day{place}:{name}:{stat}")
            for place, day in enumerate(self._days())
            for _, name, stat, _ in DAILY
        ]

    def _looked(self) -> Seen:
        if self.seen is None:
            self.observe()
        assert self.seen is not None  # noqa: S101
        return self.seen

    def _accepted(self) -> Record | None:
        """Phase 3's newest record that says PROMOTE and can be trusted."""
        return next((one for one in reversed(self._records(self.phase3)) if one.decision == "PROMOTE"), None)

    def _looks(self) -> list[dt.datetime]:
        """Times of this notebook's earlier looks, by its records; a look that saw no report does not count."""
        done = [one for one in self._records(self.run.notebook) if one.as_of and one.status == "completed"]
        made = [parse(one.as_of or "") for one in done if (one.evidence.get("success") or {}).get("n")]
        return [at for at in made if at < self.run.now]

    def _records(self, notebook: str) -> list[Record]:
        """This release's trusted records of a notebook, oldest first; read once per run."""
        if notebook not in self._known:
            told = f"a record of {notebook} is not used"
            self._known[notebook] = history.of_release(self.run.archive, self.params, notebook, self.run.warn, told)
        return self._known[notebook]
