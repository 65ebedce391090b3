"""The parameters cell of a notebook: what it says of the project, for whoever opens it in JupyterLab without a file.

A cell is changed in the notebook's JSON text, so that nothing else of the file changes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

ENV = "env"
OWN = ("account_id", "region", "release")
"""Parameters that are of the project, beside the environment's name."""


def told(notebook: str) -> dict[str, str]:
    """The values of `env` and of the project's own parameters in the cell; without a cell, none."""
    found = {key: re.search(_place(key), notebook) for key in (ENV, *OWN)}
    return {key: one[0] for key, one in found.items() if one}


def filled(notebook: str, values: Mapping[str, str]) -> str:
    """The notebook with these values in its cell; a key that the cell does not have is left out."""
    for key in OWN:
        if key in values:
            notebook = re.sub(_place(key), lambda _, value=values[key]: value, notebook, count=1)  # type: ignore[misc]
    return notebook


def _place(key: str) -> str:
    return rf'(?<="{key} = \\")[^"\\]*'
