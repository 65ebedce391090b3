"""Parameters of the same files are read and checked once in a process: more than a thousand tests ask for prod's."""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from runbook_lib.params.load import Params, params_dir


def once(make: Callable[..., Params]) -> Callable[..., Params]:
    """`params.load.load`, which gives the same frozen parameters for the same values and the same files."""
    known: dict[bytes, Params] = {}

    @functools.wraps(make)
    def load(
        values: Mapping[str, Any],
        *,
        source: str = "parameters",
        folder: Path | None = None,
        incident: bool = False,
        given: Collection[str] = (),
    ) -> Params:
        where = folder or params_dir()
        key = pickle.dumps((dict(values), source, str(where), incident, "api_url" in given, _files(where)))
        if key not in known:
            known[key] = make(values, source=source, folder=folder, incident=incident, given=given)
        return known[key]

    return load


def _files(folder: Path) -> list[tuple[str, bytes | int]]:
    """What a reading depends on: nested files as they are, and which notebooks there are since when."""
    names = ("service.yaml", "gates.yaml", *(one.name for one in folder.glob("prices*.yaml")))
    read = [(name, (folder / name).read_bytes()) for name in names if (folder / name).is_file()]
    return read + [(one.name, one.stat().st_mtime_ns) for one in sorted((folder.parent / "notebooks").glob("*.ipynb"))]
