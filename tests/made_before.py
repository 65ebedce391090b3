"""For the process that forks kernels (`tests/kernels.py`), where importing this has figures not painted, forecasts of
harm kept, and the sandbox's infrastructure tool forked too. In no process of the tests themselves.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg

from runbook_lib.act import command
from runbook_lib.judge.planning import harm
from tests import forks, unpainted

SHARED = "RUNBOOK_TESTS_SHARED"
"""Names the folder that the workers of one run of the tests share; `conftest.py` makes and removes it."""


def kept(make: Callable[..., Any], folder: Path) -> Callable[..., Any]:
    """`make`, which gives the same for the same arguments, and makes it once for all who name the same folder."""

    def known(*given: Any) -> Any:
        place = folder / hashlib.sha256(repr(given).encode()).hexdigest()
        if place.is_file():
            return pickle.loads(place.read_bytes())
        found = make(*given)
        fresh = place.with_suffix(f".{os.getpid()}")
        fresh.write_bytes(pickle.dumps(found))
        fresh.replace(place)
        return found

    return known


FigureCanvasAgg.draw = unpainted.draw  # type: ignore[method-assign]
forks._server()  # one for all kernels, which have their end of its channel from here
command.subprocess = forks.processes  # type: ignore[assignment]
harm._forecast = kept(harm._forecast, Path(os.environ[SHARED]))  # type: ignore[assignment]
