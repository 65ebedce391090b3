"""The director: runs a notebook, lets virtual time pass, runs the next, until the phase is decided."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runbook_lib.errors import AwsError, Exit
from runbook_lib.launch import Finished, launch
from runbook_lib.observe import traffic
from runbook_lib.params import project_root
from runbook_lib.record import engine
from runbook_lib.rehearse.embedded import EmbeddedAws
from runbook_lib.rehearse.sandbox import deploy_all
from runbook_lib.rehearse.smoke import smoke
from runbook_lib.rehearse.stage import ENVIRONMENTS, Progress, only, overlay_only, params_of, shown
from runbook_lib.rehearse.world import World

HISTORY_H = 24
"""Hours of traffic before the rollout begins: the baseline."""
NOTEBOOK = "06_phase1_10_percent"
INTERIM_H = 12
PRELOAD = "import runbook_lib.run, runbook_lib.phase, runbook_lib.show.charts, pandas, matplotlib.pyplot"
"""What the kernel of the next run imports while virtual time passes."""
DAYS_AGO = 10
"""The virtual days must lie before the real now: links that the handlers sign have the real clock."""


def curtain(now: dt.datetime) -> dt.datetime:
    """When a rehearsal's virtual time begins: always the same hour of the day, so that a seed gives the same days."""
    return now.replace(hour=3, minute=0, second=0, microsecond=0) - dt.timedelta(days=DAYS_AGO)


@dataclass(frozen=True)
class Rehearsed:
    """How a rehearsal ended."""

    release: str
    scenario: str
    seed: int
    runs: tuple[Finished, ...]
    virtual_hours: float
    seconds: float
    exit_code: int

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


class Rehearsal:
    """One rehearsal on one embedded AWS."""

    def __init__(self, aws: EmbeddedAws, scenario: str, seed: int, progress: Progress) -> None:
        self.aws = aws
        self.progress = progress
        self.release = f"rehearsal-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}"
        self.params = params_of("prod", self.release)
        self.root = project_root()
        self.archive = self.params.archive
        self.scenario = scenario
        self.seed = seed
        self.runs: list[Finished] = []
        self.world: World
        self._told = aws.now().timestamp()
        self._warm = 0

    def set_up(self) -> None:
        """Sandbox for all environments, smoke requests through the real handlers, a day of traffic."""
        with self.progress.step("sandbox stacks for dev, staging and prod") as said:
            sandboxes = deploy_all(self.aws, [params_of(env, self.release) for env in ENVIRONMENTS])
            said.append(", ".join(sandbox.params.name("stack") for sandbox in sandboxes))
        prod = next(sandbox for sandbox in sandboxes if sandbox.params.env == "prod")
        with self.progress.step("smoke requests through the real handlers (prod)") as said:
            steps = smoke(prod.api_url, probe_id="smoke")
            failed = [step for step in steps if not step.ok]
            if failed:
                raise AwsError(f"smoke: {failed[0].name}: {failed[0].detail}")
            said.append(f"{len(steps)} of {len(steps)} as they should be")
        self.world = World(self.aws, self.params, scenario=self.scenario, seed=self.seed)
        with self.progress.step(f"{HISTORY_H} h of traffic before the rollout") as said:
            self.advance(self.aws.now() + dt.timedelta(hours=HISTORY_H))
            said.append(self.traffic())

    def advance(self, until: dt.datetime) -> None:
        """Lets virtual time pass, while the kernel of the next run boots."""
        self.warm(1)
        self.world.advance(until)

    def warm(self, kernels: int) -> None:
        """Has so many kernels booting, or booted, for the runs to come: each takes the oldest."""
        while self._warm < kernels:
            engine.prestart(self.root / self.archive, preload=PRELOAD)
            self._warm += 1

    def traffic(self) -> str:
        """What the world has seen since the last time it was asked."""
        since, self._told = self._told, self.aws.now().timestamp()
        tally = self.world.truth.between(since)
        return f"{tally.sync:,} sync and {tally.submitted:,} async requests"

    def run(self, what: str, *, more: bool = False, **values: Any) -> Finished:
        """One run of the phase's notebook, with production's parameters; `more`: another run will follow."""
        self.warm(2 if more else 1)
        with self.progress.step(f"{self.aws.now():%d %b %H:%M}  {what}") as said:
            finished = launch(
                self.root / "notebooks" / f"{NOTEBOOK}.ipynb",
                self.root / "params" / "prod.yaml",
                {**(overlay_only(self.release) if self.root == project_root() else {}), **values},
                root=self.root,
            )
            said.append(f"[bold]{finished.decision or finished.status}[/]")
        self._warm = max(0, self._warm - 1)
        self.runs.append(finished)
        return finished

    def phase(self) -> Finished:
        """Plan and shift, an interim look, the final verdict; a soak that is not conclusive is extended."""
        shift = self.run("plan and shift to 10 %", more=True, mode="apply", confirm="prod")
        if shift.decision != "SOAK":
            return shift
        set_at = dt.datetime.fromisoformat(traffic.read(self.aws.client("appconfig"), self.params).since or "")
        self.soak(set_at + dt.timedelta(hours=INTERIM_H))
        last = self.run("interim look", more=True)
        self.bake(set_at, last)
        while last.decision == "SOAK" and last.come_back_at:
            self.soak(dt.datetime.fromisoformat(last.come_back_at))
            last = self.run("verdict at a declared look", mode="apply", confirm="prod")
        return last

    def soak(self, until: dt.datetime) -> None:
        """Virtual hours go by."""
        hours = (until - self.aws.now()).total_seconds() / 3600
        with self.progress.step(f"{self.aws.now():%d %b %H:%M}  {hours:.1f} h go by") as said:
            self.advance(until + dt.timedelta(seconds=30))
            said.append(self.traffic())

    def bake(self, set_at: dt.datetime, last: Finished) -> None:
        """AppConfig's bake ends at its hour, by itself: seen, not assumed."""
        if last.decision != "SOAK":
            return
        end = set_at + dt.timedelta(hours=24)
        self.soak(end - dt.timedelta(minutes=10))
        before = traffic.read(self.aws.client("appconfig"), self.params).dial_deployment
        self.soak(end + dt.timedelta(minutes=1))
        after = traffic.read(self.aws.client("appconfig"), self.params).dial_deployment
        states = (before.state if before else "none", after.state if after else "none")
        self.progress.say(f"  AppConfig's deployment: {states[0]} ten minutes before hour 24, {states[1]} after it")
        if states not in (("BAKING", "COMPLETE"), ("ROLLED_BACK", "ROLLED_BACK")):
            raise AwsError(f"the bake was {states[0]}, then {states[1]}; expected BAKING, then COMPLETE")


def rehearse(*, scenario: str = "healthy", seed: int = 7, quiet: bool = False) -> Rehearsed:
    """Phase 1 from plan to verdict on the embedded AWS.

    Args:
        scenario: a file in `rehearse/scenarios`.
        seed: of the world; the same seed gives the same days.
        quiet: progress goes to standard error, nothing to standard output.

    Raises:
        UsageError: an unknown scenario, or the `rehearse` extra is missing.
        AwsError: the embedded AWS does not start or does not do what AWS does.
    """
    progress = Progress(quiet)
    with progress.step("embedded AWS") as said:
        aws = EmbeddedAws(curtain(dt.datetime.now(dt.UTC)))
        said.append(f"{aws.endpoint}, virtual time {aws.now():%Y-%m-%d %H:%M} UTC")
    with aws, only(aws.env):
        began = aws.now()
        rehearsal = Rehearsal(aws, scenario, seed, progress)
        rehearsal.set_up()
        last = rehearsal.phase()
        hours = (aws.now() - began).total_seconds() / 3600
    _summary(progress, rehearsal, last, hours)
    return Rehearsed(
        release=rehearsal.release,
        scenario=scenario,
        seed=seed,
        runs=tuple(rehearsal.runs),
        virtual_hours=round(hours, 1),
        seconds=round(progress.elapsed, 1),
        exit_code=last.exit_code,
    )


def _summary(progress: Progress, rehearsal: Rehearsal, last: Finished, hours: float) -> None:
    from runbook_lib.judge.model import GateResult
    from runbook_lib.record.archive import Archive
    from runbook_lib.show.tables import gate_table

    archive = Archive(project_root() / rehearsal.params.archive)
    record = archive.load(archive.find(last.run_id))
    progress.say("")
    if record.gates:
        print_to = progress.console.file
        print(gate_table([GateResult.model_validate(gate) for gate in record.gates]), file=print_to)
    progress.say(f"\n[bold]{last.headline}[/]")
    progress.say(
        f"{hours:.0f} virtual hours in {progress.elapsed:.0f} s · {len(rehearsal.runs)} runs · {rehearsal.release}"
    )
    if last.report:
        progress.say(f"report: {shown(Path(last.report))}")
    if last.exit_code != Exit.OK:
        progress.say(f"next:   {last.next}")
