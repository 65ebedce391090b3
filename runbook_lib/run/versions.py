"""The versions that produced a record: Python, packages, and the commit of the runbook."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata

from runbook_lib.base.errors import RunbookError
from runbook_lib.params.load import project_root

_PACKAGES = ("rollout-runbook", "boto3", "botocore", "pandas", "matplotlib", "scipy", "papermill", "pydantic")
_COMMIT, _NONE = "# branch.oid ", "(initial)"
"""How `git status` says which commit it is, and that there is none yet."""


def versions() -> dict[str, str]:
    """Versions of Python and packages, and the runbook's commit, with a mark if files differ from it."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "absent"
    try:
        git = ["git", "-C", str(project_root()), "status", "--porcelain=v2", "--branch"]
        said = subprocess.run(git, capture_output=True, text=True, timeout=5, check=True).stdout.splitlines()
        commit = next(line.removeprefix(_COMMIT) for line in said if line.startswith(_COMMIT))
        changed = any(not line.startswith("# ") for line in said)
        found["commit"] = "unknown" if commit == _NONE else commit + (" (dirty)" if changed else "")
    except (OSError, subprocess.SubprocessError, StopIteration, RunbookError):
        found["commit"] = "unknown"
    return found
