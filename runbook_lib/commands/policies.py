"""`runbook policies`: the IAM policies of each role and the trust policy, from the calls that the runbook makes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from runbook_lib.base.errors import UsageError
from runbook_lib.params.load import Params
from runbook_lib.params.permissions import ROLES, policy, trust

REPOSITORY = "OWNER/REPOSITORY"
"""Stands for a repository that was not named: such a trust policy trusts nobody."""


def documents(params: Params, repository: str = "", bucket: str = "") -> dict[str, dict[str, Any]]:
    """Every document by its file's name. A role that this service has no use for is left out.

    Args:
        repository: OWNER/NAME on GitHub, whose jobs may assume the role.
        bucket: where CI keeps the archive.

    Raises:
        UsageError: one of the two is no such name.
    """
    if repository and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+", repository):
        raise UsageError(f"--repository is '{repository}', expects OWNER/NAME")
    if bucket and not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket):
        raise UsageError(f"--bucket is '{bucket}', expects the name of an S3 bucket")
    made = {role: policy(role, params, bucket) for role in ROLES}
    kept = {f"{role}.json": document for role, document in made.items() if document["Statement"]}
    return {**kept, "trust.json": trust(params, repository or REPOSITORY)}


def text(document: dict[str, Any]) -> str:
    """A document as its file has it."""
    return json.dumps(document, indent=2) + "\n"


def write(found: dict[str, dict[str, Any]], folder: Path) -> list[tuple[str, bool]]:
    """Writes the files that differ; each file with whether it was written.

    Raises:
        UsageError: the folder cannot be written.
    """
    told = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, document in found.items():
            path, wanted = folder / name, text(document)
            same = path.is_file() and path.read_text("utf-8") == wanted
            if not same:
                path.write_text(wanted, "utf-8")
            told.append((str(path), not same))
    except OSError as error:
        raise UsageError(f"--write: {folder} cannot be written ({error.strerror})") from None
    return told
