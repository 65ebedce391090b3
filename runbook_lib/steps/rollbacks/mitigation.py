"""What the two mitigations share (scenarios 2 and 3): deviations on record, owners, the fall to scenario 1.

A mitigation changes by hand what the infrastructure code declares (docs/domain.md, trap 23). So it is recorded before
it is made, and shown with the change that the code would need. It stays open until it is undone or adopted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from runbook_lib.act.traffic import shift as act
from runbook_lib.act.traffic.homes import home_of
from runbook_lib.act.traffic.off import is_off
from runbook_lib.base import foreign
from runbook_lib.base.errors import ArchiveError, UsageError
from runbook_lib.base.window import iso, when
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.gates.remedies import Order
from runbook_lib.judge.incidents.deviation import Act, Deviation
from runbook_lib.judge.model import Gate, Outcome
from runbook_lib.judge.terms import Decision, Verdict
from runbook_lib.observe.resources.owner import owner
from runbook_lib.observe.traffic import weight as weights
from runbook_lib.rollout import deviations, hints
from runbook_lib.rollout.way_back import instead
from runbook_lib.show.page import line
from runbook_lib.show.tables import Cell, table
from runbook_lib.steps.rollbacks.incident import Incident, Symptom

T = TypeVar("T")
SYMPTOM = "symptom"
"""Fact of a deviation: True if a symptom was seen at the decision, False if the operator's reason stood in for it."""


@dataclass(frozen=True)
class Setting:
    """One property of a resource: its value before the mitigation and with it."""

    physical: str
    """CloudFormation's physical id."""
    kind: str
    """CloudFormation's type."""
    property: str
    before: Any
    after: Any


def declared(policy: T | None, name: str) -> T:
    """The part of `rollbacks:` in gates.yaml that a mitigation needs.

    Raises:
        UsageError: it is missing.
    """
    if policy is None:
        raise UsageError(f"gates.yaml: the rollback of this notebook has no '{name}:'")
    return policy


class Plan(Protocol):
    """What applying would do."""

    @property
    def blockers(self) -> Sequence[str]:
        """Reasons against the plan, in words."""
        ...


class Mitigation:
    """A mitigation: settings that are changed by hand for an incident, and their deviations on record.

    Args:
        settings: ids of the inventory's checks that the mitigation makes deviate.
        response: the `response` of the gates that call for it.
    """

    def __init__(
        self, incident: Incident, settings: tuple[str, ...], response: Literal["backlog", "throttling"]
    ) -> None:
        self.incident, self.run, self.params = incident, incident.run, incident.params
        self.settings, self.response = settings, response
        self.open = self._mine(deviations.open_deviations(self.run.archive, self.params.env))
        self.closed = {} if self.open else self._mine(self._last_closed())
        self.fell = False
        if self.open:
            self.go_on()

    def _mine(self, found: Mapping[str, Deviation]) -> dict[str, Deviation]:
        return {id: one for id, one in found.items() if id in self.settings and one.notebook == self.run.notebook}

    def _last_closed(self) -> dict[str, Deviation]:
        """Deviations by check id that earlier runs of this attempt opened and somebody undid or adopted."""
        known, altered = deviations.said(self.run.archive, self.params.env)
        for sentence in altered:
            self.run.guard.warn(sentence)
        runs = {one.run_id for one in self.incident.earlier}
        return {
            one.deviation.check: one.deviation
            for one in known
            if one.act in ("undone", "adopted") and one.deviation.run_id in runs
        }

    @property
    def adopted(self) -> str:
        """The setting that a person adopted while another of the mitigation is still open, and who; empty: none."""
        return deviations.adopted(self.run.archive, self.params.env, self.settings) if self.open else ""

    @property
    def ended(self) -> str:
        """How the closed deviations ended, by whom and when."""
        found = deviations.last(self.run.archive, self.params.env, self.closed).values()
        return "the deviation was " + " and ".join(dict.fromkeys(one.words for one in found))

    @property
    def key(self) -> str:
        """Name of the mitigation for later runs; empty while there is none."""
        found = self.open or self.closed
        return next((f"deviation {one.at}" for one in found.values()), "")

    def begin_anew(self) -> None:
        """Forgets the clock and the closed deviation, which belong to another incident."""
        self.incident.clock, self.closed = None, {}

    def go_on(self) -> None:
        """Takes over the clock of the run that made the deviation; else starts a clock at the deviation's time."""
        if self.incident.resume(self.key) is None:
            self.incident.decided(dt.datetime.fromisoformat(next(iter((self.open or self.closed).values())).at))

    def seen_in_force(self, follows_s: float) -> None:
        """Notes the change as set now, where an earlier run made it and ended before it read it back."""
        if self.incident.clock is not None and self.incident.clock.set_at is None:
            self.incident.was_set(self.incident.aws_now, follows_s, self.key)

    def record(self, found: Sequence[Deviation]) -> None:
        """Puts the deviations on record before they are made; one that is on record already stays as it is.

        Raises:
            Refused: the run may not raise anything, or the archive cannot be written.
        """
        guard = self.run.guard
        guard.authorise(raises=True)
        opened = deviations.open_all(
            self.run.archive, self.params, found, by=guard.who, at=iso(self.incident.aws_now), arn=self.run.identity.arn
        )
        self.open = {one.check: one for one in opened}

    def close_deviations(self, how: Act) -> None:
        """Closes the open deviations on record; a withdrawn one was never made and does not count as closed."""
        deviations.close(
            self.run.archive,
            self.params,
            list(self.open),
            how,
            by=self.run.guard.who,
            at=iso(self.incident.aws_now),
            arn=self.run.identity.arn,
        )
        self.closed, self.open = {} if how == "withdrawn" else self.open, {}

    def withdraw(self) -> None:
        """Withdraws the deviations, because the change was refused.

        A failure to write this is only a warning, so that the refusal is heard: the next run finds the deviation open.
        """
        try:
            self.close_deviations("withdrawn")
        except (ArchiveError, OSError) as error:
            self.run.guard.warn(f"a deviation that was never made is still on record: {error}")

    def deviation(self, id: str, title: str, was: Any, value: Any, **facts: Any) -> Deviation:
        """A deviation of this incident, decided now."""
        incident = self.incident
        seen = [one for one in incident.found if one.present]
        facts[SYMPTOM] = bool(seen)
        return Deviation(
            check=id,
            title=title,
            was=was,
            value=value,
            by=self.run.guard.who,
            at=incident.decided().decided_at,
            why=self.params.reason or "; ".join(one.words for one in seen) or incident.spec.title,
            incident=f"{self.run.notebook} run {self.run.run_id}",
            notebook=self.run.notebook,
            run_id=self.run.run_id,
            facts=facts,
        )

    def deviations_table(self) -> Any:
        """The open deviations of this environment: who, when, why, and how each ends."""
        found = deviations.open_deviations(self.run.archive, self.params.env)
        shown = [
            [row["setting"], row["was"], row["now"], row["by"], when(row["at"]), row["why"]]
            for row in deviations.rows(found)
        ]
        return table(
            ("Setting", "By the code", "Now", "By", "Since", "Why"),
            shown,
            caption=f"Open deviations of {self.params.env}",
            note="Reminded of by `runbook status` and the inventory until undone (`runbook deviation undo`) or adopted "
            "into the code (`runbook deviation adopt`).",
        )

    def owners_table(self, settings: Sequence[Setting]) -> Any:
        """The owner of each changed setting, and the change that its template needs to keep it."""
        rows = []
        for one in settings:
            found = owner(self.run.aws, one.physical, one.kind)
            text = f"  {one.property}:\n-   {one.before}\n+   {one.after}"
            shown = Cell(text, f'<pre style="margin:0">{foreign.html(text)}</pre>')
            rows.append([str(found) if found else "no stack: nobody's code", shown])
        return table(
            ("Owner", "The template's difference"),
            rows,
            caption="Whose it is",
            note="Applying changes it by hand, for the incident, and puts a deviation on record. The next deployment "
            "that touches the property takes it back, unless the code adopts it.",
        )

    def symptoms(self, found: Sequence[Symptom], *, required: bool) -> Any:
        """Notes the symptoms as `Incident.symptoms` does; after the action, absent symptoms pass."""
        shown = self.incident.symptoms(found, required=required)
        if required or any(one.present or one.present is None for one in found):
            return shown
        told = f"no symptom any more: {'; '.join(one.words for one in found)}"
        id, none = f"{self.incident.id}.symptoms", f"0 of {len(found)}"
        return self.incident.note(check(id, "Symptoms are gone", True, told, required=False, found=none))

    # The fall to scenario 1

    def fall_back(self, why: str) -> Any:
        """Turns async off because the mitigation did not cure it; in plan mode says so."""
        if not self.run.applying:
            return line(f"Applying would turn async off (scenario 1): {why}.")
        about = act.describe(
            release=self.params.release, notebook=self.run.notebook, attempt=self.params.attempt, run=self.run.run_id
        )
        switched = home_of(self.run.aws, self.run.guard, self.params).switch_off(about)
        self.fell = True
        fell = self._fell(switched.sentence)
        shown, key = self.incident.note(fell, caption="Scenario 1"), switched.key(self.run.run_id)
        if key and fell.verdict is Verdict.PASS:  # after the migration the switch changes nothing for the users
            # Rollback 1, which verifies it, finds that told.
            self.incident.tell(is_off(self.params.service.traffic), key=key)
        return shown

    def _fell(self, sentence: str) -> Check:
        state = weights.read_traffic(self.run.aws, self.params)
        if state.migrated:
            sentence = f"{sentence}; but {instead(self.run.aws, self.params)[0]}"
        return check(
            f"{self.incident.id}.fell_back",
            "Async is off: scenario 1",
            state.weight == 0,
            sentence,
            expected="weight 0",
            found=f"weight {state.weight:g} %",
        )

    @property
    def after_the_fall(self) -> str:
        """What to do once scenario 1 was the answer."""
        verify = "run rollback_1_async_failing: it verifies and records"
        todo = f"{verify if self.fell else hints.rollback_1(self.params)}; "
        return f"{todo}then undo the deviation when the queue is empty (runbook deviation list)"

    def conclude(self, planned: Callable[[], Plan], **told: Any) -> Outcome:
        """Decides as `Incident.conclude` does; a plan also says what applying needs, since it raises capacity.

        Args:
            planned: makes the plan of what to do now.
        """
        outcome = self.incident.conclude(**told)
        return self.say_next(outcome, self._to_apply(planned)) if outcome.decision is Decision.PLANNED else outcome

    def _to_apply(self, planned: Callable[[], Plan]) -> str:
        if not self.incident.confirmed:
            return "Leave it. To do it all the same, apply it with a `reason`; without one it is refused."
        if planned().blockers:
            return "Put right what blocks it, then run this notebook again; applying it as things are is refused."
        return (
            f"Run it again with mode='apply' and confirm='{self.params.env}'; it is refused if anybody changes the "
            "settings meanwhile."
        )

    # The gates that called for it

    @property
    def calling(self) -> list[Gate]:
        """The gates whose failure calls for this mitigation; without those that compare arms, for one arm is left."""
        own = (gate for gate in self.params.policy.gates if gate.against is None)
        return [gate for gate in own if gate.response == self.response and gate.required and not gate.muted]

    def gates_check(self, orders: Sequence[Order]) -> Check:
        """`<id>.gates`: the gates that called for it are in order since; INCONCLUSIVE while that is not known.

        Args:
            orders: one for each gate, judged by what was measured since the action.
        """
        found = list(orders)
        bad = [one for one in found if one.verdict is Verdict.FAIL]
        open_ = [one for one in found if one.verdict is Verdict.INCONCLUSIVE]
        told = "; ".join(one.words for one in (bad or open_ or found)) or "no gate calls for it"
        made = check(
            f"{self.incident.id}.gates",
            "The gates that called for it are in order since",
            not bad,
            told,
            expected="within their alert limits",
            found=f"{len(found) - len(bad) - len(open_)} of {len(found)}",
            gates={one.gate: one.verdict.value for one in found},
        )
        return made if bad or not open_ else made.model_copy(update={"verdict": Verdict.INCONCLUSIVE})

    def not_cured(self, orders: Callable[[], Sequence[Order]]) -> str:
        """Why scenario 1 is the remedy: a gate is out of order since, and `remedies` names it for that; else empty.

        Args:
            orders: as for `gates_check`; called only where `remedies` has an entry for this mitigation.
        """
        remedy = self.params.policy.remedies.get(self.response)
        if remedy is None:
            return ""
        bad = [one for one in orders() if one.verdict is Verdict.FAIL]
        answers = [one for one in bad if remedy.gates.get(one.gate, remedy.otherwise) == "switch_off"]
        return f"{answers[0].words}: this did not cure it" if answers else ""

    def symptom_seen(self) -> bool:
        """Whether the deviations record a symptom at the decision; those of version 0.1 do not say and count as yes."""
        found = self.open or self.closed
        return all(one.facts.get(SYMPTOM, True) for one in found.values())

    def say_next(self, outcome: Outcome, then: str) -> Outcome:
        """Decides the same again, with another next step."""
        self.incident.outcome = self.run.decide(outcome.model_copy(update={"next": then}), moment=self.incident.id)
        return self.incident.outcome
