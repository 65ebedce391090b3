"""The project that comes with the runbook: notebooks, parameters and workflow, from the wheel or from the checkout."""

from __future__ import annotations

from pathlib import Path

from runbook_lib.base.errors import UsageError

FOLDER = "delivered"
"""Folder inside the package after installation from a wheel; `setup.py` copies the files there."""
PACKAGE = Path(__file__).parents[1]
WORKFLOW = (".ci/runbook", ".github/workflows/runbook.yml")


def delivered() -> Path:
    """The folder with `notebooks/`, `params/` and the workflow as delivered with this version.

    Raises:
        UsageError: the installation has no such folder.
    """
    for folder in (PACKAGE / FOLDER, PACKAGE.parent):
        if (folder / "params" / "gates.yaml").is_file() and (folder / "notebooks").is_dir():
            return folder
    raise UsageError("this installation has no notebooks; run `pip install --force-reinstall rollout-runbook`")


def files() -> dict[str, bytes]:
    """The content of every delivered file by its path in a project.

    Raises:
        UsageError: the installation has no such files.
    """
    root = delivered()
    found = [*sorted((root / "notebooks").glob("[!.]*.ipynb")), *sorted((root / "params").glob("[!.]*.yaml"))]
    found += [root / name for name in WORKFLOW]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}
