"""What the cells of a phase notebook call, in the order of its headings: observe, show, judge, act, prove.

Every step leaves its facts in the run's journal, so that the record holds what the reader of the report saw.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

from runbook_lib import moment as moments
from runbook_lib.act import traffic as act
from runbook_lib.errors import ArchiveError, Refused
from runbook_lib.judge.decide import decide
from runbook_lib.judge.gates import judge_all
from runbook_lib.judge.model import Decision, Evidence, GateResult, Look, Outcome
from runbook_lib.observe import alarms, census, fetch, live, measure, traffic
from runbook_lib.observe.window import Window, iso, parse
from runbook_lib.run import Run
from runbook_lib.series import SERIES, Panel, asks

AFTERWARDS = dt.timedelta(hours=1)
"""So long after a declared look, what came since is looked at as well."""
CONTEXT_H = 6.0
"""Hours before the shift that the charts show, and that the baseline is read from before there is a shift."""


@dataclass
class Seen:
    """What one look saw."""

    window: Window
    answers: fetch.Answers
    segment: census.Segment | None
    live: dict[str, Any]
    evidence: dict[str, Evidence]


class Phase:
    """One phase of the rollout, as its notebook goes through it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.params = run.params
        self.spec = run.params.policy.phases[run.notebook]
        self.state = traffic.read(run.aws.client("appconfig"), run.params)
        self.moment = moments.which(self.state, run.params, run.notebook, self.spec, run.now)
        self.seen: Seen | None = None
        self.findings: list[alarms.Finding] | None = None
        self.outcome: Outcome | None = None
        self.planned: act.Plan | None = None
        run.journal.append(
            "traffic",
            when="before",
            state=self.state.model_dump(mode="json"),
            moment=self.moment.name,
            words=self.moment.words,
        )

    def traffic_table(self) -> Any:
        """Moment, dial, switch and the deployments behind them."""
        from runbook_lib.show.tables import stack, traffic_table, where_table

        return stack(where_table({"Moment": self.moment.words}), traffic_table(self.state))

    def guards_table(self) -> Any:
        """Whether each guard alarm could protect the shift."""
        from runbook_lib.show.tables import findings_table

        return findings_table(self.guards(), caption="Guard alarms that AppConfig watches")

    def guards(self) -> list[alarms.Finding]:
        """The findings about the guards, asked once a run."""
        if self.findings is None:
            clients = self.run.aws
            found = alarms.guard_findings(clients.client("cloudwatch"), clients.client("appconfig"), self.params)
            self.findings = list(found)
            self.run.journal.append("guards", findings=[finding.model_dump(mode="json") for finding in self.findings])
        return self.findings

    def window(self) -> Window:
        """The time that is judged; before the shift, the last hours, for the baseline alone."""
        end = self.moment.window_end(self.run.now)
        start = self.moment.effective_at or end - dt.timedelta(hours=24)
        return Window(min(start, end), end)

    def observe(self) -> Any:
        """Asks CloudWatch, the jobs table and the queue, and turns the answers into evidence."""
        from runbook_lib.show.parts import evidence_table
        from runbook_lib.show.tables import census_table, stack

        self.seen = seen = self._look(self.window(), self.moment.look)
        tables = [evidence_table(seen.evidence)]
        return stack(*tables, census_table(seen.segment)) if seen.segment else tables[0]

    def _look(self, window: Window, look: Look | None) -> Seen:
        """One look at `window`: everything asked, kept raw, and turned into evidence."""
        run, params = self.run, self.params
        cloudwatch = run.aws.client("cloudwatch")
        chart = Window(window.start - dt.timedelta(hours=CONTEXT_H), run.now)
        first = fetch.fetch(cloudwatch, params, [*measure.asks(params, window, run.now), *asks(chart)], run.now)
        bounds = measure.asks_bounds(first, params, window, run.now, look)
        second = fetch.fetch(cloudwatch, params, bounds, run.now)
        answers = fetch.Answers.from_raw([*first.raw, *second.raw])
        segment = self._census(window)
        levels = live.read(run.aws.client("sqs"), run.aws.client("lambda"), params)
        evidence = measure.measure(answers, segment, levels, self.state, params, window, run.now, look)
        # As bytes: numbers and metric names only, nothing that redaction would have to look for.
        run.journal.attach("answers.json", json.dumps(answers.raw).encode())
        run.journal.attach("metrics.csv", answers.frame.to_csv(index=False).encode())
        run.journal.append(
            "evidence",
            window=[iso(window.start), iso(window.end)],
            live=levels,
            evidence={name: item.model_dump(mode="json") for name, item in evidence.items()},
        )
        return Seen(window, answers, segment, levels, evidence)

    def _census(self, window: Window) -> census.Segment | None:
        """The jobs since the last look, joined to what earlier looks of the same soak counted (trap 1)."""
        if self.moment.effective_at is None:
            return None
        run = self.run
        earlier = [
            segment
            for segment in self._counted_before()
            if window.start <= segment.start and segment.end_settled <= window.end
        ]
        start = max((segment.end_settled for segment in earlier), default=window.start)
        fresh = census.take(run.aws.client("dynamodb"), self.params, Window(start, window.end), run.now)
        run.journal.append("census", segment=fresh.model_dump(mode="json"))
        return census.merge([*earlier, fresh])

    def _counted_before(self) -> list[census.Segment]:
        """The censuses of this attempt's earlier looks, from their sealed records; an altered one counts nothing."""
        archive, flat, found = self.run.archive, self.params.flat, []
        for ref in archive.records(env=flat.env, release=flat.release, notebook=self.run.notebook):
            try:
                archive.verify(ref)
                record = archive.load(ref)
            except ArchiveError as error:
                self.run.journal.append("warning", text=f"an earlier look is not used: {error}")
                continue
            if record.attempt == flat.attempt:
                found += [census.Segment.model_validate(segment) for segment in record.census]
        return found

    def baseline_table(self) -> Any:
        """The canary's success beside the baseline's, over the same time."""
        from runbook_lib.show.tables import baseline_table

        evidence = self._seen().evidence
        return baseline_table(evidence["success"], evidence["baseline_success"], self.params.policy.confidence)

    def cost_table(self) -> Any:
        """What a report costs, infrastructure and tokens apart."""
        from runbook_lib.show.parts import cost_table

        return cost_table(self._seen().evidence["cost_per_vpr"])

    def charts(self) -> Any:
        """One timeline for each group of metrics, thresholds and the moment of the shift drawn in."""
        from runbook_lib.show.charts import timelines

        seen = self._seen()
        marks = []
        if self.moment.shift_at:
            marks.append((self.moment.shift_at, f"shift to {self.spec.percent:g} %"))
        if self.moment.taken_back_at:
            marks.append((self.moment.taken_back_at, "taken back by AppConfig"))
        gates = {gate.id: gate for gate in self.params.policy.gates}
        return timelines([_drawn(panel, seen.answers, gates) for panel in SERIES], marks=marks)

    def judge(self) -> Outcome:
        """The verdicts and the decision, from the evidence alone."""
        moment = self.moment
        self.outcome = self._decide(self._seen(), moment.look)
        if moment.name == "after" and self.outcome.decision is Decision.SOAK:
            self.outcome = self._since_then() or self.outcome
        unsafe = self.blockers() if moment.name == "before" else []
        if unsafe:
            then = "Put that right, then run this notebook again."
            self.outcome = self.outcome.model_copy(
                update={"decision": Decision.HOLD, "reason": f"HOLD: {unsafe[0]}", "next": then}
            )
        self._note()
        return self.outcome

    def _decide(self, seen: Seen, look: Look | None, moment: moments.Name | None = None) -> Outcome:
        policy, now = self.params.policy, self.moment
        results: tuple[GateResult, ...] = ()
        if now.effective_at is not None:
            results = judge_all(
                policy.gates,
                seen.evidence,
                look=look,
                looks=self.spec.looks,
                confidence=policy.confidence,
                alpha_early=policy.alpha_early,
                prior=policy.early_prior,
            )
        back = self._first_look(self.run.now) if now.name == "before" else now.come_back_at
        outcome = decide(
            moment or now.name,
            results,
            percent=self.spec.percent if now.name == "before" else now.percent,
            last_look=now.last_look,
            come_back_at=iso(back) if back else None,
            baseline=seen.evidence.get("baseline_success"),
            worse_baseline_holds=policy.worse_baseline_holds,
            confidence=policy.confidence,
            alarm=now.alarm,
            alarm_at=iso(now.taken_back_at) if now.taken_back_at else None,
            taken_back=now.words if now.name == "taken_back" and not now.by_itself else None,
            void=now.words if now.name == "void" else None,
        )
        if outcome.scenario != "rollback_1":
            return outcome
        env = self.params.env
        command = f"runbook rollback 1 --params params/{env}.yaml --apply --confirm {env}"
        return outcome.model_copy(update={"next": f"{outcome.next} The command: {command}"})

    def _since_then(self) -> Outcome | None:
        """While a soak is extended: whether what came after the declared look fails a gate by itself."""
        window = self._seen().window
        if self.run.now - window.end < AFTERWARDS:
            return None
        outcome = self._decide(self._look(Window(window.start, self.run.now), None), None, "during")
        return outcome if outcome.decision in (Decision.HOLD, Decision.ROLLBACK) else None

    def blockers(self) -> list[str]:
        """Why the shift must not be made, one sentence each."""
        said = [finding.sentence for finding in self.guards() if not finding.ok]
        if self.state.weight != self.spec.before_percent:
            said.append(
                f"the weight in force is {self.state.weight:g} %, but this phase starts from "
                f"{self.spec.before_percent:g} %"
            )
        return said

    def _first_look(self, shift: dt.datetime) -> dt.datetime:
        service, policy = self.params.service, self.params.policy
        settle = service.traffic.client_poll_s + max(policy.metric_delay_s, service.job_deadline_s)
        return shift + dt.timedelta(hours=self.spec.soak_hours, seconds=settle)

    def gate_table(self) -> Any:
        """Decision and gates; before the shift there is nothing to judge yet."""
        from runbook_lib.show.tables import gate_table, stack, verdict_banner

        outcome = self._outcome()
        shown = verdict_banner(outcome)
        return stack(shown, gate_table(outcome)) if outcome.results else shown

    def plan(self) -> Any:
        """What applying would do now."""
        from runbook_lib.show.parts import line
        from runbook_lib.show.tables import plan_table

        outcome, moment, run = self._outcome(), self.moment, self.run
        shift = moment.name == "before" and outcome.decision is Decision.PLANNED
        renew = moment.name == "after" and outcome.decision is Decision.SOAK and not moment.baking
        if shift or renew:
            until = self._first_look(run.now) if shift else moment.come_back_at
            self.planned = act.plan_shift(
                self.state,
                self.spec.percent,
                self.params,
                soak_hours=self.spec.soak_hours,
                description=act.describe(
                    release=self.params.release,
                    notebook=run.notebook,
                    attempt=self.params.attempt,
                    run=run.run_id,
                    until=until,
                ),
            )
            run.journal.append("plan", plan=self.planned.model_dump(mode="json"), text=self.planned.text())
            return plan_table(self.planned)
        if self._takes_back():
            return line(
                "Plan: turn the switch off. Every request goes to the synchronous endpoint again, within a minute."
            )
        return line(f"Nothing to do: {outcome.next}")

    def _takes_back(self) -> bool:
        outcome = self._outcome()
        return outcome.decision is Decision.ROLLBACK and outcome.scenario == "rollback_1" and self.state.switch_on

    def apply(self) -> Outcome:
        """Carries the plan out if the run may; otherwise says that nothing was changed.

        Raises:
            Refused: a raise is not authorised, blocked, or its plan is stale.
        """
        from runbook_lib.show.parts import line, show

        outcome, run = self._outcome(), self.run
        if not run.applying:
            show(line("Nothing was changed: mode is plan."))
            return outcome
        client = run.aws.client("appconfig")
        if self._takes_back():
            done = act.switch_off(client, run.guard, self.params, description=self._describe())
            show(line(done.sentence))
        elif self.planned is not None:
            blocked = self.blockers() if self.moment.name == "before" else []
            if blocked:
                raise Refused(f"{blocked[0]}; nothing was changed")
            after = act.apply(self.planned, client, run.guard, self.params)
            if self.moment.name == "before":
                back = iso(self._first_look(parse(after.since) if after.since else run.now))
                self.outcome = decide("before", (), percent=self.spec.percent, applied=True, come_back_at=back)
                self._note()
            show(line(f"Applied: the dial is at {after.dial_percent:g} %."))
        else:
            show(line("Nothing to apply."))
        return self._outcome()

    def _describe(self) -> str:
        run = self.run
        return act.describe(
            release=self.params.release, notebook=run.notebook, attempt=self.params.attempt, run=run.run_id
        )

    def proof(self) -> Any:
        """Read back from AWS, and the split that was observed against the weight in force."""
        from runbook_lib.show.parts import proof_table

        after = traffic.read(self.run.aws.client("appconfig"), self.params)
        self.run.journal.append("traffic", when="after", state=after.model_dump(mode="json"))
        split = next((result for result in self._outcome().results if result.gate.kind == "split"), None)
        return proof_table(self.state, after, split)

    def _note(self) -> None:
        outcome = self._outcome()
        self.run.journal.append(
            "decision", moment=self.moment.name, look=self.moment.look_number, outcome=outcome.model_dump(mode="json")
        )

    def _seen(self) -> Seen:
        if self.seen is None:
            self.observe()
        assert self.seen is not None  # noqa: S101
        return self.seen

    def _outcome(self) -> Outcome:
        return self.outcome if self.outcome is not None else self.judge()


def _drawn(panel: Panel, answers: fetch.Answers, gates: dict[str, Any]) -> dict[str, Any]:
    series = {line.name: [(at, value * line.scale) for at, value in answers.points(line.label)] for line in panel.lines}
    return {
        "series": series,
        "title": panel.title,
        "unit": panel.unit,
        "gate": gates.get(panel.gate or ""),
        "kind": panel.kind,
    }
