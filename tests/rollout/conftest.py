"""Figures of these tests are made, with all that is in them, and not painted: these ask for words and for what is in a
figure. Painted they are in the tests of `show/` and of `e2e/`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from tests import unpainted


@pytest.fixture(autouse=True, scope="module")
def figures() -> Iterator[None]:
    """They are not painted, in what a module makes once for its tests neither."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FigureCanvasAgg, "draw", unpainted.draw)
        yield
