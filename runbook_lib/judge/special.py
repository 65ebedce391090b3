"""scipy's special functions, imported without f2py, numpy's Fortran interface generator.

At its import scipy copies numpy's namespace, and so loads f2py, which numpy itself loads only when somebody asks for
it: a tenth of a second of each command and kernel.
"""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np

_F2PY = "f2py"


def _imported() -> Any:
    """`scipy.special`; while scipy copies, an empty module has f2py's place, unless somebody has loaded it."""
    held = f"numpy.{_F2PY}" not in sys.modules
    if held:
        setattr(np, _F2PY, types.ModuleType(f"numpy.{_F2PY}"))
    try:
        from scipy import special as found
    finally:
        if held:
            delattr(np, _F2PY)  # whoever asks for it later gets it
    return found


special = _imported()
