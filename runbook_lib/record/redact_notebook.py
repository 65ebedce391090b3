"""Secrets are taken out of a notebook: of its sources, its outputs and papermill's copy of the parameters."""

from __future__ import annotations

from typing import Any

from runbook_lib.base.redact import MASK, redact, redact_text

__all__ = ["MASK", "redact", "redact_notebook", "redact_output", "redact_text"]

_BINARY = ("image/png", "image/jpeg", "image/gif", "application/pdf")


def redact_notebook(nb: Any) -> None:
    """Redacts a notebook (nbformat 4 node) in place: sources, outputs and papermill's copy of the parameters."""
    for cell in nb.get("cells", []):
        cell["source"] = redact_text(_joined(cell.get("source", "")))
        for output in cell.get("outputs", []):
            redact_output(output)
    papermill = nb.get("metadata", {}).get("papermill")
    if isinstance(papermill, dict):
        for key in ("parameters", "environment_variables"):
            if key in papermill:
                _in_place(papermill[key])


def redact_output(output: Any) -> None:
    """Redacts one output (or the content of an IOPub message, which has the same fields) in place; images stay."""
    for key in ("text", "evalue", "ename"):
        if key in output:
            output[key] = redact_text(_joined(output[key]))
    if "traceback" in output:
        output["traceback"] = [redact_text(line) for line in output["traceback"]]
    data = output.get("data")
    if isinstance(data, dict):
        for mime, item in data.items():
            if mime not in _BINARY:
                data[mime] = redact_text("".join(item)) if _is_lines(item) else redact(item)


def _joined(text: Any) -> str:
    return "".join(text) if isinstance(text, list) else str(text)


def _is_lines(item: Any) -> bool:
    return isinstance(item, list) and all(isinstance(line, str) for line in item)


def _in_place(node: Any) -> None:
    if isinstance(node, dict):
        node.update(redact(dict(node)))
