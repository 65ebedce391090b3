"""No string in this file looks like a secret: each is put together when the test runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from runbook_lib.record.journal import FILE, Journal
from runbook_lib.record.redact_notebook import redact_notebook


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
