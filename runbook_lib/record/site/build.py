"""Builds the site into a folder; a page stays as it is while its records are unchanged and nobody has edited it."""

from __future__ import annotations

import hmac
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from runbook_lib.base import errors
from runbook_lib.base.errors import ArchiveError, UsageError
from runbook_lib.base.foreign import line
from runbook_lib.base.own_files import own_key
from runbook_lib.base.plain_file import read_plain
from runbook_lib.judge import words
from runbook_lib.record.archive import Archive
from runbook_lib.record.chain import read_record
from runbook_lib.record.home.folder import locked
from runbook_lib.record.index.kept import Index, index
from runbook_lib.record.index.there import LeftOut
from runbook_lib.record.log.files import read_log
from runbook_lib.record.seal import replace_file
from runbook_lib.record.site.asked import Asked, Row, digest
from runbook_lib.record.site.pages import Pages, page_of

KEPT, LOCK = ".pages.json", ".lock"
"""File with the version that made the pages, the digest of what each is about, and the HMAC of its file by the user's
own key (`base/own_files.py`); and the lock of a build."""
_PAGE = re.compile(r"(?:index|(?:rollout|gate)-[\w.-]+)\.html", re.ASCII)
_WAIT_S = 600.0
"""Seconds that a build waits for another build in the same folder."""
PARTS = (
    "asked.py",
    "draw.py",
    "pages.py",
    "../templates/site.html.j2",
    "../templates/site.css",
    "../templates/site.js",
)


class Built(NamedTuple):
    """The result of a build."""

    page: Path
    """Path of the first page."""
    written: int
    """Number of pages written again."""
    pages: int
    left: LeftOut
    """What is not on the pages."""


def build(archive: Archive, folder: Path, told: Callable[[str], object]) -> Built:
    """Writes the site over `archive` into `folder`; removes pages whose subject is gone.

    Args:
        told: called with a sentence if it takes a while.

    Raises:
        ArchiveError: the folder cannot be written.
        UsageError: the folder holds something other than a site.
    """
    from filelock import Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        _ours(folder)
        # One build at a time: a build with an older index must not write last.
        lock = locked(folder / LOCK, f"whoever builds {folder}", _WAIT_S)
        try:
            with index(archive, told) as made, Asked(made.file) as asked:
                return _Site(archive, folder, made, asked, told).build()
        finally:
            lock.release()
    except Timeout:
        raise ArchiveError(f"{folder} is being built by somebody else for {_WAIT_S / 60:g} min") from None
    except OSError as error:
        raise ArchiveError(f"{folder} cannot be written ({error.strerror or error})") from None


def _ours(folder: Path) -> None:
    """Refuses a folder that is not empty and holds no site of ours."""
    found = [one.name for one in folder.iterdir() if one.name != LOCK]
    if found and _kept(folder / KEPT) is None:
        raise UsageError(f"{folder} holds {line(found[0])}, and is not a site of ours: name an empty folder")
    if not found:
        replace_file(folder / KEPT, json.dumps({"by": "", "pages": {}, "files": {}}).encode())


class _Site:
    def __init__(
        self, archive: Archive, folder: Path, made: Index, asked: Asked, told: Callable[[str], object]
    ) -> None:
        self.archive, self.folder, self.made, self.asked = archive, folder, made, asked
        self.base = Path(os.path.relpath(archive.root, folder)).as_posix()
        self.pages = Pages(self.base)
        self.written, self.told, self.key = 0, told, own_key(lambda _: None)  # the index told it
        self.edited: list[str] = []

    def build(self) -> Built:
        by = digest([(Path(__file__).parent / name).read_text(encoding="utf-8") for name in PARTS] + [self.base])
        made_by, pages, self.files = _kept(self.folder / KEPT) or ("", {}, {})
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
        now["index.html"] = digest([states, facts, self._left()])
        if self._stale("index.html", before, now):
            self._write("index.html", self.pages.index(self.asked.runs(), rollouts, gates, facts, self._left()))
        for gone in pages.keys() - now.keys():
            if _PAGE.fullmatch(gone):  # other names in the file are not trusted
                (self.folder / gone).unlink(missing_ok=True)
        if self.edited:
            many, more = words.count(len(self.edited), "page"), ", …" if len(self.edited) > 1 else ""
            self.told(f"{many} not as this user built the site, made anew: {self.edited[0]}{more}")
        files = {name: self.files[name] for name in now}
        replace_file(self.folder / KEPT, json.dumps({"by": by, "pages": now, "files": files}).encode())
        return Built(self.folder / "index.html", self.written, len(now), self.made.left)

    def _left(self) -> list[str]:
        return [*self.made.left.damage, *self.made.left.unknown]

    def _stale(self, name: str, before: dict[str, str], now: dict[str, str]) -> bool:
        if before.get(name) != now[name]:
            return True
        try:
            same = hmac.compare_digest(self._mac(name, read_plain(self.folder / name)), self.files.get(name, ""))
        except FileNotFoundError:
            return True
        except OSError:
            same = False
        self.edited += [] if same else [name]
        return not same

    def _mac(self, name: str, page: bytes) -> str:
        return hmac.new(self.key, name.encode() + b"\0" + page, "sha256").hexdigest()

    def _write(self, name: str, page: str) -> None:
        replace_file(self.folder / name, page.encode())
        self.files[name] = self._mac(name, page.encode())
        self.written += 1
        errors.done_here["site"] = f"{words.count(self.written, 'page')} made anew in {self.folder} before that"

    def _rollout(self, env: str, release: str) -> str:
        rows = self.asked.rollout(env, release)
        records = {row["run"]: self._record(row) for row in rows.runs}
        return self.pages.rollout(env, release, rows, records)

    def _record(self, row: Row) -> dict[str, Any]:
        """The JSON of a record that the index has verified; empty if its file is gone since."""
        try:
            return read_record(self.archive.root / row["folder"])
        except ArchiveError:
            return {}

    def _facts(self, rollouts: list[Row]) -> list[tuple[str, str]]:
        log = read_log(self.archive.root)
        facts = [
            ("Records", str(self.made.records)),
            ("Rollouts", str(len(rollouts))),
            ("That cannot be trusted", str(len(left)) if (left := self._left()) else "none"),
        ]
        if log is None:
            return [*facts, ("Log", "there is none: the next seal begins it")]
        health = "; ".join(one.sentence for one in log.damage) or f"{len(log.by_path)} leaves, intact"
        return [*facts, ("Log", health)]


def _kept(file: Path) -> tuple[str, dict[str, str], dict[str, str]] | None:
    """The version that made the pages, each page's digest, and the HMAC of its file; None: the file is missing, or not
    ours.
    """
    try:
        kept = json.loads(read_plain(file))
        each = (kept["pages"], kept.get("files", {}))  # a site of before has no HMAC
        pages, files = ({str(name): str(one) for name, one in found.items()} for found in each)
        return str(kept["by"]), pages, files
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
