"""The staging folder of a run: made here, closed by the archive. Light: a rollback loads it first."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path

from runbook_lib.base.errors import ArchiveError
from runbook_lib.record import owner
from runbook_lib.record.seal import write_folder

NAME = ".staging"


def stage(
    root: Path, env: str, release: str, notebook: str, run_id: str, origin: str, now: dt.datetime, output: str | None
) -> Path:
    """See `Archive.stage`, which this is for whoever cannot wait for the archive to be loaded.

    Raises:
        ArchiveError: the archive cannot be written, or the run is staged already.
    """
    if not re.fullmatch(r"[A-Za-z0-9]+", run_id):
        raise ArchiveError(f"run id '{run_id}': wants letters and digits only")
    facts = {
        **owner.owner(),
        "run_id": run_id,
        "env": env,
        "release": release,
        "notebook": notebook,
        "origin": origin,
        "staged_at": now.isoformat(timespec="milliseconds"),
        "output": output,
    }
    write_folder(root / NAME / run_id, {owner.FILE: json.dumps(facts, indent=1).encode()})
    return root / NAME / run_id
