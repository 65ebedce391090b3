"""What the cells of the preflight call: commands, people, the traffic before, and what the soaks can decide with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

from runbook_lib.act.command import Command, Ran, command_check, run_command
from runbook_lib.base.window import when
from runbook_lib.judge import words
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.model import Outcome
from runbook_lib.judge.planning import weekly
from runbook_lib.judge.planning.door import LIMITS, door_checks
from runbook_lib.judge.planning.mutation import TITLES, Trial, trial
from runbook_lib.judge.planning.power import Power, powers
from runbook_lib.judge.terms import Verdict
from runbook_lib.observe.traffic import before as baseline_traffic
from runbook_lib.params.load import project_root
from runbook_lib.params.policy import Policy
from runbook_lib.rollout import door
from runbook_lib.rollout.people import attestation_checks, wanted_by
from runbook_lib.run.run import Run
from runbook_lib.show.checks import checks_table
from runbook_lib.show.console import Live, folded
from runbook_lib.show.page import line
from runbook_lib.show.picture import image
from runbook_lib.show.power import door_table, power_chart, power_table, quiet_table, trials_table, week_chart
from runbook_lib.show.tables import span, stack, where_table
from runbook_lib.show.verdicts import verdict_banner
from runbook_lib.steps import harm
from runbook_lib.steps.alarm_odds import look as submissions
from runbook_lib.steps.infra import Infra
from runbook_lib.steps.step import Step

SIDE_BY_SIDE = 2
"""How many commands run at a time."""
REVIEWED = "infra.diff_reviewed"


class Preflight(Step):
    """The pre-deployment checklist. It looks, asks and computes; nothing in AWS is changed."""

    def __init__(self, run: Run) -> None:
        super().__init__(
            run,
            done="the service, its infrastructure code and its people are ready for the rollout",
            then="Deploy to dev with 02_deploy_dev.",
        )
        self.infra = Infra(run, "async")
        self.configured = self.infra.commands
        self.items = wanted_by(run.params.policy, run.notebook)
        self.found: tuple[Power, ...] = ()

    def commands(self) -> Any:
        """Runs the configured commands side by side; shows exit status, duration and the last lines of each."""
        wanted = self.configured.of(self.run.notebook)
        live = Live("Running the configured commands")
        values = self.infra.values()

        def one(command: Command) -> Ran:
            return run_command(
                command, root=project_root(), values=values, out=lambda line: live(f"{command.id} | {line}")
            )

        try:
            with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
                ran = list(pool.map(one, wanted))
        finally:
            live.close()
        checks = [command_check(each) for each in ran]
        self.run.check(*checks)
        tails = [folded(f"{each.command.id}: {each.line}: {each.said}", each.tail, opened=not each.ok) for each in ran]
        return stack(checks_table(checks, "Commands"), *tails)

    def diff(self) -> Any:
        """Makes the diff of the new resources, and keeps it in the record for those who review it."""
        shown = self.infra.diff()
        made = self.run.checks.get("infra.diff")
        facts = dict(made.facts) if made else {}
        tail = "\n".join(str(text) for text in facts.get("tail", ()))
        facts["tail_sha256"] = hashlib.sha256(tail.encode()).hexdigest()
        seen = made is not None and made.ok
        reason = (
            "the diff is made and kept in this record; that a person has reviewed it is attested apart "
            "(attest.infra_diff_reviewed)"
            if seen
            else (made.reason if made else "the diff was not made")
        )
        self.run.check(
            check(
                REVIEWED,
                "Infrastructure diff made for review",
                True if seen else None,
                reason,
                expected="a diff that can be read",
                found=made.found if made else "",
                **facts,
            )
        )
        return shown

    def people(self) -> Any:
        """Attestations: who gave each and when; for a missing one, who must give it and by which command."""
        checks = attestation_checks(self.run, self.items)
        self.run.check(*checks)
        return checks_table(checks, "Vouched for by people")

    @cached_property
    def traffic(self) -> baseline_traffic.BaselineTraffic:
        """Submissions per hour before the rollout, asked once; the raw answers go into the record."""
        run = self.run
        seen = baseline_traffic.read(run.aws.client("cloudwatch"), self.params, run.now)
        run.journal.attach("baseline-traffic.json", json.dumps(seen.answers.raw).encode())
        return seen

    def traffic_table(self) -> Any:
        """A table of the traffic seen, and of the number of hours with data."""
        seen = self.traffic
        average, least = weekly.mean(seen.points), weekly.least(seen.points, 24)
        total = sum(value for _, value in seen.points)
        rows = {
            "Asked": f"{span(seen.asked.start, seen.asked.end)}, both routes",
            "Seen": f"{len(seen.points):,} of {seen.hours_asked:,} hours, {total:,.0f} requests",
            "Mean": f"{average:.1f} requests an hour, {average * 24:,.0f} a day",
            "Quietest 24 hours": "–" if least is None else f"{least:,.0f} requests",
        }
        if seen.notes:
            rows["Notes"] = "; ".join(seen.notes)
        return where_table(rows)

    def power(self) -> Any:
        """Shows for each gate of the coming phases whether the planned soak can decide it, and what it would detect."""
        policy = self.params.policy
        self.found = tuple(
            one
            for name in policy.phases
            if self.params.env in policy.steps[name].envs
            for one in decided(policy, name, self.traffic.points)
        )
        self.run.check(*power_checks(self.found, proving(policy), bool(self.traffic.points)))
        return power_table(self.found, policy.baseline.power)

    def harm(self) -> Any:
        """Shows for each coming phase what a failure would cost the users until it is stopped."""
        quiet = self._quiet()
        from_hour = float(quiet.start % 24) if quiet else 0.0
        seen = submissions(self.run.aws.client("cloudwatch"), self.params, self.run.now)
        found = [harm.of_phase(self.params, name, seen, from_hour) for name in self._phases()]
        self.run.check(*(harm.harm_check(self.params, one, required=False) for one in found))
        return stack(*(harm.shown(one, chart=False) for one in found))

    def door(self) -> Any:
        """Shows for each limit in front of the functions how many times the peak of each coming phase fits."""
        limits, seen = door.ask(self.run.aws, self.params, self.run.now)
        self.run.journal.append("limits", limits=limits.model_dump(mode="json"))
        self.run.journal.attach("peak-traffic.json", json.dumps(seen.answers.raw).encode())
        phases = self._phases()
        found = {
            name: [
                later(one) if name != next(iter(phases)) else one
                for one in door_checks(limits, seen.peak, percent, door.manner(self.params), prefix=f"door.{name}")
            ]
            for name, percent in phases.items()
        }
        self.run.check(*(one for checks in found.values() for one in checks))
        return door_table(found, phases, "; ".join([*([seen.peak.words] if seen.peak else []), *seen.notes]))

    def _phases(self) -> dict[str, float]:
        """The coming phases of this environment with their weights, in percent."""
        policy = self.params.policy
        return {name: phase.percent for name, phase in policy.phases_of(self.params.env).items()}

    def quiet(self) -> Any:
        """The quietest hours of the week, in which to shift; UTC."""
        best, hours = self._quiet(), self.params.policy.baseline.quiet_hours
        days = (weekly.quietest(self.traffic.points, hours, day) for day in range(7))
        note = f"It begins next at {when(best.next(self.run.now))}." if best else "No traffic was seen."
        if best:
            self.run.journal.append("quiet", window=best.model_dump(mode="json"), words=best.words)
        return quiet_table(best, [day for day in days if day], note)

    def _quiet(self) -> weekly.Quiet | None:
        return weekly.quietest(self.traffic.points, self.params.policy.baseline.quiet_hours)

    def gates_tried(self) -> Any:
        """Tries bad inputs on every configured gate; a gate that lets one pass is named and holds the rollout."""
        policy = self.params.policy
        looks = policy.phases[min(policy.phases)].looks
        trials = trial(policy.gates, look=looks[0], looks=looks, confidence=policy.confidence)
        self.run.check(*trial_checks(trials))
        return trials_table(trials)

    def charts(self) -> Any:
        """The week's traffic with its quiet window; samples expected and needed."""
        by_hour = weekly.by_hour(self.traffic.points)
        return stack(image(lambda: week_chart(by_hour, self._quiet())), image(lambda: power_chart(self.found)))

    def judge(self) -> Outcome:
        """The decision by every check; an item that no cell has looked at counts as no data."""
        missing = [id for id in self._expected() if id not in self.run.checks]
        self.run.check(
            *(check(id, id, None, f"{id} was not looked at: run the notebook from its top") for id in missing)
        )
        return super().judge()

    def _expected(self) -> list[str]:
        policy = self.params.policy
        commands = [one.id for one in self.configured.of(self.run.notebook)] or ["tests.unit"]
        people = [item.check_id for item in policy.attestations if item.id in self.items]
        soaks = [
            f"power.{name}.{gate.id}"
            for name in policy.phases
            if self.params.env in policy.steps[name].envs
            for gate in policy.gates
        ]
        tried = [f"gates.{gate.id}" for gate in policy.gates]
        doors = [f"door.{name}.{id}" for name in self._phases() for id in LIMITS]
        costs = [f"harm.{name}" for name in self._phases()]
        return [*commands, REVIEWED, *people, *soaks, *costs, *doors, *tried]

    def plan(self) -> Any:
        """What applying would do: nothing to AWS."""
        if self.run.applying:
            return line(
                "Nothing in AWS is changed. This run applies: its sealed verdict is what later notebooks rely on."
            )
        return line(
            "Nothing in AWS would be changed. Applying runs the same checks again and seals their verdict: "
            "only a PROMOTE of an applied run lets the next notebooks go on."
        )

    def proof(self) -> Any:
        """Reads the attestations from the archive again: they must hold at the end of this run."""
        return self.people()

    def decided(self) -> Any:
        """The decision as a banner; judges first if that is not done yet."""
        return verdict_banner(self.outcome or self.judge())


def later(one: Check) -> Check:
    """The check of a limit in a later phase: too few workers are only advice until that phase is the next.

    The other limits stay required: a request beyond them is lost at once, and raising them is cheap. More workers use
    up the LLM's quota, and by the later phase the generation time is known better.
    """
    return one.model_copy(update={"required": False}) if one.id.endswith(".workers") else one


def trial_checks(trials: Sequence[Trial]) -> list[Check]:
    """One check `gates.<gate>` for each gate: it passes a healthy day and no bad input."""
    found = []
    for gate, title in dict.fromkeys((one.gate, one.title) for one in trials):
        mine = [one for one in trials if one.gate == gate]
        wrong = [TITLES[one.mutation] for one in mine if not one.ok]
        blind = f"{title}: does not do what it should with {', '.join(wrong)}; set its `implausible`, or its samples"
        fine = f"{title}: passes a healthy day, and none of {words.count(len(mine) - 1, 'bad input')}"
        found.append(
            check(
                f"gates.{gate}",
                f"{title} notices bad input",
                not wrong,
                blind if wrong else fine,
                expected="0 unnoticed",
                found=f"{len(wrong)} unnoticed",
            )
        )
    return found


def proving(policy: Policy) -> dict[str, str]:
    """Kind of each gate by id; `point` for one that takes its value literally, because few requests decide it."""
    return {gate.id: "point" if gate.evidence == "point" else gate.kind for gate in policy.gates}


def decided(policy: Policy, phase: str, points: weekly.Hourly) -> tuple[Power, ...]:
    """Tells for each gate whether the soak of `phase` can decide it with this traffic.

    Args:
        points: requests per hour before the rollout, as for `powers`.
    """
    planned = policy.phases[phase]
    return powers(
        points,
        policy.gates,
        phase=phase,
        percent=planned.percent,
        looks=planned.looks,
        samples=policy.baseline.samples,
        power=policy.baseline.power,
    )


def power_checks(found: Sequence[Power], kinds: dict[str, str], seen: bool) -> list[Check]:
    """One check `power.<phase>.<gate>` for each gate and phase. Advice: an undecided soak is extended, not passed.

    Rates and quantiles are required where the phase's soak can decide none of them: such a soak would prove nothing.

    Args:
        kinds: as `proving` returns them.
        seen: whether there was any traffic to count on.
    """
    counted = [one for one in found if kinds[one.gate] in ("rate", "quantile")]
    useful = {one.phase for one in counted if one.decides}
    return [_power_check(one, required=one.phase not in useful and one in counted, seen=seen) for one in found]


def _power_check(one: Power, *, required: bool, seen: bool) -> Check:
    facts = one.model_dump(mode="json", exclude={"reason", "title", "gate"})
    verdict = Verdict.PASS if one.decides else Verdict.INCONCLUSIVE
    reason = one.reason
    if not seen and not one.decides:
        verdict, reason = Verdict.NO_DATA, f"{one.title}: no traffic was seen before the rollout, so nothing is known"
    few = "" if one.needed is None else words.count(one.needed, "sample")
    return Check(
        id=f"power.{one.phase}.{one.gate}",
        title=f"{one.title} can be decided at {one.percent:g} %",
        verdict=verdict,
        reason=reason,
        required=required,
        expected=few,
        found=words.count(one.expected, "sample") if few else "",
        facts=facts,
    )
