"""Where the project's files lie. Light: a rollback loads it first."""

from __future__ import annotations

from pathlib import Path

from runbook_lib.base.errors import UsageError
from runbook_lib.base.yaml_file import read_yaml

__all__ = ["params_dir", "params_file", "project_root", "read_yaml"]


def params_dir(start: Path | None = None) -> Path:
    """The nearest `params/` folder at or above `start` (a kernel may run in `notebooks/` or in the project's root).

    Raises:
        UsageError: there is none.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "params" / "gates.yaml").is_file():
            return folder / "params"
    raise UsageError(f"no params/gates.yaml at or above {here}; run from the project's folder")


def project_root(start: Path | None = None) -> Path:
    """The folder that holds `params/` and `notebooks/`.

    Raises:
        UsageError: there is none at or above `start`.
    """
    return params_dir(start).parent


def params_file(value: str | Path) -> Path:
    """The parameter file that is meant: a bare environment, such as `prod`, is `params/prod.yaml` of the project.

    Raises:
        UsageError: only an environment is given, and there is no project here.
    """
    path = Path(value)
    if path.suffix or len(path.parts) > 1 or path.exists():
        return path
    file = Path("params") / f"{path}.yaml"
    return file if file.parent.is_dir() else params_dir() / file.name
