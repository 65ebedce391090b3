"""A notebook's cells as HTML: prose, charts and tables, each with its code.

mistune and pygments render them, as in nbconvert, whose import takes longer than a whole report.
The result loads nothing from elsewhere.
"""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runbook_lib.base import foreign
from runbook_lib.record.confined import confined
from runbook_lib.record.readable import Contents, readable
from runbook_lib.show.page import ONE_SHEET
from runbook_lib.show.tables import inline

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_EMPTY = re.compile(r"\A(?:Series\(\[\], .*\)|Empty DataFrame\b.*)\Z", re.DOTALL)
"""How pandas prints a series or table without rows."""
_HEADING = re.compile(r"\A\s*#[ \t]+(.+?)[ \t]*#*[ \t]*(?:\n|\Z)")


@dataclass(frozen=True)
class Piece:
    """One cell of the report: `body` is HTML, `source` highlighted HTML (code cells only)."""

    kind: str
    body: str
    source: str = ""
    number: str = ""


def pieces(nb: Mapping[str, Any], contents: Contents | None = None) -> Iterator[Piece]:
    """The cells in order, without papermill's error markers: the report explains the error itself.

    Args:
        contents: the table of contents that collects the headings; default: none.
    """
    section, contents = "", contents or Contents()
    for cell in nb.get("cells", []):
        tags = cell.get("metadata", {}).get("tags", [])
        source = _text(cell.get("source", ""))
        if "papermill-error-cell-tag" in tags or not source.strip():
            continue
        if cell.get("cell_type") == "markdown":
            heads = re.findall(r"^#+[ \t]+(.+)$", source, re.M)
            section = heads[-1] if heads else section
            prose = _markdown(_attached(source, cell.get("attachments", {})))
            yield Piece("prose", contents.anchored(readable(confined(prose, contents.claim), section)))
        elif cell.get("cell_type") == "code":
            outputs = "\n".join(_output(output, section, contents) for output in cell.get("outputs", []))
            yield Piece("code", outputs, _highlighted(source), str(cell.get("execution_count") or " "))


def title(nb: Mapping[str, Any]) -> str:
    """The notebook's first heading; empty if the notebook does not begin with one."""
    for cell in nb.get("cells", []):
        match = _HEADING.match(_text(cell.get("source", "")))
        if cell.get("cell_type") == "markdown" and match:
            return match[1].replace("`", "")
    return ""


def untitled(nb: Mapping[str, Any]) -> dict[str, Any]:
    """The notebook without its first heading, which the report shows at its top."""
    cells = [dict(cell) for cell in nb.get("cells", [])]
    for cell in cells:
        source = _text(cell.get("source", ""))
        if cell.get("cell_type") == "markdown" and _HEADING.match(source):
            cell["source"] = _HEADING.sub("", source, count=1)
            break
    return {**nb, "cells": cells}


def _output(output: Mapping[str, Any], section: str, contents: Contents) -> str:
    kind = output.get("output_type")
    if kind == "stream":
        text = foreign.html(_plain(output.get("text", "")))
        return f'<pre class="{"stderr" if output.get("name") == "stderr" else "stdout"}">{text}</pre>'
    if kind == "error":
        return _error(output)
    data = output.get("data", {})
    for mime, draw in _DRAW.items():
        if mime in data:
            drawn = confined(draw(data[mime], section), contents.claim)
            drawn = contents.anchored(readable(drawn, section), below=True)
            scrolls = "<table" in drawn and 'role="group"' not in drawn
            name = f' tabindex="0" role="group" aria-label="{foreign.html(section or "output")}"'
            sheet = " one-sheet" if _told(output, mime).get(ONE_SHEET) else ""
            return f'<div class="output{sheet}"{name if scrolls else ""}>{drawn}</div>'
    return ""


def _told(output: Mapping[str, Any], mime: str) -> Mapping[str, Any]:
    """The metadata of one MIME type of an output; frontends keep it for all types together, or for each."""
    facts = output.get("metadata") or {}
    own = facts.get(mime)
    return {**facts, **own} if isinstance(own, Mapping) else facts


def _error(output: Mapping[str, Any]) -> str:
    name, sentence = str(output.get("ename", "Error")), _plain(output.get("evalue", ""))
    if name == "RedVerdict":
        return f'<div class="callout">The run ends here, after everything was saved: {inline(sentence)}</div>'
    trace = foreign.html("\n".join(_plain(line) for line in output.get("traceback", [])))
    more = f"<details><summary>Traceback</summary><pre>{trace}</pre></details>" if trace.count("\n") else ""
    return f'<div class="callout bad"><b>{foreign.html(name)}</b>: {inline(sentence)}{more}</div>'


def _image(mime: str) -> Callable[[Any, str], str]:
    def draw(data: Any, section: str) -> str:
        raw = _text(data)
        code = base64.b64encode(raw.encode()).decode() if mime == "image/svg+xml" else re.sub(r"\s", "", raw)
        kind = "picture" if mime == "image/jpeg" else "drawn"
        return f'<img class="{kind}" src="data:{mime};base64,{code}" alt="{foreign.html(section or "chart")}">'

    return draw


_DRAW: dict[str, Callable[[Any, str], str]] = {
    "text/html": lambda data, _: _text(data),
    "image/svg+xml": _image("image/svg+xml"),
    "image/png": _image("image/png"),
    "image/jpeg": _image("image/jpeg"),
    "text/markdown": lambda data, _: f'<div class="prose page">{_markdown(_text(data))}</div>',
    "text/plain": lambda data, _: (
        f'<pre class="stdout">{foreign.html(_EMPTY.sub("nothing to show", _plain(data)))}</pre>'
    ),
}


def _attached(source: str, attachments: Mapping[str, Mapping[str, str]]) -> str:
    """Markdown with the images that were pasted into its cell, as data in place of their references."""
    for name, bundle in attachments.items():
        for mime, code in bundle.items():
            source = source.replace(f"attachment:{name}", f"data:{mime};base64,{_text(code)}")
    return source


@functools.cache
def _renderer() -> Any:
    import mistune

    return mistune.create_markdown(escape=False, plugins=["table", "strikethrough", "task_lists"])


def _markdown(source: str) -> str:
    return str(_renderer()(source))


def _highlighted(source: str) -> str:
    from pygments import highlight  # type: ignore[import-untyped]

    return str(highlight(foreign.terminal(source), *_pygments()))


@functools.cache
def _pygments() -> tuple[Any, Any]:
    """Lexer and formatter, made once: making a formatter takes longer than rendering a cell."""
    from pygments.formatters.html import HtmlFormatter  # type: ignore[import-untyped]
    from pygments.lexers.python import PythonLexer  # type: ignore[import-untyped]

    return PythonLexer(), HtmlFormatter(nowrap=True)


def _text(value: Any) -> str:
    return "".join(value) if isinstance(value, list) else str(value)


def _plain(value: Any) -> str:
    return _ANSI.sub("", _text(value))
