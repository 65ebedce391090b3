"""A figure in the style of the reports, and its picture: HTML with a description for those who cannot see it."""

from __future__ import annotations

import base64
import contextlib
import html
import io
from collections.abc import Iterator
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


def image(figure: Any, alt: str | None = None) -> Shown:
    """A figure as HTML with its description (`alt`; default: the one made with it), and as that text in a terminal."""
    text = alt or figure.get_label() or "chart"
    out = io.BytesIO()
    pixels(figure).save(out, format="png", compress_level=2, pnginfo=described(text))
    data = base64.b64encode(out.getvalue()).decode()
    width = int(figure.get_size_inches()[0] * 100)
    return Shown(
        f'<img alt="{html.escape(text)}" src="data:image/png;base64,{data}" '
        f'style="width:100%;max-width:{width}px;height:auto;background:white;border-radius:4px">',
        text,
    )


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
