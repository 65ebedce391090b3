"""The beginning of an execution's record, for notebooks and commands: its staging folder, what runs, and who runs it.

Light: the kill switch loads it. The end is in `sealing.py`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from runbook_lib.base.errors import RunbookError
from runbook_lib.record.journal import Journal, utc_now
from runbook_lib.record.place import new_run_id
from runbook_lib.record.staging import NAME, stage

if TYPE_CHECKING:
    from runbook_lib.base.aws import Identity

P = TypeVar("P", bound=Any)


class Staged(NamedTuple):
    """The place that an execution writes to."""

    root: Path
    """Folder of the archive."""
    folder: Path
    run_id: str
    trouble: str
    """Why the archive is one in the temporary folder, and where, or that there is none; empty: it is the named one."""


def staged(
    root: Path | Callable[[], Path],
    env: str,
    release: str,
    notebook: str,
    origin: str,
    *,
    run_id: str = "",
    spare: str = "",
    anyhow: bool = False,
    output: str | None = None,
    params: Mapping[str, Any] | None = None,
    sweep: Callable[[], object] | None = None,
) -> Staged:
    """Opens the staging folder of one execution.

    Args:
        root: folder of the archive, or a function that makes it from a person's input.
        run_id: letters and digits; empty: a new one.
        spare: name of the record for a message, such as `this run`, if an archive in the temporary folder may replace
            one that cannot be written: nothing may delay a rollback. Empty: it may not.
        anyhow: whether it goes on where that one cannot be written either: a lenient journal shows each line then.
        output: path that the executed notebook is written to.
        params: the flat parameters, for the record of an execution that ends before its journal says them.
        sweep: seals what earlier executions left open; called first.

    Raises:
        ArchiveError: the archive cannot be written and may not be replaced; or the run id is taken.
    """
    where = (env, release, notebook, run_id or new_run_id(), origin)
    try:
        if sweep is not None:
            sweep()
        there = root if isinstance(root, Path) else root()
        return Staged(there, stage(there, *where, utc_now(), output, params), where[3], "")
    except (RunbookError, OSError, ValueError) as error:  # ValueError: a path cannot have such a character
        if not spare:
            raise
        other = Path("runbook-archive-none")
        try:
            other = Path(tempfile.mkdtemp(prefix=_SPARE))
            trouble = f"{error}; the record of {spare} is in {other}"
            return Staged(other, stage(other, *where, utc_now(), output, params), where[3], trouble)
        except (RunbookError, OSError) as worse:
            if not anyhow:
                raise
            trouble = (
                f"{error}; nor can a temporary folder be written ({worse}): {spare} leaves no record but these lines"
            )
            return Staged(other, other / NAME / where[3], where[3], trouble)


_SPARE = "runbook-archive-"


def is_spare(folder: Path) -> bool:
    """Whether it is, or is in, an archive in the temporary folder, which knows of the rollout its own run alone."""
    temporary = Path(tempfile.gettempdir())
    return any(one.name.startswith(_SPARE) and one.parent == temporary for one in (folder, *folder.parents))


def opened(
    journal: Journal, run_id: str, notebook: str, origin: str, params: Mapping[str, Any], **loaded: Mapping[str, Any]
) -> None:
    """Writes the first event: what runs, its flat parameters and, if `loaded`, the other files."""
    journal.append("opened", run_id=run_id, notebook=notebook, origin=origin, params=params, **loaded)


def resolved(journal: Journal, given: P, known: P) -> P:
    """Returns the parameters completed by AWS, and records the ids that metrics are asked by."""
    if known is not given:
        journal.append("loaded", service=known.service.model_dump(mode="json"))
    return known


def called(journal: Journal, identity: Identity, operator: str, endpoint: str | None, as_of: str = "") -> None:
    """Records the caller according to AWS, and the instant to judge by: AWS's clock unless `as_of` is given."""
    now = identity.now.isoformat()
    journal.append(
        "caller",
        account_id=identity.account,
        arn=identity.arn,
        operator=operator or identity.arn,
        aws_now=now,
        as_of=as_of or now,
        endpoint=endpoint,
    )
