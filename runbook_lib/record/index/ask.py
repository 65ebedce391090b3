"""A question to the index in SQL: read only, without files, network and extensions, its configuration locked."""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from runbook_lib.base.errors import UsageError
from runbook_lib.record.index.tables import TABLES

_CLOSED: dict[str, Any] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",  # else a table may be a variable of this process
    "memory_limit": "2GB",
    "max_temp_directory_size": "2GB",  # what does not fit into memory is put on disk; not on all of it
}
LIMIT_S = 60.0
"""Seconds that a question may take."""
GRACE_S = 3.0
MOST_ROWS = 100_000
"""Rows of an answer; all of a table are in an export."""
_ASKS = ("SELECT", "EXPLAIN")


class Answer(NamedTuple):
    """What a question gave."""

    columns: list[str]
    """Each name once: what stands twice has a number behind it."""
    rows: list[dict[str, Any]]
    """As JSON has it: times in ISO 8601 with `Z`, what is no finite number as text."""


def opened(file: Path) -> Any:
    """A connection to the index that can do nothing but read it."""
    import duckdb

    base = duckdb.connect(str(file), read_only=True, config=_CLOSED)
    base.execute("SET lock_configuration = true")
    return base


def ask(file: Path, sql: str) -> Answer:
    """The answer to one question.

    Raises:
        UsageError: it is no question, not one, or duckdb does not understand it.
    """
    import duckdb

    with _closing(opened(file)) as base:
        try:
            asked = base.extract_statements(sql)
        except duckdb.Error as error:
            raise UsageError(_told(error)) from None
        if len(asked) != 1:
            raise UsageError(f"archive query: expects one question, these are {len(asked)}")
        if asked[0].type.name not in _ASKS:
            raise UsageError(
                f"archive query: {asked[0].type.name} is no question; the archive is only read: begin with SELECT"
            )
        names, rows = _in_time(base, asked[0])
    if len(rows) > MOST_ROWS:
        raise UsageError(
            f"archive query: the answer has more than {MOST_ROWS:,} rows; add LIMIT, or take `runbook archive export`"
        )
    return Answer(names, [dict(zip(names, map(plain, row), strict=True)) for row in rows])


@contextlib.contextmanager
def _closing(base: Any) -> Iterator[Any]:
    """The connection, closed at the end, unless it is still at work: that would be waited for."""
    try:
        yield base
    except Endless as error:
        if not error.deaf:
            base.close()
        raise
    except BaseException:
        base.close()
        raise
    base.close()


def _in_time(base: Any, statement: Any) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Names of the columns, and the rows, one more than `MOST_ROWS` at most.

    It is asked beside: a question without an end (a recursion, a product of tables) is interrupted, and one that does
    not even hear that is left behind.
    """
    import duckdb

    found: list[Any] = []

    def asked() -> None:
        try:
            done = base.execute(statement)
            found.append((_once([one[0] for one in done.description]), done.fetchmany(MOST_ROWS + 1)))
        except (duckdb.Error, MemoryError, ValueError, OverflowError) as error:  # or a value that Python cannot have
            found.append(error)

    beside = threading.Thread(target=asked, daemon=True)
    beside.start()
    beside.join(LIMIT_S)
    if beside.is_alive():
        base.interrupt()
        beside.join(GRACE_S)
        raise Endless(f"archive query: no answer within {LIMIT_S:g} s; ask for less", beside.is_alive())
    if isinstance(found[0], Exception):
        raise UsageError(_told(found[0]))
    names, rows = found[0]
    return names, rows


class Endless(UsageError):
    """A question that has no answer in time.

    Args:
        deaf: it still works: the connection cannot be closed.
    """

    def __init__(self, text: str, deaf: bool) -> None:
        super().__init__(text)
        self.deaf = deaf


def _told(error: Exception) -> str:
    said = " ".join(str(error).partition("\n\nLINE")[0].split())
    return f"archive query: {said}; there are the tables {', '.join(TABLES)} (docs/questions.md)"


def _once(names: list[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        number, own = 1, name
        while own in found:
            number += 1
            own = f"{name}_{number}"
        found.append(own)
    return found


def plain(value: Any) -> Any:
    """A value of duckdb as JSON has it."""
    found = value
    if isinstance(value, dt.datetime):
        at = value if value.tzinfo is None else value.astimezone(dt.UTC).replace(tzinfo=None)
        found = at.isoformat(timespec="milliseconds" if at.microsecond else "seconds") + "Z"
    elif isinstance(value, dt.timedelta):
        found = value.total_seconds()
    elif isinstance(value, (float, decimal.Decimal)):
        found = float(value) if math.isfinite(value) else str(value)
    elif isinstance(value, dict):
        found = {str(key): plain(one) for key, one in value.items()}
    elif isinstance(value, (list, tuple)):
        found = [plain(one) for one in value]
    elif not isinstance(value, (bool, int, str, type(None))):
        found = str(value)
    return found
