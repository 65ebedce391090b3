"""A figure that is made, with all that is in it, and not painted: nobody looks at it, and painting takes the time."""

from __future__ import annotations

from typing import Any


def draw(canvas: Any) -> None:
    """As `FigureCanvasAgg.draw`, and the picture stays empty."""
    canvas.renderer = canvas.get_renderer()
