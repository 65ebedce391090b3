"""The script of a whole rehearsal: which notebook when, who signs, the time between; the rest comes from the runs."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from runbook_lib.act import drill_way
from runbook_lib.base.errors import AwsError, Exit
from runbook_lib.base.foreign import markup
from runbook_lib.base.window import iso, parse
from runbook_lib.judge.gates.checks import Check, unmet
from runbook_lib.judge.planning import cadence
from runbook_lib.judge.terms import Verdict
from runbook_lib.observe.traffic import state as traffic
from runbook_lib.params.phases import Phase
from runbook_lib.record.archive import Archive
from runbook_lib.record.entry import Entry, Kind, enter
from runbook_lib.rehearse.play.director import Rehearsal, Scene
from runbook_lib.rehearse.play.stage import places, shown, take_as_passed
from runbook_lib.rollout.approval import evidence
from runbook_lib.run.launch import Finished

HISTORY_DAYS = 7
LOAD_TRIES = 3
PATIENCE_S = 20.0
"""Real seconds until a machine that was too slow for the load is tried again."""
BY_THE_CLOCK = ("load.concurrent", "load.submit_p95", "load.drained")
"""Checks of the load test that a slow machine fails although nothing is lost or refused."""
INTERIM_H = 12
PREFLIGHT, DEV, DASHBOARD, ALARMS = "01_preflight", "02_deploy_dev", "03_dashboard", "04_alarms"
STAGING = "05_staging"
PHASE3, DEPRECATE, WEEK, ACCEPTANCE = (
    "08_phase3_100_percent",
    "09_deprecate_sync",
    "10_post_deployment",
    "11_acceptance",
)


class Stopped(Exception):
    """A run did not end as the rollout needs it: the rehearsal ends here."""

    def __init__(self, last: Finished) -> None:
        super().__init__(last.headline)
        self.last = last


class Rollout:
    """The rollout from preflight to acceptance; it stops at the first run that does not let it go on."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self.stage = rehearsal
        self.aws = rehearsal.aws

    @staticmethod
    def steps(rehearsal: Rehearsal) -> list[tuple[str, str]]:
        """Key and title of each row of the table."""
        steps = rehearsal.params[places().prod].policy.steps
        mine = places().every
        order = (*environments_of(), *((name, env) for name, one in steps.items() for env in one.envs if env in mine))
        keys = dict.fromkeys(f"{name}@{env}" for name, env in order if f"{name}@{env}" not in left_out())
        return [(key, steps[key.partition("@")[0]].title) for key in keys]

    def walk(self) -> Finished:
        """Runs everything; returns the last run."""
        try:
            self.before_production()
            self.phases()
            return self.first_week()
        except Stopped as stopped:
            return stopped.last

    def phases(self) -> None:
        """Runs every phase of production in order, as `gates.yaml` declares them."""
        for place, (notebook, phase) in enumerate(self.production.items()):
            self.approve(notebook)
            if place == 0:
                self.first_phase(notebook)
            else:
                self.through(Scene(notebook, what=f"shift to {phase.percent:g} %"))
        self.sign(f"{PHASE3}@{places().prod}")

    @property
    def production(self) -> dict[str, Phase]:
        """The phases of production."""
        return self.stage.params[places().prod].policy.phases_of(places().prod)

    def before_production(self) -> None:
        """Runs the steps from the first note to new resources in production without traffic."""
        stage = self.stage
        stage.set_up("baseline", HISTORY_DAYS * 24)
        self.sign()
        self._enter("note", "rehearsal", "release engineer", "The rehearsal began on a sandbox, not on AWS.")
        at = places()
        known, first = stage.params[at.prod], next(iter(self.production))
        take_as_passed(stage.root / stage.archive, known, first, iso(self.aws.now()), elsewhere=True)
        self.promoted(Scene(PREFLIGHT))
        self.promoted(Scene(DEV, at.dev, "deploy and smoke test"))
        self.prepared(at.staging, STAGING)
        stage.people(at.staging, "staging")
        self.staging()
        stage.leave(at.staging)
        self.prepared(at.prod, first)

    def staging(self) -> Finished:
        """Runs tests, load test and soak; the load again if this machine was just too slow for it, as people would."""
        scene = Scene(STAGING, places().staging, "tests, load test, shift")
        last = self.stage.run(scene)
        for left in range(LOAD_TRIES - 1, 0, -1):
            slow = self.too_slow(last)
            if not slow:
                break
            again = f"once more, in {PATIENCE_S:g} s" if left == 1 else f"up to {left} times more, in {PATIENCE_S:g} s"
            self.stage.board.say(f"  this machine was too slow for the load just now ({slow}): {again}")
            self.stage.pause(PATIENCE_S)
            last = self.stage.run(scene)
        return self.through(scene, last)

    def too_slow(self, last: Finished) -> str:
        """The reason of a run of 05 whose load test failed only by its times; empty: it did not, or not only."""
        if last.decision != "HOLD":
            return ""
        archive = Archive(self.stage.root / self.stage.archive)
        checks = [Check.model_validate(one) for one in archive.load(archive.find(last.run_id)).checks]
        wrong = [one for one in unmet(checks) if not one.mends]
        slow = [one for one in wrong if one.id in BY_THE_CLOCK and one.verdict is Verdict.FAIL]
        return wrong[0].reason if wrong and len(slow) == len(wrong) else ""

    def sign(self, after: str | None = None) -> None:
        """Enters the attestations of the rehearsal's people that are possible after `after`."""
        params = self.stage.params[places().prod]
        for wanted in params.policy.attestations:
            if wanted.after == after:
                self._enter("attestation", wanted.id, wanted.role, f"rehearsed: {wanted.title}")

    def approve(self, notebook: str) -> None:
        """Enters the approvals that the phase needs."""
        params = self.stage.params[places().prod]
        for role in params.policy.phases[notebook].approvers:
            stands = evidence(Archive(self.stage.root / self.stage.archive), params, notebook)
            facts = {"evidence": [one.model_dump() for one in stands]}
            self._enter("approval", notebook, role, "rehearsed approval", facts)

    def _enter(self, kind: Kind, item: str, role: str, text: str, facts: dict[str, Any] | None = None) -> None:
        params = self.stage.params[places().prod]
        entry = Entry(
            kind=kind,
            item=item,
            by=f"{role.title()} (rehearsal)",
            role=role,
            at=self.aws.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            link="",
            text=text,
            facts=facts or {},
        )
        enter(Archive(self.stage.root / self.stage.archive), params, entry, caller_arn="arn:aws:iam::rehearsal")

    def promoted(self, scene: Scene) -> Finished:
        """Runs a notebook that must promote."""
        return self._must(self.stage.run(scene), "PROMOTE")

    def prepared(self, env: str, notebook: str) -> None:
        """Deploys the resources, without traffic; then runs dashboard and alarms at the same time."""
        self._must(self.stage.run(Scene(notebook, env, "deploy the new resources")), "PLANNED")
        self.sign(f"{notebook}@{env}")
        # New resources and alarms need some minutes before their metrics can be judged.
        self.stage.soak(self.aws.now() + dt.timedelta(minutes=20))
        for finished in self.stage.side_by_side([Scene(DASHBOARD, env), Scene(ALARMS, env)]):
            self._must(finished, "PROMOTE")
        guard = drill_way.failing_guard(self.stage.params[env])
        if guard is not None and not self.stage.params[env].policy.has_users(
            env
        ):  # its own failures have to leave the guard's period
            period = guard.at(self.stage.params[env].policy.guard_phase(env)).period_s
            self.stage.soak(self.aws.now() + dt.timedelta(seconds=period, minutes=5))

    def through(self, scene: Scene, last: Finished | None = None) -> Finished:
        """Runs a notebook again whenever it says so, until it promotes; the notebook itself extends an undecided soak.

        Args:
            last: the first run, if it was made already.
        """
        last = last or self.stage.run(scene)
        while last.decision == "SOAK" and last.come_back_at:
            self.stage.soak(parse(last.come_back_at))
            last = self.stage.run(Scene(scene.notebook, scene.env, "look"))
        return self._must(last, "PROMOTE")

    def first_phase(self, notebook: str) -> None:
        """As `through`, with an interim look, and a check of the end of AppConfig's bake."""
        percent = self.production[notebook].percent
        shift = self._must(self.stage.run(Scene(notebook, what=f"shift to {percent:g} %")), "SOAK")
        set_at = self.aws.now()
        self.stage.soak(set_at + dt.timedelta(hours=INTERIM_H))
        look = self.stage.run(Scene(notebook, what="interim look", apply=False))
        self._must(look, "SOAK")
        if self.stage.params[places().prod].service.traffic.kind == "appconfig":  # no other home has a bake
            self.bake(set_at)
        self.stage.soak(parse(shift.come_back_at or ""))
        self.through(Scene(notebook, what="verdict at a declared look"))

    def bake(self, set_at: dt.datetime) -> None:
        """Waits for the end of AppConfig's bake, and checks that it comes by itself.

        Raises:
            AwsError: it did not.
        """
        end = set_at + dt.timedelta(hours=24)
        states = []
        for moment in (end - dt.timedelta(minutes=10), end + dt.timedelta(minutes=1)):
            self.stage.soak(moment)
            found = traffic.read_state(self.aws.client("appconfig"), self.stage.params[places().prod]).dial_deployment
            states.append(found.state if found else "none")
        before, after = states
        self.stage.board.say(f"  AppConfig's deployment: {before} ten minutes before hour 24, {after} after it")
        if states not in (["BAKING", "COMPLETE"], ["ROLLED_BACK", "ROLLED_BACK"]):
            raise AwsError(f"the bake was {before}, then {after}; expected BAKING, then COMPLETE")

    def first_week(self) -> Finished:
        """Runs the deprecation, the looks of the cadence, each at its time, and acceptance.

        A look cannot wait: jobs stay in the table for a day, and a later look finds none.
        """
        stage, start = self.stage, self.aws.now()
        self.promoted(Scene(DEPRECATE, what="archive and remove the old handler"))
        slots = cadence.slots(stage.params[places().prod].policy.cadence, start)
        for slot in slots:
            stage.soak(parse(slot.due), f" to {slot.name}")
            if slot is not slots[-1]:
                self._must(stage.run(Scene(WEEK, what=slot.name, apply=False)), "SOAK")
        self.through(Scene(WEEK, what="the last look of the week"))
        return self.promoted(Scene(ACCEPTANCE))

    def _must(self, finished: Finished, decision: str) -> Finished:
        if finished.decision != decision:
            raise Stopped(finished)
        return finished


def environments_of() -> tuple[tuple[str, str], ...]:
    """The steps before production in their order, and where each is applied."""
    at = places()
    return (
        (PREFLIGHT, at.prod),
        (DEV, at.dev),
        (DASHBOARD, at.staging),
        (ALARMS, at.staging),
        (STAGING, at.staging),
    )


def left_out() -> tuple[str, ...]:
    """Allowed in development, and no step of the rollout there."""
    at = places()
    return (f"{DASHBOARD}@{at.dev}", f"{ALARMS}@{at.dev}") if at.dev != at.staging else ()


def summary(rehearsal: Rehearsal, last: Finished, hours: float) -> int:
    """Prints the end: table, verdict, requests not served, report. Returns the exit code."""
    from runbook_lib.rollout.requirement import unserved

    board = rehearsal.board
    board.console.print(board.summary())
    board.say(f"[bold]{markup(last.headline)}[/]")
    accepted = last.notebook == ACCEPTANCE and last.decision == "PROMOTE"
    missing: list[str] = []
    if accepted:
        archive = Archive(rehearsal.root / rehearsal.archive)
        records = [archive.load(ref) for ref in archive.records(release=rehearsal.release)]
        missing = unserved(records, places().prod)
        for line in missing:
            board.say(f"[red]not served:[/] {line}")
    virtual = f"{hours / 24:.1f} virtual days" if hours >= 48 else f"{hours:.0f} virtual hours"
    board.say(f"{virtual} in {board.elapsed:.0f} s · {len(rehearsal.runs)} runs · {rehearsal.release}")
    if last.report:
        board.say(f"report: {shown(Path(last.report))}")
    if last.exit_code != Exit.OK:
        board.say(f"next:   {last.next}")
    if missing:
        return int(Exit.ERROR)
    return int(last.exit_code if accepted or last.exit_code else Exit.HOLD)
