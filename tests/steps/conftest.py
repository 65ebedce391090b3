"""Figures of these tests are made, with all that is in them, and not painted, which takes the most of a cell's time.

Painted they are where a test asks for `painted`, in the tests of `show/`, in kernels that boot by themselves
(`tests/e2e/test_ways.py`) and in `make rehearse`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from tests import unpainted


@pytest.fixture(autouse=True, scope="module")
def figures() -> Iterator[pytest.MonkeyPatch]:
    """They are not painted, in what a module makes once for its tests neither."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FigureCanvasAgg, "draw", unpainted.draw)
        yield patch


@pytest.fixture
def painted(figures: pytest.MonkeyPatch) -> Iterator[None]:
    """The figures of this test are painted."""
    figures.undo()
    yield
    figures.setattr(FigureCanvasAgg, "draw", unpainted.draw)
