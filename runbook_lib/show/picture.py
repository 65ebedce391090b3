"""A figure in the style of the reports, and its picture: HTML with a description for those who cannot see it."""

from __future__ import annotations

import base64
import contextlib
import html
import io
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from runbook_lib.show import style
from runbook_lib.show.tables import Shown

WIDTH_IN = 10.0


@contextlib.contextmanager
def drawing() -> Iterator[Any]:
    """matplotlib under our style; every figure made inside is closed at the end."""
    import matplotlib as mpl
    from matplotlib import pyplot

    with mpl.rc_context(style.rc()):
        before = set(pyplot.get_fignums())
        try:
            yield pyplot
        finally:
            for number in set(pyplot.get_fignums()) - before:
                pyplot.close(number)


def image(figure: Any, alt: str | None = None, cuts: Sequence[tuple[float, str]] = ()) -> Shown:
    """A figure as HTML with its description (`alt`; default: the one made with it), and as that text in a terminal.

    Args:
        cuts: where a printed page may end within the figure: distance from its top in inches, and the description of
            what is above, down to the cut before. The last one's is what is left.
    """
    text = alt or figure.get_label() or "chart"
    width = int(figure.get_size_inches()[0] * 100)
    whole = pixels(figure)
    edges = [0, *(round(inches * whole.height / figure.get_size_inches()[1]) for inches, _ in cuts[:-1]), whole.height]
    parts = "".join(
        picture(whole.crop((0, top, whole.width, bottom)) if cuts else whole, told, f"max-width:{width}px")
        for (top, bottom), told in zip(itertools.pairwise(edges), [told for _, told in cuts] or [text], strict=True)
    )
    return Shown(framed(parts, width), text)


def picture(part: Any, text: str, size: str) -> str:
    """A drawn figure, or a part of one, as an `img` on white paper."""
    out = io.BytesIO()
    part.save(out, format="png", compress_level=2, pnginfo=described(text))
    data = base64.b64encode(out.getvalue()).decode()
    return (
        f'<img alt="{html.escape(text)}" src="data:image/png;base64,{data}" '
        f'style="display:block;width:100%;{size};height:auto;background:white">'
    )


def framed(parts: str, width: int, tile: str = "") -> str:
    """Pictures in a frame that says how wide they are drawn: on a narrower page a report scrolls in it.

    At that width the smallest letters, of 8 points, are 11 pixels high.

    Args:
        tile: style of the frame where several stand side by side.
    """
    kind = "chart tile" if tile else "chart"
    return f'<div class="{kind}" style="{tile}overflow-x:auto;--drawn:{width}px">{parts}</div>'


def pixels(figure: Any) -> Any:
    """The figure drawn, as a PIL image of 256 colours: of lines and letters nobody sees a difference but in time."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    figure.set_dpi(style.DPI * 1.6)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    size = canvas.get_width_height()
    whole = Image.frombuffer("RGBA", size, canvas.buffer_rgba(), "raw", "RGBA", 0, 1).convert("RGB")
    return whole.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)


def described(text: str) -> Any:
    """A PNG's own description, for those who have the file alone."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt("Description", text)
    return info
