"""The looks of a watch, kept in the archive, so that the next watch goes on where one was ended."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbook_lib.base.plain_file import read_plain
from runbook_lib.base.window import parse

if TYPE_CHECKING:
    from runbook_lib.commands.watch_look import Look
    from runbook_lib.params.load import Params
    from runbook_lib.record.archive import Archive


@dataclass
class Memory:
    """The times of a watch's looks, oldest first, and their results. Losing it costs some looks, no more."""

    path: Path
    lines: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, archive: Archive, params: Params, notebook: str) -> Memory:
        """The memory of the attempt that the parameters name, without lines that are not its own."""
        name = f"{params.env}-{params.release}-{notebook}-{params.attempt}.jsonl"
        memory = cls(archive.root / ".watch" / name)
        with contextlib.suppress(OSError):
            memory.path.unlink() if memory.is_odd else None
            lines = read_plain(memory.path).decode("utf-8", "replace").splitlines()
            memory.lines.extend(entry for line in lines if (entry := _entry(line)))
        return memory

    @property
    def is_odd(self) -> bool:
        """Whether something else has the file's place: a link, a pipe, a device."""
        return not stat.S_ISREG(os.lstat(self.path).st_mode)

    def add(self, look: Look) -> None:
        """Adds one look; a full disk only means that it is forgotten."""
        entry = {
            "at": look.at,
            "state": state(look),
            "kept": look.record is not None,
            "back_filled": look.back_filled,
        }
        self.lines.append(entry)
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # A link leads to another's file, and opening a pipe that nobody reads would wait for ever.
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
            with os.fdopen(os.open(self.path, flags, 0o644), "a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")

    def last(self, kept: bool | None = None) -> dict[str, Any] | None:
        """The newest line of a look that was not back-filled; `kept`: only with (or without) a record."""
        found = (one for one in reversed(self.lines) if not one["back_filled"] and kept in (None, one["kept"]))
        return next(found, None)


def _entry(line: str) -> dict[str, Any] | None:
    """A line as `Memory.add` writes it; None: it is torn, or something else has written it."""
    with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
        entry = json.loads(line)
        parse(entry["at"])
        if isinstance(entry["state"], list) and {entry["kept"], entry["back_filled"]} <= {True, False}:
            return dict(entry)
    return None


def state(look: Look) -> list[Any]:
    """The facts that differ if a look has changed something."""
    return [look.decision, look.moment, list(look.failing)]
