"""A project of its own in a folder: the real parameters with the rehearsal's overlay, and an archive beside them."""

from __future__ import annotations

from pathlib import Path

import yaml

from runbook_lib.base.project import params_dir, read_yaml

PARAMS = params_dir(Path(__file__).parent)


def own_project(folder: Path) -> Path:
    """Writes it into `folder`; the parameter file of prod."""
    (folder / "params").mkdir()
    for name in ("service", "gates", "prices"):
        (folder / "params" / f"{name}.yaml").write_text((PARAMS / f"{name}.yaml").read_text())
    flat = {**read_yaml(PARAMS / "prod.yaml"), **read_yaml(PARAMS / "rehearsal.yaml")}
    path = folder / "params" / "prod.yaml"
    path.write_text(yaml.safe_dump({**flat, "archive": "archive"}))
    return path
