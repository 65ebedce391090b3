"""How the archive is kept: reads the section `archive` of `service.yaml` when a record is sealed.

Notebooks, commands, papermill's process and the sweep all seal records, and not all of them have the parameters. So
the section is read here. A mistake in it does not stop a record: it is reported.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from runbook_lib.base.errors import ArchiveError, UsageError
from runbook_lib.base.kept_at import address, home_address
from runbook_lib.base.project import params_dir, read_yaml
from runbook_lib.params.keeping import Keeping
from runbook_lib.record.log.signers import Signer, signer
from runbook_lib.record.log.witness import Witness, witness
from runbook_lib.record.place import PARAMS

FILE = "service.yaml"


def keeping(root: Path) -> Keeping:
    """The settings in `service.yaml` for the archive at `root`; defaults without a project, or for another archive.

    Raises:
        ArchiveError: a setting cannot be used.
    """
    try:
        file = Path(os.environ.get(PARAMS) or params_dir()) / FILE
        found = file.stat()
    except (UsageError, OSError):
        return Keeping()
    said = _read(file, (found.st_ino, found.st_size, found.st_mtime_ns))
    where = address(said.folder)
    if where or home_address(root):
        return said if where == home_address(root) else Keeping()
    own = os.path.realpath(file.absolute().parents[1] / Path(said.folder).expanduser())
    return said if own == os.path.realpath(root) else Keeping()


@lru_cache(maxsize=8)
def _read(file: Path, _state: tuple[int, ...]) -> Keeping:
    try:
        return Keeping.model_validate(read_yaml(file).get("archive") or {})
    except (UsageError, ValidationError) as error:
        first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise ArchiveError(f"{FILE}, 'archive': {first}") from None


@lru_cache(maxsize=8)
def signer_of(said: Keeping) -> Signer | None:
    """The signer; None: checkpoints are not signed.

    Raises:
        ArchiveError: the key is unavailable.
    """
    return signer(said.signing_key, said.region) if said.signing_key else None


@lru_cache(maxsize=32)
def witness_of(name: str, region: str) -> Witness:
    """One of the witnesses that keep each checkpoint too.

    Raises:
        ArchiveError: it cannot be reached.
    """
    return witness(name, region)


def witnesses_of(said: Keeping) -> tuple[Witness, ...]:
    """All of them.

    Raises:
        ArchiveError: one cannot be reached.
    """
    return tuple(witness_of(name, said.region) for name in said.witness)
