"""Builds the site into a folder; a page whose records are as they were is left as it is."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from runbook_lib.base import here
from runbook_lib.base.errors import ArchiveError
from runbook_lib.base.plain_file import read_plain
from runbook_lib.judge import words
from runbook_lib.record.archive import Archive
from runbook_lib.record.chain import read_record
from runbook_lib.record.index.kept import Index, index
from runbook_lib.record.log.files import read_log
from runbook_lib.record.seal import replace_file
from runbook_lib.record.site.asked import Asked, Row, digest
from runbook_lib.record.site.pages import Pages, page_of

KEPT, LOCK = ".pages.json", ".lock"
_PAGE = re.compile(r"(?:index|(?:rollout|gate)-[\w.-]+)\.html", re.ASCII)
_WAIT_S = 600.0
"""What each page was made of, and by which version of the pages."""
PARTS = (
    "asked.py",
    "draw.py",
    "pages.py",
    "../templates/site.html.j2",
    "../templates/site.css",
    "../templates/site.js",
)


class Built(NamedTuple):
    """What was built."""

    page: Path
    """The first page."""
    written: int
    """Pages that were made anew."""
    pages: int
    damage: list[str]
    """A sentence for each record that is not on them."""


def build(archive: Archive, folder: Path, told: Callable[[str], object]) -> Built:
    """Writes the site over `archive` into `folder`; pages of what is no longer there are removed.

    Args:
        told: is given a sentence where it takes a while.

    Raises:
        ArchiveError: the folder cannot be written, or holds something else than a site.
    """
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        _ours(folder)
        # One at a time: who took the older index must not write last.
        with FileLock(folder / LOCK, timeout=_WAIT_S), index(archive, told) as made, Asked(made.file) as asked:
            return _Site(archive, folder, made, asked).build()
    except Timeout:
        raise ArchiveError(f"{folder} is being built by somebody else for {_WAIT_S / 60:g} min") from None
    except OSError as error:
        raise ArchiveError(f"{folder} cannot be written ({error.strerror or error})") from None


def _ours(folder: Path) -> None:
    """Refuses a folder that holds anything, and no site of ours.

    Raises:
        ArchiveError: it does.
    """
    found = [one.name for one in folder.iterdir() if one.name != LOCK]
    if found and _kept(folder / KEPT) is None:
        raise ArchiveError(f"{folder} holds {found[0]}, and is no site of ours: name an empty folder")
    if not found:
        replace_file(folder / KEPT, json.dumps({"by": "", "pages": {}}).encode())


class _Site:
    def __init__(self, archive: Archive, folder: Path, made: Index, asked: Asked) -> None:
        self.archive, self.folder, self.made, self.asked = archive, folder, made, asked
        self.base = Path(os.path.relpath(archive.root, folder)).as_posix()
        self.pages = Pages(self.base)
        self.written = 0

    def build(self) -> Built:
        by = digest([(Path(__file__).parent / name).read_text(encoding="utf-8") for name in PARTS] + [self.base])
        made_by, pages = _kept(self.folder / KEPT) or ("", {})
        before = pages if made_by == by else {}
        now: dict[str, str] = {}
        rollouts, gates = self.asked.rollouts(), self.asked.gates()
        states = self.asked.states()
        for one in rollouts:
            place = (one["env"] or "", one["release"] or "")
            name, state = page_of("rollout", *place), states.get(f"rollout {'/'.join(place)}", "")
            now[name] = state
            if self._stale(name, before, now):
                self._write(name, self._rollout(*place))
        for one in gates:
            name = page_of("gate", one["gate"])
            now[name] = states.get(f"gate {one['gate']}", "")
            if self._stale(name, before, now):
                self._write(name, self.pages.gate(one["gate"], self.asked.gate(one["gate"])))
        facts = self._facts(rollouts)
        now["index.html"] = digest([states, facts, self.made.damage])
        if self._stale("index.html", before, now):
            self._write("index.html", self.pages.index(self.asked.runs(), rollouts, gates, facts, self.made.damage))
        for gone in pages.keys() - now.keys():
            if _PAGE.fullmatch(gone):  # what is written there is believed no further
                (self.folder / gone).unlink(missing_ok=True)
        replace_file(self.folder / KEPT, json.dumps({"by": by, "pages": now}).encode())
        return Built(self.folder / "index.html", self.written, len(now), self.made.damage)

    def _stale(self, name: str, before: dict[str, str], now: dict[str, str]) -> bool:
        return before.get(name) != now[name] or not (self.folder / name).is_file()

    def _write(self, name: str, page: str) -> None:
        replace_file(self.folder / name, page.encode())
        self.written += 1
        here.done["site"] = f"{words.count(self.written, 'page')} made anew in {self.folder} before that"

    def _rollout(self, env: str, release: str) -> str:
        rows = self.asked.rollout(env, release)
        records = {row["run"]: self._record(row) for row in rows.runs}
        return self.pages.rollout(env, release, rows, records)

    def _record(self, row: Row) -> dict[str, Any]:
        """The record, which the index has verified; where it went since, nothing."""
        try:
            return read_record(self.archive.root / row["folder"])
        except ArchiveError:
            return {}

    def _facts(self, rollouts: list[Row]) -> list[tuple[str, str]]:
        log = read_log(self.archive.root)
        facts = [
            ("Records", str(self.made.records)),
            ("Rollouts", str(len(rollouts))),
            ("That cannot be trusted", str(len(self.made.damage)) if self.made.damage else "none"),
        ]
        if log is None:
            return [*facts, ("Log", "there is none: the next seal begins it")]
        health = "; ".join(log.damage) or f"{len(log.by_path)} leaves, intact"
        return [*facts, ("Log", health)]


def _kept(file: Path) -> tuple[str, dict[str, str]] | None:
    """Which version made the pages, and what each was made of; None: the file is not there, or not ours."""
    try:
        kept = json.loads(read_plain(file))
        return str(kept["by"]), {str(name): str(state) for name, state in kept["pages"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
