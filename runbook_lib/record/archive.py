"""The archive: sealed records by environment, release and notebook, and the staging of runs that are not sealed yet.

archive/env=prod/release=2026.11/06_phase1_10_percent/20261123T030000.000Z-4f1c…/record.json, report.html, …
archive/.staging/<run id>/owner.json, journal.jsonl, …
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from runbook_lib.base.errors import ArchiveError, RunbookError
from runbook_lib.base.foreign import stderr
from runbook_lib.base.held import held
from runbook_lib.base.kept_at import archive_root, home_address
from runbook_lib.base.project import project_root
from runbook_lib.record import journal
from runbook_lib.record import staging as folders
from runbook_lib.record.chain import HEAD, Chain, by_id, read_record, spelt_head, state_of
from runbook_lib.record.draft import beside, drafted, rendered
from runbook_lib.record.form import misformed
from runbook_lib.record.home.home import Lost, home_of
from runbook_lib.record.intact import Verifier
from runbook_lib.record.log.files import newest_logged, read_log
from runbook_lib.record.log.intake import ready
from runbook_lib.record.log.ledger import Ledger, facts_of
from runbook_lib.record.place import RecordRef, gone_from, is_path, names_in, path_of, ref_at, refs_in, safe
from runbook_lib.record.record import Problem, Record, Status
from runbook_lib.record.seal import exact, file_hash, record_hash, written
from runbook_lib.record.seen import Seen
from runbook_lib.record.staging import NAME as STAGING
from runbook_lib.record.staging import stage
from runbook_lib.record.tombstones import pruned, stones

_UNSEALED = folders.MARKS | {folders.FILE, "record.json", "report.html", "notebook.ipynb"}
_Made = tuple[dict[str, bytes], list[str]]
_KEPT = 256  # records that a process caches: a long rollout has a few hundred


class Named(Protocol):
    """Parameters that name the archive's folder."""

    @property
    def archive(self) -> str:
        """The archive's folder, relative to the project's root."""
        ...


class Archive:
    """The sealed records and staged runs in the folder `root`, which the first write creates."""

    def __init__(
        self,
        root: Path | str,
        clock: Callable[[], dt.datetime] = journal.utc_now,
        told: Callable[[str], object] = stderr,
    ) -> None:
        """`told` is called with each problem that comes after sealing: no signature, no witness."""
        self.root = Path(root).absolute()
        self.home = home_of(self.root)
        self.stale = ""
        self.clock = clock
        self.told = told

    @classmethod
    def of(cls, params: Named, *, anyhow: bool = False) -> Archive:
        """The archive that the parameters name, in the project's folder, whatever the working folder.

        Raises:
            UsageError: there is no project here, or the parameters name what cannot be an archive (`anyhow`: as there).
        """
        archive = cls(archive_root(params.archive, project_root(), anyhow=anyhow))
        archive.refresh(str(getattr(params, "release", "")))
        return archive

    def refresh(self, release: str) -> None:
        """Copies the log and the records of a release to this machine, if the archive is kept in a bucket.

        If that fails, `told` is called and `stale` says why: the copy here may lack the newest records.
        """
        try:
            self.home.refresh(release)
            self.stale = ""
        except ArchiveError as error:
            if str(error) != self.stale:
                self.told(f"the records of the team may not be up to date here: {error}")
            self.stale = str(error)

    @property
    def staging(self) -> Path:
        """The folder of journals that are not sealed yet."""
        return self.root / STAGING

    def lock(self, release: str = "") -> contextlib.AbstractContextManager[None]:
        """Lets one writer in at a time; inside it the log and the records of `release` are up to date.

        Raises:
            ArchiveError: another writer holds the lock for a minute, or the archive cannot be written.
            AwsError: the bucket that holds the archive cannot be asked.
        """
        return self.home.writing(release)

    def stage(
        self, env: str, release: str, notebook: str, run_id: str, origin: str, *, output: str | None = None
    ) -> Path:
        """Opens the staging folder of a run, owned by this process. It appears with its `owner.json`, or not at all.

        Args:
            env, release, notebook: where the record will lie if the journal never names them.
            run_id: unique; `new_run_id()` makes one.
            origin: `papermill` or `interactive`.
            output: path that the executed notebook is written to, for closing the run after a crash.

        Raises:
            ArchiveError: the archive cannot be written, or the run is staged already.
        """
        return stage(self.root, env, release, notebook, run_id, origin, self.clock(), output)

    def trusted(
        self, refs: Iterable[RecordRef], told: Callable[[str], object], what: str = "an earlier record is not used"
    ) -> Iterator[tuple[RecordRef, Record]]:
        """The records among `refs` that are intact, each with its reference, in the order given.

        Args:
            told: called once with each sentence about altered or unreadable records, which are left out.
            what: how that sentence begins; empty: the error alone.
        """
        verify, said = self.verifier(), set[str]()
        for ref in refs:
            try:
                verify(ref)
                record = self.load(ref)
            except (ArchiveError, OSError) as error:
                if str(error) not in said:  # all records after a damaged one have the same sentence
                    told(f"{what}: {error}" if what else str(error))
                said.add(str(error))
                continue
            yield ref, record

    def sweep(self) -> list[RecordRef]:
        """Seals every staged run that has ended; a run whose process ended without sealing it becomes `died`.

        A run that cannot be sealed stays for the next sweep.
        """
        closed = []
        for folder in sorted(self.staging.glob("*")):
            if folder.name.startswith("."):
                if folder.name.startswith(".done-"):
                    shutil.rmtree(folder, ignore_errors=True)
                continue
            who, ended = folders.facts(folder), folders.ended(folder)
            if not who or (ended is None and folders.alive(who, folder)):
                continue
            process = f"pid {who.get('pid')} on {who.get('host')}"
            problem = Problem(type="Died", sentence=f"the process that ran it ({process}) ended without sealing it")
            how: dict[str, Any] = {"status": "died", "notebook": folders.left_behind(who), "error": problem}
            with contextlib.suppress(RunbookError, OSError, ValueError):
                if ended is not None:
                    told = ended["error"]
                    how = ended | {"error": Problem.model_validate(told) if isinstance(told, dict) else told}
                closed.append(seal_staged(self, folder, **how))
        return closed

    def chain(self, env: str, release: str, notebook: str) -> Chain:
        """The chain of one environment, release and notebook."""
        return Chain(self.root / f"env={safe(env)}" / f"release={safe(release)}" / safe(notebook))

    def records(
        self, env: str | None = None, release: str | None = None, notebook: str | None = None
    ) -> list[RecordRef]:
        """The sealed records, oldest first; None means any. No record is opened."""
        return refs_in(self.root, *(part if part is None else safe(part) for part in (env, release, notebook)))

    def at(self, folder: Path) -> RecordRef:
        """The reference to the record in `folder`."""
        return ref_at(folder)

    def find(self, prefix: str) -> RecordRef:
        """The only record whose run id or folder name starts with `prefix`.

        Raises:
            ArchiveError: no record matches, or more than one does.
        """
        refs = by_id(self.records(), prefix)
        if len(refs) != 1:
            many = f"{len(refs)} records start with '{prefix}': " + ", ".join(ref.run_id for ref in refs[:5])
            gone = "" if refs else pruned(self.root, read_log(self.root), prefix)
            raise ArchiveError(many if refs else gone or f"no record starts with '{prefix}' in {self.root}")
        return refs[0]

    def load(self, ref: RecordRef) -> Record:
        """The record, not verified. It is cached while its file is unchanged and shared: callers must not change it.

        Raises:
            ArchiveError: the record is missing, unreadable, or written by a newer version.
        """
        return _loaded(ref.folder, state_of(ref.folder))

    def verify(self, ref: RecordRef) -> None:
        """Checks that the record is intact: its hash, each file, its place, and the chain back to the first record.

        For many records use `verifier`, which walks each chain once.

        Raises:
            ArchiveError: one sentence that names what is wrong.
        """
        self.verifier()(ref)

    def verifier(self, seen: Seen | None = None) -> Verifier:
        """A function that does `verify` for many records: it walks each chain once, at the chain's first record.

        Args:
            seen: what an earlier run found on reading records completely; None: every record is read.
        """
        return Verifier(self.root, seen)

    def lost(self, *where: str | None, there: Iterable[RecordRef] | None = None) -> list[RecordRef]:
        """The records in the archive's log whose folders are gone, oldest first; pruned ones are not among them.

        Args:
            where: as for `records`.
            there: what `records` has just found for the same; None: it is looked up.
        """
        log = read_log(self.root)
        buried, here = stones(self.root, log), self.home.holds()
        listed = {ref.path for ref in (self.records(*where) if there is None else there)}
        wanted = [part if part is None else safe(part) for part in (*where, None, None, None)[:3]]
        found = []
        for chain, leaves in log.by_chain.items() if log else ():
            place = [part.rpartition("=")[2] for part in chain.split("/")]
            if is_path(leaves[0].path) and all(a in (None, b) for a, b in zip(wanted, place, strict=True)):
                gone = [leaf.path for leaf in leaves if leaf.path not in listed and gone_from(self.root / leaf.path)]
                found += [self.at(self.root / path) for path in gone if path not in buried and here(path)]
        return sorted(found)


@lru_cache(maxsize=_KEPT)
def _loaded(folder: Path, _state: tuple[int, ...]) -> Record:
    raw = read_record(folder)
    if wrong := misformed(raw):
        raise ArchiveError(f"{folder.name}: {wrong}")
    try:
        return Record.model_validate(raw)
    except ValidationError as error:
        one = error.errors()[0]
        raise ArchiveError(f"{folder.name}: record.json, '{'.'.join(map(str, one['loc']))}': {one['msg']}") from None


@held()
def seal_staged(
    archive: Archive,
    staging: Path,
    *,
    status: Status,
    notebook: dict[str, Any] | None = None,
    error: Problem | str | None = None,
) -> RecordRef:
    """Turns a staging folder into a sealed record with a report, and removes it; twice gives one record. Signals wait.

    Args:
        archive: the archive that takes the record.
        staging: the folder that `Archive.stage` made.
        status: how the run ended.
        notebook: the executed notebook (nbformat 4), if there is one; it is redacted in place.
        error: why the run ended so.

    Raises:
        ArchiveError: the archive cannot be written (the staging folder stays for a later `sweep`), or there is
            neither a staging folder nor a record.
    """
    made = rendered(drafted(staging, status, error), notebook, archive.root)
    found: list[str] = []  # of the log, and in no record yet
    for left in (2, 1, 0):
        try:
            ref = _sealed(archive, staging, status, error, made, found)
            break
        except Lost:  # another machine sealed first: this record is linked behind that one
            if not left:
                raise
        except OSError as trouble:
            raise ArchiveError(f"{trouble.filename or staging}: {trouble.strerror or trouble}") from trouble
    if found:
        from runbook_lib.record.entry import noted

        noted(archive, ref, found)
    return ref


def _sealed(
    archive: Archive, staging: Path, status: Status, error: Problem | str | None, made: _Made, found: list[str]
) -> RecordRef:
    contents, trouble = dict(made[0]), made[1]
    with archive.lock(drafted(staging, status, error).release):
        ledger = Ledger(archive.root, archive.told, archive.home)
        draft = drafted(staging, status, error)
        folder = archive.chain(draft.env, draft.release, draft.notebook).folder
        told, damage = ready(archive, ledger, folder)
        found += told
        trouble = [*trouble, f"this record is not logged: {damage}"] if damage else trouble
        who = folders.facts(staging)
        # In a bucket another machine may have completed this record. Nobody writes to the chain meanwhile.
        sure = not damage and not home_address(archive.root)
        last = newest_logged(archive.root, path_of(archive.root, folder)) if sure else ""
        chain = Chain(folder, [last] if last else names_in(folder))
        sealed = chain.of_run(draft.run_id) or [
            ref.folder for ref in by_id(() if who else archive.records(), draft.run_id)
        ]
        if sealed:
            folders.remove(staging)
            return archive.at(sealed[0])
        if not who:
            raise ArchiveError(f"{staging}: neither staged nor sealed")
        previous, broken = chain.tip()
        trouble = [*trouble, f"the chain before this record is damaged: {broken}"] if broken else trouble
        name, now = chain.next_name(draft.run_id, archive.clock())
        copies, more, links = beside(staging, _UNSEALED)
        contents |= more
        hashes = {file: file_hash(path) for file, path in copies.items()}
        hashes |= {file: hashlib.sha256(content).hexdigest() for file, content in contents.items()}
        whole = draft.model_copy(
            update={
                "files": dict(sorted(hashes.items())),
                "previous": previous,
                "sealed_at": now.isoformat(timespec="milliseconds"),
                "warnings": (*draft.warnings, *trouble, *found, *links, *journal.altered(staging, hashes)),
            }
        )
        record = exact(whole.dump())
        record["hash"] = record_hash(record)
        contents["record.json"] = written(record)
        path, head = (path_of(archive.root, folder / one) for one in (name, HEAD))
        archive.home.unmoved(head)
        if not damage:
            ledger.begin(path, record["hash"], staging.name)
        archive.home.add(path, contents, copies)
        archive.home.write(head, spelt_head(record["hash"]))
        if not damage:
            ledger.append(facts_of(path, contents["record.json"], record))
        folders.remove(staging)
        found.clear()
        ledger.end()
        return archive.at(chain.folder / name)
