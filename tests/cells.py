"""Notebooks with parameters of their own, run here cell by cell: a kernel would take seconds more."""

from __future__ import annotations

import contextlib
import functools
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from matplotlib.backends.backend_agg import FigureCanvasAgg

from runbook_lib.base.errors import RunbookError
from runbook_lib.params.load import params_dir, read_yaml
from runbook_lib.record.archive import Archive
from runbook_lib.record.place import PARAMS
from runbook_lib.record.record import Record
from runbook_lib.steps import harm
from tests import unpainted
from tests.kept import forecast

ROOT = params_dir(Path(__file__).parent).parent
FORECAST = forecast(harm.forecast)


class Notebooks:
    """Notebooks with a parameters folder of their own, cell by cell."""

    folder: Path
    file: Path

    def copied(self, flat: dict[str, Any]) -> Path:
        """The parameters of an environment, in a folder that is theirs."""
        source = self.folder / "params"
        source.mkdir(exist_ok=True)
        for name in ("service", "gates", "prices", "inventory", "dashboard", "commands", "load", "rehearsal-commands"):
            (source / f"{name}.yaml").write_text((ROOT / "params" / f"{name}.yaml").read_text())
        file = source / f"{flat['env']}.yaml"
        file.write_text(yaml.safe_dump({**flat, "archive": str(self.folder / "archive")}))
        return file

    def run(self, notebook: str, **values: Any) -> Record:
        """Every cell but the charts."""
        namespace: dict[str, Any] = {"__name__": "notebook"}
        flat = {**read_yaml(self.file), **values}
        cells = json.loads((ROOT / "notebooks" / f"{notebook}.ipynb").read_text())["cells"]
        with contextlib.chdir(ROOT), pytest.MonkeyPatch.context() as patch:
            patch.setenv(PARAMS, str(self.file.parent))
            patch.setattr(harm, "shown", functools.partial(harm.shown, chart=False))
            patch.setattr(harm, "forecast", FORECAST)
            patch.setattr(FigureCanvasAgg, "draw", unpainted.draw)
            try:
                for cell in cells:
                    source = "".join(cell["source"])
                    if cell["cell_type"] == "code" and "charts" not in source:
                        exec(source, namespace)
                        namespace |= flat if "parameters" in cell["metadata"].get("tags", []) else {}
            except RunbookError as error:
                run = namespace.get("run")
                if run is None:
                    raise
                if run.staging.exists():
                    run.fail(error)
        archive = Archive(self.folder / "archive")
        ref = archive.records(notebook=notebook)[-1]
        archive.verify(ref)
        return archive.load(ref)
