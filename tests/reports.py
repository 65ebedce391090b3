"""Reports of every kind to look at, from real rehearsals: packed once, drawn again by each test run with today's code.

`python tests/reports.py ARCHIVE ...` packs the newest record of each kind anew; its pictures are kept small.
"""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from runbook_lib.record.archive import Archive
from runbook_lib.record.links import Links
from runbook_lib.record.place import RecordRef
from runbook_lib.record.record import Record
from runbook_lib.record.report import report_html

PACKED = Path(__file__).parent / "fixtures" / "reports" / "archive.tar.xz"
_PNG = re.compile(r"(?<=data:image/png;base64,)[A-Za-z0-9+/=]+")


def unpacked(folder: Path) -> dict[str, Path]:
    """The report of each kind, drawn into its record in `folder`: of each notebook, and of each kind of entry."""
    shutil.unpack_archive(PACKED, folder)
    found = {}
    for root in sorted(folder.iterdir()):
        for kind, record, ref in _kinds(Archive(root)):
            found[kind] = ref.folder / "report.html"
            executed = ref.folder / "notebook.ipynb"
            notebook = json.loads(executed.read_bytes()) if executed.is_file() else None
            found[kind].write_text(report_html(notebook, record, Links(root, record)))
    return found


def _kinds(archive: Archive) -> Iterator[tuple[str, Record, RecordRef]]:
    for ref in archive.records():
        if not (ref.folder / "record.json").is_file():
            continue
        record = archive.load(ref)
        if record.origin != "practice":
            yield str((record.entry or {}).get("kind") or record.notebook), record, ref


def pack(archives: list[Path]) -> None:
    """The newest record of each kind, from the first archive that has it."""
    newest: dict[str, tuple[Path, RecordRef]] = {}
    for root in archives:
        of_here = {kind: (root, ref) for kind, _, ref in _kinds(Archive(root))}
        newest = {**of_here, **newest}
    with tarfile.open(PACKED, "w:xz", preset=9) as tar:
        for place, root in enumerate(archives):  # the other runs' reports: there, so that links lead somewhere
            for ref in Archive(root).records():
                tar.addfile(tarfile.TarInfo(f"{place}/{(ref.folder / 'report.html').relative_to(root)}"))
        for root, ref in newest.values():
            for name in ("record.json", "notebook.ipynb"):
                file = ref.folder / name
                if file.is_file():
                    text = _PNG.sub(_small, file.read_text())
                    info = tarfile.TarInfo(f"{archives.index(root)}/{file.relative_to(root)}")
                    info.size = len(text.encode())
                    tar.addfile(info, io.BytesIO(text.encode()))


def _small(match: re.Match[str]) -> str:
    picture: Any = Image.open(io.BytesIO(base64.b64decode(match[0]))).convert("RGB")
    picture = picture.resize((picture.width // 2, picture.height // 2)).quantize(12, dither=Image.Dither.NONE)
    out = io.BytesIO()
    picture.save(out, format="png", optimize=True)
    return base64.b64encode(out.getvalue()).decode()


if __name__ == "__main__":
    PACKED.parent.mkdir(exist_ok=True)
    pack([Path(name).resolve() for name in sys.argv[1:]])
