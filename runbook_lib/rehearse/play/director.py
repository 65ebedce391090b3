"""The director: sets the stage, runs notebooks, and lets virtual time pass between them."""

from __future__ import annotations

import atexit
import contextlib
import datetime as dt
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from runbook_lib.act.requests.smoke import smoke
from runbook_lib.base import scratch
from runbook_lib.base.errors import AwsError, UsageError
from runbook_lib.base.nearest import hint
from runbook_lib.base.project import delivered, visible
from runbook_lib.commands.init.folder import filled_cell
from runbook_lib.observe.jobs.behind import Behind
from runbook_lib.observe.references import with_secrets
from runbook_lib.params.load import project_root
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.board import Board
from runbook_lib.rehearse.play.nursery import Nursery
from runbook_lib.rehearse.play.played import Ended
from runbook_lib.rehearse.play.stage import only, overlay_only, params_of, places
from runbook_lib.rehearse.sandbox.deploy import deploy_all
from runbook_lib.rehearse.world.world import World, advance_all
from runbook_lib.run.launch import Finished, launch, prestart

DAYS_AGO = 28
"""Days from the virtual start to now: virtual days must be past, since the handlers sign links by the real clock."""


def curtain(now: dt.datetime) -> dt.datetime:
    """The virtual start of a rehearsal: always the same hour of the day, so that a seed gives the same days."""
    return now.replace(hour=3, minute=0, second=0, microsecond=0) - dt.timedelta(days=DAYS_AGO)


@dataclass(frozen=True)
class Rehearsed:
    """The end of a rehearsal."""

    release: str
    scenario: str
    seed: int
    runs: tuple[Finished, ...]
    virtual_hours: float
    seconds: float
    exit_code: int
    ended: Ended | None = None
    """The end of a played scenario, to be compared with the declared one."""

    def as_dict(self) -> dict[str, Any]:
        """The end as JSON, for `--json`."""
        return asdict(self)


@dataclass(frozen=True)
class Scene:
    """One run of one step of the rollout."""

    notebook: str
    """The step; `gates.yaml` may name another notebook for it."""
    env: str = field(default_factory=lambda: places().prod)
    what: str = ""
    apply: bool = True
    as_of: str = ""

    @property
    def key(self) -> str:
        """`notebook@environment`."""
        return f"{self.notebook}@{self.env}"


def copied(release: str) -> Path:
    """The delivered notebooks for a project without any: a copy whose parameters cells name the project's release."""
    folder = scratch.made("notebooks")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for path in visible(delivered() / "notebooks", "ipynb"):
        (folder / path.name).write_text(filled_cell(path.read_text("utf-8"), {"release": release}), encoding="utf-8")
    return folder


class Rehearsal:
    """One rehearsal on one embedded AWS: three environments, the users of prod, and the runs so far."""

    def __init__(self, aws: EmbeddedAws, scenario: str, seed: int, board: Board) -> None:
        self.aws, self.scenario, self.seed, self.board = aws, scenario, seed, board
        self.release = f"rehearsal-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}"
        self.params = {env: params_of(env, self.release) for env in places().every}
        self.root = project_root()
        own = self.root / "notebooks"
        self.notebooks = own if own.is_dir() else copied(self.params[places().prod].release)
        self.archive = self.params[places().prod].archive
        self.nursery = Nursery()
        self.runs: list[Finished] = []
        self.worlds: dict[str, World] = {}
        self._told = aws.now().timestamp()
        self._warm = 0

    def set_up(self, step: str, history_h: float) -> None:
        """Deploys the stacks at `step` of the infrastructure in all environments, and gives prod's users some hours."""
        every = places().every
        with self.board.step(f"stacks for {', '.join(every[:-1])} and {every[-1]} ({step})") as said:
            sandboxes = deploy_all(self.aws, list(self.params.values()), step=step)
            said.append(", ".join(sandbox.params.name("stack") for sandbox in sandboxes))
        self.people(places().prod, self.scenario)
        with self.board.step(f"{history_h:g} h of traffic before the rollout") as said:
            self.advance(self.aws.now() + dt.timedelta(hours=history_h))
            said.append(self.traffic())

    def smoke(self, env: str) -> None:
        """Sends requests through the real handlers.

        Raises:
            AwsError: an answer was wrong.
        """
        sandbox = deploy_all(self.aws, [self.params[env]])[0]
        with self.board.step(f"smoke requests through the real handlers ({env})") as said:
            params = sandbox.params
            steps = smoke(
                sandbox.api_url,
                probe_id="smoke",
                routes=params.service.api.routes,
                contract=with_secrets(params.service.contract, self.aws, env),
                behind=Behind(self.aws, params),
            )
            failed = [step for step in steps if not step.ok]
            if failed:
                raise AwsError(f"smoke: {failed[0].name}: {failed[0].detail}")
            said.append(f"{len(steps)} of {len(steps)} as they should be")

    def people(self, env: str, scenario: str) -> None:
        """Adds users to an environment, from now on."""
        self.worlds[env] = World(self.aws, self.params[env], scenario=scenario, seed=self.seed)

    def leave(self, env: str) -> None:
        """Removes the users of an environment."""
        del self.worlds[env]

    def advance(self, until: dt.datetime) -> None:
        """Lets virtual time pass for everybody, while kernels for the next runs boot."""
        self.warm(1)
        advance_all(list(self.worlds.values()), until)

    def warm(self, kernels: int) -> None:
        """Starts this many kernels for the next runs: each takes the oldest."""
        while self._warm < kernels:
            prestart(self.root / self.archive, self.root / "params", self.root, self.nursery.provisioner)
            self._warm += 1

    def traffic(self) -> str:
        """The requests of prod's users since the last call."""
        since, self._told = self._told, self.aws.now().timestamp()
        tally = self.worlds[places().prod].truth.between(since)
        return f"{tally.sync:,} sync and {tally.submitted:,} async requests"

    def run(self, scene: Scene, **values: Any) -> Finished:
        """Runs a notebook with its environment's own parameters."""
        self.warm(1)
        self._warm -= 1
        given = {"mode": "apply", "confirm": scene.env} if scene.apply else {}
        overlay = overlay_only(self.release) if self.root == project_root() else {}
        title = f"{self.aws.now():%d %b %H:%M}  {scene.key}  {scene.what}"
        step = self.params[scene.env].policy.steps.get(scene.notebook)
        by = step.notebook if step else ""
        told = {"rollout_step": scene.notebook} if by else {}
        with self.board.step(title, scene.key) as said:
            finished = launch(
                self.notebooks / f"{by or scene.notebook}.ipynb",
                self.root / "params" / f"{scene.env}.yaml",
                {**overlay, **given, "as_of": scene.as_of, **told, **values},
                root=self.root,
            )
            said.append(finished.word)
        self.runs.append(finished)
        return finished

    def side_by_side(self, scenes: Sequence[Scene]) -> list[Finished]:
        """Runs independent notebooks at the same time."""
        self.warm(len(scenes))
        with ThreadPoolExecutor(len(scenes)) as pool:
            return list(pool.map(self.run, scenes))

    def soak(self, until: dt.datetime, why: str = "") -> None:
        """Lets virtual hours pass."""
        hours = (until - self.aws.now()).total_seconds() / 3600
        if hours <= 0:
            return
        with self.board.step(f"{self.aws.now():%d %b %H:%M}  {hours:.1f} h go by{why}") as said:
            self.advance(until + dt.timedelta(seconds=30))
            said.append(self.traffic())

    def pause(self, seconds: float) -> None:
        """Waits for real seconds."""
        time.sleep(seconds)

    def report(self) -> Path | None:
        """Path of the newest report."""
        reports = [run.report for run in self.runs if run.report]
        return Path(reports[-1]) if reports else None

    def done(self, exit_code: int, hours: float, ended: Ended | None = None) -> Rehearsed:
        """The end after this many virtual hours."""
        return Rehearsed(
            release=self.release,
            scenario=self.scenario,
            seed=self.seed,
            runs=tuple(self.runs),
            virtual_hours=round(hours, 1),
            seconds=round(self.board.elapsed, 1),
            exit_code=exit_code,
            ended=ended,
        )


@contextlib.contextmanager
def raised(scenario: str, seed: int, board: Board) -> Iterator[Rehearsal]:
    """A rehearsal on an embedded AWS of its own, which ends with it.

    Raises:
        AwsError: the embedded AWS does not start or does not behave like AWS.
    """
    with board.step("embedded AWS") as said:
        aws = EmbeddedAws(curtain(dt.datetime.now(dt.UTC)), region=params_of(places().prod, "rehearsal").region)
        said.append(f"{aws.endpoint}, virtual time {aws.now():%Y-%m-%d %H:%M} UTC")
    with aws, only(aws.env):
        rehearsal = Rehearsal(aws, scenario, seed, board)
        with rehearsal.nursery:
            yield rehearsal


def rehearse(*, scenario: str = "healthy", seed: int = 7, quiet: bool = False) -> Rehearsed:
    """Runs the whole rollout, from preflight to acceptance, on the embedded AWS.

    Args:
        scenario: a file in `rehearse/scenarios`: the behaviour of prod's service.
        seed: seed of the world; the same seed gives the same days.
        quiet: progress goes to standard error, nothing to standard output.

    Raises:
        UsageError: an unknown scenario, or the `rehearse` extra is missing.
        AwsError: the embedded AWS does not start or does not behave like AWS.
    """
    from runbook_lib.rehearse.play.rollout import Rollout, summary
    from runbook_lib.rehearse.world.scenario import names

    if scenario not in names():
        raise UsageError(f"scenario '{scenario}': there is no scenario of that name; {hint(scenario, names())}")
    board = Board(quiet)
    with raised(scenario, seed, board) as rehearsal:
        began = rehearsal.aws.now()
        with board.showing(Rollout.steps(rehearsal), rehearsal.aws.now):
            last = Rollout(rehearsal).walk()
        hours = (rehearsal.aws.now() - began).total_seconds() / 3600
    return rehearsal.done(summary(rehearsal, last, hours), hours)
