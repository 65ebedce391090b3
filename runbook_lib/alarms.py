"""What the cells of `04_alarms` call: declared against deployed, the drill, and whether an alarm is any good."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

from runbook_lib.act import alarms as act
from runbook_lib.act.drill import drill
from runbook_lib.errors import AwsError, Refused
from runbook_lib.judge.alarm_math import Odds, count_odds, least_count, rate_odds
from runbook_lib.judge.checks import Check, check, decide_checks
from runbook_lib.judge.model import Outcome, Verdict
from runbook_lib.observe import traffic
from runbook_lib.observe.alarm_plan import Planned, data_finding, plan, watched
from runbook_lib.observe.alarms import guard_findings, threshold
from runbook_lib.observe.fetch import Ask, fetch
from runbook_lib.observe.window import Window
from runbook_lib.policy import Alarm
from runbook_lib.run import Run
from runbook_lib.step import Step

WEIGHTS = (10, 50, 100)
DRILL_WAIT_S = 20.0
FAILURES = ("jobs_failed", "worker_errors", "async_5xx")
"""Counts that a failing share of the asynchronous requests makes grow."""
SHARES = {"worker_errors": "worker_invocations", "async_5xx": "async_requests"}


class Alarms(Step):
    """The alarms of one environment."""

    def __init__(self, run: Run) -> None:
        super().__init__(
            run,
            done=f"every alarm is deployed as declared in {run.params.env}, and each was heard",
            then="Go on with the phase of this environment.",
        )
        self.planned = plan(run.aws, run.params)
        self.wrote: list[str] = []

    def declared_table(self) -> Any:
        """Every declared alarm against what is deployed, and who owns it."""
        from runbook_lib.show.checks import checks_table

        found = [self._deployed(one) for one in self.planned]
        self.run.check(*found)
        return checks_table(found, "Alarms as declared", keep_order=True)

    def _deployed(self, one: Planned) -> Check:
        who = f"stack {one.owner.stack}" if one.owner else "the runbook" if one.alarm.owner == "runbook" else "nobody"
        if one.same:
            reason = f"{one.name}: as declared; owned by {who}. {one.alarm.why}"
        elif one.exists:
            reason = f"{one.name}: {'; '.join(one.differences)}; owned by {who}"
        else:
            reason = f"{one.name}: does not exist; " + (
                "applying writes it" if one.writes else "it belongs to the stack: deploy the infrastructure code"
            )
        found = "as declared" if one.same else "differs" if one.exists else "missing"
        return check(
            f"alarm.{one.alarm.id}", one.name, one.same, reason, expected="as declared", found=found,
            mends=one.writes, owner=who, state=one.state,
        )  # fmt: skip

    def guards_table(self) -> Any:
        """Whether the alarms that AppConfig watches could protect a shift."""
        from runbook_lib.show.tables import findings_table

        client = self.run.aws.client
        try:
            found = guard_findings(client("cloudwatch"), client("appconfig"), self.params)
        except AwsError as error:
            return self.note(check("guards.ready", "Guards", False, str(error)), caption="Guards")
        wrong = [one.sentence for one in found if not one.ok]
        said = wrong[0] if wrong else f"{len(found) - 1} guards can protect a shift"
        self.run.check(check("guards.ready", "Guards that AppConfig watches", not wrong, said))
        return findings_table(found, caption="Guard alarms that AppConfig watches")

    def data_table(self) -> Any:
        """Whether each alarm's metrics can have data at all."""
        from runbook_lib.show.checks import checks_table

        cloudwatch, checks = self.run.aws.client("cloudwatch"), []
        for one in self.planned:
            told = [data_finding(cloudwatch, self.params, id) for id in watched(one.alarm)]
            ok = False if any(each is False for each, _ in told) else None if any(e is None for e, _ in told) else True
            words = "; ".join(dict.fromkeys(said for _, said in told))
            checks.append(
                check(f"alarm_data.{one.alarm.id}", one.name, ok, words, required=ok is False, expected="data")
            )
        self.run.check(*checks)
        return checks_table(checks, "Can they ever get data")

    def odds(self) -> dict[str, dict[int, Odds]]:
        """Alarm id to its odds at each weight of the traffic seen; those that are no count of failures are left out."""
        per_s = self._requests_per_s()
        found: dict[str, dict[int, Odds]] = {}
        for alarm in self.params.policy.alarms:
            each = {weight: self._odds(alarm, per_s * weight / 100) for weight in WEIGHTS}
            if all(one is not None for one in each.values()):
                found[alarm.id] = {weight: one for weight, one in each.items() if one is not None}
        return found

    def _odds(self, alarm: Alarm, per_s: float) -> Odds | None:
        math_ = self.params.policy.alarm_math
        well, bad = 1 - math_.healthy, 1 - math_.bad
        if alarm.metric in FAILURES and alarm.stat == "Sum":
            least = least_count(alarm.op, threshold(alarm, self.params))
            window = float(alarm.period_s * alarm.periods)
            return count_odds(least=least, window_s=window, healthy_per_s=per_s * well, bad_per_s=per_s * bad)
        if alarm.expression and set(alarm.metrics.values()) & set(SHARES):
            limit = threshold(alarm, self.params) / 100
            window = float(alarm.period_s * alarm.periods)
            return rate_odds(limit=limit, window_s=window, requests_per_s=per_s, healthy=well, bad=bad)
        return None

    def _requests_per_s(self) -> float:
        """Requests a second to both routes over the baseline's days; where nothing was seen, a rollout's usual 3,000 a
        day.
        """
        now, days = self.run.now, self.params.policy.baseline.days
        window = Window(now - dt.timedelta(days=days), now)
        wanted = [Ask(name, window, "Sum", period_s=3600) for name in ("sync_requests", "async_requests")]
        answers = fetch(self.run.aws.client("cloudwatch"), self.params, wanted, now)
        points = [value for ask in wanted for _, value in answers.points(ask.label)]
        hours = max((len(answers.points(ask.label)) for ask in wanted), default=0)
        self.seen = bool(sum(points))
        return sum(points) / (hours * 3600) if self.seen else self.params.policy.baseline.requests_per_day / 86400

    def odds_table(self) -> Any:
        """How often each alarm fires on a healthy day, how soon on a bad one, at each weight."""
        from runbook_lib.show.tables import Cell, stack, table

        known, policy = self.odds(), self.params.policy
        math_ = policy.alarm_math
        rows: list[list[object]] = []
        for alarm in policy.alarms:
            cells: list[object] = [Cell(alarm.id, nowrap=True), "guard" if alarm.guard else "people"]
            for weight in WEIGHTS:
                one = known.get(alarm.id, {}).get(weight)
                cells += ["–", "–"] if one is None else [_percent(one.per_day), _duration(one.hours)]
            rows.append(cells)
        head = ("Alarm", "For", *(text for w in WEIGHTS for text in (f"{w} %: fires on a good day", "bad: after")))
        where = "traffic seen" if self.seen else "no traffic seen: the policy's figure"
        caption = f"A good service: {math_.healthy:.1%} success; a bad one: {math_.bad:.0%}; {where}"
        note = (
            "– is no count of failures: a depth, a throttle, an error of DynamoDB. Upper bounds by a Poisson process."
        )
        return stack(table(head, rows, caption=caption, note=note), self.note(self._guards_designed(known)))

    def _guards_designed(self, known: dict[str, dict[int, Odds]]) -> Check:
        """Each guard is quiet on a good day at every weight, and quick on a bad one."""
        math_ = self.params.policy.alarm_math
        wrong = []
        for alarm in self.params.policy.alarms:
            for weight, one in known.get(alarm.id, {}).items() if alarm.guard else ():
                if one.per_day > math_.false_per_day:
                    wrong.append(f"{alarm.id} fires on {_percent(one.per_day)} of good days at {weight} %")
                if one.hours > math_.detect_within_h:
                    wrong.append(f"{alarm.id} takes {_duration(one.hours)} on a bad service at {weight} %")
        rule = f"at most {_percent(math_.false_per_day)} of good days, within {math_.detect_within_h:g} h of a bad one"
        said = (
            "; ".join(wrong) + "; choose another threshold or window in gates.yaml" if wrong else f"all guards: {rule}"
        )
        # Before there is traffic to reckon with, nothing is known of the guards here.
        return check("guards.designed", "Guards: quiet and quick", not wrong, said, required=self.seen, expected=rule)

    def charts(self) -> Any:
        """The chance of a false alarm on a good day, alarm by alarm, at each weight."""
        from runbook_lib.show.odds import odds_chart

        rows = {id: {f"{weight} %": one.per_day for weight, one in each.items()} for id, each in self.odds().items()}
        return odds_chart(rows, self.params.policy.alarm_math.false_per_day)

    def plan_table(self) -> Any:
        """What applying would write."""
        from runbook_lib.show.parts import line

        names = [one.name for one in self.planned if one.writes]
        theirs = [one for one in self.planned if not one.same and not one.writes]
        said = f"Applying writes {len(names)} alarms: {', '.join(names)}." if names else "Nothing to write."
        if theirs:
            said += f" {len(theirs)} belong to a stack and differ: change the infrastructure code, never by hand."
        return line(said)

    def apply(self) -> Any:
        """Writes what is the runbook's, if the run may."""
        from runbook_lib.show.parts import line

        if not self.run.applying:
            return line("Nothing was written: mode is plan.")
        self.wrote = act.apply(self.run.aws, self.run.guard, self.params, self.planned)
        self.planned = plan(self.run.aws, self.params)
        return line(f"Written: {', '.join(self.wrote)}." if self.wrote else "Nothing to write: all is as declared.")

    def drill(self) -> Any:
        """Each alarm set off, heard, and put back; in plan mode only announced."""
        from runbook_lib.show.checks import checks_table
        from runbook_lib.show.parts import line

        there = [one for one in self.planned if one.exists]
        if not self.run.applying:
            for one in self.planned:
                later = check(f"drill.{one.alarm.id}", one.name, None, "drilled when applied", mends=True)
                self.run.check(later.model_copy(update={"verdict": Verdict.INCONCLUSIVE}))
            return line(f"No drill in plan mode; applying sets off {len(self.planned)} alarms and puts them back.")
        state, _ = traffic.read_or_nothing(self.run.aws.client("appconfig"), self.params, self.run.aws)
        names = [one.name for one in there]
        try:
            done = drill(self.run.aws, self.run.guard, self.params, names, state, wait_s=DRILL_WAIT_S)
        except Refused as error:
            return self.note(check("drill.refused", "Fire drill", False, str(error)), caption="Fire drill")
        checks = [
            check(
                f"drill.{one.alarm.id}", one.name, one.name in done.heard,
                f"{one.name}: " + ("set off, heard, put back" if one.name in done.heard else
                "set off, and no notification came: look at its actions and the topic's subscriptions"),
            )
            for one in there
        ]  # fmt: skip
        back = check("drill.restored", "Put back", done.restored, f"every alarm put back, {done.seconds:.1f} s in all")
        self.run.check(*checks, back)
        return checks_table([*checks, back], "Fire drill", keep_order=True)

    def subscriptions_table(self) -> Any:
        """Whom the topic tells; the pager's address is a secret and is never shown."""
        from runbook_lib.observe.alarms import topic_arn

        answer = self.run.aws.client("sns").list_subscriptions_by_topic(TopicArn=topic_arn(self.params))
        kinds = [one["Protocol"] for one in answer.get("Subscriptions", [])]
        pager = "https" in kinds
        told = "PagerDuty's endpoint is " + ("subscribed" if pager else "not subscribed; its address is a secret")
        return self.note(
            check("notify.anybody", "The alarm topic has subscribers", bool(kinds), f"{len(kinds)} subscriptions: "
                  f"{', '.join(sorted(kinds)) or 'none'}", required=False),
            check("notify.pager", "A pager is subscribed (https)", pager if kinds else None, told, required=False),
            caption="Whom the alarms tell",
        )  # fmt: skip

    def judge(self) -> Outcome:
        """The decision so far: before the drill, a run that may apply only plans."""
        done = any(id.startswith("drill.") for id in self.run.checks)
        checks = list(self.run.checks.values())
        applied = self.run.applying and done
        self.outcome = self.run.decide(decide_checks(checks, applied=applied, done=self.done, then=self.then))
        return self.outcome


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.1 else f"{share:.2%}" if share >= 1e-4 else "< 0.01%"


def _duration(hours: float) -> str:
    if math.isinf(hours) or hours > 24 * 365:
        return "never"
    return f"{hours * 60:.0f} min" if hours < 2 else f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.0f} d"
