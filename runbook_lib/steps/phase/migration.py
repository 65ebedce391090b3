"""Phase 3: after the soak at dial 100, the synchronous route itself becomes asynchronous, in an order that loses no
request.

docs/domain.md, trap 18: a client that still reads weight 100 calls the temporary route, so the route stays until it has
been silent for longer than a client may hold a weight and poll. AWS shows where the migration stands (what the routes
lead to, the dial), and the sealed records when each step was done. So the same notebook is run again for each step:

    shifted -> moved (and the dial to 0 in the same run) -> silent -> removed -> 48 h -> all async
"""

from __future__ import annotations

import contextlib
import datetime as dt
import math
from typing import Any

from runbook_lib.act.traffic import shift as act
from runbook_lib.act.traffic.homes import home_of
from runbook_lib.base.errors import AwsError
from runbook_lib.base.window import iso, parse, when
from runbook_lib.judge import words
from runbook_lib.judge.gates.checks import Check, check, unmet
from runbook_lib.judge.model import Outcome
from runbook_lib.judge.terms import Decision, Verdict
from runbook_lib.rollout import history, present
from runbook_lib.rollout import moment as moments
from runbook_lib.rollout.look import Seen
from runbook_lib.rollout.way_back import deploy_command
from runbook_lib.run.run import Run
from runbook_lib.show.checks import checks_table
from runbook_lib.show.page import line, show
from runbook_lib.show.tables import table
from runbook_lib.steps.infra import Infra
from runbook_lib.steps.phase import verdict
from runbook_lib.steps.phase.look import REMOVE, PhaseLook
from runbook_lib.steps.phase.phase import Phase
from runbook_lib.steps.phase.silence import MINUTE, Silence, listen
from runbook_lib.steps.phase.verdict import hold_because, planned_because

MIGRATE = "migrate"
AGAIN = dt.timedelta(minutes=15)
"""Wait until the next look where too few requests came to show anything."""


class Migration(Phase):
    """Notebook 08: the last phase, and the migration of the synchronous route."""

    def __init__(self, run: Run, look: PhaseLook | None = None) -> None:
        super().__init__(run, look)
        self.silence: Silence | None = None

    def migration_table(self) -> Any:
        """Where the migration stands: each step as a check."""
        if not self.stand.spec.after_migration:
            return line("This phase migrates nothing: the weight is all that it moves.")
        found = self.steps()
        self.run.check(*found)
        return checks_table(found, "The migration, step by step", keep_order=True)

    def steps(self) -> list[Check]:
        """The migration's steps in order, as checks; a later run completes the missing ones."""
        moved, zero, removed = self._from_state()
        route = self.params.service.api.routes.sync
        shifted = self._kept("migrate.shifted", f"{self.stand.spec.soak_hours:g} h at dial 100, {route} untouched")
        return [shifted, moved, zero, self._silent(), removed, self._all_async()]

    def _from_state(self) -> list[Check]:
        """The steps that AWS's present state shows: route moved, dial at 0, temporary route gone."""
        state, routes = self.state, self.params.service.api.routes
        moved, dial = state.migrated, state.dial_percent
        return [
            _step(
                "migrate.moved",
                f"{self._route('sync')} leads to the submit Lambda",
                moved,
                f"{self._route('sync')} {'leads' if moved else 'does not lead yet'} to {self.params.name('submit')}",
            ),
            _step(
                "migrate.dial_zero",
                "The dial is at 0",
                moved and dial == 0,
                f"the dial is at {dial:g} %{'' if moved else f', for {routes.sync} is not asynchronous yet'}",
            ),
            _step(
                "migrate.removed",
                f"{self._route('submit')} is gone",
                moved and not state.temporary_route,
                f"{self._route('submit')} {'still exists' if state.temporary_route else 'is gone'}",
            ),
        ]

    def _kept(self, id: str, title: str) -> Check:
        """The check as an earlier run's record or this run passed it; else as a step still to come."""
        known = history.passed(self.look.earlier, id)
        if known is not None:
            return known
        own = self.run.checks.get(id)
        return own if own is not None and own.ok else _step(id, title, False, f"{title}: not shown yet")

    def _route(self, route: str) -> str:
        """Method and path of a route."""
        return self.params.service.asked(route)

    def _silent(self) -> Check:
        """Whether the temporary route has been silent for longer than clients poll and wait."""
        title = "The temporary route is silent"
        state = self.state
        if not state.migrated or not state.temporary_route or state.dial_percent:
            return self._kept("migrate.silent", title)
        self.silence = found = listen(self.run, self.state)
        wanted = self._quiet_s()
        ok = found.seconds >= wanted and found.witness > 0
        reason = (
            f"{self._route('submit')} had no request for {found.seconds / 60:.0f} min ({wanted / 60:.0f} needed), "
            f"while {self._route('sync')} had {found.witness:,.0f}; {found.calls:,.0f} since the dial was set to 0"
        )
        return _step("migrate.silent", title, ok, reason, calls=found.calls, since=iso(found.since))

    def _quiet_s(self) -> float:
        return float(self.params.service.traffic.client_poll_s + self.params.service.job_deadline_s)

    def _all_async(self) -> Check:
        """`migrate.all_async`: no synchronous invocation, and about as many submit invocations as requests."""
        title, id = "Every request is asynchronous", "migrate.all_async"
        if self.moment.effective_at is None or not self.state.migrated:
            return _step(id, title, False, f"{title}: to be shown by the soak after the migration")
        seen = self.look.looked()

        def total(metric: str) -> float | None:
            points = seen.answers.points(f"{metric}:Sum")
            inside = [value for at, value in points if seen.window.start <= at < seen.window.end]
            return math.fsum(inside) if inside else None

        asked, answered, sync = total("async_requests"), total("submit_invocations"), total("sync_fn_invocations")
        near = asked is not None and answered is not None and abs(asked - answered) <= max(3.0, 0.01 * asked)
        ok = bool(near and not sync)
        reason = (
            f"{self._route('sync')} had {asked or 0:,.0f} requests, "
            f"the submit Lambda {answered or 0:,.0f} invocations, the synchronous Lambda {sync or 0:,.0f}"
        )
        return _step(id, title, ok, reason, requests=asked, submit=answered, sync=sync)

    def _judged(self) -> Outcome:
        if self.moment.name == "migrating":
            self.run.check(*self.steps())
            return self._migrating()
        outcome = super()._judged()
        if self.state.migrated or outcome.decision is not Decision.PROMOTE or not self.stand.spec.after_migration:
            return outcome
        self._passed(self.look.looked())
        what = f"the soak at dial 100 has passed; applying makes {self.params.service.api.routes.sync} asynchronous"
        due = planned_because(what, "Read the plan, then run again with mode=apply and confirm.")
        return due.model_copy(update={"results": outcome.results})

    def _promoted(self, outcome: Outcome) -> Outcome:
        """As `Phase._promoted`, but the migration's own steps are required only after the migration."""
        if not self.stand.spec.after_migration:
            return super()._promoted(outcome)
        if self.state.migrated:
            self.run.check(*self.steps())
            return super()._promoted(outcome)
        wrong = [one for one in unmet(self.run.checks.values()) if not one.id.startswith("migrate.")]
        return hold_because(f"every gate passed, but {wrong[0].reason}") if wrong else outcome

    def _passed(self, seen: Seen) -> None:
        """Notes that the soak at dial 100 has passed."""
        window = seen.window
        reason = f"every gate passed at dial 100 from {when(window.start)} to {when(window.end)}"
        title = f"{self.stand.spec.soak_hours:g} h at dial 100, {self.params.service.api.routes.sync} untouched"
        self.run.check(_step("migrate.shifted", title, True, reason, window=[iso(window.start), iso(window.end)]))

    def _migrating(self) -> Outcome:
        """The decision after the synchronous route has moved and before the temporary route is removed."""
        routes, state, now = self.params.service.api.routes, self.state, self.run.now
        if state.dial_percent:
            what = f"{routes.sync} is asynchronous and the dial still says {state.dial_percent:g} %"
            return planned_because(f"{what}; applying brings it to 0", "Run again with mode=apply and confirm, now.")
        silent = self.run.checks["migrate.silent"]
        failing = self._since_the_move()
        if failing is not None:
            return failing
        if silent.ok:
            what = f"{silent.reason}; applying removes {self._route('submit')}"
            return planned_because(what, "Read the plan, then run again with mode=apply and confirm.")
        found = self.silence
        missing = dt.timedelta(seconds=max(0.0, self._quiet_s() - (found.seconds if found else 0)))
        at = now + missing + MINUTE if missing else now + AGAIN
        return _wait(f"{routes.sync} is asynchronous; {silent.reason}", at)

    def _since_the_move(self) -> Outcome | None:
        """The outcome that stops the next step, by what came since the synchronous route moved; None: nothing does."""
        zero, now = self.state.dial_since, self.run.now
        moved = history.done_at(self.look.earlier, MIGRATE) or (parse(zero) if zero else now)
        waiting = planned_because("nothing fails since the move", "Go on.")
        stood = verdict.borne_out(self.look, waiting, present.since_of(moved, now))
        return None if stood is waiting else stood

    def plan(self) -> Any:
        """What applying would do now: the shift, the move of the synchronous route, or the removal of the temporary
        route."""
        outcome = self.decided()
        if outcome.decision is not Decision.PLANNED or self.moment.name == "before":
            return super().plan()
        rows = [[place, what] for place, what in enumerate(self._todo(), 1)]
        before = "async" if self._next() == MIGRATE else MIGRATE
        undo = f"Undo: deploy the step before: {deploy_command(self.params, before)}"
        return table(("Step", "What applying does"), rows, note=undo) if rows else line(outcome.next)

    def _next(self) -> str:
        """The step of the infrastructure that is due; empty: none."""
        if self.moment.name == "migrating":
            silent = self.run.checks.get("migrate.silent")
            return REMOVE if not self.state.dial_percent and silent is not None and silent.ok else ""
        shifted = self.run.checks.get("migrate.shifted")
        due = self.moment.name == "after" and not self.state.migrated and shifted is not None and shifted.ok
        return MIGRATE if due else ""

    def _todo(self) -> list[str]:
        routes = self.params.service.api.routes
        zero = "the dial to 0 at once, without a bake: clients return to the one route that is asynchronous now"
        match self._next():
            case "migrate":
                return [
                    "keep the template of the stack in the record",
                    f"deploy step '{MIGRATE}': {self._route('sync')} leads to the submit Lambda, {routes.submit} stays",
                    f"verify that it does, then {zero}",
                ]
            case "remove_temporary":
                return [f"deploy step '{REMOVE}': {self._route('submit')} goes", "verify, then soak"]
            case _:
                return [zero] if self.moment.name == "migrating" and self.state.dial_percent else []

    def apply(self) -> Outcome:
        """Carries out what is due, if the run may.

        Raises:
            Refused: a raise is not authorised, blocked, or its plan is stale.
            AwsError: the infrastructure's command failed, or AWS is not what it should be after it.
        """
        if not self.run.applying or self.decided().decision is not Decision.PLANNED or self.moment.name == "before":
            return super().apply()
        match self._next():
            case "migrate":
                self._migrate()
            case "remove_temporary":
                self._remove()
            case _:
                if self.moment.name == "migrating" and self.state.dial_percent:
                    self._dial_to_zero()
        return self.decided()

    def _migrate(self) -> None:
        self._deploy(MIGRATE)
        self._read_again()
        if not self.state.migrated:
            raise AwsError(
                f"step '{MIGRATE}' was deployed, yet {self._route('sync')} does not lead to "
                f"{self.params.name('submit')}; the dial stays at {self.state.dial_percent:g} %; look at the stack"
            )
        self._dial_to_zero()

    def _deploy(self, step: str) -> None:
        """Keeps the stack's template in the record, then deploys a step; an AwsError where the diff proves nothing."""
        infra = Infra(self.run, step)
        show(infra.previous_template())
        show(infra.deploy())
        if infra.differs is not False:
            raise AwsError(infra.unproven)
        with contextlib.suppress(AwsError):  # advisory: the dial must not wait for it
            infra.watched()

    def _dial_to_zero(self) -> None:
        run = self.run
        plan = act.plan_shift(self.state, 0, self.params, soak_hours=0, description=self._describe())
        run.journal.append("plan", plan=plan.model_dump(mode="json"), text=plan.text())
        home_of(run.aws, run.guard, self.params).apply(plan)
        self._read_again()
        settle = self.params.service.traffic.client_poll_s + self.params.policy.metric_delay_s
        at = run.guard.now + dt.timedelta(seconds=settle + self._quiet_s()) + 2 * MINUTE
        routes = self.params.service.api.routes
        self._noted(_wait(f"{routes.sync} is asynchronous, the dial at 0; {routes.submit} must fall silent", at))
        show(line(f"Applied: {self._route('sync')} is asynchronous, and the dial is at {self.state.dial_percent:g} %."))

    def _remove(self) -> None:
        self._deploy(REMOVE)
        self._read_again()
        if self.state.temporary_route:
            raise AwsError(f"step '{REMOVE}' was deployed, yet {self._route('submit')} is there")
        hours = self.stand.spec.after_migration[0].hours
        at = self.run.guard.now + dt.timedelta(hours=hours) + moments.settle(self.params)
        waiting = _wait(f"the temporary route is gone; the soak of {hours:g} h has begun", at)
        self._noted(verdict.before_jobs_are_gone(self.stand, waiting, None))

    def _read_again(self) -> None:
        """Reads the traffic again after a change, and notes the steps as AWS shows them now."""
        self.look.read_again()
        self.run.check(*self._from_state())


def _step(id: str, title: str, ok: bool, reason: str, **facts: Any) -> Check:
    """One step of the migration as a check; applying completes a missing one, now or at a later run."""
    made = check(id, title, ok, reason, expected="yes", found="yes" if ok else "not yet", mends=not ok, **facts)
    return made if ok else made.model_copy(update={"verdict": Verdict.INCONCLUSIVE})


def _wait(what: str, at: dt.datetime) -> Outcome:
    back = iso(at.replace(microsecond=0))
    return Outcome(
        decision=Decision.SOAK,
        reason=what,
        next=f"Run this notebook again at {words.instant(back)}.",
        come_back_at=back,
    )
