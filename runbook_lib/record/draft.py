"""A record before it is sealed: the journal as a record, and the notebook and report as files."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import Any

from runbook_lib.base.foreign import line, told
from runbook_lib.base.redact_file import redact_file
from runbook_lib.record import journal
from runbook_lib.record import staging as folders
from runbook_lib.record.allowance import MOST
from runbook_lib.record.from_journal import from_journal
from runbook_lib.record.record import Problem, Record, Status
from runbook_lib.record.redact_notebook import notebook_json, redact_notebook, redact_text
from runbook_lib.record.seal import file_hash


def drafted(staging: Path, status: Status, error: Problem | str | None) -> Record:
    """The record so far, after the journal has taken what it could not when it happened. Its run id is that of the
    staging folder's owner.
    """
    unsettled = journal.settle(staging)
    events, who = journal.read_events(staging), folders.facts(staging)
    problem = (
        error.model_copy(update={"sentence": told(redact_text(error.sentence))}) if isinstance(error, Problem) else None
    )
    if isinstance(error, str):
        noted = next((event.get("type") for event in reversed(events) if event["event"] == "error"), None)
        problem = Problem(type=str(noted or "Error"), sentence=told(redact_text(error)))
    record = from_journal(events, status=status, owner=who, error=problem)
    run_id, warnings = str(who.get("run_id") or staging.name), (*record.warnings, *unsettled)
    return record.model_copy(update={"run_id": run_id, "warnings": warnings})


def beside(staging: Path, but: Container[str]) -> tuple[dict[str, Path], dict[str, bytes], list[str]]:
    """The files that lie beside a run's notebook: those that are as they were attached, the content of the others, and
    warnings. Nobody has searched the others for secrets; a link could bring in any file of this machine.

    Args:
        but: names that are left out.
    """
    sure = {(one["name"], one["sha256"]) for one in journal.read_events(staging) if one["event"] == "attached"}
    copies, contents, warnings = {}, {}, []
    for path in staging.iterdir():
        if path.name in but or not (path.is_file() or path.is_symlink()):
            continue
        if path.is_symlink():
            warnings.append(f"{line(path.name)} is a link, and not in the record")
        elif path.name == journal.FILE or (path.name, file_hash(path)) in sure:
            copies[path.name] = path
        elif path.stat().st_size > MOST:
            warnings.append(f"{line(path.name)} has {path.stat().st_size:,} bytes, and is not in the record")
        else:
            contents[path.name] = redact_file(path.name, path.read_bytes())
    return copies, contents, warnings


def rendered(draft: Record, notebook: dict[str, Any] | None, root: Path) -> tuple[dict[str, bytes], list[str]]:
    """Notebook and report as files, and warnings: a report that cannot be drawn must not cost the record."""
    from runbook_lib.record.links import Links
    from runbook_lib.record.report import report_html

    contents: dict[str, bytes] = {}
    if notebook is not None:
        redact_notebook(notebook)
        contents["notebook.ipynb"] = notebook_json(notebook)
    try:
        contents["report.html"] = report_html(notebook, draft, Links(root, draft)).encode()
    except Exception as error:  # any error at all
        return contents, [f"the report could not be drawn ({type(error).__name__}: {error})"]
    return contents, []
