"""No string in this file looks like a secret: each is put together when the test runs."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console
from rich.table import Table

from runbook_lib.base.redact import MASK
from runbook_lib.record.journal import FILE, Journal
from runbook_lib.record.redact_notebook import redact_notebook, redact_output
from runbook_lib.show import frames


def test_the_journal_takes_secrets_out(tmp_path: Path) -> None:
    key = "AK" + "IA" + "Q" * 16
    journal = Journal(tmp_path)
    journal.append("note", text=f"found {key}", nested=[{"k": key}])
    journal.attach("answers.json", json.dumps([key]))
    assert key not in (tmp_path / FILE).read_text()
    assert key not in (tmp_path / "answers.json").read_text()


def test_a_notebook_is_redacted_in_place_and_its_pictures_stay() -> None:
    key = "AK" + "IA" + "Q" * 16
    outputs: list[dict[str, Any]] = [
        {"output_type": "stream", "name": "stdout", "text": [key[:9], key[9:]]},
        {"output_type": "error", "ename": "E", "evalue": key, "traceback": [key]},
        {"output_type": "display_data", "data": {"text/html": [key], "image/png": key, "application/json": {"a": key}}},
    ]
    notebook = {
        "cells": [{"cell_type": "code", "source": [f"x = '{key}'"], "outputs": outputs}, {"source": "text"}],
        "metadata": {"papermill": {"parameters": {"reason": key}}},
    }
    redact_notebook(notebook)
    pictures = outputs[2]["data"].pop("image/png")
    assert pictures == key
    assert key not in json.dumps(notebook)


V = "velvet-" + "harbor1027"
FRAMES = {
    "a name beside its value": pd.DataFrame({"Name": ["DB_PASSWORD"], "Value": [V]}),
    "turned": pd.DataFrame({"user": ["a"], "password": [V]}).T,
    "a key and its value": pd.DataFrame({"key": ["password", "x"], "value": [V, "1"]}),
    "by its index": pd.DataFrame([V], index=["DB_PASSWORD"]),
    "a series": pd.Series({"DB_PASSWORD": V, "USER": "ada"}).to_frame("value"),
    "items": pd.DataFrame({"DB_PASSWORD": V, "USER": "ada"}.items()),
    "long": pd.DataFrame({"user": ["ada"], "password": [V]}).melt(),
}


@pytest.mark.parametrize("shown", FRAMES.values(), ids=FRAMES)
@pytest.mark.parametrize(
    "form", [frames.markup, pd.DataFrame.to_html, pd.DataFrame.to_json], ids=["ours", "html", "json"]
)
def test_a_table_hides_in_every_form_what_it_hides_in_one(shown: Any, form: Any) -> None:
    output = {"output_type": "execute_result", "data": {"text/html": form(shown), "text/plain": str(shown)}}
    redact_output(output)
    assert V not in json.dumps(output)
    assert "ada" not in str(shown) or "ada" in output["data"]["text/html"]


@pytest.mark.parametrize(
    ("mime", "text"),
    [
        ("text/html", "<p>user ada</p><b>password</b> <code>{}</code>"),
        ("text/html", "<p>ada</p><p>password</p><p>{}</p>"),
        ("text/html", "<ul><li>ada<li><i>password</i>: <b>{}</b></ul>"),
        ("text/html", "<span>ada</span><br><span>password</span><span>=</span><span>{}</span>"),
        ("text/markdown", "ada\n\n**password** `{}`"),
        ("text/markdown", "ada\n\n<b>password</b> <code>{}</code>"),
        ("image/svg+xml", "<svg><text><tspan>ada</tspan><tspan>password</tspan><tspan>{}</tspan></text></svg>"),
    ],
)
def test_what_is_marked_is_searched_as_its_reader_sees_it(mime: str, text: str) -> None:
    output = {"output_type": "display_data", "data": {mime: text.format(V)}}
    redact_output(output)
    assert output["data"][mime] == text.format(MASK)


def test_a_table_of_rich_hides_what_stands_below_a_telling_head() -> None:
    console = Console(record=True, width=60, file=io.StringIO(), force_terminal=True)
    made = Table("user", "password")
    made.add_row("ada", V)
    console.print(made)
    data = {
        "text/html": console.export_html(inline_styles=True, clear=False),
        "text/plain": console.export_text(styles=True),
    }
    output = {"output_type": "display_data", "data": data}
    redact_output(output)
    assert V not in json.dumps(output)
    assert "ada" in output["data"]["text/plain"] and "ada" in output["data"]["text/html"]
