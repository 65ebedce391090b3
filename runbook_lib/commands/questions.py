"""`runbook archive query` and `export`: renew the archive's index, then ask it or write it out."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from runbook_lib.base.errors import UsageError
from runbook_lib.record.archive import Archive
from runbook_lib.record.index.ask import Answer, ask
from runbook_lib.record.index.export import Form, export
from runbook_lib.record.index.kept import index
from runbook_lib.record.index.tables import TABLES
from runbook_lib.record.index.there import LeftOut
from runbook_lib.record.place import not_in_archive

_LOCATION = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9!_.*()=/-]*)?")
ELSEWHERE = "s3://BUCKET/PREFIX"


class Asked(NamedTuple):
    """The answer, and what is not in it."""

    answer: Answer
    left: LeftOut


def query(root: Path, sql: str, told: Callable[[str], object], limit_s: float | None = None) -> Asked:
    """Asks the archive at `root`; a damaged record is in no answer. `limit_s`: as of `ask`.

    Raises:
        UsageError: the text is no question.
    """
    if not sql.strip():
        raise UsageError('archive query: expects a question, such as "SELECT notebook, count(*) FROM runs GROUP BY 1"')
    with index(Archive(root), told) as made:
        return Asked(ask(made.file, sql, limit_s), made.left)


def write(
    root: Path, folder: Path, form: Form, location: str, told: Callable[[str], object]
) -> tuple[list[Path], LeftOut]:
    """Writes the tables into `folder`.

    Returns:
        The files, and what is not in them.

    Raises:
        UsageError: the folder is inside the archive, or `location` is no S3 address.
        ArchiveError: the folder cannot be written.
    """
    there = root.resolve()
    places = [folder.resolve(), *((folder / table).resolve() for table in TABLES)]  # one of them may be a link
    if any(place == there or there in place.parents for place in places):
        raise not_in_archive(f"--{form}", folder)
    if location and not _LOCATION.fullmatch(location):
        raise UsageError(f"--location {location}: expects s3://bucket/prefix")
    with index(Archive(root), told) as made:
        return export(made.file, folder, form, location or ELSEWHERE), made.left
