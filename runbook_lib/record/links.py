"""Links of a report: to the reports of the runs that it names.

All are relative and lead to what lies in the archive, so they work wherever it is copied to or served from. A page of
`docs/` is named, and no link: it lies outside. A sealed report never
changes: its links lead to reports that were there before it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runbook_lib.base import foreign
from runbook_lib.record.log.files import FOLDER, newest_logged, read_checkpoint
from runbook_lib.record.place import ENTRY, is_place, names_in, path_of, safe
from runbook_lib.record.record import Record

_NAMED = re.compile(
    r"\benv=[\w.-]+/release=[\w.-]+/(?P<notebook>[\w.-]+)/[\w.]+-(?P<path>[0-9a-f]{12})/report\.html\b"
    r"|\b(?P<run>[0-9a-f]{12})\b"
)
_TAG = re.compile(r"(<!--.*?-->|<[^>]*>)", re.DOTALL)
_OPENS = re.compile(r"<(a|style|title|summary|button)\b|<pre class=\"(?:source|checkpoint)\"", re.IGNORECASE)
"""Elements whose text gets no links. A log's name looks like a run: looking for it would list every record."""
_SHORTEST = 12
"""Length of a run id, the shortest linkable text."""


@dataclass(frozen=True)
class Links:
    """The addresses that a report can link to.

    Args:
        archive: root of the archive that the report will lie in.
        record: the report's record.
        depth: number of folders between the record's folder and the report.
    """

    archive: Path
    record: Record
    depth: int = 0

    @property
    def _release(self) -> str:
        return f"release={safe(self.record.release)}"

    @property
    def _here(self) -> Path:
        """The report's folder, with a stand-in for the record's name, which is unknown before sealing."""
        chain = self.archive / f"env={safe(self.record.env)}" / self._release / safe(self.record.notebook)
        return chain.joinpath(self.record.run_id, *["-"] * self.depth)

    def run(self, run_id: str) -> str:
        """Address of a run's report, by its id; empty: it is this run, or this release has no such run."""
        known = (self.record.run_id, self.record.account_id)  # an account looks like a run
        if run_id in known or not re.fullmatch(r"[0-9a-f]{12}", run_id):
            return ""
        found = self._runs.get(run_id)
        return self._to(found[0] / found[1] / "report.html") if found else ""

    @functools.cached_property
    def _runs(self) -> dict[str, tuple[Path, str]]:
        """Run id to chain and name of each record of this release, in every environment."""
        chains = self.archive.glob(f"env=*/{self._release}/*")
        return {name.rpartition("-")[2]: (chain, name) for chain in chains for name in self._sealed(chain)}

    def before(self) -> tuple[str, str]:
        """Id and address of the record sealed before this one in its chain; empty: this is the first."""
        chain = self._here.parents[self.depth]
        if not chain.is_dir() or not is_place(chain.name, self.record.notebook):
            return "", ""
        last = "" if self.record.hash else newest_logged(self.archive, path_of(self.archive, chain))
        if not last or last.endswith(f"-{self.record.run_id}"):  # it is sealed, or the log has no answer
            names = self._sealed(chain)
            own = next((name for name in names if name.endswith(f"-{self.record.run_id}")), None)
            last = max((name for name in names if own is None or name < own), default="")
        return (last.rpartition("-")[2], self._to(chain / last / "report.html")) if last else ("", "")

    def checkpoint(self) -> str:
        """The checkpoint of the archive's log as it is now, before this record; empty: there is none."""
        with contextlib.suppress(OSError, ValueError):
            found = read_checkpoint(self.archive / FOLDER)
            return found.note().decode() if found and found.size else ""
        return ""

    def newest(self) -> list[tuple[str, str, str]]:
        """Notebook, run id and address of each notebook's newest record, in this environment and release."""
        release = self._here.parents[self.depth + 1]
        found = []
        for chain in sorted(release.iterdir()) if release.is_dir() else ():
            last = self._newest(chain)
            if last and chain.name != ENTRY:
                found.append((chain.name, last.rpartition("-")[2], self._to(chain / last / "report.html")))
        return found

    def _newest(self, chain: Path) -> str:
        """Name of a chain's newest record; empty: it has none."""
        return newest_logged(self.archive, path_of(self.archive, chain)) or max(self._sealed(chain), default="")

    @functools.cached_property
    def _sealed(self) -> Callable[[Path], list[str]]:
        """A function that lists a chain's records, oldest first; it reads each chain once per report."""
        return functools.cache(names_in)

    def _to(self, there: Path) -> str:
        return Path(os.path.relpath(there, self._here)).as_posix()


def linked(markup: str, links: Links) -> str:
    """HTML with links on each run that its text names, if it exists."""
    known: dict[str, str] = {}

    def link(match: re.Match[str]) -> str:
        name, run = match[0], match["run"] or match["path"]
        if name not in known:
            known[name] = links.run(run)
        told = f"{match['notebook']} {run}" if match["path"] else name
        return f'<a href="{foreign.html(known[name])}">{told}</a>' if known[name] else name

    parts, within = _TAG.split(markup), ""  # text and tags alternate
    parts[0] = _NAMED.sub(link, parts[0])
    for place in range(1, len(parts), 2):
        tag = parts[place]
        if within:
            within = "" if tag.lower().startswith(f"</{within}") else within
        elif (opens := _OPENS.match(tag)) and not tag.endswith("/>"):
            within = (opens[1] or "pre").lower()
        if not within and len(parts[place + 1]) >= _SHORTEST:
            parts[place + 1] = _NAMED.sub(link, parts[place + 1])
    return "".join(parts)
