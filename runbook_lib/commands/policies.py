"""`runbook policies`: the IAM policies of each role and the trust policy, from the runbook's calls."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runbook_lib.base.all_or_none import write_all
from runbook_lib.base.errors import UsageError
from runbook_lib.base.kept_at import BUCKET
from runbook_lib.base.plain_file import read_plain
from runbook_lib.commands.init.folder import unified
from runbook_lib.params.load import Params
from runbook_lib.params.permissions import ROLES, policy, trust

REPOSITORY = "OWNER/REPOSITORY"
"""Placeholder for a repository that was not named: a trust policy with it trusts nobody."""


def documents(params: Params, repository: str = "", bucket: str = "") -> dict[str, dict[str, Any]]:
    """Every document by file name, without roles that this service does not need.

    Args:
        repository: OWNER/NAME on GitHub, whose jobs may assume the role.
        bucket: bucket of the archive of CI.

    Raises:
        UsageError: one of the two is not a valid name.
    """
    if repository and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+", repository):
        raise UsageError(f"--repository is '{repository}', expects OWNER/NAME")
    if bucket and not re.fullmatch(BUCKET, bucket):
        raise UsageError(f"--bucket is '{bucket}', expects the name of an S3 bucket")
    made = {role: policy(role, params, bucket) for role in ROLES}
    kept = {f"{role}.json": document for role, document in made.items() if document["Statement"]}
    return {**kept, "trust.json": trust(params, repository or REPOSITORY)}


def text(document: dict[str, Any]) -> str:
    """A document as the text of its file."""
    return json.dumps(document, indent=2) + "\n"


@dataclass(frozen=True)
class Written:
    """One file of the folder, and what was done with it."""

    file: str
    state: str
    """`written`, `as it was`, or `differs`: left unchanged."""
    difference: str = ""

    @property
    def written(self) -> bool:
        """Whether the file is new."""
        return self.state == "written"


def write(found: dict[str, dict[str, Any]], folder: Path, *, replace: bool = False) -> list[Written]:
    """Writes the missing files. A file that differs was edited by hand, or is another environment's.

    Args:
        replace: whether to write the differing files, too.

    Raises:
        UsageError: the folder cannot be read or written.
    """
    told, new = [], dict[Path, bytes]()
    try:
        for name, document in found.items():
            path, wanted = folder / name, text(document)
            there = read_plain(path).decode("utf-8", "replace") if path.exists() else None
            difference = "" if there is None else unified(str(path), there, wanted)
            if there == wanted:
                state = "as it was"
            elif there is None or replace:
                new[path] = wanted.encode()
                state = "written"
            else:
                state = "differs"
            told.append(Written(str(path), state, difference))
        write_all(new)
    except OSError as error:
        raise UsageError(f"--write: {folder} cannot be written ({error.strerror})") from None
    return told
