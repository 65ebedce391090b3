"""One SQL question to the index: read only, without files, network and extensions, its configuration locked."""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import math
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from runbook_lib.base.errors import UsageError
from runbook_lib.base.nearest import close
from runbook_lib.base.telling import busy
from runbook_lib.record.index.tables import TABLES

_CLOSED: dict[str, Any] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",  # otherwise a variable of this process could be a table
    "memory_limit": "2GB",
    "max_temp_directory_size": "2GB",  # data that does not fit into memory goes to disk, but not to all of it
}
LIMIT_S = 60.0
"""Seconds that one question may take."""
GRACE_S = 3.0
MOST_ROWS = 100_000
"""Most rows of an answer; an export has all rows of a table."""
MOST_CHARS = 200_000_000
"""Characters of all values of an answer; duckdb's limit of memory does not count what it has given away."""
_AT_ONCE = 1_000
"""Rows that are taken from duckdb at once, where they are small."""
_ASKS = ("SELECT", "EXPLAIN")
_NO_TABLE = re.compile(r"Table with name (\S+) does not exist")


class Answer(NamedTuple):
    """The answer to a question."""

    columns: list[str]
    """Unique names of the columns: a repeated name gets a number."""
    rows: list[dict[str, Any]]
    """Rows as JSON values: times in ISO 8601 with `Z`, numbers that are not finite as text."""


def opened(file: Path) -> Any:
    """A connection that can only read the index."""
    import duckdb

    base = duckdb.connect(str(file), read_only=True, config=_CLOSED)
    base.execute("SET lock_configuration = true")
    return base


def ask(file: Path, sql: str, limit_s: float | None = None) -> Answer:
    """The answer to one question, for which it has `limit_s` seconds (default: `LIMIT_S`).

    Raises:
        UsageError: the text is not exactly one question, or duckdb does not understand it.
    """
    import duckdb

    try:
        sql.encode()
    except UnicodeEncodeError:
        raise UsageError("archive query: the question is not text in UTF-8") from None
    with _closing(opened(file)) as base:
        try:
            asked = base.extract_statements(sql)
        except duckdb.Error as error:
            raise UsageError(_told(error)) from None
        if len(asked) != 1:
            raise UsageError(f"archive query: expects one question, these are {len(asked)}")
        if (kind := _kind(asked[0])) not in _ASKS:
            raise UsageError(f"archive query: {kind} is not a question; the archive is only read: begin with SELECT")
        names, rows = _in_time(base, asked[0], LIMIT_S if limit_s is None else limit_s)
    if len(rows) > MOST_ROWS:
        raise UsageError(
            f"archive query: the answer has more than {MOST_ROWS:,} rows; add LIMIT, or take `runbook archive export`"
        )
    return Answer(names, [dict(zip(names, map(plain, row), strict=True)) for row in rows])


def _kind(statement: Any) -> str:
    """What a statement is, in duckdb's word; it has none for some of its own (`UPDATE EXTENSIONS`)."""
    try:
        return str(statement.type.name)
    except ValueError:
        return "this"


@contextlib.contextmanager
def _closing(base: Any) -> Iterator[Any]:
    """The connection, closed at the end, unless its query is still running: closing would wait for it."""
    try:
        yield base
    except Endless as error:
        if not error.deaf:
            base.close()
        raise
    except BaseException:
        with contextlib.suppress(Exception):  # busy still: what was raised says more
            base.close()
        raise
    base.close()


def _in_time(base: Any, statement: Any, limit_s: float) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The names of the columns, and the rows, at most one more than `MOST_ROWS`.

    A thread asks: after `LIMIT_S` a question without an end (a recursion, a product of tables) is interrupted, and the
    thread is left behind if it does not react to that.
    """
    import duckdb

    found: list[Any] = []
    ended = threading.Event()

    def asked() -> None:
        try:
            done = base.execute(statement)
            found.append((_once([one[0] for one in done.description]), _taken(done)))
        except Exception as error:  # it is raised where it was asked
            found.append(error)
        finally:
            ended.set()

    beside = threading.Thread(target=asked, daemon=True)
    beside.start()
    try:
        with busy(f"the question is answered, within {limit_s:g} s"):
            ended.wait(limit_s)  # not `join`: a signal in it marks the thread as ended
    except BaseException:  # a signal: the connection cannot be closed while it answers
        base.interrupt()
        ended.wait(GRACE_S)
        raise
    if not ended.is_set():
        base.interrupt()
        ended.wait(GRACE_S)
        told = f"archive query: no answer within {limit_s:g} s; ask for less, or give it longer by --seconds"
        raise Endless(told, not ended.is_set())
    of_the_question = (duckdb.Error, MemoryError, ValueError, OverflowError)  # or a value that Python cannot hold
    if isinstance(found[0], of_the_question) and not isinstance(found[0], UsageError):
        raise UsageError(_told(found[0]))
    if isinstance(found[0], Exception):
        raise found[0]
    names, rows = found[0]
    return names, rows


def _taken(done: Any) -> list[tuple[Any, ...]]:
    """The rows, one more than `MOST_ROWS` at most, few at once where they are large; refused if all are too large."""
    rows: list[tuple[Any, ...]] = []
    size, at_once = 0, 1
    while len(rows) <= MOST_ROWS and (more := done.fetchmany(min(at_once, MOST_ROWS + 1 - len(rows)))):
        rows += more
        size += sum(map(_size, more))
        if size > MOST_CHARS:
            raise UsageError(f"archive query: the answer has more than {MOST_CHARS:,} characters; ask for less")
        at_once = max(1, min(_AT_ONCE, 2 * at_once, MOST_CHARS * len(rows) // (10 * max(1, size))))
    return rows


def _size(value: Any) -> int:
    if isinstance(value, (str, bytes)):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_size, value)) + sum(map(_size, value.values()))
    return sum(map(_size, value)) if isinstance(value, (list, tuple)) else 8


class Endless(UsageError):
    """A question without an answer in time.

    Args:
        deaf: the query is still running: the connection cannot be closed.
    """

    def __init__(self, text: str, deaf: bool) -> None:
        super().__init__(text)
        self.deaf = deaf


def _told(error: Exception) -> str:
    said = " ".join(str(error).partition("\n\nLINE")[0].split())
    if table := _NO_TABLE.search(said):  # duckdb would propose one of its own tables
        near = close(table[1], list(TABLES))
        said = f"there is no table {table[1]}{f'; {near}' if near else ''}"
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
    """A value of duckdb as JSON."""
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
