"""A figure that is made, with all that is in it, and not painted: nobody looks at it, and painting takes the time."""

from __future__ import annotations

from typing import Any

DPI = 10
"""Of a picture that stays empty: turning one of the usual size into a file takes half of the time."""


def draw(canvas: Any) -> None:
    """As `FigureCanvasAgg.draw`, and the picture stays empty and small."""
    canvas.figure.set_dpi(DPI)
    canvas.renderer = canvas.get_renderer()
