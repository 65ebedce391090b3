"""Prints the output of commands: others' text never steers the terminal, tables keep ids whole at any width, and a pipe
gets one record per line, with tabs between its fields. Asks the one question of a command: only a yes is a yes.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import typer

from runbook_lib.base import foreign, lines
from runbook_lib.base.errors import UsageError
from runbook_lib.base.foreign import terminal
from runbook_lib.base.redact import redact_text
from runbook_lib.base.redact_data import redact

_LEAST = 24
"""A prose column narrower than this goes below its row."""
_GAP = "  "


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    name: str
    key: str
    rank: int = 0
    """If not all columns fit, those of the highest rank are left out first; 0 never is."""
    prose: bool = False
    """Whether it may be wrapped; other columns stay whole, on one line."""
    told: Callable[[Mapping[str, Any]], object] | None = None
    """What a person sees for a row instead of the value that a pipe gets."""
    head: str = ""
    """The head above it for a person; default: its name."""


def say(text: object = "", *, err: bool = False, **style: Any) -> None:
    """Prints lines, with what was typed or read masked where it is a secret; `style` as in `typer.style`."""
    told = redact_text(str(text))
    typer.secho(foreign.terminal(foreign.unnumbered(told) if err else told), err=err, **style)


def waiting(text: str) -> None:
    """Tells the person who waits what takes long, beside a progress bar if there is one."""
    bars = sys.modules.get("tqdm")
    with bars.tqdm.external_write_mode(file=sys.stderr) if bars else contextlib.nullcontext():
        say(f"runbook: {text}", dim=True, err=True)


def say_json(value: Any, *, sealed: bool = False) -> None:
    """Prints JSON with its secrets masked, as a record has them: a program's output is kept as a log is.

    Args:
        sealed: it is from records, in which they are masked.
    """
    value = json.loads(json.dumps(value))
    typer.echo(json.dumps(value if sealed else redact(value)))


def prose(text: object, *, indent: str = "", hang: str = "", **style: Any) -> None:
    """Prints a sentence: on a terminal wrapped between its words, else as it is. Not for text to be pasted.

    Args:
        hang: on a terminal, before each line but the first.
    """
    for line in foreign.terminal(redact_text(str(text))).splitlines() or [""]:
        room = shutil.get_terminal_size().columns - len(indent)
        wrapped = _wrapped(line, room, hang) if sys.stdout.isatty() else [line]
        for part in wrapped:
            typer.secho(f"{indent}{part}", **style)


def advice(name: str, text: object, **style: Any) -> None:
    """Prints what is next: wrapped in a terminal, with each command on a line of its own (`base/lines.py`)."""
    for line in lines.advice(name, foreign.terminal(text), lines.width()):
        typer.secho(line, **{**style, "bold": line.startswith("runbook ") or style.get("bold")})


def table(title: str, columns: Sequence[Column], rows: Iterable[Mapping[str, Any]]) -> None:
    """Prints a table: on a terminal fitted to its width, else one record per line, all columns, without a head."""
    if not sys.stdout.isatty():
        keys = [one.key for one in columns]
        records = ["\t".join([_text(row.get(key)) for key in keys]) for row in rows]
        if records:
            say_line("\n".join(records))
        return
    listed = [{one.key: _text(one.told(row) if one.told else row.get(one.key)) for one in columns} for row in rows]
    columns = [replace(one, name=one.head or one.name) for one in columns]
    if title:
        prose(title, italic=True)
    width = shutil.get_terminal_size().columns
    for number, line in enumerate(fitted(columns, listed, width)):
        if line or number > 1:  # without columns there is no head, and nothing above the first row's sentences
            typer.secho(line, bold=(number == 0) or None)


def say_line(line: str) -> None:
    """Prints one line whose fields are escaped already."""
    typer.echo(line)


def fitted(columns: Sequence[Column], rows: Sequence[Mapping[str, str]], width: int) -> list[str]:
    """Head and rows as lines of at most `width` characters, if the necessary columns fit.

    A column that may be left out, and is empty in every row, is left out.
    """
    wide = {one.key: max([len(one.name), *(len(row[one.key]) for row in rows)]) for one in columns}
    whole = [one for one in columns if not one.prose and not (one.rank and rows and not any(r[one.key] for r in rows))]
    while sum(wide[one.key] + len(_GAP) for one in whole) - len(_GAP) > width and any(one.rank for one in whole):
        whole.remove(max(whole, key=lambda one: one.rank))
    prose = [one for one in columns if one.prose and any(row[one.key] for row in rows)]
    left = width - sum(wide[one.key] + len(_GAP) for one in whole)
    beside = prose[0] if len(prose) == 1 and left >= _least(row[prose[0].key] for row in rows) else None
    shown = [one for one in columns if one in whole or one is beside]
    head = _GAP.join(one.name if one is beside else one.name.ljust(wide[one.key]) for one in shown).rstrip()
    drawn = [head]
    for row in rows:
        parts = _wrapped(row[beside.key], left) if beside else [""]
        for number, part in enumerate(parts):
            cells = (
                part if one is beside else (row[one.key] if number == 0 else "").ljust(wide[one.key]) for one in shown
            )
            drawn.append(_GAP.join(cells).rstrip())
        room = 0 if beside else _free(shown, row, wide)
        for one in prose:
            if one is not beside and row[one.key]:
                if room and len(drawn[-1].rstrip()) < room and room + len(row[one.key]) <= width:
                    drawn[-1] = f"{drawn[-1].ljust(room)}{row[one.key]}"
                    room = 0
                    continue
                told = f"{one.name}: {row[one.key]}" if one.name else row[one.key]
                drawn += [f"    {part}" for part in _wrapped(told, max(width, _LEAST) - 4)]
    return drawn


def _free(shown: Sequence[Column], row: Mapping[str, str], wide: Mapping[str, int]) -> int:
    """The start of the empty cells at a row's end: a sentence that fits there needs no line of its own; 0: none."""
    filled = max((place for place, one in enumerate(shown, 1) if row[one.key]), default=0)
    return sum(wide[one.key] + len(_GAP) for one in shown[:filled]) if filled < len(shown) else 0


def _least(texts: Iterable[str]) -> int:
    """Least width of a column of these texts: no word is cut, and short texts need little."""
    known = list(texts)
    longest = max((len(word) for text in known for word in text.split()), default=0)
    return max(longest, min(_LEAST, max(map(len, known), default=0)))


def _wrapped(text: str, width: int, hang: str = "") -> list[str]:
    """Lines of whole words; a word longer than the line (an id, a path) stays whole, too."""
    return lines.wrap(text, max(len(hang) + 1, width), hang)


def facts(title: str, values: Mapping[str, Any]) -> None:
    """Prints names and values, one per line; on a terminal only known values, beside their names."""
    listed = {name: _text(value) for name, value in values.items()}
    if not sys.stdout.isatty():
        for name, text in listed.items():
            say_line(f"{name}\t{text}")
        return
    if title:
        prose(title, italic=True)
    known = {name: text for name, text in listed.items() if text}
    under = " " * (max(map(len, known), default=0) + len(_GAP))
    width = shutil.get_terminal_size().columns
    for name, text in known.items():
        longest = max(map(len, text.split()), default=0)
        if len(under) + longest > width and text.count(" ") == 0:
            told = [name, f"{_GAP}{text}"]  # a path, a hash: whole, to be copied
        elif "`" in text:
            told = lines.advice(name.ljust(len(under)), text, width)
        else:
            told = _wrapped(f"{name.ljust(len(under))}{text}", width, under)
        for line in told:
            typer.echo(line)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (Mapping, list, tuple)):
        value = json.dumps(value, ensure_ascii=False, default=str)
    return "" if value is None else foreign.field(value)


_TRIES = 3
_MEANT = {"y": True, "yes": True, "n": False, "no": False, "": False}


def asks() -> bool:
    """Whether there is a person to ask: standard input and output are a terminal."""
    return all(one is not None and not one.closed and one.isatty() for one in (sys.stdin, sys.stdout))


def agreed(question: str) -> bool:
    """Whether the person at the terminal says yes. No answer at all, or none that can be read, is no yes either.

    Raises:
        UsageError: standard input ended, or three answers were neither a yes nor a no.
        KeyboardInterrupt: Ctrl-C; the command was interrupted, and says so.
    """
    asked = f"{question} [y/N]: "
    for _ in range(_TRIES):
        typer.echo(terminal(asked), nl=False)
        said = _line()
        if said in _MEANT:
            return _MEANT[said]
        asked = "y or n? [y/N]: "
    raise UsageError("no answer was y or n", nothing_changed=True)


def _line() -> str:
    """A line that was typed, in small letters; bytes that are no text are none of an answer."""
    try:
        raw = sys.stdin.buffer.readline()
    except OSError:  # the terminal is gone
        raw = b""
    if not raw.endswith(b"\n"):
        with contextlib.suppress(OSError):
            typer.echo("\n", nl=False)
        raise UsageError("nobody answered", nothing_changed=True)
    return raw.decode(errors="replace").strip().lower()
