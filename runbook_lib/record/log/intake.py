"""Before a leaf is appended: starts a missing log, and completes a seal that a crash cut short."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbook_lib.base.errors import ArchiveError, Unread
from runbook_lib.base.plain_file import open_plain, read_plain
from runbook_lib.record import staging as folders
from runbook_lib.record.attached import unbound
from runbook_lib.record.chain import HEAD, read_record, spelt_head
from runbook_lib.record.log.files import CHECKPOINT, FOLDER, TREE, newest_logged, parts, read_log
from runbook_lib.record.log.ledger import Ledger, facts_of
from runbook_lib.record.log.sealing import SEALING, read_sealing
from runbook_lib.record.place import names_in, path_of, ref_at

if TYPE_CHECKING:
    from runbook_lib.record.archive import Archive


def ready(archive: Archive, ledger: Ledger, chain: Path) -> tuple[list[str], str]:
    """Prepares the log for one more leaf, of a record in the folder `chain`. Needs the archive's lock.

    Returns:
        What was found, in sentences for the record that is being sealed; and why that cannot be logged, empty: it can.

    Raises:
        Unread: this user may not read what the record follows.
    """
    _may_read(archive.root, chain)
    told = []
    if not ledger.begun and read_log(archive.root) is None:
        refs = archive.records()
        ledger.take_in(facts(archive.root, ref.folder) for ref in refs)
        if refs:
            told.append(f"{len(refs)} records of before the archive's log were taken into it")
        sealed = {ref.run_id for ref in refs}
        for folder in archive.staging.glob("[!.]*"):  # an earlier version crashed and left it
            if str(folders.facts(folder).get("run_id")) in sealed:
                folders.remove(folder)
    elif completed := _completed(archive, ledger):
        told.append(completed)
    damage = ledger.damage()
    if damage and ledger.renewed(read_log(archive.root)):
        told.append(f"{damage}; the leaves and the checkpoint are whole, and {TREE} was made anew from them")
        damage = ""
    return told, damage


def _may_read(root: Path, chain: Path) -> None:
    """Who may write and not read would seal a record beside the log, or after none: damage, for those who may read."""
    log = root / FOLDER
    for file in (log / TREE, log / CHECKPOINT, log / SEALING, chain / HEAD):
        _opened(file)
    last = newest_logged(root, path_of(root, chain)) or next(iter(reversed(names_in(chain))), "")
    for file in (*(log / name for name in parts(log)[-1:]), *([chain / last / "record.json"] if last else ())):
        _opened(file)


def _opened(file: Path) -> None:
    try:
        open_plain(file).close()
    except PermissionError as error:
        raise Unread.of(error, file) from None
    except OSError:
        pass  # it is not there, or is damage


def mended(archive: Archive) -> str:
    """Completes the seal that a crash cut short, if there is one, as the next seal would; a note says what was found.

    Returns:
        Which record it was of, by its folder; empty: there was none, or its seal had not come to the record.

    Raises:
        ArchiveError, AwsError: the archive cannot be written.
    """
    begun = read_sealing(archive.root / FOLDER)
    if begun is None:
        return ""
    with archive.lock():
        told = _completed(archive, Ledger(archive.root, archive.told, archive.home))
    if told:
        from runbook_lib.record.entry import noted

        archive.told(told)
        noted(archive, ref_at(archive.root / begun.path), [told])
    return begun.path if (archive.root / begun.path / "record.json").is_file() else ""


def _completed(archive: Archive, ledger: Ledger) -> str:
    return ledger.complete(
        lambda folder: facts(archive.root, folder),
        lambda folder, to: archive.home.write(path_of(archive.root, folder.parent / HEAD), spelt_head(to)),
    )


def facts(root: Path, folder: Path) -> dict[str, Any]:
    """The facts that a leaf keeps of an existing record."""
    raw, record = b"", dict[str, Any]()
    with contextlib.suppress(ArchiveError, OSError):  # an unreadable record is damaged, and reported as such elsewhere
        raw, record = read_plain(folder / "record.json"), read_record(folder)
    return {**facts_of(path_of(root, folder), raw, record), "attachments": unbound(ref_at(folder), record)}
