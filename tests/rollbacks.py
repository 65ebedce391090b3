"""A rollback notebook run cell by cell on an embedded AWS, with the simulated world living on between two runs."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from pathlib import Path
from typing import Any
from weakref import WeakSet

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from runbook_lib.base.errors import RunbookError
from runbook_lib.params.load import load_file, params_dir, read_yaml
from runbook_lib.record.archive import Archive
from runbook_lib.record.record import Record
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.sandbox.deploy import deploy
from runbook_lib.rehearse.world.scenario import Scenario, load
from runbook_lib.rehearse.world.world import World
from runbook_lib.rollout.replay import replay
from runbook_lib.show import tables
from tests import unpainted
from tests.dial import set_dial

ROOT = params_dir(Path(__file__).parent).parent
FILE = ROOT / "params" / "prod.yaml"
START = dt.datetime(2025, 6, 16, 9, tzinfo=dt.UTC)
APPLY = {"mode": "apply", "confirm": "prod", "operator": "ana"}
_DEPLOYED: WeakSet[EmbeddedAws] = WeakSet()
"""Where production is there already: once more would be no update."""


class Place:
    """Production on an embedded AWS at 100 % async (or `percent`), and a notebook run on it."""

    def __init__(
        self,
        aws: EmbeddedAws,
        folder: Path,
        notebook: str,
        scenario: Scenario | str,
        seed: int = 3,
        percent: float = 100,
    ) -> None:
        self.aws, self.folder, self.notebook = aws, folder, notebook
        self.params = load_file(FILE, self.flat())
        if aws not in _DEPLOYED:
            deploy(aws, self.params)
            _DEPLOYED.add(aws)
        self._dial(percent)
        self.world = World(aws, self.params, at_once(scenario), seed=seed)
        self.archive = Archive(folder)

    def flat(self, **values: Any) -> dict[str, Any]:
        return {
            **read_yaml(FILE),
            **read_yaml(ROOT / "params" / "rehearsal.yaml"),
            "archive": str(self.folder),
            **values,
        }

    def _dial(self, percent: float) -> None:
        set_dial(self.aws.client("appconfig"), self.params, percent)

    def pass_time(self, **timedelta: float) -> None:
        self.world.advance_by(**timedelta)

    def run(self, **values: Any) -> Record:
        """Every cell; the record it leaves, whether the run ended well or not.

        Figures are made and not painted, tables' plain text is not laid out: both are in `tests/show`, and where a
        kernel boots by itself.
        """
        notebook = json.loads((ROOT / "notebooks" / f"{self.notebook}.ipynb").read_text())
        namespace: dict[str, Any] = {"__name__": "notebook"}
        with contextlib.chdir(ROOT), pytest.MonkeyPatch.context() as patch:
            patch.setattr(FigureCanvasAgg, "draw", unpainted.draw)
            patch.setattr(tables, "_plain", lambda *_: "a table")
            try:
                for cell in notebook["cells"]:
                    if cell["cell_type"] == "code":
                        exec("".join(cell["source"]), namespace)
                        if "parameters" in cell["metadata"].get("tags", []):
                            namespace |= self.flat(**values)
            except RunbookError as error:
                run = namespace.get("run")
                if run is not None and run.staging.exists():
                    run.fail(error)
        self.namespace = namespace
        record = self.record()
        if record.status == "completed":
            again = replay(self.archive, self.archive.records(notebook=self.notebook)[-1])
            assert (again.kind, again.identical) == ("rollback", True), again.differences
        return record

    def record(self) -> Record:
        """The newest of the notebook's records."""
        ref = self.archive.records(notebook=self.notebook)[-1]
        self.archive.verify(ref)
        return self.archive.load(ref)


def at_once(scenario: Scenario | str) -> Scenario:
    """The world with the faults that wait for a phase on from the beginning: here no phase is begun."""
    world = load(scenario) if isinstance(scenario, str) else scenario
    faults = [one.model_copy(update={"after": None, "start": 0.0}) if one.after else one for one in world.faults]
    return world.model_copy(update={"faults": tuple(faults)})


def verdicts(record: Record) -> dict[str, str]:
    return {one["id"]: one["verdict"] for one in record.checks}


def reason(record: Record) -> str:
    return str((record.outcome or {}).get("reason", record.error.sentence if record.error else ""))
