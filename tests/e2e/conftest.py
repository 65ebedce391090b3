"""A stage for whole runs: an embedded AWS with prod's sandbox, shared; each test has its own release and archive.

Virtual time begins on a fixed day, so that a test sees the same random numbers for ever, and goes on from test to test.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from runbook_lib.act import alarms
from runbook_lib.act.guard import Guard
from runbook_lib.act.traffic import shift as act
from runbook_lib.act.traffic.dial import AppConfigTraffic
from runbook_lib.base.errors import RedVerdict, RunbookError
from runbook_lib.cli.entry import main
from runbook_lib.observe.traffic import deployments
from runbook_lib.observe.traffic import state as traffic
from runbook_lib.params.load import Params, load_file, read_yaml
from runbook_lib.record import kernel
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.entry import Entry, enter
from runbook_lib.record.journal import Journal
from runbook_lib.record.place import RecordRef, new_run_id
from runbook_lib.record.record import Record
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import only
from runbook_lib.rehearse.sandbox.deploy import deploy
from runbook_lib.rehearse.world.world import World
from runbook_lib.rollout.approval import evidence
from runbook_lib.run.launch import Finished, launch, prestart
from runbook_lib.show import tables
from runbook_lib.steps import harm
from tests import unpainted
from tests.kept import forecast
from tests.kernels import nursery

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks" / "06_phase1_10_percent.ipynb"
PHASE2 = ROOT / "notebooks" / "07_phase2_50_percent.ipynb"
PHASE3 = ROOT / "notebooks" / "08_phase3_100_percent.ipynb"
_BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The quickest first: the shell takes a quarter less processor time for the same pages."""
CHROMIUM = next(filter(None, map(shutil.which, _BROWSERS)), None)
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
START = dt.datetime(2025, 6, 16, 3, tzinfo=dt.UTC)
MORNING = 8
QUIET = dt.timedelta(hours=2)
"""Longer than the guards' periods: so long after its last metric every guard is OK again."""
_TIMEOUT_S = 100
FORECAST = forecast(harm.forecast)


class Asked:
    """The answers of AppConfig that never change, for all clients of a stage, and not for each: all tests of a worker
    share the stage's history, and each run has clients of its own. What is over is asked for again when it is listed
    otherwise (`observe/traffic/deployments.py`).
    """

    def __init__(self) -> None:
        self._known: dict[str, dict[tuple[Any, ...], Any]] = {}

    def setdefault(self, client: Any, _: object) -> dict[tuple[Any, ...], Any]:
        """What clients of this one's AWS know."""
        return self._known.setdefault(client.meta.endpoint_url, {})


DEPLOYED, VERSIONS = Asked(), Asked()


class Rollout:
    """One release on the shared stage, with an archive of its own."""

    def __init__(self, aws: EmbeddedAws, release: str, archive: Path, env: str = "prod") -> None:
        # A fixture of a module is made again where its tests come back to a worker, and the stage remembers the first.
        self.aws, self.release, self.env = aws, f"{release}-{new_run_id()}", env
        self.file = ROOT / "params" / f"{env}.yaml"
        self.folder = archive
        self.values: dict[str, Any] = {
            **read_yaml(ROOT / "params" / "rehearsal.yaml"),
            "release": self.release,
            "archive": str(archive),
        }
        self.params: Params = load_file(self.file, self.values)
        self.apply = {"mode": "apply", "confirm": env}

    @property
    def archive(self) -> Archive:
        return Archive(self.folder)

    def seal(self, notebook: str, env: str = "prod", decision: str = "PROMOTE", **events: Any) -> RecordRef:
        """A sealed record that says so, as if the notebook had been applied there; `events` go into its journal."""
        run_id = new_run_id()
        staging = self.archive.stage(env, self.release, notebook, run_id, "test")
        journal = Journal(staging)
        flat = {**self.params.flat.model_dump(mode="json"), "env": env, "mode": "apply"}
        journal.append("opened", run_id=run_id, notebook=notebook, origin="test", params=flat)
        for event, data in events.items():
            journal.append(event, **data)
        journal.append("closed", decision=decision, said=None, reason="sealed by a test", next="")
        return seal_staged(self.archive, staging, status="completed")

    def passed(self, notebook: str, *but: str) -> None:
        """Everything that `notebook` expects before it shifts has passed, but for `but` (`notebook@environment`)."""
        step = self.params.policy.steps[notebook]
        for wanted in (*step.requires, *step.requires_to_shift):
            name, _, env = wanted.partition("@")
            if wanted not in but:
                self.seal(name, env)

    def approve(self, notebook: str, role: str, attempt: int = 1) -> None:
        """Somebody in that role approves it."""
        at = self.aws.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        params = load_file(self.file, {**self.values, "attempt": attempt})
        facts = {"evidence": [one.model_dump() for one in evidence(self.archive, params, notebook)]}
        entry = Entry(kind="approval", item=notebook, by="Somebody", role=role, at=at, facts=facts)
        enter(self.archive, params, entry, caller_arn="arn:aws:iam::test")

    def state(self) -> traffic.TrafficState:
        return traffic.read_state(self.aws.client("appconfig"), self.params, self.aws)

    def guard(self) -> Guard:
        """One that lets the test change the traffic, and writes nothing down."""
        journal = SimpleNamespace(append=lambda *_, **__: None, append_or_stderr=lambda *_, **__: None)
        params = load_file(self.file, {**self.values, **self.apply})
        identity = SimpleNamespace(account=params.account_id, arn="arn:test", now=self.aws.now())
        return Guard(params, identity, journal)

    def on_again(self) -> None:
        """The stage is shared: whoever comes next finds the switch on."""
        if not self.state().switch_on:
            self.quiet()
            AppConfigTraffic(self.aws.client("appconfig"), self.guard(), self.params).switch_on("between tests")

    def dial(self, percent: float, notebook: str = "") -> None:
        """Sets the dial as that notebook would have, without running it."""
        about = act.describe(release=self.release, notebook=notebook, attempt=1, run="test") if notebook else "test"
        plan = act.plan_shift(self.state(), percent, self.params, soak_hours=24 if percent else 0, description=about)
        AppConfigTraffic(self.aws.client("appconfig"), self.guard(), self.params).apply(plan)

    def begin(self) -> Rollout:
        """What comes before phase 1 has passed; nothing of another test is left: neither the switch nor the counts of
        another phase's guards.
        """
        self.passed("06_phase1_10_percent")
        self.on_again()
        alarms.put_in_force(self.aws, self.guard(), self.params, "06_phase1_10_percent")
        return self

    def quiet(self) -> None:
        """The next morning, after hours in which nobody came: dial at 0, nothing bakes, every guard is OK."""
        self.dial(0)
        earliest = self.aws.now() + QUIET
        morning = earliest.replace(hour=MORNING, minute=0, second=0, microsecond=0)
        self.aws.move_to(morning if morning >= earliest else morning + dt.timedelta(days=1))

    def forgotten(self) -> None:
        """So many days later that no step looks back on what was: for who had more traffic than the stage can serve."""
        self.aws.move_to(self.aws.now() + dt.timedelta(days=self.params.policy.baseline.days))

    def world(self, scenario: str = "healthy", seed: int = 7) -> World:
        return World(self.aws, self.params, scenario, seed)

    def run(self, notebook: Path = NOTEBOOK, **values: Any) -> Finished:
        """As `runbook run` does it: papermill with our engine, a kernel of its own, which is a fork: each module has a
        process that has imported what they need. `test_ways.py` runs kernels that boot by themselves.
        """
        with only(self.aws.env):
            left = list(kernel._warm)  # of a rehearsal in this process
            prestart(self.folder, self.file.parent, ROOT, nursery().provisioner)
            finished = launch(notebook, self.file, {**self.values, **values}, root=ROOT)
        assert kernel._warm == left, "the fork was taken"
        return finished

    def command(
        self, *words: str, env: Mapping[str, str] | None = None, cwd: Path = ROOT
    ) -> subprocess.CompletedProcess[str]:
        """What `runbook` says to these words, in a fork of this process and with a kernel that is one, both soon there.

        What the test has patched is patched in the fork. `command` below starts the command itself.
        """
        files = [self.folder.with_name(f"{new_run_id()}.{name}") for name in ("out", "err")]
        around = {**self.aws.environ(), **(env or {})}

        def runs() -> None:
            for number, file in enumerate(files, 1):
                with file.open("wb") as opened:
                    os.dup2(opened.fileno(), number)
            sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
            os.chdir(cwd)
            os.environ.clear()
            os.environ.update(around)
            sys.argv = ["runbook", *words]
            if cwd == ROOT:
                prestart(self.folder, self.file.parent, ROOT, nursery().provisioner)
            main()

        code = by_a_fork(runs)
        return subprocess.CompletedProcess(words, code, *(file.read_text() for file in files))

    def by_hand_or_failed(self, notebook: Path = NOTEBOOK, **values: Any) -> Record:
        """As `by_hand_unchecked`; a run that breaks is sealed as failed, as the engine does it."""
        namespace: dict[str, Any] = {}
        try:
            return self.by_hand_unchecked(notebook, namespace, **values)
        except RunbookError as error:
            namespace["run"].fail(error)
            return self.archive.load(max(ref for ref in self.refs() if ref.notebook == notebook.stem))

    def by_hand_unchecked(
        self, notebook: Path = NOTEBOOK, namespace: dict[str, Any] | None = None, **values: Any
    ) -> Record:
        """All cells but the charts, here, as in JupyterLab; the run seals itself. A kernel would take seconds more.

        What AppConfig said of a deployment that is over is not asked for again by each run. The tables' small pictures
        are made and not painted, their plain text is not laid out. Both are where a kernel boots by itself. The
        forecast of harm is that of the first run whose policy and weight are the same.
        """
        flat = {**read_yaml(self.file), **self.values, **values}
        cells = [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]
        before = len(self.refs())
        namespace = {} if namespace is None else namespace
        namespace["__name__"] = "notebook"
        with (
            only(self.aws.env),
            contextlib.chdir(ROOT),
            pytest.MonkeyPatch.context() as patch,
            contextlib.suppress(RedVerdict),
        ):
            patch.setattr(harm, "shown", functools.partial(harm.shown, chart=False))
            patch.setattr(harm, "forecast", FORECAST)
            patch.setattr(deployments, "_over", DEPLOYED)
            patch.setattr(deployments, "_flags", VERSIONS)
            patch.setattr(FigureCanvasAgg, "draw", unpainted.draw)
            patch.setattr(tables, "_plain", lambda *_: "a table")
            for cell in cells:
                exec("".join(cell["source"]).replace("phase.charts()", ""), namespace)
                namespace |= flat if "parameters" in cell["metadata"].get("tags", []) else {}
        assert len(self.refs()) > before
        ref = max(ref for ref in self.refs() if ref.notebook == notebook.stem)
        return self.archive.load(ref)

    def by_hand(self, notebook: Path = NOTEBOOK, **values: Any) -> Record:
        """The same; and the archive is whole."""
        record = self.by_hand_unchecked(notebook, **values)
        self.records()
        return record

    def refs(self) -> list[RecordRef]:
        """Where the records of runs lie, without those that were sealed by the test itself."""
        archive = self.archive
        known = {*self.params.policy.steps, *self.params.policy.rollbacks}
        runs = (ref for ref in archive.records() if ref.notebook in known)
        return [ref for ref in runs if archive.load(ref).origin != "test"]

    def records(self) -> list[Record]:
        """The runs in the archive, which must be whole: every record verifies, nothing is left unsealed."""
        archive = self.archive
        for ref in archive.records():
            archive.verify(ref)
        assert [path.name for path in archive.staging.glob("*")] == []
        return [archive.load(ref) for ref in self.refs()]

    def record(self, finished: Finished) -> Record:
        return next(record for record in self.records() if record.run_id == finished.run_id)

    def settings(self, **values: Any) -> list[str]:
        """What `runbook run` is told: parameters file and overrides."""
        pairs = {**self.values, **values}
        return [
            "--params",
            str(self.file),
            *(part for key, value in pairs.items() for part in ("--set", f"{key}={value}")),
        ]

    def papermill_settings(self, **values: Any) -> list[str]:
        """What papermill is told: the same. `-r` takes text as it is, `-p` finds out the type."""
        pairs = {**self.values, **values}
        flags = ((("-r" if isinstance(value, str) else "-p"), key, str(value)) for key, value in pairs.items())
        return ["-f", str(self.file), *(part for flag in flags for part in flag)]


def by_a_fork(work: Callable[[], object]) -> int:
    """The exit code of a process that does it: a fork of this one, soon there."""
    nursery()  # a fork that asks for it first would have one of its own
    child = os.fork()
    if child == 0:
        code = 0
        try:
            work()
        except SystemExit as ended:
            code = int(ended.code or 0)
        except BaseException:
            traceback.print_exc()
            code = 99
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def command(
    arguments: Sequence[str | Path], env: Mapping[str, str], cwd: Path = ROOT, timeout: float = _TIMEOUT_S
) -> subprocess.CompletedProcess[str]:
    """A command line of the virtual environment that these tests run in."""
    program, *rest = map(str, arguments)
    start = [sys.executable, "-m", {"runbook": "runbook_lib.cli.app"}.get(program, program)]
    return subprocess.run(
        [*start, *rest], check=False, env=dict(env), cwd=cwd, timeout=timeout, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium. Not for longer than a module: while it is there, no event loop but its own can run."""
    if CHROMIUM is None:
        warnings.warn("no Chromium found: the browser tests are SKIPPED; install it to run them", stacklevel=1)
        pytest.skip("no Chromium found")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def stage() -> Iterator[EmbeddedAws]:
    """The embedded AWS of the end-to-end tests, with prod's sandbox."""
    with EmbeddedAws(START) as aws:
        deploy(aws, load_file(ROOT / "params" / "prod.yaml", read_yaml(ROOT / "params" / "rehearsal.yaml")))
        yield aws


@pytest.fixture
def rollout(stage: EmbeddedAws, request: pytest.FixtureRequest, tmp_path: Path) -> Rollout:
    """A rollout of prod that phase 1 has not begun; what comes before it has passed."""
    release = re.sub(r"\W+", "-", request.node.name).strip("-")
    return Rollout(stage, release, tmp_path / "archive").begin()


@pytest.fixture(name="command")
def _command() -> Any:
    """`command(["runbook", …], env)`: a subprocess that has ended."""
    return command
