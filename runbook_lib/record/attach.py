"""Attaching: the notebook of an interactive run, as saved in JupyterLab, is added to the record that the run sealed.

The sealed record stays as it is. The notebook lies in `attachments/<utc>/` with an `attachment.json` of its own that
names the record's hash; an entry in the release's chain names both (`record/attached.py`).
"""

from __future__ import annotations

import datetime as dt
import getpass
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from runbook_lib.base.errors import ArchiveError, UsageError
from runbook_lib.base.plain_file import read_plain
from runbook_lib.record.allowance import Allowance, without_unfinished
from runbook_lib.record.archive import Archive
from runbook_lib.record.attached import FACTS, FOLDER, KIND, attachments, spelt
from runbook_lib.record.entry import Entry, sealed
from runbook_lib.record.place import instant, path_of
from runbook_lib.record.record import Record
from runbook_lib.record.redact_notebook import notebook_json, redact_notebook
from runbook_lib.record.seal import gates_digest, record_hash

MIME = "application/vnd.runbook+json"
_NOTE = re.compile(r"\b[Rr](?:un|ecord)\s+([0-9a-f]{12})\b")


def stamp(run_id: str, decision: str | None, gates: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The data that closing a run displays under `MIME`, beside its HTML; attaching checks the notebook against it."""
    return {"run_id": run_id, "decision": decision, "gates": gates_digest(gates)}


def attach(path: Path, archive: Archive) -> Path:
    """Adds the saved notebook at `path`, with a report, to the record of the run whose outputs it contains.

    Returns:
        The folder of the attachment. The same notebook attached again gives the same folder.

    Raises:
        UsageError: `path` is not a notebook, was not run, or its run was not closed.
        ArchiveError: the record is missing or was altered, or the notebook's outputs contradict it.
    """
    from runbook_lib.record.links import Links
    from runbook_lib.record.report import report_html

    notebook = _read(path)
    said = _said(notebook, path)
    ref = archive.find(str(said["run_id"]))
    archive.verify(ref)
    record = archive.load(ref)
    _agree(said, record, path)
    _cut(notebook)
    redact_notebook(notebook)
    for cell in notebook["cells"]:
        without_unfinished(cell.get("outputs", []))
    content = notebook_json(notebook)
    sha = hashlib.sha256(content).hexdigest()
    for there in attachments(ref):
        if there["files"].get("notebook.ipynb") == sha:
            return ref.folder / FOLDER / str(there["name"])
    report = report_html(notebook, record, Links(archive.root, record, depth=2)).encode()
    now = archive.clock()
    facts: dict[str, Any] = {
        "record": record.hash,
        "run_id": record.run_id,
        "attached_at": now.astimezone(dt.UTC).isoformat(timespec="milliseconds"),
        "source": path.name,
        "checked": sorted(key for key in ("run_id", "decision", "gates", "hash") if said.get(key)),
        "files": {"notebook.ipynb": sha, "report.html": hashlib.sha256(report).hexdigest()},
    }
    facts["hash"] = record_hash(facts)
    folder = ref.folder / FOLDER / instant(now)
    files = {"notebook.ipynb": content, "report.html": report, FACTS: spelt(facts)}
    entry = Entry(
        kind=KIND,
        item=record.notebook,
        by=_person(),
        at=str(facts["attached_at"]),
        text=f"{path.name} attached",
        facts={"record": record.hash, "run_id": record.run_id, "attachment": facts["hash"]},
    )
    place = {"env": record.env, "release": record.release, "account_id": record.account_id}
    sealed(archive, {**record.params, **place}, entry)  # first: an entry without its attachment does no harm
    with archive.lock(record.release):
        archive.home.add(path_of(archive.root, folder), files)
    return folder


def _cut(notebook: Mapping[str, Any]) -> None:
    """Cuts, in place, the outputs to what a run may keep."""
    kept = Allowance()
    for number, cell in enumerate(notebook["cells"]):
        kept.begin(number)
        outputs = cell.get("outputs", [])
        for output in outputs:
            if isinstance(output.get("text"), list):
                output["text"] = "".join(output["text"])
        outputs[:] = [output for output in outputs if kept.take(output)]


def _person() -> str:
    """The name of the person who attaches: the user name on this machine."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def _read(path: Path) -> dict[str, Any]:
    try:
        notebook = json.loads(read_plain(path))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        notebook = None
    if not isinstance(notebook, dict) or notebook.get("nbformat") != 4 or not _shaped(notebook):
        raise UsageError(f"{path}: is not a Jupyter notebook (nbformat 4)")
    return notebook


def _shaped(notebook: Mapping[str, Any]) -> bool:
    """Whether a file has the shape that is read here. nbformat's own check refuses much that JupyterLab opens."""
    cells = notebook.get("cells")
    if not _are(dict, cells):
        return False
    outputs = [cell.get("outputs", []) for cell in cells or []]
    return (
        _object(notebook, "metadata")
        and all(_object(cell, "metadata") and _text(cell.get("source", "")) for cell in cells or [])
        and all(_are(dict, each) and all(map(_output, each)) for each in outputs)
    )


def _output(output: Mapping[str, Any]) -> bool:
    if not _object(output, "data") or not _object(output, "metadata") or not _are(str, output.get("traceback", [])):
        return False
    data = output.get("data", {})
    return all(map(_text, (output.get("text", ""), data.get("text/plain", ""), data.get("text/html", ""))))


def _are(kind: type, items: Any) -> bool:
    return isinstance(items, list) and all(isinstance(one, kind) for one in items)


def _object(node: Mapping[str, Any], name: str) -> bool:
    return isinstance(node.get(name, {}), dict)


def _text(text: Any) -> bool:
    return isinstance(text, str) or _are(str, text)


def _said(notebook: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The data in the last run's closing output; without it, at least the run id that the output printed."""
    stamps, printed = [], []
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if isinstance(data.get(MIME), dict) and data[MIME].get("run_id"):
                stamps.append(data[MIME])
            text = "".join(data.get("text/plain", "")) + "".join(output.get("text", ""))
            printed += _NOTE.findall(text)
    if stamps:
        return dict(stamps[-1])
    if printed:
        return {"run_id": printed[-1]}
    raise UsageError(f"{path}: carries no closed run; run it to its end, save it, and attach it then")


def _agree(said: Mapping[str, Any], record: Record, path: Path) -> None:
    facts = {"decision": record.decision, "gates": gates_digest(record.gates), "hash": record.hash}
    for key, fact in facts.items():
        if said.get(key) and said[key] != fact:
            shown = f" ({said[key]} there, {fact} here)" if key == "decision" else ""
            raise ArchiveError(f"{path}: its {key} is not that of record {record.run_id}{shown}")
