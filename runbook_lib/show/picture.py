"""Draws figures in the style of the reports, and turns them into HTML with a description for blind readers."""

from __future__ import annotations

import base64
import contextlib
import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

from runbook_lib.base import foreign
from runbook_lib.show import style
from runbook_lib.show.tables import Shown

WIDTH_IN, NARROW_IN = 10.0, 3.6
"""Widths of a figure on a page and on a telephone; its letters have the same height on both."""
NARROW_PX = 640
"""Screens up to this width show the narrow figure; `report.css` has the same limit for its tables."""
_IN_THE_DARK = '<style>[data-jp-theme-light="false"] .chart img{filter:invert(.92) hue-rotate(180deg)}</style>'
"""Inverts a chart in JupyterLab's dark theme, as `record/templates/report.css` does in a report's."""
_WIDTH: ContextVar[float] = ContextVar("width of the figures being drawn", default=WIDTH_IN)


def width() -> float:
    """The width of figures now, in inches."""
    return _WIDTH.get()


def narrow() -> bool:
    """Whether figures are drawn for a telephone: panels one below the other, thresholds in the legend."""
    return width() < WIDTH_IN


def slim(draw: Callable[[], Any]) -> Any:
    """The figure from `draw` for a telephone."""
    token = _WIDTH.set(NARROW_IN)
    try:
        return draw()
    finally:
        _WIDTH.reset(token)


@contextlib.contextmanager
def drawing() -> Iterator[Any]:
    """Gives `pyplot` with our style, and at the end closes every figure made inside."""
    import matplotlib as mpl
    from matplotlib import pyplot

    with mpl.rc_context(style.rc()):
        before = set(pyplot.get_fignums())
        try:
            yield pyplot
        finally:
            for number in set(pyplot.get_fignums()) - before:
                pyplot.close(number)


def image(draw: Callable[[], Any], alt: str | None = None, cuts: Sequence[tuple[float, str]] = ()) -> Shown:
    """A figure as HTML with its description (`alt`; default: the figure's label), and as that text in a terminal.

    It is drawn twice, for a page and for a telephone; a browser shows the one that fits.

    Args:
        cuts: where a printed page may end within the figure: distance from its top in inches, and the description of
            the part between the cut before and this one. The last cut is the end of the figure.
    """
    figure = draw()
    text = alt or figure.get_label() or "chart"
    wide, high = figure.get_size_inches()
    shares = [0.0, *(inches / high for inches, _ in cuts[:-1]), 1.0]
    parts = "".join(
        picture(part, told, f"max-width:{wide * 100:.0f}px", other)
        for part, other, told in zip(
            _parts(pixels(figure), shares),
            _parts(pixels(slim(draw)), shares),
            [told for _, told in cuts] or [text],
            strict=True,
        )
    )
    return Shown(framed(parts, int(wide * 100)), text)


def _parts(whole: Any, shares: Sequence[float]) -> list[Any]:
    """A picture cut horizontally at these shares of its height."""
    edges = [round(share * whole.height) for share in shares]
    return [whole.crop((0, top, whole.width, bottom)) for top, bottom in itertools.pairwise(edges)]


def picture(part: Any, text: str, size: str, other: Any) -> str:
    """A drawn figure, or a part of one, as an `img` on white paper; a telephone shows `other` instead."""
    return (
        f'<picture><source media="screen and (max-width: {NARROW_PX}px)" srcset="{_data(other, text)}">'
        f'<img alt="{foreign.html(text)}" src="{_data(part, text)}" '
        f'style="display:block;width:100%;{size};height:auto;background:white"></picture>'
    )


def _data(drawn: Any, text: str) -> str:
    out = io.BytesIO()
    drawn.save(out, format="png", compress_level=2, pnginfo=described(text))
    return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"


def framed(parts: str, width: int, tile: str = "") -> str:
    """Pictures in a frame with the width of their drawing; on a narrower page the frame scrolls.

    At that width the smallest letters, of 8 points, are 11 pixels high.

    Args:
        tile: style of the frame where several are side by side.
    """
    kind = "chart tile" if tile else "chart"
    return f'{_IN_THE_DARK}<div class="{kind}" style="{tile}overflow-x:auto;--drawn:{width}px">{parts}</div>'


def pixels(figure: Any) -> Any:
    """The figure as a PIL image of 256 colours: lines and letters look the same, and it is faster."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    figure.set_dpi(style.DPI * 1.6)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    size = canvas.get_width_height()
    whole = Image.frombuffer("RGBA", size, canvas.buffer_rgba(), "raw", "RGBA", 0, 1).convert("RGB")
    return whole.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)


def described(text: str) -> Any:
    """The description inside a PNG, for people who have only the file."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt("Description", text)
    return info
