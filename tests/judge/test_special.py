"""What importing scipy's special functions loads: all of them, and not numpy's reader of Fortran."""

from __future__ import annotations

import subprocess
import sys

ASKED = """
import sys
{before}
from runbook_lib.judge.special import special
print(special.betainc(2, 3, 0.5), "numpy.f2py.crackfortran" in sys.modules)
import numpy
print(numpy.f2py.__name__, callable(numpy.f2py.run_main))
"""


def said(before: str = "") -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", ASKED.format(before=before)], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_the_reader_of_fortran_is_not_loaded_and_whoever_asks_for_it_gets_it() -> None:
    assert said() == ["0.6875 False", "numpy.f2py True"]


def test_one_that_somebody_has_loaded_stays() -> None:
    assert said("import numpy.f2py") == ["0.6875 True", "numpy.f2py True"]
