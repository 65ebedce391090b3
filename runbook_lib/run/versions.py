"""The versions that produced a record: Python, packages, and the commit of the runbook."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata

from runbook_lib.base.errors import RunbookError
from runbook_lib.params.load import project_root

_PACKAGES = ("rollout-runbook", "boto3", "botocore", "pandas", "matplotlib", "scipy", "papermill", "pydantic")


def versions() -> dict[str, str]:
    """Versions of Python and packages, and the runbook's commit, with a mark if files differ from it."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "absent"
    try:
        root = project_root()
        git = ["git", "-C", str(root)]
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True)
        changed = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, timeout=5, check=True)
        found["commit"] = commit.stdout.strip() + (" (dirty)" if changed.stdout.strip() else "")
    except (OSError, subprocess.SubprocessError, RunbookError):
        found["commit"] = "unknown"
    return found
