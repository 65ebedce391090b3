"""Figures of these tests are made, with all that is in them, and not painted, which takes the most of a cell's time.

Painted they are where a test asks for `painted`, in the tests of `show/`, in kernels that boot by themselves
(`tests/e2e/test_ways.py`) and in `make rehearse`.
"""

from __future__ import annotations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from tests import unpainted


@pytest.fixture
def painted() -> None:
    """The figures of this test are painted."""


@pytest.fixture(autouse=True)
def figures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not painted, unless the test asks for it."""
    if "painted" not in request.fixturenames:
        monkeypatch.setattr(FigureCanvasAgg, "draw", unpainted.draw)
