"""scipy's special functions, imported without numpy's reader of Fortran.

At its import scipy copies numpy's namespace, and with it loads what numpy itself loads only when somebody asks: `f2py`,
a tenth of a second of each command and kernel.
"""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np

_READER = "f2py"


def _imported() -> Any:
    """`scipy.special`; while scipy copies, an empty module has the reader's place, unless somebody has loaded it."""
    held = f"numpy.{_READER}" not in sys.modules
    if held:
        setattr(np, _READER, types.ModuleType(f"numpy.{_READER}"))
    try:
        from scipy import special as found
    finally:
        if held:
            delattr(np, _READER)  # whoever asks for it later gets it
    return found


special = _imported()
