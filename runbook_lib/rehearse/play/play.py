"""Plays a scenario through the notebooks: shift, looks, decision, the rollback's own notebook, and the curve's turn.

Everything before production may be taken as passed (`start_phase`), for practice. The end is compared with the one
that the scenario declares.
"""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

from runbook_lib.act.guard import Guard
from runbook_lib.act.traffic import shift as act
from runbook_lib.act.traffic.homes import home_of
from runbook_lib.base.errors import UsageError
from runbook_lib.base.window import iso, parse
from runbook_lib.observe.traffic.weight import read_traffic
from runbook_lib.params.load import load, load_file, params_dir
from runbook_lib.record.archive import Archive
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.board import Board
from runbook_lib.rehearse.play.director import Rehearsal, Rehearsed, Scene, raised
from runbook_lib.rehearse.play.played import DRAIN, PATIENCE, Ended, detected_s, expected_words, found_words, turned
from runbook_lib.rehearse.play.rollout import DEPRECATE, PHASE3, WEEK, Rollout, Stopped
from runbook_lib.rehearse.play.stage import overlaid, places, shown, take_as_passed
from runbook_lib.rehearse.world.scenario import Scenario, played
from runbook_lib.rehearse.world.scenario import find as scenario_of
from runbook_lib.run.launch import Finished

HISTORY_H = 24
ANSWER_RUNS = 12
"""Most runs of a rollback's notebook: it says itself when it must be run again."""
CALM_MIN = 20
"""Minutes after the last action before the curve is checked: longer than a poll, a job and a quarter of an hour."""


class Play(Rollout):
    """One scenario, from a phase (or from preflight) to its end."""

    def __init__(self, rehearsal: Rehearsal, scenario: Scenario, start_phase: str) -> None:
        super().__init__(rehearsal)
        self.scenario, self.start_phase = scenario, start_phase
        self.shift_at: dt.datetime | None = None

    def play(self) -> Ended:
        """Plays the scenario to its end, whatever that is."""
        try:
            self.set_stage()
            last = self._phases()
        except Stopped as stopped:
            last = stopped.last
        return self._ended(last)

    def set_stage(self) -> None:
        """Goes to the first phase: rehearses the steps before it, or takes them as passed."""
        if not self.start_phase:
            self.before_production()
            return
        stage, notebook = self.stage, self.from_start()[0]
        stage.set_up("async", HISTORY_H)
        params = stage.params[places().prod]
        take_as_passed(stage.root / stage.archive, params, notebook, iso(self.aws.now()))
        before = params.policy.phases[notebook].before_percent
        if before:
            self._dial(before)
            self.shift_at = self.aws.now()
            # A shift by hand waits for the end of the bake, which AppConfig would refuse to interrupt.
            hours = 25 if self.scenario.by_hand else 1
            stage.soak(self.aws.now() + dt.timedelta(hours=hours), f" at {before:g} %")

    def _dial(self, percent: float, *, notebook: str = "") -> None:
        """Sets the dial without a notebook and without a record.

        Args:
            notebook: phase in whose name somebody does it at the console, with a bake and no step over 0; empty: in the
                way of the phase before.
        """
        prod = places().prod
        params = load({**overlaid(prod, self.stage.release), "mode": "apply", "confirm": prod})
        journal = SimpleNamespace(append=lambda *_, **__: None, append_or_stderr=lambda *_, **__: None)
        identity = SimpleNamespace(account=params.account_id, arn="arn:aws:iam::rehearsal", now=self.aws.now())
        about, hours = "taken as passed, for practice", 0.0
        if notebook:
            about = act.describe(release=params.release, notebook=notebook, attempt=params.attempt, run="by-hand")
            hours = params.policy.phases[notebook].soak_hours
        home = home_of(self.aws, Guard(params, identity, journal), params)
        plan = act.plan_shift(home.read(), percent, params, soak_hours=hours, description=about)
        if notebook:
            plan = plan.model_copy(update={"steps": plan.steps[-1:]})
        home.apply(plan)

    def from_start(self) -> list[str]:
        """The phases to play."""
        return [name for name in self.production if name >= self.start_phase]

    def _phases(self) -> Finished:
        for notebook in self.from_start():
            last = self._phase(notebook)
            if last.decision != "PROMOTE":
                return last
        if not self.scenario.notebooks_only:
            return last
        self.sign(f"{PHASE3}@{places().prod}")
        return self.first_week()

    def first_week(self) -> Finished:
        """As in the rollout; faults of the first week can begin from now on."""
        self.stage.worlds[places().prod].begin(DEPRECATE)
        return super().first_week()

    def _phase(self, notebook: str) -> Finished:
        """One phase: the shift, and looks until a decision."""
        stage, last = self.stage, self.shift(notebook)
        begun = self.aws.now()
        while last.decision == "SOAK" and last.come_back_at:
            looks = [begun + dt.timedelta(hours=hours) for hours in self.scenario.looks_h]
            due = [at for at in looks if at > self.aws.now() + dt.timedelta(minutes=2)]
            late = dt.timedelta(hours=self.scenario.late_h)
            stage.soak(min([parse(last.come_back_at) + late, *due]))
            last = stage.run(Scene(notebook, what="look"))
        return last

    def shift(self, notebook: str) -> Finished:
        """Approves the phase and sets its weight, by its notebook or by hand; faults that wait for it begin."""
        stage, weight = self.stage, self.stage.params[places().prod].policy.phases[notebook].percent
        self.approve(notebook)
        by_hand = self.scenario.by_hand and notebook[:2] == self.scenario.first_phase
        if by_hand:
            self._dial(weight, notebook=notebook)
        what = "look: the shift was made by hand" if by_hand else f"shift to {weight:g} %"
        last = stage.run(Scene(notebook, what=what))
        if last.decision == "PLANNED":
            # The first run of a release may find something to deploy; then the next run shifts.
            last = stage.run(Scene(notebook, what=f"shift to {weight:g} %"))
        if last.decision == "SOAK":
            stage.worlds[places().prod].begin(notebook)
        self.shift_at = self.shift_at or self.aws.now()
        return last

    def _ended(self, last: Finished) -> Ended:
        """The real end: after a ROLLBACK it runs the rollback's notebook, and checks the curve."""
        archive = Archive(self.stage.root / self.stage.archive)
        record = archive.load(archive.find(last.run_id))
        world = self.stage.worlds[places().prod]
        promoted = last.decision == "PROMOTE"
        taken = _taken_back(self.aws, self.stage) if record.moment == "taken_back" else None
        felt = None
        if not promoted and self.shift_at is not None:
            felt = detected_s(world.service, taken or record.as_of or self.aws.now(), self.shift_at)
        named = (record.outcome or {}).get("scenario")
        curve = self._curve(str(named)) if last.decision == "ROLLBACK" and named is not None else None
        return Ended(
            scenario=self.scenario.name,
            seed=self.stage.seed,
            decision=last.decision or last.status,
            phase="" if promoted else last.notebook[:2],
            by="" if promoted else "AppConfig" if taken else "look" if record.moment == "after" else "watch",
            rollback=int(str(named)[-1]) if named and not promoted else None,
            detect_s=felt,
            recovered=curve,
            reason=last.reason,
        )

    def _curve(self, named: str) -> bool:
        """Runs the rollback's notebook and lets time pass; returns whether the curve turns."""
        stage, world, params = self.stage, self.stage.worlds[places().prod], self.stage.params[places().prod]
        begun = self.aws.now()
        self._answer(named)
        stage.soak(self.aws.now() + dt.timedelta(minutes=CALM_MIN), ": does the curve turn?")
        end = self.aws.now() + PATIENCE
        while True:
            found = turned(world.service, world.truth, params, (begun + DRAIN).timestamp())
            if found is not None or self.aws.now() >= end:
                return bool(found)
            stage.soak(self.aws.now() + DRAIN, ": too few jobs to tell yet")

    def _answer(self, named: str) -> None:
        """Runs the rollback's notebook as often as needed; if it is no cure, runs scenario 1's, as it says.

        Nobody gives a reason: a mitigation acts on the symptoms that it finds itself.
        """
        stage, rollbacks = self.stage, self.stage.params[places().prod].policy.rollbacks
        notebook = next(name for name in rollbacks if name.startswith(f"{named}_"))
        for count in range(ANSWER_RUNS):
            last = stage.run(Scene(notebook, what="rollback" if not count else "once more"))
            if not count and last.decision is None and self._no_symptom(last):
                return  # nothing was changed, and there was nothing to cure
            if last.decision in (None, "ROLLBACK") and not notebook.startswith("rollback_1"):
                self._answer("rollback_1")
                return
            if last.decision != "SOAK" or not last.come_back_at:
                return
            stage.soak(max(parse(last.come_back_at), self.aws.now() + dt.timedelta(minutes=1)))

    def _no_symptom(self, last: Finished) -> bool:
        """Whether the run was refused because it saw no symptom of its scenario."""
        archive = Archive(self.stage.root / self.stage.archive)
        checks = archive.load(archive.find(last.run_id)).checks
        return any(one["id"].endswith(".symptoms") and one["verdict"] != "PASS" for one in checks)


def _taken_back(aws: EmbeddedAws, stage: Rehearsal) -> str | None:
    """Time at which AppConfig took the weight back by itself; None: it did not."""
    state = read_traffic(aws, stage.params[places().prod], routes=False)
    return next((one.taken_back_at for one in state.history if one.taken_back_by == "CLOUDWATCH_ALARM"), None)


def play(name: str, *, seed: int = 7, start_phase: str = "", quiet: bool = False) -> Rehearsed:
    """Plays a scenario on an embedded AWS of its own.

    Args:
        start_phase: `06`, `07` or `08`: the steps before are taken as passed; empty: from preflight on.

    Raises:
        UsageError: no such scenario or phase, or the scenario does not declare its end.
        AwsError: the embedded AWS does not start or does not behave like AWS.
    """
    scenario = scenario_of(name)
    if scenario.expected is None:
        known = ", ".join(one.name for one in played())
        raise UsageError(f"scenario '{name}' does not say how it should end; these do: {known}")
    scenario.starts_at(start_phase)
    scenario.fits(load_file(params_dir() / f"{places().prod}.yaml").policy.phases)
    board = Board(quiet)
    with raised(name, seed, board) as rehearsal:
        began = rehearsal.aws.now()
        with board.showing(_rows(rehearsal, scenario, start_phase), rehearsal.aws.now):
            ended = Play(rehearsal, scenario, start_phase).play()
        hours = (rehearsal.aws.now() - began).total_seconds() / 3600
    wrong = ended.wrong(scenario)
    _summary(rehearsal, scenario, ended, wrong)
    return rehearsal.done(3 if wrong else 0, hours, ended)


def _rows(rehearsal: Rehearsal, scenario: Scenario, start_phase: str) -> list[tuple[str, str]]:
    policy = rehearsal.params[places().prod].policy
    phases = [
        (f"{name}@{places().prod}", policy.steps[name].title)
        for name in policy.phases_of(places().prod)
        if name >= start_phase
    ]
    before = [] if start_phase else [row for row in Rollout.steps(rehearsal) if row[0][:2] < "06"]
    after = [DEPRECATE, WEEK] if scenario.notebooks_only else []
    week = [(f"{name}@{places().prod}", policy.steps[name].title) for name in after]
    return [
        *before,
        *phases,
        *week,
        *((f"{name}@{places().prod}", one.title) for name, one in policy.rollbacks.items()),
    ]


def _summary(rehearsal: Rehearsal, scenario: Scenario, ended: Ended, wrong: list[str]) -> None:
    """Prints the last table: the declared end, and the real one."""
    from rich.table import Table

    board = rehearsal.board
    assert scenario.expected is not None  # noqa: S101
    board.console.print(board.summary())
    table = Table(title=f"{scenario.title} ({scenario.name}, seed {ended.seed})", title_justify="left")
    for column in ("", "expected", "found"):
        table.add_column(column)
    felt = "" if ended.detect_s is None else f"{ended.detect_s / 60:.0f} virtual minutes"
    curve = {None: "", True: "it did", False: "it did not"}[ended.recovered]
    table.add_row("decision", expected_words(scenario.expected), found_words(ended))
    table.add_row("caught by", "", ended.by)
    table.add_row("time to detect", "", felt)
    table.add_row("the curve turns", scenario.expected.recovers, curve)
    board.console.print(table)
    board.say(f"[bold]{ended.reason}[/]")
    board.say("[red]not as declared:[/] " + "; ".join(wrong) if wrong else "[green]ended as declared[/]")
    if report := rehearsal.report():
        board.say(f"report: {shown(report)}")
