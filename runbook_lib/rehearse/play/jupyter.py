"""JupyterLab as a child that ends with its parent: `python -m runbook_lib.rehearse.play.jupyter PARENT OPTION…`.

Its kernels end with it: each watches its own parent.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading

from runbook_lib.base.foreign import one_line
from runbook_lib.base.process import GRAMMARS, ends_with, without

PROGRAM = "jupyterlab"
GOES_S = 10.0
"""Seconds that JupyterLab has to end by itself, with its kernels."""


def _end() -> None:
    late = threading.Timer(GOES_S, os._exit, [1])
    late.daemon = True
    late.start()
    os.kill(os.getpid(), signal.SIGTERM)


def main(parent: int, module: str = PROGRAM) -> None:
    """Runs `module` as this process's program; its options come from the command line."""
    ends_with(parent, _end)
    try:
        with without(GRAMMARS):
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    except Exception as error:  # an installation that is broken
        sys.exit(f"JupyterLab cannot run: {type(error).__name__}: {one_line(error)}")


if __name__ == "__main__":
    main(int(sys.argv.pop(1)))
