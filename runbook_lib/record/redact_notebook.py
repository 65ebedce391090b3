"""Removes secrets from a notebook: from sources, outputs, metadata and papermill's copy of the parameters."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from typing import Any

from runbook_lib.base.masking.names import stemmed
from runbook_lib.base.masking.shown import anywhere, masked_in
from runbook_lib.base.redact import MASK, Pieces, redact_text
from runbook_lib.base.redact_data import redact

__all__ = [
    "MASK",
    "notebook_json",
    "redact",
    "redact_notebook",
    "redact_output",
    "redact_outputs",
    "redact_text",
]

_OUTPUT = frozenset("output_type name text data metadata execution_count ename evalue traceback".split())  # noqa: SIM905
_CELL = frozenset(("cell_type", "source", "outputs", "metadata", "execution_count", "attachments"))
_NOTEBOOK = frozenset(("cells", "metadata", "nbformat", "nbformat_minor"))
"""Fields that are redacted by what they are, or hold nothing that a person wrote."""
_MARKED = ("text/html", "text/markdown", "image/svg+xml")
_TAG = re.compile(r"<[^<>]{1,600}>")
_INLINE = re.compile(r"</?(?:a|b|big|code|em|font|i|kbd|mark|pre|s|samp|small|span|strong|sub|sup|tt|u|var)\b", re.I)
_BINARY = ("image/png", "image/jpeg", "image/gif", "application/pdf")


def redact_notebook(nb: Any) -> None:
    """Redacts a notebook (nbformat 4 node) in place."""
    for cell in nb.get("cells", []):
        cell["source"] = redact_text(_joined(cell.get("source", "")))
        redact_outputs(cell.get("outputs", []))
        for output in cell.get("outputs", []):
            _others(output, _OUTPUT)
        _in_place(cell.get("metadata"))
        _attached(cell)
        _others(cell, _CELL)
    _in_place(nb.get("metadata"))
    _others(nb, _NOTEBOOK)


def notebook_json(notebook: dict[str, Any]) -> bytes:
    """A notebook as the bytes of its file."""
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def redact_outputs(outputs: Iterable[Any]) -> None:
    """Redacts the outputs of one cell in place: a key printed line by line may span several outputs, and so may a
    password after its name. The number of outputs stays: a display is updated by its index.
    """
    outputs, pieces = list(outputs), Pieces()
    for output in outputs:
        if "text" in output:
            output["text"] = pieces.blocks(_joined(output["text"]))
        plain = output.get("data", {}).get("text/plain")
        if plain is not None:
            output["data"]["text/plain"] = pieces.blocks(_joined(plain))
    for name in ("stdout", "stderr"):
        _whole([one for one in outputs if one.get("output_type") == "stream" and one.get("name") == name])
    for output in outputs:
        redact_output(output)


def redact_output(output: Any, pieces: Pieces | None = None) -> None:
    """Redacts one output (or the content of an IOPub message, which has the same fields) in place; images stay.

    Args:
        pieces: the redaction state after the cell's earlier outputs.
    """
    pieces = pieces or Pieces()
    for key in ("ename", "evalue"):
        if key in output:
            output[key] = redact_text(_joined(output[key]))
    if "text" in output:
        output["text"] = pieces(_joined(output["text"]))
    if "traceback" in output:
        whole = "\n".join(output["traceback"])
        clean = redact_text(whole)
        if clean != whole:
            output["traceback"] = clean.split("\n")
    if isinstance(output.get("data"), dict):
        _forms(output["data"])
    if "metadata" in output:
        _in_place(output["metadata"])


def _forms(data: dict[str, Any]) -> None:
    """Redacts the forms of one output: what is masked in its text is shown in no other form, whatever stands there."""
    hidden = set[str]()
    for mime, item in data.items():
        if mime in _BINARY:
            continue
        text = "".join(item) if _is_lines(item) else item
        data[mime] = redact_text(text) if isinstance(text, str) else redact(text)
        if mime == "text/plain" and isinstance(text, str):
            hidden |= masked_in(text, data[mime])
        elif mime in _MARKED and isinstance(text, str) and stemmed(text.casefold()):
            seen = _seen(data[mime])
            hidden |= masked_in(seen, redact_text(seen))
    for secret in sorted(hidden, key=len, reverse=True):
        for mime in set(data) - {"text/plain", *_BINARY}:
            data[mime] = _without(data[mime], anywhere(secret))
    for mime in [one for one in data if redact_text(one) != one]:
        data[redact_text(mime)] = data.pop(mime)


def _seen(markup: str) -> str:
    """Marked text as its reader sees it: a name and its value may each have a mark of its own."""
    return (
        html.unescape(_TAG.sub(lambda tag: "" if _INLINE.match(tag[0]) else "\n", markup))
        .replace("**", "")
        .replace("`", "")
    )


def _without(item: Any, secret: re.Pattern[str]) -> Any:
    if isinstance(item, str):
        return secret.sub(MASK, item)
    if isinstance(item, dict):
        return {_without(key, secret): _without(one, secret) for key, one in item.items()}
    return [_without(one, secret) for one in item] if isinstance(item, list) else item


def _whole(streams: list[Any]) -> None:
    """If a secret spans several pieces of a stream, puts the whole redacted text into the first piece."""
    texts = [_joined(one.get("text", "")) for one in streams]
    clean = redact_text("".join(texts)) if len(texts) > 1 else ""
    if len(texts) > 1 and clean != "".join(map(redact_text, texts)):
        for one in streams:
            one["text"] = ""
        streams[0]["text"] = clean


def _joined(text: Any) -> str:
    return "".join(text) if isinstance(text, list) else str(text)


def _is_lines(item: Any) -> bool:
    return isinstance(item, list) and all(isinstance(line, str) for line in item)


def _in_place(node: Any) -> None:
    if isinstance(node, dict) and node:
        clean = redact(dict(node))
        if clean != node:
            node.clear()
            node.update(clean)


def _attached(cell: Any) -> None:
    """Redacts the files that a cell of prose carries, and their names; images stay."""
    attachments = cell.get("attachments")
    if isinstance(attachments, dict):
        cell["attachments"] = {
            redact_text(name): {mime: item if mime in _BINARY else redact(item) for mime, item in bundle.items()}
            for name, bundle in attachments.items()
            if isinstance(bundle, dict)
        }


def _others(node: Any, known: frozenset[str]) -> None:
    """Redacts, in place, the fields that notebooks do not have: whoever wrote the file may have put anything there."""
    others = {name: item for name, item in node.items() if name not in known}
    clean = redact(others) if others else others
    if clean != others:
        for name in others:
            del node[name]
        node.update(clean)
