"""The staging folder of a run: made here, removed by the archive. Light: a rollback loads it first."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runbook_lib.base.errors import ArchiveError, done_here
from runbook_lib.base.plain_file import read_plain
from runbook_lib.base.redact_data import redact
from runbook_lib.base.scratch import is_here, lives, owner
from runbook_lib.record import journal
from runbook_lib.record.seal import replace_file, write_folder

NAME = ".staging"


def stage(
    root: Path,
    env: str,
    release: str,
    notebook: str,
    run_id: str,
    origin: str,
    now: dt.datetime,
    output: str | None,
    params: Mapping[str, Any] | None = None,
) -> Path:
    """`Archive.stage` without loading the archive; for the kill switch.

    Args:
        params: the run's flat parameters, for a run that ends before its journal has them.

    Raises:
        ArchiveError: the archive cannot be written, or the run is staged already.
    """
    if not re.fullmatch(r"[A-Za-z0-9]+", run_id):
        raise ArchiveError(f"run id '{run_id}': expects letters and digits only")
    facts = {
        **owner(),
        "run_id": run_id,
        "env": env,
        "release": release,
        "notebook": notebook,
        "origin": origin,
        "staged_at": now.isoformat(timespec="milliseconds"),
        "output": output,
        "params": redact(dict(params or {})),
    }
    folder = root / NAME / run_id
    write_folder(folder, {FILE: json.dumps(facts, indent=1, default=str).encode()})
    unsealed[folder] = root
    return folder


unsealed: dict[Path, Path] = {}
"""Each staging folder that this process has made and nobody has tried to seal, with its archive: a process that ends
early seals them (`sealing.cut_short`).
"""
FILE = "owner.json"
ENDED = "ended.json"
"""File that says how a run ended that could not be sealed: its status, error and notebook."""
_ENDED_AS = "ended-"
"""Beginning of the name of an empty file that says how a run ended, where not even `ENDED` could be written."""
STATUSES = ("completed", "failed", "cancelled", "died")
MARKS = frozenset({ENDED, journal.OWING, *(f"{_ENDED_AS}{one}" for one in STATUSES)})
"""Files of a staging folder that say what could not be written, and are not part of the record."""
_FOREIGN_AFTER = dt.timedelta(days=7)
"""Age at which a journal of another host or container is closed as died: its process cannot be checked from here."""


def alive(who: Mapping[str, Any], staging: Path) -> bool:
    """Whether the process noted in `owner.json` may still be writing to `staging`, or has just sealed it."""
    if is_here(who):
        return lives(who)
    with contextlib.suppress(FileNotFoundError):
        return journal.utc_now() - _touched(staging) < _FOREIGN_AFTER
    return True


def _touched(staging: Path) -> dt.datetime:
    path = staging / journal.FILE
    stat = (path if os.path.lexists(path) else staging).stat()  # False where this user may not look
    return dt.datetime.fromtimestamp(stat.st_mtime, dt.UTC)


def facts(staging: Path) -> dict[str, Any]:
    """`owner.json` of a staging folder. If it is missing or spoilt, what the journal says: a run is not lost with it.
    Empty: neither says anything.
    """
    try:
        loaded = json.loads(read_plain(staging / FILE))
    except (OSError, ValueError):
        loaded = None
    return loaded if isinstance(loaded, dict) else _opened(staging)


def _opened(staging: Path) -> dict[str, Any]:
    said = next((one for one in journal.read_events(staging) if one["event"] == "opened"), {})
    params = said.get("params")
    if not isinstance(params, dict):
        return {}
    where = {name: str(params.get(name) or "") for name in ("env", "release")}
    return {**where, "run_id": staging.name, "notebook": str(said.get("notebook") or ""), "origin": said.get("origin")}


def keep_end(staging: Path, status: str, error: Any, notebook: Any) -> None:
    """Writes down how a run ended that cannot be sealed now, so that a later sweep seals it so and not as died.

    Args:
        error: a sentence, or the fields of a `Problem`.
    """
    unsealed.pop(staging, None)
    facts = {"status": status, "error": error, "notebook": notebook}
    try:
        replace_file(staging / ENDED, json.dumps(facts).encode())
    except (ArchiveError, OSError, ValueError, TypeError):
        with contextlib.suppress(OSError):
            (staging / f"{_ENDED_AS}{status}").touch()  # a disk that is full still takes a name


def ended(staging: Path) -> dict[str, Any] | None:
    """The facts that `keep_end` wrote; None: there are none."""
    try:
        found = json.loads(read_plain(staging / ENDED))
        return {name: found[name] for name in ("status", "error", "notebook")}
    except (OSError, ValueError, KeyError, TypeError):
        status = next((one for one in STATUSES if os.path.lexists(staging / f"{_ENDED_AS}{one}")), None)
        why = None if status == "completed" else "its end could not be written (the disk was full)"
        return {"status": status, "error": why, "notebook": left_behind(facts(staging))} if status else None


def left_behind(who: dict[str, Any]) -> dict[str, Any] | None:
    """The notebook as papermill had written it so far, if its run id matches; else None."""
    try:
        loaded = json.loads(read_plain(Path(str(who["output"]))))
        return loaded if loaded["metadata"]["runbook"]["run_id"] == who["run_id"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def rescue(folder: Path, archive: Path) -> bool:
    """Copies a killed run's notebook from a temporary folder into the run's staging folder.

    Returns:
        Whether nothing in `folder` is needed any more.
    """
    for staging in (archive / NAME).glob("*"):
        who = facts(staging)
        output = Path(str(who.get("output") or ""))
        if output.parent != folder:
            continue
        if left_behind(who) is not None:
            with contextlib.suppress(ArchiveError, OSError):
                shutil.copyfile(output, staging / "notebook.ipynb")
                replace_file(staging / FILE, json.dumps({**who, "output": str(staging / "notebook.ipynb")}).encode())
                continue
            return False
    return True


def remove(staging: Path) -> None:
    """Removes a staging folder: hidden at once, then deleted."""
    unsealed.pop(staging, None)
    done_here.pop(staging.name, None)
    done = staging.with_name(f".done-{staging.name}")
    with contextlib.suppress(OSError):
        staging.rename(done)
    shutil.rmtree(done, ignore_errors=True)
    journal.forget(staging)
