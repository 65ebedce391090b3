"""What is left out of an import is there for everybody else afterwards."""

from __future__ import annotations

import os
import subprocess
import sys


def test_papermill_is_imported_without_the_grammars_that_no_notebook_needs() -> None:
    """They are there for everybody else again afterwards."""
    code = """
import sys
from runbook_lib.base.unneeded import GRAMMARS, without
with without(GRAMMARS):
    import papermill, nbformat
assert "rfc3987_syntax" not in sys.modules, "neither loaded nor forbidden"
book = nbformat.v4.new_notebook()
nbformat.validate(book)
try:
    nbformat.validate({"cells": [{"cell_type": "sonnet"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
except nbformat.ValidationError:
    print("checked")
"""
    # The other tests' processes cannot find the grammars at all.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "checked"
